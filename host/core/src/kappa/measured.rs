//! A node's track record, measured from claims of which it is known whether they held.
//!
//! INVARIANT: the same cases in any order give the same record and the same digest; no case, no record.

use alloc::vec::Vec;

use super::{
    TrackRecord,
    calibration::{Calibration, Samples, Tenth},
};
use crate::{claims::RATIO_ONE, digest::Digest, name::NodeId};

/// One claim, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimCase {
    /// What was claimed, in parts per million; above one it counts as one.
    pub confidence_ppm: u32,
    /// True when what was claimed held.
    pub held: bool,
}

/// Everything that cases say about a node's claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The part that thresholds follow, as a deployment has it.
    pub record: TrackRecord,
    /// How far off the claims were.
    pub calibration: Calibration,
    /// Tenths of confidence that have cases, from the lowest.
    pub tenths: Vec<Tenth>,
}

impl Measured {
    /// Measures the claims of `node`; `None` without a case.
    #[must_use]
    pub fn of(node: &NodeId, cases: &[ClaimCase]) -> Option<Self> {
        let mut samples = Samples::default();
        for case in cases {
            samples.add(case.confidence_ppm, case.held);
        }
        let calibration = samples.calibration()?;
        let record = TrackRecord {
            accuracy_ppm: samples.accuracy_ppm(),
            cases: Some(calibration.samples),
            digest: Some(digest(node, cases)),
            ece_ppm: Some(calibration.ece_ppm),
            mce_ppm: Some(calibration.mce_ppm),
        };
        Some(Self {
            record,
            calibration,
            tenths: samples.tenths().collect(),
        })
    }
}

/// The digest of the node's name and its cases, sorted: each as four bytes of its confidence and one of what came of it.
fn digest(node: &NodeId, cases: &[ClaimCase]) -> Digest {
    let capped = cases.iter().map(|case| ClaimCase {
        confidence_ppm: case.confidence_ppm.min(RATIO_ONE),
        ..*case
    });
    let mut sorted: Vec<ClaimCase> = capped.collect();
    sorted.sort_unstable();
    let mut bytes = Vec::with_capacity(sorted.len().saturating_mul(5));
    for case in sorted {
        bytes.extend(case.confidence_ppm.to_le_bytes());
        bytes.push(u8::from(case.held));
    }
    Digest::derive("track-record", &[node.as_str().as_bytes(), &bytes])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> NodeId {
        NodeId::parse(text).unwrap()
    }

    fn cases(all: &[(u32, bool)]) -> Vec<ClaimCase> {
        let case = |(confidence_ppm, held): &(u32, bool)| ClaimCase {
            confidence_ppm: *confidence_ppm,
            held: *held,
        };
        all.iter().map(case).collect()
    }

    /// By hand: the tenth from 0.8 has 0.8 and 0.85, one of two held: |0.5 - 0.825| = 0.325; the last has 0.95, 1.0 and 1.0, two
    /// of three held: |2/3 - 2.95/3| = 0.316667. Weighted: (2 * 0.325 + 0.95) / 5 = 0.32. Three of five held.
    /// Control: with `place` not kept within the last bin, the two claims of one are lost and this fails (seen).
    #[test]
    fn a_known_vector_has_exactly_these_numbers_and_one_goes_to_the_last_tenth() {
        let all = cases(&[
            (800_000, true),
            (850_000, false),
            (950_000, true),
            (1_000_000, true),
            (1_000_000, false),
        ]);
        let measured = Measured::of(&node("judge"), &all).unwrap();
        let record = measured.record;
        assert_eq!(record.ece_ppm, Some(320_000));
        assert_eq!(record.mce_ppm, Some(325_000));
        assert_eq!(record.accuracy_ppm, Some(600_000));
        assert_eq!(record.cases, Some(5));
        let tenths: Vec<_> = (measured.tenths.iter())
            .map(|one| (one.from_ppm, one.cases, one.held, one.confidence_ppm))
            .collect();
        assert_eq!(tenths, [(800_000, 2, 1, 825_000), (900_000, 3, 2, 983_333)]);
    }

    #[test]
    fn the_order_of_cases_says_nothing_and_every_case_and_the_node_do() {
        let (one, other) = ([(1, true), (2, false)], [(2, false), (1, true)]);
        let digest = |node_id: &str, all: &[(u32, bool)]| {
            let measured = Measured::of(&node(node_id), &cases(all)).unwrap();
            measured.record.digest.unwrap()
        };
        let same = digest("n", &one);
        assert_eq!(same, digest("n", &other));
        for different in [
            digest("m", &one),
            digest("n", &[(1, true), (2, true)]),
            digest("n", &[(1, true), (3, false)]),
            digest("n", &[(1, true), (2, false), (2, false)]),
        ] {
            assert_ne!(same, different);
        }
        assert_eq!(Measured::of(&node("n"), &[]), None);
    }
}
