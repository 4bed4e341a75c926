//! Output: progress to standard error, results to standard output.
//!
//! INVARIANT: this is the only file that prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is its job"
)]

/// A part of the result.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// What is being done.
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}

/// Why it failed.
pub(crate) fn error(text: &str) {
    eprintln!("error: {text}");
}
