//! G29: an error whose text is as long as memory allows.

use aim_sdk::StepError;

/// An error with so many bytes of text, in code and message alike.
pub(crate) fn run(bytes: u64) -> StepError {
    let text = "\u{1b}E".repeat(usize::try_from(bytes).unwrap_or(usize::MAX) / 2);
    StepError::permanent(&text, text.clone())
}
