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
