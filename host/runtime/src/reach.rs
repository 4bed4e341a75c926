//! How far envelopes go: how many steps lie behind one, and how many deliveries an attempt makes.
//!
//! INVARIANT: both follow from the plan alone, so the same plan meets the same limit on every host and every replay.

use aim_core::{
    attempt::RunEnd,
    limits::Limits,
    outcome::{Fault, LimitKind, Outcome},
    schedule::Requirement,
};

/// Where in its plan a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Steps on the longest way here, this one included.
    pub hops: u32,
    /// Steps that require this one.
    pub consumers: u32,
}

impl Reach {
    /// A step by itself.
    pub const ALONE: Self = Self {
        hops: 1,
        consumers: 0,
    };

    /// The reach of every step of a plan. `requires` is in an order where nothing requires what comes later.
    #[must_use]
    pub fn of_plan(requires: &[Vec<Requirement>]) -> Vec<Self> {
        let mut reaches: Vec<Self> = Vec::with_capacity(requires.len());
        for of_step in requires {
            let behind = of_step
                .iter()
                .filter_map(|require| reaches.get(require.step));
            let hops = behind
                .map(|reach| reach.hops)
                .max()
                .unwrap_or(0)
                .saturating_add(1);
            for require in of_step {
                if let Some(required) = reaches.get_mut(require.step) {
                    required.consumers = required.consumers.saturating_add(1);
                }
            }
            reaches.push(Self { hops, consumers: 0 });
        }
        reaches
    }

    /// The end of an attempt whose envelope has come too far; `None` when it has not.
    pub(crate) fn too_deep(self, limits: &Limits) -> Option<(Outcome, Fault)> {
        (self.hops > limits.hops_max).then(|| {
            let message = format!(
                "{} steps lie behind this envelope, more than the {} of the limit `hops`",
                self.hops, limits.hops_max
            );
            stopped(LimitKind::Hops, message)
        })
    }

    /// The guest's end, or the limit that its answer breaks.
    pub(crate) fn limited(self, end: RunEnd, limits: &Limits) -> RunEnd {
        let RunEnd::Answered(emissions) = &end else {
            return end;
        };
        let count = u32::try_from(emissions.len()).unwrap_or(u32::MAX);
        let deliveries = count.saturating_mul(self.consumers);
        if deliveries <= limits.fan_out_max {
            return end;
        }
        let message = format!(
            "{deliveries} deliveries are more than the {} of the limit `fan-out`",
            limits.fan_out_max
        );
        let (outcome, fault) = stopped(LimitKind::FanOut, message);
        RunEnd::Stopped(outcome, fault)
    }
}

fn stopped(kind: LimitKind, message: String) -> (Outcome, Fault) {
    let code = "AIM-R013".to_owned();
    (Outcome::Limit(kind), Fault { code, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(steps: &[usize]) -> Vec<Requirement> {
        let require = |step: &usize| Requirement {
            step: *step,
            is_optional: false,
        };
        steps.iter().map(require).collect()
    }

    #[test]
    fn the_longest_way_counts_and_every_consumer() {
        let plan = [on(&[]), on(&[0]), on(&[0, 1]), on(&[])];
        let reaches = Reach::of_plan(&plan);
        let hops: Vec<u32> = reaches.iter().map(|reach| reach.hops).collect();
        let consumers: Vec<u32> = reaches.iter().map(|reach| reach.consumers).collect();
        assert_eq!((hops, consumers), (vec![1, 2, 3, 1], vec![2, 1, 0, 0]));
    }
}
