//! Cited lines with their text: masked for everybody, raw only to show that a gate stops it.
//! INVARIANT: a masked line has the digest by which it is cited, so whoever holds the report can check its text.

use serde::{Deserialize, Serialize};

use crate::agree::{Conclusion, Located, Opinion};
use crate::cause::Cause;
use crate::finding::Citation;
use crate::log::Component;
use crate::mask::{MASK, masked};
use crate::record::digest;
use crate::time::as_text;

/// A conclusion with the text of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What broke.
    pub cause: Cause,
    /// Where.
    pub component: Component,
    /// When it began.
    #[serde(with = "as_text")]
    pub onset: u64,
    /// How exact the clock behind `onset` is, in milliseconds.
    pub resolution_ms: u64,
    /// How sure, in parts per million.
    pub confidence_ppm: u32,
    /// What each method said.
    pub methods: Vec<Opinion>,
    /// The lines, by time.
    pub cited: Vec<Quoted>,
    /// How many of them had something to mask.
    pub masked: u32,
}

/// A cited line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quoted {
    /// The citation.
    #[serde(flatten)]
    pub citation: Citation,
    /// The line's text.
    pub text: String,
}

/// What becomes of credentials in a quotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// They are masked.
    Masked,
    /// They are left as they are.
    Raw,
}

/// Adds the text of its lines to a conclusion. `lines` are its citations with their places, `read` gives the raw bytes at one.
///
/// # Errors
/// What `read` answers, and `mismatch` for a line whose masked text is not the one that is cited.
pub fn quote<E>(
    conclusion: Conclusion,
    lines: &[Located],
    credentials: Credentials,
    mut read: impl FnMut(&Located) -> Result<Vec<u8>, E>,
    mismatch: impl Fn(&Citation) -> E,
) -> Result<Evidence, E> {
    let mut masked_lines = 0_u32;
    let mut cited = Vec::with_capacity(lines.len());
    for located in lines {
        let raw = read(located)?;
        let raw = String::from_utf8_lossy(&raw).into_owned();
        let masked = masked(&raw);
        if digest(&masked) != located.citation.digest {
            return Err(mismatch(&located.citation));
        }
        if masked.contains(MASK) {
            masked_lines = masked_lines.saturating_add(1);
        }
        let text = if credentials == Credentials::Masked {
            masked
        } else {
            raw
        };
        cited.push(Quoted {
            citation: located.citation.clone(),
            text,
        });
    }
    let Conclusion {
        cause,
        component,
        onset,
        resolution_ms,
        confidence_ppm,
        methods,
        ..
    } = conclusion;
    Ok(Evidence {
        cause,
        component,
        onset,
        resolution_ms,
        confidence_ppm,
        methods,
        cited,
        masked: masked_lines,
    })
}
