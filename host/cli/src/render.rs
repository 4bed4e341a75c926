//! What people and scripts read. stdout is data, stderr is talk; nothing here decides.

pub(crate) mod errors;
pub(crate) mod lines;
pub(crate) mod out;
pub(crate) mod progress;
