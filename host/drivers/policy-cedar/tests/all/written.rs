//! The reference model's rules as the driver reads them: text, and nothing that decides.
//!
//! INVARIANT: one rule of the model is one rule of Cedar, with the same name.

use aim_core::access::{Capability, Mode};

use crate::reference::{About, Condition, Rule};

impl Rule {
    /// The rule as the driver reads it.
    pub(crate) fn to_cedar(&self) -> String {
        let name = &self.name;
        let approval = if self.wants_approval {
            " @approval(\"person\")"
        } else {
            ""
        };
        let effect = if self.is_forbid { "forbid" } else { "permit" };
        let principal = self.step.map_or_else(
            || "principal".to_owned(),
            |(plan, step)| format!("principal == Aim::Step::\"{plan}.{step}\""),
        );
        let actions: Vec<String> = self
            .actions
            .iter()
            .map(|action| action_text(*action))
            .collect();
        let action = match actions.as_slice() {
            [] => "action".to_owned(),
            [one] => format!("action == {one}"),
            several => format!("action in [{}]", several.join(", ")),
        };
        let resource = match self.about {
            About::Anything => "resource".to_owned(),
            About::Kind(kind) => format!("resource is Aim::{}", kind.entity()),
            About::One(kind, name) => format!("resource == Aim::{}::\"{name}\"", kind.entity()),
        };
        let clause = |word: &str, condition: &Option<Condition>| match condition {
            None => String::new(),
            Some(condition) => format!(" {word} {{ {} }}", condition.to_cedar()),
        };
        let (when, unless) = (clause("when", &self.when), clause("unless", &self.unless));
        format!(
            "@id(\"{name}\"){approval} {effect} ({principal}, {action}, {resource}){when}{unless};\n"
        )
    }
}

fn action_text((capability, mode): (Capability, Option<Mode>)) -> String {
    let name = capability.name();
    match mode {
        None => format!("Aim::Action::\"{name}\""),
        Some(mode) => format!("Aim::Action::\"{name}.{}\"", mode.word()),
    }
}

impl Condition {
    fn to_cedar(&self) -> String {
        match self {
            Self::Tenant(tenant) => format!("context.tenant == \"{tenant}\""),
            Self::Plan(plan) => format!("principal.plan == \"{plan}\""),
            Self::Node(node) => format!("principal.node == \"{node}\""),
            Self::NodeStartsWith(start) => format!("principal.node like \"{start}*\""),
            Self::Autonomy(level) => format!("context.autonomy == \"{level}\""),
            Self::FailsFor(plan) => {
                format!("9223372036854775807 + (if principal.plan == \"{plan}\" then 1 else 0) > 0")
            }
            Self::Not(inner) => format!("!({})", inner.to_cedar()),
            Self::Both(left, right) => format!("({}) && ({})", left.to_cedar(), right.to_cedar()),
            Self::Either(left, right) => format!("({}) || ({})", left.to_cedar(), right.to_cedar()),
        }
    }
}
