//! How far claimed confidence is from what came of it: ECE, MCE and RMSCE over ten equal bins, in whole numbers.
//!
//! INVARIANT: the result depends on the counts alone, never on the order of the samples; an empty record has no result.

use serde::{Deserialize, Serialize};

use crate::claims::RATIO_ONE;

const BINS: usize = 10;
/// Digits beyond a millionth that are kept before a root is drawn.
const ROOT_SCALE: u128 = 1_000_000;

/// Claims and what came of them, by tenths of confidence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Samples {
    bins: [Bin; BINS],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Bin {
    count: u64,
    right: u64,
    confidence_sum_ppm: u64,
}

/// How far off a set of claims is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Calibration {
    /// Mean distance of confidence and accuracy, weighted by samples, in parts per million.
    pub ece_ppm: u32,
    /// The worst bin's distance, in parts per million.
    pub mce_ppm: u32,
    /// The root of the mean squared distance, in parts per million.
    pub rmsce_ppm: u32,
    /// How many claims it was made from.
    pub samples: u64,
}

/// The claims within one tenth of confidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenth {
    /// Where it begins, in parts per million.
    pub from_ppm: u32,
    /// How many claims there are.
    pub cases: u64,
    /// How many of them were right.
    pub held: u64,
    /// Their mean confidence, in parts per million.
    pub confidence_ppm: u32,
}

/// What a calibration is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quality {
    /// ECE below 0.05.
    Excellent,
    /// ECE below 0.10.
    Good,
    /// Anything else: calibrate again before relying on it.
    Recalibrate,
}

impl Samples {
    /// Adds one claim. A confidence above one counts as one, and one belongs to the last bin.
    pub fn add(&mut self, confidence_ppm: u32, is_right: bool) {
        let confidence = confidence_ppm.min(RATIO_ONE);
        let place = usize::try_from(confidence / (RATIO_ONE / 10)).unwrap_or(BINS);
        if let Some(bin) = self.bins.get_mut(place.min(BINS - 1)) {
            bin.count = bin.count.saturating_add(1);
            bin.right = bin.right.saturating_add(u64::from(is_right));
            bin.confidence_sum_ppm = bin.confidence_sum_ppm.saturating_add(u64::from(confidence));
        }
    }

    /// The share that was right, in parts per million, half up; `None` without a sample.
    #[must_use]
    pub fn accuracy_ppm(&self) -> Option<u32> {
        let total: u64 = self.bins.iter().map(|bin| bin.count).sum();
        let right: u64 = self.bins.iter().map(|bin| bin.right).sum();
        let scaled = u128::from(right) * u128::from(RATIO_ONE);
        (total > 0).then(|| ppm(rounded(scaled, u128::from(total))))
    }

    /// The tenths of confidence that have samples, from the lowest.
    pub fn tenths(&self) -> impl Iterator<Item = Tenth> {
        let filled = (0_u32..).zip(&self.bins).filter(|(_, bin)| bin.count > 0);
        filled.map(|(place, bin)| Tenth {
            from_ppm: place.saturating_mul(RATIO_ONE / 10),
            cases: bin.count,
            held: bin.right,
            confidence_ppm: ppm(rounded(
                u128::from(bin.confidence_sum_ppm),
                u128::from(bin.count),
            )),
        })
    }

    /// The calibration; `None` without a sample. Ratios are rounded to the nearest millionth.
    #[must_use]
    pub fn calibration(&self) -> Option<Calibration> {
        let samples: u64 = self.bins.iter().map(|bin| bin.count).sum();
        let total = u128::from(samples);
        let mut distance_sum = 0_u128;
        let mut square_sum = 0_u128;
        let mut worst = 0_u128;
        for bin in self.bins.iter().filter(|bin| bin.count > 0) {
            let count = u128::from(bin.count);
            let accuracy_sum = u128::from(bin.right) * u128::from(RATIO_ONE);
            let distance = accuracy_sum.abs_diff(u128::from(bin.confidence_sum_ppm));
            distance_sum += distance;
            worst = worst.max(rounded(distance, count));
            // count * (distance / count)^2, with more digits than the result needs.
            square_sum += distance.saturating_mul(distance).saturating_mul(ROOT_SCALE) / count;
        }
        if total == 0 {
            return None;
        }
        let root = (square_sum / total).isqrt();
        Some(Calibration {
            ece_ppm: ppm(rounded(distance_sum, total)),
            mce_ppm: ppm(worst),
            rmsce_ppm: ppm(rounded(root, ROOT_SCALE.isqrt())),
            samples,
        })
    }
}

impl Calibration {
    /// What it is worth.
    #[must_use]
    pub const fn quality(self) -> Quality {
        match self.ece_ppm {
            0..50_000 => Quality::Excellent,
            50_000..100_000 => Quality::Good,
            _ => Quality::Recalibrate,
        }
    }
}

fn ppm(value: u128) -> u32 {
    u32::try_from(value).unwrap_or(RATIO_ONE)
}

/// `numerator / denominator`, half up; the denominator is never zero here.
const fn rounded(numerator: u128, denominator: u128) -> u128 {
    (numerator + denominator / 2) / denominator
}
