//! Medians and spreads of a few values, percentiles of many.
//!
//! INVARIANT: nothing is averaged; every number that is printed was measured, or lies between two that were.

/// Values of one kind, sorted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values(Vec<f64>);

impl Values {
    /// Takes values in any order.
    pub(crate) fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The middle value; zero of none.
    pub(crate) fn median(&self) -> f64 {
        let half = self.0.len() / 2;
        match (self.0.get(half.wrapping_sub(1)), self.0.get(half)) {
            (Some(low), Some(high)) if self.0.len().is_multiple_of(2) => f64::midpoint(*low, *high),
            (_, middle) => middle.copied().unwrap_or_default(),
        }
    }

    /// The value that `per_mille` of 1000 values do not exceed (nearest rank).
    pub(crate) fn percentile(&self, per_mille: usize) -> f64 {
        let rank = (self.0.len() * per_mille).div_ceil(1000);
        let place = rank.saturating_sub(1);
        self.0.get(place).copied().unwrap_or_default()
    }

    /// The smallest.
    pub(crate) fn min(&self) -> f64 {
        self.0.first().copied().unwrap_or_default()
    }

    /// The largest.
    pub(crate) fn max(&self) -> f64 {
        self.0.last().copied().unwrap_or_default()
    }

    /// Median and extremes, with as many decimals as say something.
    pub(crate) fn shown(&self) -> String {
        format!(
            "{} ({}..{})",
            digits(self.median()),
            digits(self.min()),
            digits(self.max())
        )
    }
}

/// A number with three digits or so.
pub(crate) fn digits(value: f64) -> String {
    if value.abs() >= 99.5 {
        format!("{value:.0}")
    } else if value.abs() >= 9.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// A count as a number to calculate with.
pub(crate) fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert!((Values::new([4.0, 1.0, 3.0, 2.0]).median() - 2.5).abs() < 1e-9);
        assert!((Values::new([3.0, 1.0, 2.0]).median() - 2.0).abs() < 1e-9);
        assert!(Values::new([]).median().abs() < 1e-9);
        assert!((Values::new([7.0]).median() - 7.0).abs() < 1e-9);
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values = Values::new((1..=200).map(f64::from));
        assert!((values.percentile(500) - 100.0).abs() < 1e-9);
        assert!((values.percentile(990) - 198.0).abs() < 1e-9);
        assert!((Values::new([5.0]).percentile(990) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn numbers_are_shown_with_three_digits() {
        assert_eq!(digits(1.234), "1.23");
        assert_eq!(digits(12.34), "12.3");
        assert_eq!(digits(1234.5), "1234");
        assert_eq!(Values::new([1.0, 2.0, 4.0]).shown(), "2.00 (1.00..4.00)");
    }
}
