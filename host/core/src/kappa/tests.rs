//! Borders are exact, hysteresis holds in one direction, and nothing improves by adding a risk.

use alloc::vec::Vec;

use super::{
    Check, Criticality, Escalation, RiskBand, ThresholdSet, TrackRecord, adapted_ppm,
    calibration::{Calibration, Quality, Samples},
    composite::{Borders, CompositeRule, CompositeRuleError, KappaOutcome, Risks, Weights},
};
use crate::{
    verdict::{Disposition, Verdict},
    witness::Band,
};

#[test]
fn the_tables_of_thresholds_are_as_specified() {
    let table = |set| Criticality::ALL.map(|degree| degree.threshold_ppm(set));
    assert_eq!(
        table(ThresholdSet::Usual),
        [600_000, 700_000, 850_000, 950_000]
    );
    assert_eq!(
        table(ThresholdSet::Strict),
        [700_000, 800_000, 900_000, 980_000]
    );
    for degree in Criticality::ALL {
        assert_eq!(Criticality::parse(degree.word()), Some(degree));
    }
    assert_eq!(Criticality::parse("Critical"), None);
}

#[test]
fn a_check_passes_exactly_at_its_threshold() {
    let at = |ppm| Check::of(ppm, Criticality::Routine, ThresholdSet::Usual);
    assert!(at(700_000).is_passed() && !at(699_999).is_passed());
    assert_eq!((at(699_999).gap_ppm(), at(699_999).margin_ppm()), (1, 0));
    assert_eq!((at(700_001).gap_ppm(), at(700_001).margin_ppm()), (0, 1));
    assert!(!at(1_000_001).is_passed(), "above one is no confidence");
}

#[test]
fn every_fail_escalates_and_so_does_a_narrow_pass_where_much_depends_on_it() {
    let of = |ppm, degree| Check::of(ppm, degree, ThresholdSet::Usual).escalation();
    for degree in Criticality::ALL {
        assert_eq!(of(0, degree), Some(Escalation::BelowThreshold));
    }
    assert_eq!(
        of(949_999, Criticality::Important),
        Some(Escalation::NarrowPass)
    );
    assert_eq!(of(950_000, Criticality::Important), None);
    assert_eq!(
        of(1_000_000, Criticality::Critical),
        Some(Escalation::NarrowPass)
    );
    assert_eq!(of(700_000, Criticality::Routine), None);
}

#[test]
fn an_adapted_threshold_moves_by_fixed_steps_and_stays_within_its_clamp() {
    let record = |ece: u32, accuracy: u32| TrackRecord {
        ece_ppm: Some(ece),
        accuracy_ppm: Some(accuracy),
        ..TrackRecord::default()
    };
    let rows = [
        (700_000, TrackRecord::default(), 700_000),
        (700_000, record(150_001, 800_000), 800_000),
        (700_000, record(150_000, 700_000), 700_000),
        (700_000, record(49_999, 900_000), 650_000),
        (700_000, record(50_000, 900_000), 700_000),
        (700_000, record(100_000, 699_999), 800_000),
        (700_000, record(100_000, 900_001), 650_000),
        (700_000, record(150_001, 699_999), 900_000),
        (700_000, record(0, 1_000_000), 600_000),
        (700_000, record(150_001, 1_000_000), 750_000),
        (950_000, record(1_000_000, 0), 990_000),
        (550_000, record(0, 1_000_000), 500_000),
        (100_000, TrackRecord::default(), 500_000),
        (1_000_000, TrackRecord::default(), 990_000),
    ];
    for (threshold, record, adapted) in rows {
        assert_eq!(
            adapted_ppm(threshold, record),
            adapted,
            "{threshold} {record:?}"
        );
    }
}

#[test]
fn bands_change_exactly_at_nine_and_seven_tenths() {
    let bands = [1_000_000, 900_000, 899_999, 700_000, 699_999, 0].map(Band::of);
    assert_eq!(
        bands,
        [Band::A, Band::A, Band::B, Band::B, Band::C, Band::C]
    );
    let risks = [0, 300_000, 300_001, 600_000, 600_001].map(RiskBand::of);
    assert_eq!(
        risks,
        [
            RiskBand::Green,
            RiskBand::Green,
            RiskBand::Amber,
            RiskBand::Amber,
            RiskBand::Red
        ]
    );
}

