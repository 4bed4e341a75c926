//! From a node's document to its contract: every rule, each in a function of its own.
//!
//! INVARIANT: a rule that fails adds a fault and goes on with a harmless value, so that the next rules still speak; the
//! contract is made only when no rule spoke.

mod asks;
mod implementation;
mod limits;

use alloc::{collections::BTreeSet, format, vec::Vec};

use serde_json::Value;

use super::{Implementation, NodeContract, NodeFacts, Retry, TenantScope};
use crate::{
    class::Class,
    contract::{
        Autonomy, ContractFault, ContractRule, NodeDocument, World, authored::AuthoredTenantScope,
        error::Faults, is_semver,
    },
    limits::Limits,
    name::{NodeId, TenantId},
};

const ATTEMPTS_MAX: u32 = 10;
const BACKOFF_MS_MAX: u64 = 3_600_000;
const KAPPA_PPM_MAX: u32 = 1_000_000;

impl NodeDocument {
    /// Checks every rule and fills in every default. Limits must fit under `ceiling`.
    ///
    /// # Errors
    /// Every broken rule, in the order of the fields.
    pub fn check(self, ceiling: &Limits) -> Result<NodeContract, Vec<ContractFault>> {
        self.check_as(Class::Standard, ceiling)
    }

    /// As [`Self::check`], for a node that the operator gave the class: limits that nobody wrote are those of the class.
    ///
    /// # Errors
    /// Every broken rule, in the order of the fields.
    pub fn check_as(
        self,
        class: Class,
        ceiling: &Limits,
    ) -> Result<NodeContract, Vec<ContractFault>> {
        let mut faults = Faults::default();
        let node_id = faults.take(ContractRule::Name, "/node_id", NodeId::parse(&self.node_id));
        check_version(&self.version, &mut faults);
        let tenant_scope = tenant_scope(self.tenant_scope.as_ref(), &mut faults);
        let implementation = self.implementation(&mut faults);
        let world = match &implementation {
            Implementation::Component(component) => Some(component.world),
            _ => None,
        };
        let asks = self.checked_asks(world, &mut faults);
        check_schema_shape("/input", self.input.as_ref(), &mut faults);
        check_schema_shape("/output", self.output.as_ref(), &mut faults);
        let limits = self.checked_limits(world, class, ceiling, &mut faults);
        let retry = self.checked_retry(&mut faults);
        let gates = self.checked_gates(world, &mut faults);
        let autonomy = self.checked_autonomy(&mut faults);
        self.check_rest(&mut faults);
        if world == Some(World::Gate) {
            self.refuse_step_keys(&mut faults);
        }
        match node_id {
            Some(node_id) if faults.is_empty() => Ok(NodeContract(NodeFacts {
                kind: self.kind,
                node_id,
                version: self.version,
                tenant_scope,
                metadata: self.metadata,
                implementation,
                asks,
                input: self.input,
                output: self.output,
                limits,
                retry,
                gates,
                is_idempotent: self.idempotent.unwrap_or(false),
                autonomy,
                is_payload_opaque: self.opaque_payload.unwrap_or(false),
                kappa_ppm: self.kappa_ppm,
                criticality: self.criticality,
                ethics: self
                    .ethics
                    .map(|floors| floors.floors())
                    .unwrap_or_default(),
            })),
            _ => Err(faults.into_vec()),
        }
    }

    fn checked_retry(&self, faults: &mut Faults) -> Retry {
        let Some(written) = self.retry else {
            return Retry::default();
        };
        if !(1..=ATTEMPTS_MAX).contains(&written.attempts_max) {
            faults.add(
                ContractRule::Limit,
                "/retry/attempts_max",
                format!("`attempts_max` must be from 1 to {ATTEMPTS_MAX}"),
            );
        }
        if written.backoff_ms > BACKOFF_MS_MAX {
            faults.add(
                ContractRule::Limit,
                "/retry/backoff_ms",
                format!("`backoff_ms` must be at most {BACKOFF_MS_MAX}"),
            );
        }
        Retry {
            attempts_max: written.attempts_max,
            backoff_ms: written.backoff_ms,
        }
    }

