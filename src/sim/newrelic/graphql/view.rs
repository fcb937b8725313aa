//! Entities as NerdGraph shows them, and as a search looks at them.

use async_graphql::{Name, Value, value};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use indexmap::IndexMap;

use crate::sim::newrelic::entities::{AlertSeverity, Glance, StoredEntity};
use crate::sim::newrelic::search::Subject;

/// Which of the two forms of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Under `entity` and `entities`.
    Whole,
    /// In search results and at the ends of relationships.
    Outline,
}

/// The object type of an entity kind: `GENERIC_ENTITY` is a `GenericEntity` or an
/// `GenericEntityOutline`.
fn type_name(kind: &str, form: Form) -> String {
    let mut name = String::with_capacity(kind.len() + 7);
    for word in kind.split('_') {
        let mut chars = word.chars();
        name.extend(chars.next());
        name.extend(chars.map(|c| c.to_ascii_lowercase()));
    }
    if form == Form::Outline {
        name.push_str("Outline");
    }
    name
}

/// The identifier within a GUID.
pub(in crate::sim::newrelic) fn domain_id(guid: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(guid).ok()?).ok()?;
    text.splitn(4, '|').nth(3).map(str::to_owned)
}

/// The member of `EntityInfrastructureIntegrationType` for a type, where there is one.
fn integration(domain: &str, entity_type: &str) -> Option<&'static str> {
    if domain != "INFRA" {
        return None;
    }
    Some(match entity_type {
        "KAFKABROKER" => "KAFKA_BROKER",
        "KAFKATOPIC" => "KAFKA_TOPIC",
        "RABBITMQCLUSTER" => "RABBIT_MQ_CLUSTER",
        "RABBITMQEXCHANGE" => "RABBIT_MQ_EXCHANGE",
        "RABBITMQNODE" => "RABBIT_MQ_NODE",
        "RABBITMQQUEUE" => "RABBIT_MQ_QUEUE",
        "AWSSQSQUEUE" => "AWS_SQS_QUEUE",
        _ => return None,
    })
}

/// An entity with the fields that all types share; `keys` restricts the tags that are shown.
pub(super) fn entity(entity: &StoredEntity, form: Form, keys: Option<&[String]>) -> Value {
    let shown = |key: &str| keys.is_none_or(|keys| keys.iter().any(|known| known == key));
    let tags: Vec<Value> = entity
        .tags
        .iter()
        .filter(|(key, _)| shown(key))
        .map(|(key, values)| value!({"key": key.as_str(), "values": texts(values)}))
        .collect();
    let name = entity.tags.get("account").and_then(|values| values.first());
    let mut fields: IndexMap<Name, Value> = IndexMap::with_capacity(20);
    let mut put = |name: &'static str, value: Value| drop(fields.insert(Name::new(name), value));
    put("__typename", type_name(entity.kind(), form).into());
    put("guid", Value::from(&*entity.guid));
    put("name", entity.name.as_str().into());
    put("accountId", entity.account.get().into());
    put("account", value!({"id": entity.account.get(), "name": name.cloned()}));
    put("domain", entity.domain.as_str().into());
    put("type", entity.entity_type.as_str().into());
    put("entityType", entity.kind().into());
    put("reporting", entity.reporting.into());
    let severity = entity.alert_severity.map(AlertSeverity::as_str);
    put("alertSeverity", severity.map_or(Value::Null, Value::from));
    put("firstIndexedAt", entity.visible_at.0.into());
    put("indexedAt", entity.last_seen.0.max(entity.visible_at.0).into());
    put("lastReportingChangeAt", entity.reporting_changed_at.0.into());
    let permalink = format!("https://one.newrelic.com/redirect/entity/{}", entity.guid);
    put("permalink", permalink.into());
    put("integrationTypeCode", entity.entity_type.as_str().into());
    put("tags", Value::List(tags));
    Value::Object(fields)
}

fn texts(values: &[String]) -> Value {
    Value::List(values.iter().map(|value| Value::from(value.as_str())).collect())
}

/// Tags with the mark of those that users may change.
pub(super) fn tags_with_metadata(entity: &StoredEntity) -> Value {
    let tag = |(key, values): (&String, &Vec<String>)| {
        let values: Vec<Value> = values
            .iter()
            .map(|v| value!({"mutable": entity.is_mutable(key, v), "value": v.as_str()}))
            .collect();
        value!({"key": key.as_str(), "values": values})
    };
    Value::List(entity.tags.iter().map(tag).collect())
}

impl Subject for Glance<'_> {
    fn name(&self) -> &str {
        self.name()
    }

    fn domain(&self) -> &str {
        self.domain()
    }

    fn entity_type(&self) -> &str {
        self.entity_type()
    }

    fn guid(&self) -> &str {
        self.guid()
    }

    fn account_id(&self) -> String {
        self.account().to_string()
    }

    fn domain_id(&self) -> Option<String> {
        domain_id(self.guid())
    }

    fn alert_severity(&self) -> Option<&str> {
        self.alert_severity().map(AlertSeverity::as_str)
    }

    fn is_alertable(&self) -> bool {
        self.is_alertable()
    }

    fn is_reporting(&self) -> bool {
        self.is_reporting()
    }

    fn integration_type(&self) -> Option<&str> {
        integration(self.domain(), self.entity_type())
    }

    fn visit_tags(&self, visit: &mut dyn FnMut(&str, &str)) {
        self.visit_tags(visit);
    }
}
