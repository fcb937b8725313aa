//! Why the spool refused.

use std::io;

/// Why the spool did not do what was asked.
///
/// After an error of [`super::Spool::append`] nothing was taken; after one of
/// [`super::Spool::settle`] the change may have happened all the same, and repeating it is safe.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another instance works on the folder.
    #[error(
        "the spool `{folder}` is in use by {holder}; stop that one first, or give this one a \
         folder of its own"
    )]
    Locked {
        /// The spool's folder.
        folder: String,
        /// What the holder calls itself.
        holder: String,
    },
    /// A newer program wrote this spool; nothing in it was touched.
    #[error(
        "the spool `{folder}` has format {found}, this program reads up to {supported}; run the \
         newer program, or give this one a folder of its own"
    )]
    NewerVersion {
        /// The spool's folder.
        folder: String,
        /// The format found.
        found: u64,
        /// The newest format that this program reads.
        supported: u64,
    },
    /// No room: on the disk, or below the configured limit.
    #[error("the spool has no room: {0}")]
    Full(String),
    /// The disk failed.
    #[error("the spool's disk fails while it {action}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// What is on the disk is not what was written. The next operation repairs it.
    #[error("the spool is damaged: {0}")]
    Corrupt(String),
}

impl SpoolError {
    /// Whether there was no room.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether the same call may succeed later without anybody's doing.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Io { .. } | Self::Corrupt(_))
    }

    /// A short name of the class, for counters.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "locked",
            Self::NewerVersion { .. } => "newer_version",
            Self::Full(_) => "full",
            Self::Io { .. } => "io",
            Self::Corrupt(_) => "corrupt",
        }
    }

    /// An error of the disk, told apart by what it means.
    pub(super) fn io(action: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full(source.to_string())
            }
            _ => Self::Io { action, source },
        }
    }
}