    fn checked_gates(&self, world: Option<World>, faults: &mut Faults) -> BTreeSet<NodeId> {
        let mut gates = BTreeSet::new();
        for (index, text) in self.gates.iter().enumerate() {
            let field = format!("/gates/{index}");
            if *text == self.node_id {
                faults.add(
                    ContractRule::Contradiction,
                    &*field,
                    "a node can not judge itself",
                );
            }
            if let Some(gate) = faults.take(ContractRule::Name, &*field, NodeId::parse(text))
                && !gates.insert(gate)
            {
                faults.add(
                    ContractRule::Value,
                    field,
                    format!("`{text}` is named twice"),
                );
            }
        }
        if world == Some(World::Gate) && !self.gates.is_empty() {
            faults.add(
                ContractRule::Contradiction,
                "/gates",
                "a gate is not judged by other gates",
            );
        }
        gates
    }

    fn checked_autonomy(&self, faults: &mut Faults) -> Autonomy {
        let Some(written) = self.autonomy else {
            return Autonomy::default();
        };
        written.level().unwrap_or_else(|| {
            faults.add(
                ContractRule::Unsupported,
                "/autonomy",
                "`EXEC` is never granted; `PROP` is the highest level",
            );
            Autonomy::default()
        })
    }

    /// Keys that say something about steps. A gate is asked about every tenant's, once and with nothing to release: there each
    /// of these would be read, pinned and obeyed by nobody.
    fn refuse_step_keys(&self, faults: &mut Faults) {
        let has_tenants = matches!(self.tenant_scope, Some(AuthoredTenantScope::List(_)));
        for (key, is_set) in [
            ("tenant_scope", has_tenants),
            ("input", self.input.is_some()),
            ("output", self.output.is_some()),
            ("retry", self.retry.is_some()),
            ("idempotent", self.idempotent.is_some()),
            ("autonomy", self.autonomy.is_some()),
            ("opaque_payload", self.opaque_payload.is_some()),
            ("kappa_ppm", self.kappa_ppm.is_some()),
            ("criticality", self.criticality.is_some()),
            ("ethics", self.ethics.is_some()),
        ] {
            if is_set {
                faults.add(
                    ContractRule::Contradiction,
                    format!("/{key}"),
                    format!("`{key}` says something about a step, and this is a gate"),
                );
            }
        }
    }

    fn check_rest(&self, faults: &mut Faults) {
        if self.fallback.is_some() {
            faults.add(
                ContractRule::Unsupported,
                "/fallback",
                "`fallback` is not supported yet",
            );
        }
        if self.kappa_ppm.is_some_and(|kappa| kappa > KAPPA_PPM_MAX) {
            faults.add(
                ContractRule::Limit,
                "/kappa_ppm",
                format!("`kappa_ppm` must be at most {KAPPA_PPM_MAX}"),
            );
        }
        if let Some(name) = self.ethics.and_then(|floors| floors.above_one()) {
            let message = format!("`{name}` must be at most {KAPPA_PPM_MAX}");
            faults.add(ContractRule::Limit, format!("/ethics/{name}"), message);
        }
    }
}

pub(super) fn check_version(version: &str, faults: &mut Faults) {
    if !is_semver(version) {
        faults.add(
            ContractRule::Name,
            "/version",
            "a version is three numbers, as in `0.1.0`",
        );
    }
}

pub(super) fn tenant_scope(
    written: Option<&AuthoredTenantScope>,
    faults: &mut Faults,
) -> TenantScope {
    let Some(AuthoredTenantScope::List(names)) = written else {
        return TenantScope::Global;
    };
    if names.is_empty() {
        faults.add(
            ContractRule::Value,
            "/tenant_scope",
            "the list of tenants is empty; write `global` or name them",
        );
    }
    let mut tenants = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        let field = format!("/tenant_scope/{index}");
        if let Some(tenant) = faults.take(ContractRule::Name, &*field, TenantId::parse(name))
            && !tenants.insert(tenant)
        {
            faults.add(
                ContractRule::Value,
                field,
                format!("`{name}` is named twice"),
            );
        }
    }
    TenantScope::Tenants(tenants)
}

fn check_schema_shape(field: &str, schema: Option<&Value>, faults: &mut Faults) {
    if schema.is_some_and(|schema| !schema.is_object() && !schema.is_boolean()) {
        faults.add(
            ContractRule::Schema,
            field,
            "a JSON Schema is an object, `true` or `false`",
        );
    }
}
