//! Entity GUIDs from a definition's domain, type and identifier.
//!
//! `base64url_without_padding("{account}|{domain}|{type}|{identifier}")`; account of 1 to 10
//! digits, identifier of 1 to 50 characters of ASCII 32 to 126 (docs/entities/guid_spec.md).

use std::fmt::Write as _;

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
    /// The account is not a number of 1 to 10 digits.
    #[error("account `{0}` is no number of 1 to 10 digits")]
    Account(String),
}

/// The parts of a GUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuidParts {
    /// The account.
    pub account: u64,
    /// For example `INFRA`.
    pub domain: String,
    /// For example `KAFKATOPIC`, or `NA`.
    pub entity_type: String,
    /// The identifier, or its hash.
    pub identifier: String,
}

impl GuidParts {
    /// Reads the wire form; `None` when `guid` is none.
    pub fn parse(guid: &str) -> Option<Self> {
        // 10 + 15 + 50 + 50 characters and three bars make 128; four for three.
        if guid.len() > 172 {
            return None;
        }
        let readable = String::from_utf8(URL_SAFE_NO_PAD.decode(guid).ok()?).ok()?;
        let mut parts = readable.splitn(4, '|');
        let account = account_number(parts.next()?)?;
        let (domain, entity_type) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        let identifier = parts.next()?.to_owned();
        let word = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let sound = word(&domain) && word(&entity_type) && check(&identifier).is_ok();
        sound.then_some(Self { account, domain, entity_type, identifier })
    }
}

fn account_number(text: &str) -> Option<u64> {
    let digits = (1..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// Whether a GUID takes `identifier` as it is.
fn check(identifier: &str) -> Result<(), GuidError> {
    let length = identifier.chars().count();
    if !(1..=50).contains(&length) {
        return Err(GuidError::Length(identifier.to_owned(), length));
    }
    match identifier.chars().find(|c| !matches!(c, ' '..='~')) {
        Some(bad) => Err(GuidError::Character(identifier.to_owned(), bad)),
        None => Ok(()),
    }
}

/// The GUID in wire form.
///
/// # Errors
/// When `encode` is off and the identifier does not fit a GUID; when the account is no account.
pub fn entity_guid(
    account: impl std::fmt::Display,
    domain: &str,
    entity_type: &str,
    identifier: &str,
    encode: bool,
) -> Result<String, GuidError> {
    let mut readable = format!("{account}|");
    let digits = &readable[..readable.len() - 1];
    if account_number(digits).is_none() {
        return Err(GuidError::Account(digits.to_owned()));
    }
    let rest = if encode {
        write!(readable, "{domain}|{entity_type}|{}", identifier_hash(identifier))
    } else {
        check(identifier)?;
        write!(readable, "{domain}|{entity_type}|{identifier}")
    };
    debug_assert!(rest.is_ok(), "a string takes everything");
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
        fails("\u{7f}", GuidError::Character("\u{7f}".into(), '\u{7f}'));
        for fits in [" ".to_owned(), "~".to_owned(), "a".repeat(50)] {
            assert!(entity_guid(1u64, "INFRA", "X", &fits, false).is_ok(), "{fits}");
        }
        // Hashed, anything fits: 20 characters at most.
        assert!(entity_guid(1u64, "INFRA", "X", &"é".repeat(5_000), true).is_ok());
    }

    #[test]
    fn accounts_have_one_to_ten_digits() {
        for (account, expected) in [
            ("0", true),
            ("9999999999", true),
            ("10000000000", false),
            ("", false),
            ("-1", false),
            ("1a", false),
            ("+1", false),
        ] {
            let guid = entity_guid(account, "INFRA", "X", "id", false);
            assert_eq!(guid.is_ok(), expected, "{account}: {guid:?}");
        }
    }

    #[test]
    fn a_guid_is_read_back() {
        let guid = entity_guid(12u64, "INFRA", "NA", "a|b", false).expect("fits");
        let parts = GuidParts::parse(&guid).expect("a guid");
        assert_eq!((parts.account, &*parts.domain), (12, "INFRA"));
        assert_eq!((&*parts.entity_type, &*parts.identifier), ("NA", "a|b"));
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for bad in ["", "x|INFRA|T|1", "1|INFRA|T", "1||T|1", "1|INFRA|T|", "1|IN RA|T|1"] {
            assert_eq!(GuidParts::parse(&encode(bad)), None, "{bad}");
        }
        for bad in ["", "=", "MTAx===", "kafka-broker-1", &encode(&"1|INFRA|T|".repeat(40))] {
            assert_eq!(GuidParts::parse(bad), None, "{bad}");
        }
    }
}
