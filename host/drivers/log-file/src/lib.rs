//! The evidence log as one append-only file in a data directory.
//!
//! ```text
//! .aim/              0700, never a link, never writable by others
//!   lock             exclusive flock while a writer lives; holds the writer's pid and command for the message
//!   log/
//!     evidence.log   what the runtime appends, byte for byte
//!     checkpoint     the newest published checkpoint, replaced whole
//! ```
//!
//! The driver knows nothing about frames. It promises only this: when `append` returns, the bytes are on stable storage
//! as far as the system can say; when it fails, either nothing was kept or nothing will ever be written again.
//!
//! INVARIANT: after a failed sync the driver never writes again, because the kernel may have dropped the pages.

#![forbid(unsafe_code)]

mod error;
mod lock;
mod reader;
mod writer;

pub use error::OpenLogError;
pub use reader::FileLogReader;
pub use writer::FileLogWriter;

/// The folder inside the data directory.
const FOLDER: &str = "log";
/// The log itself.
const EVIDENCE: &str = "evidence.log";
/// The published checkpoint.
const CHECKPOINT: &str = "checkpoint";
/// What a checkpoint may hold at most; real ones have a few hundred bytes.
const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;
