//! What can go wrong between a collector and one broker, typed.

use std::fmt;
use std::io;

use kafka_protocol::error::ResponseError;

/// A Kafka error code; prints as Kafka spells it: `NOT_LEADER_OR_FOLLOWER (6)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    /// No error.
    pub const NONE: Self = Self(0);
    /// The answering broker does not coordinate the group (any more).
    pub const NOT_COORDINATOR: Self = Self(16);
    /// The broker does not speak this version of the API.
    pub const UNSUPPORTED_VERSION: Self = Self(35);
    /// The leader does not know its high watermark yet.
    pub const OFFSET_NOT_AVAILABLE: Self = Self(78);
    /// There is no such group.
    pub const GROUP_ID_NOT_FOUND: Self = Self(69);

    /// Whether newer metadata may name a broker that can answer.
    pub fn is_stale_metadata(self) -> bool {
        // UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, and of an
        // epoch FENCED_LEADER_EPOCH and UNKNOWN_LEADER_EPOCH.
        matches!(self.0, 3 | 5 | 6 | 74 | 75)
    }

    /// `Ok` for code 0.
    ///
    /// # Errors
    /// [`ClientError::Broker`] for every other code.
    pub fn check(self, api: &'static str) -> Result<(), ClientError> {
        if self == Self::NONE { Ok(()) } else { Err(ClientError::Broker { api, code: self }) }
    }
}

impl From<i16> for ErrorCode {
    fn from(code: i16) -> Self {
        Self(code)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match ResponseError::try_from_code(self.0) {
            None => return f.write_str("NONE (0)"),
            Some(ResponseError::Unknown(code)) => return write!(f, "unknown code {code}"),
            Some(error) => error.to_string(),
        };
        for (index, letter) in name.chars().enumerate() {
            if index > 0 && letter.is_ascii_uppercase() {
                f.write_str("_")?;
            }
            write!(f, "{}", letter.to_ascii_uppercase())?;
        }
        write!(f, " ({})", self.0)
    }
}

/// Why one exchange with a broker failed.
///
/// Everything but [`ClientError::Broker`] and [`ClientError::Unsupported`] closes the connection:
/// after it nothing that arrives there can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(IoFailure),
    /// The connection broke, or the broker closed it between two frames.
    #[error("connection lost during {api}: {cause}")]
    Lost {
        /// The API in progress.
        api: &'static str,
        /// What the transport said.
        cause: IoFailure,
    },
    /// The connection ended inside a frame.
    #[error("answer to {api} cut off: {got} of {expected} bytes")]
    Truncated {
        /// The API in progress.
        api: &'static str,
        /// Bytes announced.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// The broker announced a frame above the limit; nothing was allocated for it.
    #[error("answer to {api} of {bytes} bytes is above the limit of {limit}")]
    Oversized {
        /// The API in progress.
        api: &'static str,
        /// Bytes announced.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The frame does not hold what its API and version prescribe.
    #[error("answer to {api} v{version} is malformed: {reason}")]
    Malformed {
        /// The API in progress.
        api: &'static str,
        /// Its version.
        version: i16,
        /// What is wrong, with the place where it is known.
        reason: String,
    },
    /// The answer belongs to another request.
    #[error("answer to {api} carries correlation id {got} instead of {expected}")]
    Correlation {
        /// The API in progress.
        api: &'static str,
        /// The id sent.
        expected: i32,
        /// The id received.
        got: i32,
    },
    /// Broker and codec share no version of the API; nothing was sent.
    #[error("broker offers {offered} of {api}, this client speaks {spoken}")]
    Unsupported {
        /// The API.
        api: &'static str,
        /// The broker's versions, or "no version".
        offered: String,
        /// Ours.
        spoken: String,
    },
    /// The request does not fit its own version: a defect of this client.
    #[error("request {api} v{version} cannot be encoded: {reason}")]
    Encode {
        /// The API.
        api: &'static str,
        /// Its version.
        version: i16,
        /// What the codec said.
        reason: String,
    },
    /// The broker answered with an error code.
    #[error("broker answered {api} with {code}")]
    Broker {
        /// The API.
        api: &'static str,
        /// The code.
        code: ErrorCode,
    },
    /// No answer in time.
    #[error("no answer within {timeout_ms} ms")]
    Timeout {
        /// The deadline.
        timeout_ms: u64,
    },
}

/// An I/O error's kind and text, comparable and cheap to copy around.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct IoFailure {
    /// Its kind.
    pub kind: io::ErrorKind,
    /// Its text.
    pub text: String,
}

impl From<io::Error> for IoFailure {
    fn from(error: io::Error) -> Self {
        Self { kind: error.kind(), text: error.to_string() }
    }
}

impl ClientError {
    /// The reason's name in counters.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Lost { .. } => "connection_lost",
            Self::Truncated { .. } => "frame_truncated",
            Self::Oversized { .. } => "frame_oversized",
            Self::Malformed { .. } => "frame_malformed",
            Self::Correlation { .. } => "wrong_correlation_id",
            Self::Unsupported { .. } => "api_unsupported",
            Self::Encode { .. } => "request_unencodable",
            Self::Broker { .. } => "broker_error",
            Self::Timeout { .. } => "timeout",
        }
    }

    /// Whether the connection can carry the next request.
    pub fn keeps_connection(&self) -> bool {
        matches!(self, Self::Broker { .. } | Self::Unsupported { .. } | Self::Encode { .. })
    }
}
