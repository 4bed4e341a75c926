//! The vocabulary of the host, re-exported under short names, with the constructors that guests write most.
//! INVARIANT: a ratio is never above one million, whatever float it was made from.

pub use crate::bindings::imports::aim::types::types::{
    Abstention, ArtifactRef, Confidence, Denial, Digest, Doubt, Emission, Envelope,
    Error as HostError, Fault, Ratio, StepError, Target,
};

/// One, as a ratio: parts per million.
pub const RATIO_ONE: Ratio = 1_000_000;

/// A float between 0 and 1 as parts per million, rounded to the nearest. Below 0 and NaN give 0, above 1 gives 1_000_000:
/// a doubtful number must never look surer than it is, and a ratio above one is refused by the host.
#[must_use]
pub fn ratio(value: f64) -> Ratio {
    let scaled = (value.clamp(0.0, 1.0) * f64::from(RATIO_ONE)).round();
    // BOUND: at most 20 halvings of a million; a search needs no cast that could truncate.
    let (mut low, mut high) = (0, RATIO_ONE);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if f64::from(middle) <= scaled {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

/// A fault: a stable code and a sentence for people.
#[must_use]
pub fn fault(code: &str, message: impl Into<String>) -> Fault {
    Fault {
        code: code.into(),
        message: message.into(),
    }
}

impl Emission {
    /// An emission to every step that requires this one.
    #[must_use]
    pub fn next(operation: &str, media_type: &str, body: Vec<u8>) -> Self {
        Self {
            target: Target::Next,
            operation: operation.into(),
            media_type: media_type.into(),
            artifacts: Vec::new(),
            body,
        }
    }

    /// The same emission to another target.
    #[must_use]
    pub fn to(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    /// The same emission with one more artifact.
    #[must_use]
    pub fn with_artifact(mut self, artifact: ArtifactRef) -> Self {
        self.artifacts.push(artifact);
        self
    }
}

impl StepError {
    /// Trying again would fail again.
    #[must_use]
    pub fn permanent(code: &str, message: impl Into<String>) -> Self {
        Self::Permanent(fault(code, message))
    }

    /// Trying again may succeed.
    #[must_use]
    pub fn transient(code: &str, message: impl Into<String>) -> Self {
        Self::Transient(fault(code, message))
    }

    /// The envelope does not satisfy the contract.
    #[must_use]
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::InvalidInput(fault("SDK-I001", message))
    }

    /// Not sure enough to answer.
    #[must_use]
    pub fn abstain(reason: impl Into<String>, score: f64, method: &str) -> Self {
        let confidence = Confidence {
            score: ratio(score),
            method: method.into(),
        };
        Self::Abstain(Abstention {
            reason: reason.into(),
            confidence,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_become_parts_per_million() {
        let cases = [
            (0.0, 0),
            (0.93, 930_000),
            (1.0, 1_000_000),
            (0.000_000_4, 0),
            (0.000_000_6, 1),
        ];
        for (value, expected) in cases {
            assert_eq!(ratio(value), expected, "{value}");
        }
    }

    #[test]
    fn a_ratio_never_leaves_its_range() {
        let cases = [
            (-1.0, 0),
            (f64::NAN, 0),
            (f64::NEG_INFINITY, 0),
            (1.5, 1_000_000),
            (f64::INFINITY, 1_000_000),
        ];
        for (value, expected) in cases {
            assert_eq!(ratio(value), expected, "{value}");
        }
    }
}
