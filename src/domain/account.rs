//! New Relic account ids.

use serde::Serialize;

/// A New Relic account: one to ten digits, no leading zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct AccountId(u64);

/// A number or text that is no account id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a New Relic account id: one to ten digits, no leading zero")]
pub struct InvalidAccountId(pub String);

impl AccountId {
    /// The lowest number, for GUIDs where it matters to nobody whose they are.
    pub const FIRST: Self = Self(1);

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for AccountId {
    type Error = InvalidAccountId;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        let valid = (1..=9_999_999_999).contains(&number);
        valid.then_some(Self(number)).ok_or_else(|| InvalidAccountId(number.to_string()))
    }
}

impl std::str::FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidAccountId(text.to_owned());
        let digits = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
        let number: u64 = text.parse().map_err(|_| invalid())?;
        if digits { Self::try_from(number).map_err(|_| invalid()) } else { Err(invalid()) }
    }
}

impl std::fmt::Display for AccountId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let cases = [
            ("1", Some(1)),
            ("1234567", Some(1_234_567)),
            ("9999999999", Some(9_999_999_999)),
            ("10000000000", None),
            ("0", None),
            ("01", None),
            ("+1", None),
            ("-1", None),
            ("", None),
            ("1a", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<AccountId>().ok().map(AccountId::get), expected, "{text:?}");
        }
    }
}
