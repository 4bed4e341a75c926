//! How the incident triage example reads logs and reasons about them; the components around it only move bytes.
//!
//! ```text
//! lines -> Reader -> records -> select -> Selection -> rate, rare, order -> Finding x 3 -> agree -> Conclusion
//!                                                              cited lines -> evidence -> report
//! ```
//!
//! Every function here is a function of its arguments: no file, no clock, no randomness, no float, and maps that keep an
//! order. That is why the same logs give the same bytes everywhere, and why the same code is tested natively.
//! INVARIANT: no text that leaves `record`, `select` or a method holds a credential; only `evidence` handles raw lines.
#![forbid(unsafe_code)]

pub mod agree;
pub mod cause;
pub mod evidence;
pub mod finding;
pub mod forecast;
pub mod log;
pub mod mask;
pub mod order;
pub mod parse;
pub mod rare;
pub mod rate;
pub mod record;
pub mod report;
pub mod select;
pub mod template;
pub mod time;

/// One, in parts per million: how ratios are written.
pub const ONE_PPM: u32 = 1_000_000;

/// `part` of `whole` in parts per million; 0 of nothing.
#[must_use]
pub fn share_ppm(part: u64, whole: u64) -> u32 {
    let scaled = u128::from(part) * u128::from(ONE_PPM);
    let share = scaled.checked_div(u128::from(whole)).unwrap_or(0);
    u32::try_from(share).unwrap_or(ONE_PPM).min(ONE_PPM)
}
