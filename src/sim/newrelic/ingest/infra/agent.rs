//! What an infrastructure agent knows of its host, and how it names entities.

use std::collections::BTreeMap;

use serde_json::Value;

/// The host that an agent runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentHost {
    /// The agent's own entity key: the cloud's instance id, or the full host name.
    pub entity_key: String,
    /// Host name.
    pub hostname: String,
    /// Host name with domain.
    pub full_hostname: String,
    /// For example `1.72.9`.
    pub agent_version: String,
    /// For example `linux`.
    pub operating_system: String,
    /// Cores, as text.
    pub core_count: String,
    /// Processors, as text.
    pub processor_count: String,
    /// `labels` of the integration's configuration.
    pub labels: BTreeMap<String, String>,
}

impl Default for AgentHost {
    fn default() -> Self {
        Self {
            entity_key: "shakedown-host".to_owned(),
            hostname: "shakedown-host".to_owned(),
            full_hostname: "shakedown-host.local".to_owned(),
            agent_version: "1.72.9".to_owned(),
            operating_system: "linux".to_owned(),
            core_count: "2".to_owned(),
            processor_count: "2".to_owned(),
            labels: BTreeMap::new(),
        }
    }
}

impl AgentHost {
    /// What New Relic shows of the host on every sample that the agent reports.
    pub(super) fn attributes(&self) -> [(&'static str, &str); 7] {
        [
            ("agentName", "Infrastructure"),
            ("agentVersion", &self.agent_version),
            ("coreCount", &self.core_count),
            ("fullHostname", &self.full_hostname),
            ("hostname", &self.hostname),
            ("operatingSystem", &self.operating_system),
            ("processorCount", &self.processor_count),
        ]
    }

    /// The key of an entity as an integration describes it; that of the agent's own for none.
    ///
    /// # Errors
    /// When the entity has a name and no type.
    pub(super) fn entity_key(&self, entity: &Value) -> Result<(String, bool), String> {
        let text = |name: &str| entity[name].as_str().unwrap_or_default();
        let name = text("name");
        if name.is_empty() {
            return Ok((self.entity_key.clone(), true));
        }
        if text("type").is_empty() {
            return Err(format!("missing `type` field for entity name `{name}`"));
        }
        let name = self.without_loopback(name);
        Ok((format!("{}:{name}{}", text("type"), id_attributes(&entity["id_attributes"])), false))
    }

    /// `text` with the host's own name where it says localhost.
    pub(super) fn without_loopback(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut before = None;
        while let Some(first) = rest.chars().next() {
            let starts_word = before.is_none_or(|c: char| !is_of_host(c));
            let length = if starts_word { loopback(rest) } else { 0 };
            if length > 0 {
                out.push_str(&self.hostname);
                before = rest[..length].chars().next_back();
                rest = &rest[length..];
            } else {
                out.push(first);
                before = Some(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        out
    }
}

fn is_of_host(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Bytes of the loopback host that `text` begins with; 0 when it begins with another.
fn loopback(text: &str) -> usize {
    for name in ["[::1]", "::1"] {
        if text.starts_with(name)
            && !text[name.len()..].starts_with(|c: char| c.is_ascii_hexdigit())
        {
            return name.len();
        }
    }
    let length = text.find(|c: char| !is_of_host(c)).unwrap_or(text.len());
    let host = &text[..length];
    let parts: Vec<&str> = host.split('.').collect();
    let number = |part: &&str| part.parse::<u8>().is_ok();
    let is_127 = parts.len() == 4 && parts[0] == "127" && parts.iter().all(number);
    if is_127 || host.eq_ignore_ascii_case("localhost") { length } else { 0 }
}

/// `:key=value` of each, sorted by key, in lower case; of equal keys the last counts.
fn id_attributes(list: &Value) -> String {
    let text = |pair: &Value, names: [&str; 2]| {
        let found = names.iter().find_map(|name| pair[name].as_str());
        found.unwrap_or_default().to_owned()
    };
    let pairs = list.as_array().into_iter().flatten();
    let sorted: BTreeMap<String, String> = pairs
        .map(|pair| (text(pair, ["Key", "key"]), text(pair, ["Value", "value"])))
        .filter(|(key, _)| !key.is_empty())
        .collect();
    sorted.iter().map(|(key, value)| format!(":{key}={value}").to_lowercase()).collect()
}
