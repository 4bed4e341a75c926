//! The operator's policy in Cedar: compiled once with every rule held against the schema, then asked at admission.
//!
//! Texts come in, decisions go out; reading files is the registry's part. A policy is taken whole or not at all: one file
//! that does not parse, one rule about something that does not exist, and there is no policy. A set without a rule is
//! refused as well, because it would refuse everything and say nothing about why.
//!
//! INVARIANT: `decide` permits only when a rule permits, none forbids and none failed. Cedar itself skips a rule whose
//! evaluation fails; a forbidding rule must not vanish that way, so here a failure is a denial.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap, HashSet};

use aim_core::{
    access::{AccessDecision, AccessRequest, Fact, ResourceKind},
    digest::Digest,
};
use aim_ports::policy::Policy;
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId,
    PolicySet, Request, RestrictedExpression, Schema,
};

pub mod cases;
mod compile;
mod depth;
mod error;
mod explain;
mod reads;

pub use compile::PolicySource;
pub use error::{PolicyFault, PolicyLoadError};
pub use explain::{Change, Explanation, RuleRef};

/// The schema that rules and requests are held against; the same bytes as `contracts/policy/aim.cedarschema`.
pub const SCHEMA: &str = include_str!("../../../../contracts/policy/aim.cedarschema");

/// A compiled policy.
#[derive(Debug)]
pub struct CedarPolicy {
    digest: Digest,
    names: Names,
    schema: Schema,
    rules: PolicySet,
    places: BTreeMap<String, compile::Place>,
    reads: reads::Reads,
    authorizer: Authorizer,
}

/// The entity types of the schema, parsed once.
#[derive(Debug)]
struct Names {
    step: EntityTypeName,
    action: EntityTypeName,
    resources: Vec<(ResourceKind, EntityTypeName)>,
}

impl CedarPolicy {
    /// Compiles and validates all sources together.
    ///
    /// # Errors
    /// Every fault of every source; when there is one, there is no policy.
    pub fn compile(sources: &[PolicySource]) -> Result<Self, PolicyLoadError> {
        let compiled = compile::compile(sources)?;
        Ok(Self {
            digest: digest(sources),
            names: Names::parse().ok_or_else(|| PolicyLoadError::bug("entity types"))?,
            schema: compiled.schema,
            reads: reads::Reads::of(&compiled.rules),
            rules: compiled.rules,
            places: compiled.places,
            authorizer: Authorizer::new(),
        })
    }

    fn request(&self, asked: &AccessRequest) -> Option<(Request, Entities)> {
        let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
        let uid = |name: &EntityTypeName, id: &str| {
            EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id))
        };
        let step = uid(&self.names.step, &format!("{}.{}", asked.plan, asked.step));
        let action = uid(&self.names.action, &asked.action());
        let kind = asked.resource.kind;
        let mut known = self.names.resources.iter();
        let (_, entity_type) = known.find(|(known, _)| *known == kind)?;
        let resource = uid(entity_type, &asked.resource.name);
        let facts = HashMap::from([
            ("plan".to_owned(), text(asked.plan.as_str())),
            ("step".to_owned(), text(asked.step.as_str())),
            ("node".to_owned(), text(asked.node.as_str())),
            ("component".to_owned(), text(&asked.component.to_string())),
        ]);
        let of_resource = kind.attributes(&asked.resource.name);
        let of_resource = of_resource
            .iter()
            .map(|(name, fact)| pair(name, fact))
            .collect();
        let run = [
            ("autonomy".to_owned(), text(asked.autonomy.word())),
            ("tenant".to_owned(), text(asked.tenant.as_str())),
        ];
        let now = asked.facts.iter().map(|(name, fact)| pair(name, fact));
        let context = Context::from_pairs(run.into_iter().chain(now)).ok()?;
        let entities = [
            Entity::new(step.clone(), facts, HashSet::new()).ok()?,
            Entity::new(resource.clone(), of_resource, HashSet::new()).ok()?,
        ];
        let entities = Entities::from_entities(entities, Some(&self.schema)).ok()?;
        let request = Request::new(step, action, resource, context, Some(&self.schema)).ok()?;
        Some((request, entities))
    }
}

impl Policy for CedarPolicy {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn depends_on(&self, fact: &str) -> bool {
        self.reads.includes(fact)
    }

    fn decide(&self, asked: &AccessRequest) -> AccessDecision {
        // A request that does not fit the schema is about something unknown, and unknown is denied.
        let Some((request, entities)) = self.request(asked) else {
            return AccessDecision::default();
        };
        let found = self.evaluate(&self.rules, &request, &entities);
        if !found.failed.is_empty() {
            return AccessDecision {
                rules: found.failed,
                ..AccessDecision::default()
            };
        }
        let wants_approval = |name: &String| {
            let rule = self.rules.policy(&PolicyId::new(name));
            rule.is_none_or(|rule| rule.annotation(compile::APPROVAL).is_some())
        };
        let is_approvable = found.is_allowed && found.deciding.iter().all(wants_approval);
        AccessDecision {
            is_permitted: found.is_allowed && !is_approvable,
            rules: found.deciding,
            is_approvable,
        }
    }
}

/// What one evaluation found; names are sorted.
struct Found {
    is_allowed: bool,
    deciding: Vec<String>,
    failed: Vec<String>,
}

impl CedarPolicy {
    fn evaluate(&self, rules: &PolicySet, request: &Request, entities: &Entities) -> Found {
        let response = self.authorizer.is_authorized(request, rules, entities);
        let diagnostics = response.diagnostics();
        let failed = diagnostics.errors().map(|error| match error {
            cedar_policy::AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
        });
        Found {
            is_allowed: response.decision() == Decision::Allow,
            failed: rule_names(failed),
            deciding: rule_names(diagnostics.reason()),
        }
    }
}

fn rule_names<'a>(ids: impl Iterator<Item = &'a PolicyId>) -> Vec<String> {
    let mut names: Vec<String> = ids.map(ToString::to_string).collect();
    names.sort();
    names
}

impl Names {
    fn parse() -> Option<Self> {
        let resource = |kind: ResourceKind| {
            let name = format!("Aim::{}", kind.entity()).parse().ok()?;
            Some((kind, name))
        };
        Some(Self {
            step: "Aim::Step".parse().ok()?,
            action: "Aim::Action".parse().ok()?,
            resources: ResourceKind::ALL
                .into_iter()
                .map(resource)
                .collect::<Option<_>>()?,
        })
    }
}

/// A fact as Cedar takes it.
fn pair(name: &str, fact: &Fact) -> (String, RestrictedExpression) {
    let value = match fact {
        Fact::Text(text) => RestrictedExpression::new_string(text.clone()),
        Fact::Number(number) => RestrictedExpression::new_long(*number),
        Fact::Flag(flag) => RestrictedExpression::new_bool(*flag),
        Fact::Address(address) => RestrictedExpression::new_ip(address.to_string()),
    };
    (name.to_owned(), value)
}

/// Over names and texts in the order of names, and the schema that gives them their meaning.
fn digest(sources: &[PolicySource]) -> Digest {
    let sorted: BTreeMap<&str, &str> = sources
        .iter()
        .map(|source| (source.name.as_str(), source.text.as_str()))
        .collect();
    let mut parts = vec![SCHEMA.as_bytes()];
    for (name, text) in sorted {
        parts.push(name.as_bytes());
        parts.push(text.as_bytes());
    }
    Digest::derive("policy", &parts)
}

#[cfg(test)]
mod tests;
