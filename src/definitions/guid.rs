//! Entity GUIDs from a definition's domain, type and identifier.
//!
//! `base64url_without_padding("{account}|{domain}|{type}|{identifier}")`; account of 1 to 10
//! digits, identifier of 1 to 50 characters of ASCII 32 to 126 (docs/entities/guid_spec.md).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::farmhash::identifier_hash;

/// Why a point yields no entity although a rule matched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuidError {
    /// The identifier is not 1 to 50 characters long.
    #[error(
        "identifier `{0}` is {1} characters long, a GUID takes 1 to 50: set encodeIdentifierInGUID"
    )]
    Length(String, usize),
    /// The identifier holds a character outside ASCII 32 to 126.
    #[error(
        "identifier `{0}` holds `{1}`, a GUID takes ASCII 32 to 126: set encodeIdentifierInGUID"
    )]
    Character(String, char),
}

/// The GUID in wire form.
///
/// # Errors
/// When `encode` is off and the identifier does not fit a GUID.
pub fn entity_guid(
    account: impl std::fmt::Display,
    domain: &str,
    entity_type: &str,
    identifier: &str,
    encode: bool,
) -> Result<String, GuidError> {
    let readable = if encode {
        format!("{account}|{domain}|{entity_type}|{}", identifier_hash(identifier))
    } else {
        let length = identifier.chars().count();
        if !(1..=50).contains(&length) {
            return Err(GuidError::Length(identifier.to_owned(), length));
        }
        if let Some(bad) = identifier.chars().find(|c| !matches!(c, ' '..='~')) {
            return Err(GuidError::Character(identifier.to_owned(), bad));
        }
        format!("{account}|{domain}|{entity_type}|{identifier}")
    };
    Ok(URL_SAFE_NO_PAD.encode(readable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids() {
        let check = |account: u64, kind: &str, id: &str, encode, expected: &str| {
            assert_eq!(entity_guid(account, "INFRA", kind, id, encode).as_deref(), Ok(expected));
        };
        let broker = "ka-broker:kafka-broker-1.kafka-broker-headless.can-kafka.svc.cluster.local:\
                      9092:brokerid=101:clustername=coreint-canary-aws-arm";
        let published = "MTAxNTQyOXxJTkZSQXxOQXwtMjE5MzIzMTg0MzE0MDcwNDE2Ng";
        check(1_015_429, "NA", broker, true, published);
        check(1_015_429, "NA", "-2193231843140704166", false, published);

        let fails = |id: &str, expected| {
            assert_eq!(entity_guid(1u64, "INFRA", "X", id, false), Err(expected));
        };
        fails("", GuidError::Length(String::new(), 0));
        fails(&"a".repeat(51), GuidError::Length("a".repeat(51), 51));
        fails("é", GuidError::Character("é".into(), 'é'));
        fails("a\tb", GuidError::Character("a\tb".into(), '\t'));
    }
}