fn calibration(samples: &[(u32, bool)]) -> Calibration {
    let mut kept = Samples::default();
    for (confidence, is_right) in samples {
        kept.add(*confidence, *is_right);
    }
    kept.calibration().unwrap()
}

/// Worked by hand: bin 0.9 holds 0.95 and 1.0, one right: |0.5 - 0.975| = 0.475. Bin 0.5 holds 0.55 and 0.55, one right:
/// |0.5 - 0.55| = 0.05. ECE = (2 * 0.475 + 2 * 0.05) / 4 = 0.2625; RMSCE = sqrt((0.475^2 + 0.05^2) / 2) = 0.337731...
#[test]
fn the_calibration_of_a_known_vector_is_exact() {
    let found = calibration(&[
        (950_000, true),
        (1_000_000, false),
        (550_000, true),
        (550_000, false),
    ]);
    assert_eq!(
        found,
        Calibration {
            ece_ppm: 262_500,
            mce_ppm: 475_000,
            rmsce_ppm: 337_731,
            samples: 4
        }
    );
    assert_eq!(found.quality(), Quality::Recalibrate);
    assert_eq!(Samples::default().calibration(), None);
}

#[test]
fn a_perfectly_calibrated_record_has_no_error_and_order_does_not_matter() {
    let mut samples: Vec<(u32, bool)> = (0..10).map(|n| (750_000, n % 4 != 0)).collect();
    samples.extend([(750_000, true), (750_000, false)]);
    let found = calibration(&samples);
    let right = samples.iter().filter(|(_, is_right)| *is_right).count();
    assert_eq!((right, found.samples), (8, 12));
    samples.reverse();
    assert_eq!(calibration(&samples), found);
    let exact = calibration(&[
        (750_000, true),
        (750_000, true),
        (750_000, true),
        (750_000, false),
    ]);
    assert_eq!((exact.ece_ppm, exact.mce_ppm, exact.rmsce_ppm), (0, 0, 0));
    assert_eq!(exact.quality(), Quality::Excellent);
}

#[test]
fn qualities_change_exactly_at_their_borders() {
    let of = |ece_ppm| {
        let (mce_ppm, rmsce_ppm, samples) = (0, 0, 1);
        Calibration {
            ece_ppm,
            mce_ppm,
            rmsce_ppm,
            samples,
        }
        .quality()
    };
    assert_eq!(
        [0, 49_999, 50_000, 99_999, 100_000].map(of),
        [
            Quality::Excellent,
            Quality::Excellent,
            Quality::Good,
            Quality::Good,
            Quality::Recalibrate
        ]
    );
}

const BORDERS: Borders = Borders {
    low_ppm: 300_000,
    mid_ppm: 500_000,
    high_ppm: 700_000,
    hysteresis_ppm: 50_000,
};
const ONE: u32 = 1_000_000;
const WEIGHTS: Weights = Weights {
    budget: ONE,
    context: ONE,
    policy: ONE,
    retrieval: 0,
    uncertainty: ONE,
};

fn rule() -> CompositeRule {
    CompositeRule::new(BORDERS, WEIGHTS).unwrap()
}

fn risks(uncertainty: u32) -> Risks {
    Risks {
        budget: Some(0),
        context: Some(0),
        policy: Some(0),
        retrieval: None,
        uncertainty: Some(uncertainty),
    }
}

#[test]
fn each_region_has_its_outcome_and_a_border_belongs_to_the_better_side() {
    let at = |risk| rule().decide(risks(risk), false, None).outcome;
    assert_eq!(at(300_000), KappaOutcome::Proceed);
    assert_eq!(at(300_001), KappaOutcome::Degrade);
    assert_eq!(at(500_000), KappaOutcome::Degrade);
    assert_eq!(at(500_001), KappaOutcome::Reroute);
    assert_eq!(at(700_000), KappaOutcome::Reroute);
    assert_eq!(at(700_001), KappaOutcome::Hitl);
    assert_eq!(at(ONE), KappaOutcome::Hitl);
}

