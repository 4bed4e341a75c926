//! Which confidence an attempt needs, from everything that asks for one: a number of the contract, a number of the plan,
//! and how much depends on the node.
//!
//! ```text
//! contract and plan: the larger number ------------ a bad track record raises it
//! criticality: the deployment's table ------------- a track record moves it either way    } the larger one counts
//! ```
//! INVARIANT: one more demand never lowers the threshold, and no measurement takes it below a number that somebody wrote.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Check, Criticality, Escalation, ThresholdSet, TrackRecord, adapted_ppm};
use crate::{
    claims::RATIO_ONE,
    digest::Digest,
    name::NodeId,
    witness::{Band, KappaRecord},
};

/// From which confidence on a claim is in which band, in parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bands {
    /// From here it is A.
    pub a_ppm: u32,
    /// From here it is B; C below.
    pub b_ppm: u32,
}

impl Default for Bands {
    fn default() -> Self {
        Self {
            a_ppm: 900_000,
            b_ppm: 700_000,
        }
    }
}

impl Bands {
    /// The band of a confidence in parts per million.
    #[must_use]
    pub const fn of(self, confidence_ppm: u32) -> Band {
        if confidence_ppm >= self.a_ppm {
            Band::A
        } else if confidence_ppm >= self.b_ppm {
            Band::B
        } else {
            Band::C
        }
    }

    /// True when the borders are in order and at most one.
    #[must_use]
    pub const fn are_in_order(self) -> bool {
        self.b_ppm < self.a_ppm && self.a_ppm <= RATIO_ONE
    }
}

/// What a deployment says about confidence.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfidenceRules {
    /// Where bands begin.
    pub bands: Bands,
    /// How well past claims of nodes fitted what came of them, as the operator has measured it.
    pub records: BTreeMap<NodeId, TrackRecord>,
    /// Which table of thresholds counts.
    pub set: ThresholdSet,
}

impl ConfidenceRules {
    /// The digest that a lock pins; `None` when nothing differs from the defaults.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        if *self == Self::default() {
            return None;
        }
        // Integers and words under fixed names: serialisation has no failure to report.
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        Some(Digest::derive("confidence-rules", &[&bytes]))
    }

    /// What an attempt of `node` needs; `None` when nothing asks for a confidence. `written` are the numbers of contract and
    /// plan, in parts per million.
    #[must_use]
    pub fn threshold(
        &self,
        node: &NodeId,
        written: [Option<u32>; 2],
        criticality: Option<Criticality>,
    ) -> Option<Threshold> {
        let record = self.records.get(node).copied().unwrap_or_default();
        let adapt = |ppm: u32| {
            if record == TrackRecord::default() {
                ppm
            } else {
                adapted_ppm(ppm, record)
            }
        };
        let number = written.into_iter().flatten().max();
        let of_number = number.map(|ppm| (ppm.max(adapt(ppm)), ppm));
        let of_table = criticality.map(|one| {
            let ppm = one.threshold_ppm(self.set);
            (adapt(ppm), ppm)
        });
        let (ppm, base_ppm) = of_number.max(of_table)?;
        Some(Threshold {
            base_ppm,
            criticality,
            ppm,
        })
    }
}

/// The confidence that an attempt needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// What it was before the track record moved it, in parts per million.
    pub base_ppm: u32,
    /// How much depends on the node, where the contract says so.
    pub criticality: Option<Criticality>,
    /// What is needed, in parts per million.
    pub ppm: u32,
}

