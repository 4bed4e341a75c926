//! Who does what: declared roles, and those that every plan has.
//!
//! INVARIANT: a role that is neither declared nor built in is an error, with the closest known name.

use alloc::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    format,
    string::ToString as _,
};
use core::ops::Range;

use aim_core::{
    name::{NodeId, StepName},
    plan::{self, BUILTIN_ROLES, NODE_PARAM},
};

use super::{Steps, duplicate};
use crate::{
    ast::{Ast, Form, Role, Spanned, Step},
    codes,
    diagnostic::{Diagnostic, Faults},
};

/// The roles of a plan.
pub(crate) struct Roles<'a> {
    declared: BTreeMap<&'a StepName, &'a Role>,
}

/// Checks the declarations, and that every step's role is there.
pub(super) fn resolve<'a>(ast: &'a Ast, steps: &Steps<'a>, faults: &mut Faults) -> Roles<'a> {
    let mut declared = BTreeMap::new();
    for role in &ast.roles {
        check_params(role, faults);
        match declared.entry(&role.name.value) {
            Entry::Vacant(entry) => {
                entry.insert(role);
            }
            Entry::Occupied(first) => {
                let first: &&Role = first.get();
                faults.push(duplicate("role", &role.name, &first.name.span));
            }
        }
    }
    let roles = Roles { declared };
    for (_, step) in &steps.all {
        if let Some(role) = role_of(step)
            && roles.find(&role.value).is_none()
        {
            roles.undeclared(role, ast.form, faults);
        }
    }
    roles
}

fn role_of(step: &Step) -> Option<&Spanned<StepName>> {
    step.assign.as_ref()?.role.as_ref()
}

fn check_params(role: &Role, faults: &mut Faults) {
    let mut seen: BTreeMap<&StepName, &Range<usize>> = BTreeMap::new();
    for (key, value) in &role.params {
        if let Some(first) = seen.insert(&key.value, &key.span) {
            let message = format!("parameter `{}` is given twice", key.value);
            let fault = Diagnostic::error(codes::BAD_PARAMETER, key.span.clone(), message);
            faults.push(
                fault
                    .help("keep one of the two")
                    .label(first.clone(), "first here"),
            );
        }
        if key.value.as_str() == NODE_PARAM
            && let Err(error) = NodeId::parse(&value.value)
        {
            let fault =
                Diagnostic::error(codes::BAD_PARAMETER, value.span.clone(), error.to_string());
            faults.push(fault.help("`node` names the contract that does the role's steps"));
        }
    }
}

impl Roles<'_> {
    /// The role's name in the IR: as declared, or a built-in one, which may be written with a capital (`Retriever`).
    pub(super) fn find(&self, name: &StepName) -> Option<StepName> {
        if self.declared.contains_key(name) {
            return Some(name.clone());
        }
        let text = name.as_str();
        let mut rest = text.chars().skip(1);
        if rest.any(|c| c.is_ascii_uppercase()) {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        let is_builtin = BUILTIN_ROLES.contains(&lower.as_str());
        let found = StepName::parse(&lower).ok().filter(|_| is_builtin)?;
        Some(found)
    }

    fn undeclared(&self, role: &Spanned<StepName>, form: Form, faults: &mut Faults) {
        let known = self
            .declared
            .keys()
            .map(|name| name.as_str())
            .chain(BUILTIN_ROLES);
        let close = faults.suggest(role.value.as_str(), known);
        let help = close.unwrap_or_else(|| {
            let name = &role.value;
            match form {
                Form::Lines => format!("declare it: `ROLE {name}: <kind>(...)`"),
                Form::Braces => format!("declare it: `role {name}: <kind> {{ ... }}`"),
                Form::Yaml => format!("declare it under `participants`: `{name}: <kind>`"),
            }
        });
        let message = format!("role `{}` is not declared", role.value);
        faults
            .push(Diagnostic::error(codes::UNDECLARED_ROLE, role.span.clone(), message).help(help));
    }

    pub(super) fn report_unused(&self, ast: &Ast, faults: &mut Faults) {
        let used: BTreeSet<&StepName> = ast
            .steps()
            .filter_map(role_of)
            .map(|role| &role.value)
            .collect();
        for role in ast
            .roles
            .iter()
            .filter(|role| !used.contains(&role.name.value))
        {
            let message = format!("role `{}` is not used by any step", role.name.value);
            let fault = Diagnostic::warning(codes::UNUSED_ROLE, role.name.span.clone(), message);
            faults.push(fault.help("assign it to a step or remove it"));
        }
    }

    /// The declared roles, and an explicit entry for every built-in one that a step uses.
    pub(super) fn used(&self, steps: &Steps<'_>) -> BTreeMap<StepName, plan::Role> {
        let mut roles: BTreeMap<StepName, plan::Role> = BTreeMap::new();
        for (name, role) in &self.declared {
            let params = role
                .params
                .iter()
                .map(|(key, value)| (key.value.clone(), value.value.clone()));
            if let Some(kind) = &role.kind {
                let role = plan::Role {
                    kind: kind.value.clone(),
                    params: params.collect(),
                };
                roles.insert((*name).clone(), role);
            }
        }
        let names = steps
            .all
            .iter()
            .filter_map(|(_, step)| self.find(&role_of(step)?.value));
        for name in names {
            roles.entry(name.clone()).or_insert_with(|| plan::Role {
                kind: name,
                params: BTreeMap::new(),
            });
        }
        roles
    }
}