#[test]
fn a_hard_violation_aborts_whatever_the_risk() {
    for risk in [0, 400_000, ONE] {
        let record = rule().decide(risks(risk), true, Some(KappaOutcome::Proceed));
        assert_eq!(record.outcome, KappaOutcome::Abort);
        assert_eq!(record.outcome.verdict(), Verdict::Fail);
    }
}

#[test]
fn leaving_degrade_needs_more_than_crossing_the_border_and_getting_worse_does_not() {
    let after = |prior, risk| rule().decide(risks(risk), false, Some(prior)).outcome;
    let degraded = KappaOutcome::Degrade;
    assert_eq!(after(degraded, 300_000), KappaOutcome::Degrade);
    assert_eq!(after(degraded, 250_001), KappaOutcome::Degrade);
    assert_eq!(after(degraded, 250_000), KappaOutcome::Proceed);
    assert_eq!(after(KappaOutcome::Proceed, 300_000), KappaOutcome::Proceed);
    assert_eq!(after(degraded, 500_001), KappaOutcome::Reroute);
    let record = rule().decide(risks(300_000), false, Some(degraded));
    assert_eq!((record.prior, record.risk_ppm), (Some(degraded), 300_000));
}

#[test]
fn what_has_weight_and_was_not_measured_counts_as_certain() {
    let mut unknown = risks(0);
    unknown.context = None;
    assert_eq!(
        rule().decide(unknown, false, None).outcome,
        KappaOutcome::Hitl
    );
    let known = risks(0);
    assert_eq!(known.retrieval, None, "without weight it may be unknown");
    assert_eq!(
        rule().decide(known, false, None).outcome,
        KappaOutcome::Proceed
    );
}

#[test]
fn one_more_risk_never_improves_the_outcome() {
    let steps = (0..=10).map(|n| n * 100_000);
    for prior in [None, Some(KappaOutcome::Degrade), Some(KappaOutcome::Hitl)] {
        for first in steps.clone() {
            for second in steps.clone() {
                let mut both = risks(first);
                both.policy = Some(second);
                let alone = rule().decide(risks(first), false, prior).outcome;
                assert!(rule().decide(both, false, prior).outcome >= alone);
            }
        }
    }
}

#[test]
fn weights_scale_a_risk_and_zero_leaves_it_out() {
    let weights = Weights {
        uncertainty: 500_000,
        ..WEIGHTS
    };
    let half = CompositeRule::new(BORDERS, weights).unwrap();
    assert_eq!(half.risk_ppm(&risks(ONE)), 500_000);
    assert_ne!(
        half.digest(),
        rule().digest(),
        "the rule is named by its content"
    );
}

#[test]
fn a_rule_that_could_not_decide_is_refused() {
    let with = |change: fn(&mut Borders, &mut Weights)| {
        let (mut borders, mut weights) = (BORDERS, WEIGHTS);
        change(&mut borders, &mut weights);
        CompositeRule::new(borders, weights).unwrap_err()
    };
    assert!(matches!(
        with(|b, _| b.mid_ppm = b.low_ppm),
        CompositeRuleError::Order { .. }
    ));
    assert!(matches!(
        with(|b, _| b.high_ppm = b.mid_ppm),
        CompositeRuleError::Order { .. }
    ));
    assert_eq!(
        with(|b, _| b.high_ppm = ONE + 1),
        CompositeRuleError::AboveOne("high_ppm")
    );
    assert_eq!(
        with(|_, w| w.budget = ONE + 1),
        CompositeRuleError::AboveOne("budget")
    );
    let none = with(|_, w| {
        *w = Weights {
            budget: 0,
            context: 0,
            policy: 0,
            retrieval: 0,
            uncertainty: 0,
        };
    });
    assert_eq!(none, CompositeRuleError::NoWeight);
}

#[test]
fn every_outcome_has_its_disposition_and_only_two_release() {
    use KappaOutcome::{Abort, Degrade, Hitl, Proceed, Reroute};
    let all = [Proceed, Degrade, Reroute, Hitl, Abort];
    assert_eq!(
        all.map(KappaOutcome::disposition),
        [
            Disposition::Release,
            Disposition::Degrade,
            Disposition::Reroute,
            Disposition::Escalate,
            Disposition::Abort
        ]
    );
    assert_eq!(
        all.map(|outcome| outcome.verdict().releases()),
        [true, true, false, false, false]
    );
}
