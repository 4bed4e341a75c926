//! Why a log could not be opened.
//!
//! INVARIANT: every variant has a page under `docs/errors/`.

use std::path::PathBuf;

use aim_hardening::private_dir::PrivateDirError;

/// Why a data directory's log could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenLogError {
    /// There is no log to read.
    #[error("no evidence log in `{0}`")]
    Missing(PathBuf),
    /// The folder or a file in it is a link, belongs to somebody else or can be changed by others.
    #[error("the data directory can not be trusted: {0}")]
    Untrusted(PrivateDirError),
    /// Another process writes to it.
    #[error("data directory `{path}` is in use by {holder}")]
    Held {
        /// The data directory.
        path: PathBuf,
        /// Who holds it, as that process wrote it down.
        holder: String,
    },
    /// The operating system refused.
    #[error("the data directory can not be used: {0}")]
    System(PrivateDirError),
}

impl OpenLogError {
    /// The stable code of the page that explains it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::System(_) => "AIM-D001",
            Self::Untrusted(_) => "AIM-D002",
            Self::Held { .. } => "AIM-D003",
            Self::Missing(_) => "AIM-D004",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Missing(_) => "run a plan first, or name another folder with --data-dir".into(),
            Self::Untrusted(_) => {
                "use a folder of your own (chmod 700), not a link, or name another with --data-dir"
                    .into()
            }
            Self::Held { .. } => {
                "wait for that process to end, or name another folder with --data-dir".into()
            }
            Self::System(_) => "check that the folder's parent exists and can be written".into(),
        }
    }
}

impl From<PrivateDirError> for OpenLogError {
    fn from(error: PrivateDirError) -> Self {
        if error.is_forbidden() {
            Self::Untrusted(error)
        } else {
            Self::System(error)
        }
    }
}
