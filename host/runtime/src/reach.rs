//! How far envelopes go: how many steps lie behind one, and how many deliveries an attempt makes.
//!
//! INVARIANT: both follow from the plan alone, so the same plan meets the same limit on every host and every replay.

use std::collections::BTreeMap;

use aim_core::{
    attempt::RunEnd,
    limits::Limits,
    name::StepName,
    outcome::{Fault, LimitKind, Outcome},
    plan::Plan,
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

    /// The reach of every step of a plan, in its order; an instance of a step is a consumer of its own.
    #[must_use]
    pub fn of_plan(plan: &Plan) -> Vec<Self> {
        let places: BTreeMap<&StepName, usize> = (plan.steps().iter().enumerate())
            .map(|(place, step)| (&step.name, place))
            .collect();
        let mut reaches: Vec<Self> = Vec::with_capacity(plan.steps().len());
        // Steps stand after all that they require, so one pass is enough.
        for step in plan.steps() {
            let instances = u32::try_from(step.instances()).unwrap_or(u32::MAX);
            let mut hops = 0_u32;
            for require in &step.requires {
                let place = places.get(&require.step).copied();
                let Some(required) = place.and_then(|place| reaches.get_mut(place)) else {
                    continue;
                };
                hops = hops.max(required.hops);
                required.consumers = required.consumers.saturating_add(instances);
            }
            reaches.push(Self {
                hops: hops.saturating_add(1),
                consumers: 0,
            });
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

    const PLAN: &str = r#"
PLAN reach v1.0:
  ROLE a: custom(node="echo")
  STEP one:
    ASSIGN a: "say it"
  STEP two:
    ASSIGN a: "say it"
    REQUIRES one
  STEP three:
    ASSIGN a: "say it"
    REQUIRES one, two
  STEP four:
    ASSIGN a: "say it"
"#;

    #[test]
    fn the_longest_way_counts_and_every_consumer() {
        let plan = aim_acl::compile(PLAN, aim_acl::Profile::Lenient)
            .unwrap()
            .plan;
        let reaches: BTreeMap<&str, (u32, u32)> = (plan.steps().iter())
            .zip(Reach::of_plan(&plan))
            .map(|(step, reach)| (step.name.as_str(), (reach.hops, reach.consumers)))
            .collect();
        let expected = [
            ("one", (1, 2)),
            ("two", (2, 1)),
            ("three", (3, 0)),
            ("four", (1, 0)),
        ];
        assert_eq!(reaches, expected.into());
    }
}
