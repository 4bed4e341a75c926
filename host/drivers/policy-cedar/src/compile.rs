//! From texts to one validated set of rules with names that people recognise.
//!
//! INVARIANT: every rule of the set has a name of its own, and every name leads to a file and a line.

use std::collections::BTreeMap;

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic;

use crate::{
    SCHEMA,
    depth::too_deep,
    error::{PolicyFault, PolicyLoadError},
};

/// The annotation of permitting rules that count only once a person approved.
pub(crate) const APPROVAL: &str = "approval";

/// One text of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    /// What to call it: the file's name inside the policy folder.
    pub name: String,
    /// The rules.
    pub text: String,
}

/// Where a rule stands.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: usize,
    column: usize,
}

/// Rules that came through everything.
pub(crate) struct Compiled {
    pub(crate) schema: Schema,
    pub(crate) rules: PolicySet,
    pub(crate) places: BTreeMap<String, Place>,
}

pub(crate) fn compile(sources: &[PolicySource]) -> Result<Compiled, PolicyLoadError> {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA)
        .map_err(|error| PolicyLoadError::bug(&error.to_string()))?;
    let mut rules = Rules::default();
    for source in sources {
        rules.read(source);
    }
    if rules.faults.is_empty() && rules.set.is_empty() {
        rules.faults.push(PolicyFault {
            code: "AIM-P004",
            file: String::new(),
            line: 0,
            column: 0,
            message: "the policy holds no rule, so it would refuse everything".to_owned(),
            help: "write at least one rule, or run without a policy".to_owned(),
        });
    }
    rules.validate(&schema);
    if rules.faults.is_empty() {
        return Ok(Compiled {
            schema,
            rules: rules.set,
            places: rules.places,
        });
    }
    let mut faults = rules.faults;
    faults.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    Err(PolicyLoadError { faults })
}

/// Rules read so far.
#[derive(Default)]
struct Rules {
    set: PolicySet,
    places: BTreeMap<String, Place>,
    faults: Vec<PolicyFault>,
}

impl Rules {
    fn read(&mut self, source: &PolicySource) {
        if let Some(offset) = too_deep(&source.text) {
            let place = place(source, offset);
            self.faults.push(PolicyFault {
                code: "AIM-P007",
                file: place.file,
                line: place.line,
                column: place.column,
                message:
                    "the rule goes too deep: too many brackets in one another, or too long a chain"
                        .to_owned(),
                help: "write several rules, or a set with `contains` or `in`".to_owned(),
            });
            return;
        }
        let parsed: PolicySet = match source.text.parse() {
            Ok(parsed) => parsed,
            Err(errors) => {
                self.parse_faults(source, &errors);
                return;
            }
        };
        if parsed.templates().next().is_some() {
            self.faults.push(PolicyFault {
                code: "AIM-P001",
                file: source.name.clone(),
                line: 1,
                column: 1,
                message: "a rule has a slot (`?principal` or `?resource`)".to_owned(),
                help: "write rules without slots; templates are not supported".to_owned(),
            });
        }
        let mut in_order: Vec<&Policy> = parsed.policies().collect();
        // Cedar numbers the rules of a text: policy0, policy1, ...
        in_order.sort_by_key(|rule| {
            let digits = rule
                .id()
                .to_string()
                .trim_start_matches("policy")
                .to_owned();
            digits.parse::<usize>().unwrap_or(usize::MAX)
        });
        let mut from = 0;
        for rule in in_order {
            let text = rule.to_cedar().unwrap_or_default();
            let found = source.text.get(from..).and_then(|rest| rest.find(&text));
            let offset = found.map_or(from, |offset| from + offset);
            from = offset + text.len();
            self.add(rule, place(source, offset));
        }
    }

