//! Limits of New Relic's ingest, each with its source. Numbers are of the public documentation
//! ("Data requirements and limits for custom event data", "Introduction to the Event API").

/// Largest body of one POST as sent, in bytes: "1MB (10^6 bytes) maximum per POST".
pub const EVENT_API_BODY_BYTES_MAX: usize = 1_000_000;
/// Most attributes of one event: "Maximum number of attributes per event: 255".
pub const EVENT_ATTRIBUTES_MAX: usize = 255;
/// Longest attribute name, in characters: "Maximum length of attribute name: 255".
pub const ATTRIBUTE_NAME_CHARS_MAX: usize = 255;
/// Longest string value, in characters: "For events sent via Event API: 4096 characters".
pub const ATTRIBUTE_VALUE_CHARS_MAX: usize = 4096;
/// Longest event type, in characters: "Maximum length of event type name: 255 characters".
pub const EVENT_TYPE_CHARS_MAX: usize = 255;
/// Event types of one account: "250 event types per account per day".
pub const EVENT_TYPES_PER_ACCOUNT: usize = 250;
/// POSTs per account and minute: "100,000 HTTP POST requests/minute per account".
pub const EVENT_API_POSTS_PER_MINUTE: u32 = 100_000;
/// How far a timestamp may be from the present, in milliseconds: "within 24 hours".
pub const EVENT_TIMESTAMP_WINDOW_MS: i64 = 24 * 60 * 60 * 1_000;
/// Time the server waits for a request, in seconds (Event API, "408 Request Timeout").
pub const EVENT_API_SERVER_TIMEOUT_SECONDS: u64 = 10;
/// Characters of a key that New Relic shows as `apiKeyPrefix` (`NrIntegrationError`).
pub const API_KEY_PREFIX_CHARS: usize = 6;
/// Attributes of one event type: "48,000 attributes per event type".
pub const EVENT_TYPE_ATTRIBUTES_MAX: usize = 48_000;

/// Largest body of one POST to the Metric API as sent, in bytes: "1MB (10^6 bytes) maximum".
pub const METRIC_API_BODY_BYTES_MAX: usize = 1_000_000;
/// Most attributes of one metric data point: "Max attributes per metric: 100".
pub const METRIC_ATTRIBUTES_MAX: usize = 100;
/// Longest metric name, in characters.
pub const METRIC_NAME_CHARS_MAX: usize = 255;
/// How far a data point's timestamp may lie in the past, in milliseconds: "older than 48 hours".
pub const METRIC_TIMESTAMP_PAST_MS: i64 = 48 * 60 * 60 * 1_000;
/// How far it may lie ahead, in milliseconds: "newer than 24 hours".
pub const METRIC_TIMESTAMP_AHEAD_MS: i64 = 24 * 60 * 60 * 1_000;
/// POSTs per account and minute: "Max payloads per minute: 100k".
pub const METRIC_API_POSTS_PER_MINUTE: u32 = 100_000;
/// Data points per account and minute: "3-15 million DPM".
pub const METRIC_POINTS_PER_MINUTE: u64 = 3_000_000;
/// Time series per account and day: "1-15 million".
pub const METRIC_SERIES_PER_DAY: usize = 1_000_000;
/// Time series per metric name and day: "100k".
pub const METRIC_SERIES_PER_NAME_AND_DAY: u32 = 100_000;
/// Longest request URI of the Metric API, in bytes. The status 414 is documented, the number is
/// not.
pub const METRIC_API_URI_BYTES_MAX: usize = 8_192;
/// Longest head of a request to the Metric API, in bytes. The status 431 is documented, the
/// number is not.
pub const METRIC_API_HEADER_BYTES_MAX: usize = 16_384;
