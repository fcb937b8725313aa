//! Rows of `NrIntegrationError`.
//!
//! Source: the `NrIntegrationError` reference and its pages for the Event API and the Metric API.

use super::Pending;
use super::body::Unreadable;
use crate::definitions::Scalar;
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;
use crate::sim::newrelic::fault::Target;
use crate::sim::newrelic::state::{ERROR_EVENT, NO_REQUEST, State};

/// A limit that an account has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RateLimit {
    RequestsPerMinute,
    DatapointsPerMinute,
    UniqueTimeseriesPerDay,
}

impl RateLimit {
    const fn as_str(self) -> &'static str {
        match self {
            Self::RequestsPerMinute => "RequestsPerMinute",
            Self::DatapointsPerMinute => "DatapointsPerMinute",
            Self::UniqueTimeseriesPerDay => "UniqueTimeseriesPerDay",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::RequestsPerMinute => "Account exceeded maximum number of requests per minute",
            Self::DatapointsPerMinute => {
                "Account exceeded maximum number of data points per minute"
            }
            Self::UniqueTimeseriesPerDay => {
                "Account exceeded maximum number of unique timeseries per day"
            }
        }
    }
}

/// Message of a request that could not be parsed.
const PARSE_ERROR: &str = "Error parsing JSON payload";

impl State {
    /// Counts and reports a request whose whole body is lost.
    pub(super) fn lose(&mut self, pending: &Pending, at: UnixMillis, unreadable: &Unreadable) {
        tracing::debug!(uuid = %pending.uuid, %unreadable, "Body lost.");
        self.counters.bodies_unreadable += 1;
        self.report(pending, at, PARSE_ERROR, None);
    }

    /// Writes a row about a request of which something could not be stored.
    pub(super) fn report(
        &mut self,
        pending: &Pending,
        at: UnixMillis,
        message: &str,
        event_type: Option<&str>,
    ) {
        let (feature, category, name) = match pending.part {
            Target::Metric => ("Metrics", "BadRequest", None),
            Target::Infra => ("Infrastructure", "BadRequest", None),
            _ => ("Event API", "EventApiException", Some("EventValidationException")),
        };
        let mut cells =
            vec![("newRelicFeature", Scalar::Text(feature)), ("category", Scalar::Text(category))];
        cells.extend(name.map(|name| ("name", Scalar::Text(name))));
        cells.push(("message", Scalar::Text(message)));
        cells.push(("apiKeyPrefix", Scalar::Text(&pending.key_prefix)));
        cells.push(("requestId", Scalar::Text(&pending.uuid)));
        cells.extend(event_type.map(|sample| ("eventTypeSample", Scalar::Text(sample))));
        self.put(pending.account, ERROR_EVENT, (at, at), pending.request, &cells, None);
    }

    /// Writes a row about a limit that an account has reached.
    pub(super) fn report_rate_limit(
        &mut self,
        account: AccountId,
        at: UnixMillis,
        limit: RateLimit,
    ) {
        let cells = [
            ("newRelicFeature", Scalar::Text("Metrics")),
            ("category", Scalar::Text("RateLimit")),
            ("rateLimitType", Scalar::Text(limit.as_str())),
            ("message", Scalar::Text(limit.message())),
        ];
        self.put(account, ERROR_EVENT, (at, at), NO_REQUEST, &cells, None);
    }
}