    fn add(&mut self, rule: &Policy, place: Place) {
        let written = rule.annotation("id").filter(|id| !id.trim().is_empty());
        let name = match written {
            Some(id) => id.to_owned(),
            None => format!("{}:{}", place.file, place.line),
        };
        if let Some(message) = wrong_annotation(rule) {
            self.faults.push(PolicyFault {
                code: "AIM-P006",
                file: place.file.clone(),
                line: place.line,
                column: place.column,
                message,
                help: "annotate with `@id(\"...\")` and, on `permit` rules only, `@approval(\"person\")`".to_owned(),
            });
        }
        let is_plain = name.len() <= 200 && !name.chars().any(char::is_control);
        let is_new = is_plain && !self.places.contains_key(&name);
        if is_new && self.set.add(rule.new_id(PolicyId::new(&name))).is_ok() {
            self.places.insert(name, place);
            return;
        }
        let shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
        self.faults.push(PolicyFault {
            code: "AIM-P003",
            file: place.file,
            line: place.line,
            column: place.column,
            message: format!("the rule name `{shown}` is taken, too long or not plain text"),
            help: "give every rule an `@id(\"...\")` of its own, or a line of its own".to_owned(),
        });
    }

    fn parse_faults(&mut self, source: &PolicySource, errors: &cedar_policy::ParseErrors) {
        for error in errors.iter() {
            let offset = error
                .labels()
                .and_then(|mut labels| labels.next())
                .map_or(0, |label| label.offset());
            let place = place(source, offset);
            let wanted = error
                .labels()
                .and_then(|mut labels| labels.next())
                .and_then(|label| label.label().map(|text| format!(" ({text})")))
                .unwrap_or_default();
            self.faults.push(PolicyFault {
                code: "AIM-P001",
                file: place.file,
                line: place.line,
                column: place.column,
                message: format!("{error}{wanted}"),
                help: error.help().map_or_else(
                    || "correct the rule; see docs/formats/policy.md".to_owned(),
                    |help| help.to_string(),
                ),
            });
        }
    }

    fn validate(&mut self, schema: &Schema) {
        let result = Validator::new(schema.clone()).validate(&self.set, ValidationMode::Strict);
        let errors = result
            .validation_errors()
            .map(|error| (error.policy_id(), error as &dyn Diagnostic));
        // A warning is a rule that can never apply or that reads differently from what it is: as wrong as an error.
        let warnings = result
            .validation_warnings()
            .map(|warning| (warning.policy_id(), warning as &dyn Diagnostic));
        let found: Vec<PolicyFault> = errors
            .chain(warnings)
            .map(|(id, problem)| self.validation_fault(id, problem))
            .collect();
        self.faults.extend(found);
    }

    fn validation_fault(&self, id: &PolicyId, problem: &dyn Diagnostic) -> PolicyFault {
        let name = id.to_string();
        let place = self.places.get(&name).cloned().unwrap_or(Place {
            file: String::new(),
            line: 0,
            column: 0,
        });
        PolicyFault {
            code: "AIM-P002",
            file: place.file,
            line: place.line,
            column: place.column,
            message: format!("rule `{name}`: {problem}"),
            help: problem.help().map_or_else(
                || "use what contracts/policy/aim.cedarschema declares".to_owned(),
                |help| help.to_string(),
            ),
        }
    }
}

/// What is wrong with a rule's annotations: a misspelt one would be a wish that nobody heard.
fn wrong_annotation(rule: &Policy) -> Option<String> {
    let known = |name: &str, value: &str| match name {
        "id" => true,
        APPROVAL => value == "person" && rule.effect() == Effect::Permit,
        _ => false,
    };
    let wrong = rule.annotations().find(|(name, value)| !known(name, value));
    wrong.map(|(name, value)| {
        let (name, value) = (name.escape_debug(), value.escape_debug());
        format!("the annotation `@{name}(\"{value}\")` means nothing here")
    })
}

fn place(source: &PolicySource, offset: usize) -> Place {
    let before = source.text.get(..offset).unwrap_or(&source.text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place {
        file: source.name.clone(),
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
    }
}
