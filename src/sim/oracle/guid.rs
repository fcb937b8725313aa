//! GUIDs by the book: `account|INFRA|TYPE|first 32 hex of SHA-256`, base64url without padding.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::sim::check::record::StoredEvent;

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// `MESSAGE_QUEUE_BROKER` and so on.
    pub type_name: String,
    /// Provider, cluster and, below a cluster, the object's own name.
    pub parts: Vec<String>,
}

impl Identity {
    /// An object of `cluster`; `own` is `None` for the cluster itself.
    pub fn new(type_name: &str, cluster: &str, own: Option<&str>) -> Self {
        let parts = ["kafka", cluster].into_iter().chain(own).map(str::to_owned).collect();
        Self { type_name: type_name.to_owned(), parts }
    }

    /// Read from an event's identity attributes.
    pub fn of(event: &StoredEvent) -> Option<Self> {
        let type_name = event.text("entityType");
        let attribute = match type_name {
            "MESSAGE_QUEUE_CLUSTER" => None,
            "MESSAGE_QUEUE_BROKER" => Some("brokerId"),
            "MESSAGE_QUEUE_TOPIC" => Some("topicName"),
            "MESSAGE_QUEUE_CONSUMER_GROUP" => Some("consumerGroup"),
            _ => return None,
        };
        let cluster = event.text("clusterName");
        let own = attribute.map(|name| match event.number(name) {
            Some(number) => format!("{number}"),
            None => event.text(name).to_owned(),
        });
        let complete = !cluster.is_empty() && own.as_ref().is_none_or(|own| !own.is_empty());
        complete.then(|| Self::new(type_name, cluster, own.as_deref()))
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.type_name.as_str() {
            "MESSAGE_QUEUE_CLUSTER" => "cluster",
            "MESSAGE_QUEUE_BROKER" => "broker",
            "MESSAGE_QUEUE_TOPIC" => "topic",
            _ => "group",
        };
        write!(f, "{kind} {}", self.parts[1..].join("/"))
    }
}

/// The readable and the wire form of an object's GUID.
pub fn expected(account: u64, identity: &Identity) -> (String, String) {
    let escape = |part: &String| part.replace('%', "%25").replace(':', "%3A").replace('|', "%7C");
    let text = identity.parts.iter().map(escape).collect::<Vec<_>>().join(":");
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let readable = format!("{account}|INFRA|{}|{hex}", identity.type_name);
    let wire = URL_SAFE_NO_PAD.encode(&readable);
    (readable, wire)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_escapes() {
        let (readable, wire) = expected(1, &Identity::new("MESSAGE_QUEUE_CLUSTER", "a", None));
        // `printf 'kafka:a' | sha256sum`
        assert_eq!(readable, "1|INFRA|MESSAGE_QUEUE_CLUSTER|a6bcaaf5312e0c6742a0702fc29e7263");
        assert!(!wire.contains('='));
        let one = expected(1, &Identity::new("T", "a:b", Some("c")));
        let two = expected(1, &Identity::new("T", "a", Some("b:c")));
        assert_ne!(one, two);
    }
}
