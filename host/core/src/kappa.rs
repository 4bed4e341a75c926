//! How sure is sure enough: thresholds by criticality, bands, thresholds that follow calibration, and the composite of
//! several risks.
//!
//! Every number is an integer in parts per million, so that a decision is the same on every machine and its border is
//! exact: 0.90 is 900 000 and nothing beside it. Rules after spec 1.7 (kappa gate, composite kappa, bands, ECE).
//!
//! INVARIANT: what was not measured is never taken for good, and no signal can make a hard violation better.

pub mod calibration;
pub mod composite;
pub mod demand;
pub mod measured;

use serde::{Deserialize, Serialize};

use crate::{claims::RATIO_ONE, digest::Digest};

/// The least threshold that adapting can reach, in parts per million.
pub const ADAPTED_PPM_MIN: u32 = 500_000;
/// The highest threshold that adapting can reach, in parts per million.
pub const ADAPTED_PPM_MAX: u32 = 990_000;
/// A pass that is nearer to its threshold than this is shown to a person where much is at stake.
pub const NEAR_PPM: u32 = 100_000;

const STEP_UP_PPM: u32 = 100_000;
const STEP_DOWN_PPM: u32 = 50_000;

/// How much depends on a step being right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// Little: it can be done again.
    LowStakes,
    /// Everyday work.
    Routine,
    /// People rely on it.
    Important,
    /// Harm follows from a mistake.
    Critical,
}

impl Criticality {
    /// Every degree, from least to most.
    pub const ALL: [Self; 4] = [
        Self::LowStakes,
        Self::Routine,
        Self::Important,
        Self::Critical,
    ];

    /// The word in contracts and evidence.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::LowStakes => "low_stakes",
            Self::Routine => "routine",
            Self::Important => "important",
            Self::Critical => "critical",
        }
    }

    /// Reads the word; `None` for any other.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }

    /// The confidence that is needed, in parts per million (spec 1.7).
    #[must_use]
    pub const fn threshold_ppm(self, set: ThresholdSet) -> u32 {
        match (set, self) {
            (ThresholdSet::Usual, Self::LowStakes) => 600_000,
            (ThresholdSet::Usual, Self::Routine) | (ThresholdSet::Strict, Self::LowStakes) => {
                700_000
            }
            (ThresholdSet::Usual, Self::Important) => 850_000,
            (ThresholdSet::Usual, Self::Critical) => 950_000,
            (ThresholdSet::Strict, Self::Routine) => 800_000,
            (ThresholdSet::Strict, Self::Important) => 900_000,
            (ThresholdSet::Strict, Self::Critical) => 980_000,
        }
    }
}

/// Which table of thresholds counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdSet {
    /// 0.95, 0.85, 0.70, 0.60 from critical to low stakes.
    #[default]
    Usual,
    /// 0.98, 0.90, 0.80, 0.70.
    Strict,
}

/// A confidence beside its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// What is claimed, in parts per million.
    pub confidence_ppm: u32,
    /// What is needed, in parts per million.
    pub threshold_ppm: u32,
    /// How much depends on it.
    pub criticality: Criticality,
}

impl Check {
    /// A check against the table.
    #[must_use]
    pub const fn of(confidence_ppm: u32, criticality: Criticality, set: ThresholdSet) -> Self {
        Self {
            confidence_ppm,
            threshold_ppm: criticality.threshold_ppm(set),
            criticality,
        }
    }

    /// True at the threshold and above. A confidence above one is no confidence.
    #[must_use]
    pub const fn is_passed(self) -> bool {
        self.confidence_ppm <= RATIO_ONE && self.confidence_ppm >= self.threshold_ppm
    }

    /// What is missing to the threshold; zero for a pass.
    #[must_use]
    pub const fn gap_ppm(self) -> u32 {
        self.threshold_ppm.saturating_sub(self.confidence_ppm)
    }

    /// What is left above the threshold; zero for a fail.
    #[must_use]
    pub const fn margin_ppm(self) -> u32 {
        self.confidence_ppm.saturating_sub(self.threshold_ppm)
    }

    /// Why a person should look at it: every fail, and a narrow pass of what is critical or important.
    #[must_use]
    pub const fn escalation(self) -> Option<Escalation> {
        if !self.is_passed() {
            return Some(Escalation::BelowThreshold);
        }
        let is_weighty = matches!(
            self.criticality,
            Criticality::Critical | Criticality::Important
        );
        if is_weighty && self.margin_ppm() < NEAR_PPM {
            return Some(Escalation::NarrowPass);
        }
        None
    }
}

/// Why a person should look at a confidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Escalation {
    /// It is below its threshold.
    BelowThreshold,
    /// It is above by less than 0.10, and much depends on it.
    NarrowPass,
}

/// How well past confidences fitted what came of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackRecord {
    /// Share of past answers that were right, in parts per million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_ppm: Option<u32>,
    /// How many past answers that is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cases: Option<u64>,
    /// Digest of those answers, by which the record can be measured again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Expected calibration error, in parts per million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ece_ppm: Option<u32>,
    /// The worst tenth's distance of confidence and accuracy, in parts per million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mce_ppm: Option<u32>,
}

/// The threshold that follows from a track record: bad calibration or accuracy raises it by 0.10 each, good ones lower it by
/// 0.05 each, and the sum is kept within 0.50 and 0.99. What was not measured changes nothing.
#[must_use]
pub fn adapted_ppm(threshold_ppm: u32, record: TrackRecord) -> u32 {
    let mut up = 0_u32;
    let mut down = 0_u32;
    match record.ece_ppm {
        Some(ece) if ece > 150_000 => up = up.saturating_add(STEP_UP_PPM),
        Some(ece) if ece < 50_000 => down = down.saturating_add(STEP_DOWN_PPM),
        _ => {}
    }
    match record.accuracy_ppm {
        Some(accuracy) if accuracy < 700_000 => up = up.saturating_add(STEP_UP_PPM),
        Some(accuracy) if accuracy > 900_000 => down = down.saturating_add(STEP_DOWN_PPM),
        _ => {}
    }
    threshold_ppm
        .saturating_add(up)
        .saturating_sub(down)
        .clamp(ADAPTED_PPM_MIN, ADAPTED_PPM_MAX)
}

/// A band of risk: higher is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RiskBand {
    /// At most 0.30.
    Green,
    /// At most 0.60.
    Amber,
    /// Above: nobody should answer.
    Red,
}

impl RiskBand {
    /// The band of a risk in parts per million.
    #[must_use]
    pub const fn of(risk_ppm: u32) -> Self {
        match risk_ppm {
            0..=300_000 => Self::Green,
            300_001..=600_000 => Self::Amber,
            _ => Self::Red,
        }
    }
}

#[cfg(test)]
mod tests;
