//! Which facts of a request's context the rules of a policy read at all.
//!
//! INVARIANT: a fact that a rule reads is in here; where a rule's form is not understood, every fact is.

use std::collections::BTreeSet;

use cedar_policy::PolicySet;
use serde_json::Value;

/// What is read of the context.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    names: BTreeSet<String>,
    /// Some rule takes the context as a whole, or can not be read.
    everything: bool,
}

impl Reads {
    /// Of all rules together.
    pub(crate) fn of(rules: &PolicySet) -> Self {
        let mut reads = Self::default();
        for rule in rules.policies() {
            match rule.to_json() {
                Ok(json) => reads.add(&json),
                Err(_) => reads.everything = true,
            }
        }
        reads
    }

    /// True when some rule can tell whether there is a fact of that name, or what it is.
    pub(crate) fn includes(&self, fact: &str) -> bool {
        self.everything || self.names.contains(fact)
    }

    fn add(&mut self, json: &Value) {
        match json {
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(fields) => {
                for (operator, operand) in fields {
                    self.add_operation(operator, operand);
                }
            }
            _ => {}
        }
    }

    fn add_operation(&mut self, operator: &str, operand: &Value) {
        let is_access = matches!(operator, "." | "has");
        let of_context = operand.pointer("/left/Var").and_then(Value::as_str) == Some("context");
        let attribute = operand.get("attr").and_then(Value::as_str);
        match (is_access && of_context, attribute) {
            (true, Some(attribute)) => {
                self.names.insert(attribute.to_owned());
            }
            (true, None) => self.everything = true,
            _ if operator == "Var" && operand.as_str() == Some("context") => {
                self.everything = true;
            }
            _ => self.add(operand),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(rule: &str) -> Reads {
        Reads::of(&rule.parse().unwrap())
    }

    #[test]
    fn what_a_rule_reads_is_found_wherever_it_stands() {
        for rule in [
            "forbid (principal, action, resource) when { context has address };",
            "forbid (principal, action, resource) when { context.address.isLoopback() };",
            "permit (principal, action, resource) unless { [context.address].contains(ip(\"::1\")) };",
            "permit (principal, action, resource) when { if true then {a: context.address} == {a: ip(\"::1\")} else false };",
            "permit (principal, action, resource) when { context has address.more };",
            "permit (principal, action, resource) when { context == {tenant: \"global\"} };",
            "permit (principal, action, resource) when { [context].containsAny([]) };",
        ] {
            assert!(reads(rule).includes("address"), "{rule}");
        }
    }

    #[test]
    fn a_policy_that_reads_no_address_is_not_asked_about_one() {
        for rule in [
            "permit (principal, action, resource);",
            "permit (principal, action, resource) when { context.tenant == \"address\" && context.autonomy == \"RO\" };",
            "permit (principal, action, resource) when { resource has address };",
        ] {
            assert!(!reads(rule).includes("address"), "{rule}");
        }
        let both = "permit (principal, action, resource);\nforbid (principal, action, resource) when { context has address };";
        assert!(reads(both).includes("address"));
    }
}
