//! Where New Relic listens, by region.
//!
//! Source: the region table of newrelic-client-go, whose base addresses users may override
//! (`NEW_RELIC_INSIGHTS_BASE_URL` and its like); `Local` is one of its official regions.

use std::fmt;
use std::str::FromStr;

use crate::domain::account::AccountId;

/// A data centre of New Relic, or the local stand-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Region {
    /// United States.
    #[default]
    Us,
    /// Europe.
    Eu,
    /// Japan.
    Jp,
    /// FedRAMP.
    Gov,
    /// New Relic's own staging.
    Staging,
    /// This machine, port 3000.
    Local,
}

/// A text that names no region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no region: use US, EU, JP, GOV, Staging or Local")]
pub struct InvalidRegion(pub String);

impl Region {
    /// All regions.
    pub const ALL: [Self; 6] =
        [Self::Us, Self::Eu, Self::Jp, Self::Gov, Self::Staging, Self::Local];

    /// The name users write.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Us => "US",
            Self::Eu => "EU",
            Self::Jp => "JP",
            Self::Gov => "GOV",
            Self::Staging => "Staging",
            Self::Local => "Local",
        }
    }

    /// The region's addresses.
    pub fn addresses(self) -> Addresses {
        let (events, metrics, nerdgraph) = match self {
            Self::Us => (
                "https://insights-collector.newrelic.com/v1",
                "https://metric-api.newrelic.com/metric/v1",
                "https://api.newrelic.com/graphql",
            ),
            Self::Eu => (
                "https://insights-collector.eu01.nr-data.net/v1",
                "https://metric-api.eu.newrelic.com/metric/v1",
                "https://api.eu.newrelic.com/graphql",
            ),
            Self::Jp => (
                "https://insights-collector.jp.nr-data.net/v1",
                "https://metric-api.jp.nr-data.net/metric/v1",
                "https://api.jp.newrelic.com/graphql",
            ),
            Self::Gov => (
                "https://gov-insights-collector.newrelic.com/v1",
                "https://gov-metric-api.newrelic.com/metric/v1",
                "https://gov-api.newrelic.com/graphql",
            ),
            Self::Staging => (
                "https://staging-insights-collector.newrelic.com/v1",
                "https://staging-metric-api.newrelic.com/metric/v1",
                "https://staging-api.newrelic.com/graphql",
            ),
            Self::Local => (
                "http://localhost:3000/v1",
                "http://localhost:3000/metric/v1",
                "http://localhost:3000/graphql",
            ),
        };
        Addresses {
            events: events.to_owned(),
            metrics: metrics.to_owned(),
            nerdgraph: nerdgraph.to_owned(),
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Region {
    type Err = InvalidRegion;

    /// Case does not matter.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |region: &&Self| region.as_str().eq_ignore_ascii_case(text.trim());
        Self::ALL.iter().find(named).copied().ok_or_else(|| InvalidRegion(text.to_owned()))
    }
}

/// Base addresses of the services, each overridable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Event API up to and including `/v1`.
    pub events: String,
    /// Metric API.
    pub metrics: String,
    /// NerdGraph.
    pub nerdgraph: String,
}

/// An address that requests cannot be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{address}` is no base address ({reason}); write for example http://localhost:3000/v1")]
pub struct InvalidAddress {
    /// What was given.
    pub address: String,
    /// Why it does not serve.
    pub reason: String,
}

impl Addresses {
    /// Address for the events of `account`.
    ///
    /// # Errors
    /// When the base is not an absolute `http` or `https` address.
    pub fn events_of(&self, account: AccountId) -> Result<http::Uri, InvalidAddress> {
        let invalid = |reason: String| InvalidAddress { address: self.events.clone(), reason };
        let base = self.events.trim_end_matches('/');
        let uri: http::Uri = format!("{base}/accounts/{account}/events")
            .parse()
            .map_err(|error: http::uri::InvalidUri| invalid(error.to_string()))?;
        match uri.scheme_str() {
            Some("http" | "https") => Ok(uri),
            Some(other) => Err(invalid(format!("scheme {other} instead of http or https"))),
            None => Err(invalid("no scheme".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_the_region_table() {
        let account = AccountId::try_from(7).expect("valid");
        let check = |region: &str, expected: &str| {
            let region: Region = region.parse().expect(region);
            let uri = region.addresses().events_of(account).expect("valid").to_string();
            assert_eq!(uri, format!("{expected}/accounts/7/events"));
        };
        check("us", "https://insights-collector.newrelic.com/v1");
        check("EU", "https://insights-collector.eu01.nr-data.net/v1");
        check("jp", "https://insights-collector.jp.nr-data.net/v1");
        check("GOV", "https://gov-insights-collector.newrelic.com/v1");
        check("staging", "https://staging-insights-collector.newrelic.com/v1");
        check(" Local ", "http://localhost:3000/v1");
        assert_eq!("mars".parse::<Region>(), Err(InvalidRegion("mars".into())));
    }

    #[test]
    fn base_can_be_overridden_and_is_checked() {
        let account = AccountId::try_from(12).expect("valid");
        let check = |base: &str, expected: Result<&str, &str>| {
            let addresses = Addresses { events: base.to_owned(), ..Region::Us.addresses() };
            let got = addresses.events_of(account).map(|uri| uri.to_string());
            match expected {
                Ok(uri) => assert_eq!(got.as_deref(), Ok(uri)),
                Err(reason) => {
                    let error = got.expect_err(base).to_string();
                    assert!(error.contains(reason), "{error}");
                }
            }
        };
        check("http://newrelic:3000/v1/", Ok("http://newrelic:3000/v1/accounts/12/events"));
        check("ftp://newrelic/v1", Err("scheme ftp"));
        check("newrelic/v1", Err("is no base address"));
        check("http://a b/", Err("is no base address"));
    }
}