impl Threshold {
    /// Holds a claim against it. What was not claimed is not enough.
    #[must_use]
    pub fn judge(&self, confidence_ppm: Option<u32>, bands: Bands) -> KappaRecord {
        let check = Check {
            confidence_ppm: confidence_ppm.unwrap_or(0),
            threshold_ppm: self.ppm,
            // Without a degree nothing is weighty: a pass is a pass.
            criticality: self.criticality.unwrap_or(Criticality::LowStakes),
        };
        let escalation = match confidence_ppm {
            None => Some(Escalation::BelowThreshold),
            Some(_) => check.escalation(),
        };
        KappaRecord {
            adapted_from_ppm: (self.base_ppm != self.ppm).then_some(self.base_ppm),
            band: bands.of(check.confidence_ppm),
            confidence_ppm,
            criticality: self.criticality,
            escalation,
            threshold_ppm: self.ppm,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeId {
        NodeId::parse("n").unwrap()
    }

    fn rules(ece_ppm: Option<u32>, accuracy_ppm: Option<u32>) -> ConfidenceRules {
        let record = TrackRecord {
            ece_ppm,
            accuracy_ppm,
            ..TrackRecord::default()
        };
        ConfidenceRules {
            records: [(node(), record)].into(),
            ..ConfidenceRules::default()
        }
    }

    fn ppm(rules: &ConfidenceRules, written: [Option<u32>; 2], of: Option<Criticality>) -> u32 {
        rules.threshold(&node(), written, of).unwrap().ppm
    }

    /// Control: with `min` in the place of `max` over contract and plan, the second line fails (seen).
    #[test]
    fn the_larger_demand_counts_whoever_makes_it() {
        let rules = ConfidenceRules::default();
        assert_eq!(rules.threshold(&node(), [None, None], None), None);
        assert_eq!(ppm(&rules, [Some(800_000), Some(100_000)], None), 800_000);
        assert_eq!(ppm(&rules, [Some(100_000), Some(800_000)], None), 800_000);
        let critical = Some(Criticality::Critical);
        assert_eq!(ppm(&rules, [Some(800_000), None], critical), 950_000);
        assert_eq!(ppm(&rules, [Some(970_000), None], critical), 970_000);
        let strict = ConfidenceRules {
            set: ThresholdSet::Strict,
            ..rules
        };
        assert_eq!(ppm(&strict, [None, None], critical), 980_000);
    }

    /// Control: without `max` in `of_number`, the good record lowers the written number and the fourth line fails (seen).
    #[test]
    fn a_track_record_moves_the_table_and_never_lowers_a_written_number() {
        let (good, bad) = (
            rules(Some(40_000), Some(950_000)),
            rules(Some(160_000), Some(600_000)),
        );
        let routine = Some(Criticality::Routine);
        assert_eq!(ppm(&good, [None, None], routine), 600_000);
        assert_eq!(ppm(&bad, [None, None], routine), 900_000);
        assert_eq!(ppm(&good, [Some(300_000), None], None), 500_000);
        assert_eq!(ppm(&good, [Some(800_000), None], None), 800_000);
        assert_eq!(ppm(&bad, [Some(800_000), None], None), 990_000);
        let other = NodeId::parse("other").unwrap();
        let unmeasured = bad.threshold(&other, [None, None], routine).unwrap();
        assert_eq!((unmeasured.ppm, unmeasured.base_ppm), (700_000, 700_000));
    }

    #[test]
    fn a_narrow_pass_is_shown_to_a_person_only_where_much_depends_on_it() {
        let rules = ConfidenceRules::default();
        let judge = |of: Criticality, confidence: Option<u32>| {
            let threshold = rules.threshold(&node(), [None, None], Some(of)).unwrap();
            threshold.judge(confidence, Bands::default())
        };
        for (of, confidence, escalation) in [
            (
                Criticality::Important,
                Some(850_000),
                Some(Escalation::NarrowPass),
            ),
            (
                Criticality::Important,
                Some(949_999),
                Some(Escalation::NarrowPass),
            ),
            (Criticality::Important, Some(950_000), None),
            (
                Criticality::Important,
                Some(849_999),
                Some(Escalation::BelowThreshold),
            ),
            (
                Criticality::Critical,
                Some(1_000_000),
                Some(Escalation::NarrowPass),
            ),
            (Criticality::Routine, Some(700_000), None),
            (
                Criticality::LowStakes,
                None,
                Some(Escalation::BelowThreshold),
            ),
        ] {
            let record = judge(of, confidence);
            assert_eq!(record.escalation, escalation, "{of:?} {confidence:?}");
            assert_eq!(record.criticality, Some(of));
        }
        let written = rules.threshold(&node(), [Some(0), None], None).unwrap();
        assert!(written.judge(None, Bands::default()).escalation.is_some());
        assert!(
            written
                .judge(Some(0), Bands::default())
                .escalation
                .is_none()
        );
    }

    #[test]
    fn bands_begin_where_the_deployment_says() {
        let bands = Bands {
            a_ppm: 950_000,
            b_ppm: 800_000,
        };
        let found = [950_000, 949_999, 800_000, 799_999].map(|ppm| bands.of(ppm));
        assert_eq!(found, [Band::A, Band::B, Band::B, Band::C]);
        assert!(bands.are_in_order() && Bands::default().are_in_order());
        for (a_ppm, b_ppm) in [(700_000, 700_000), (1_000_001, 5), (1, 2)] {
            assert!(!Bands { a_ppm, b_ppm }.are_in_order());
        }
    }

    #[test]
    fn rules_that_say_nothing_have_no_digest_and_every_part_takes_part_in_it() {
        assert_eq!(ConfidenceRules::default().digest(), None);
        let mut all = alloc::vec![
            rules(Some(1), None).digest(),
            rules(None, Some(1)).digest(),
            ConfidenceRules {
                set: ThresholdSet::Strict,
                ..ConfidenceRules::default()
            }
            .digest(),
        ];
        let bands = Bands { a_ppm: 2, b_ppm: 1 };
        let with_bands = ConfidenceRules {
            bands,
            ..ConfidenceRules::default()
        };
        all.push(with_bands.digest());
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4);
        assert!(all.iter().all(Option::is_some));
    }
}
