//! From a node's document to its contract: every rule, each in a function of its own.
//!
//! INVARIANT: a rule that fails adds a fault and goes on with a harmless value, so that the next rules still speak; the
//! contract is made only when no rule spoke.

use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

use serde_json::Value;

use super::{
    ComponentRef, DbEffect, HttpEffect, Implementation, NodeContract, NodeFacts, Retry, TenantScope,
};
use crate::{
    access::{Ask, Capability},
    contract::{
        Autonomy, ContractFault, ContractRule, EffectType, NodeDocument, NodeKind, World,
        authored::{AuthoredAsk, AuthoredTenantScope},
        error::Faults,
        is_semver,
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
        let limits = self.checked_limits(world, ceiling, &mut faults);
        let retry = self.checked_retry(&mut faults);
        let gates = self.checked_gates(world, &mut faults);
        let autonomy = self.checked_autonomy(&mut faults);
        self.check_rest(&mut faults);
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
            })),
            _ => Err(faults.into_vec()),
        }
    }

    fn implementation(&self, faults: &mut Faults) -> Implementation {
        if let Some(effect) = self.effect_type {
            return self.host_effect(effect, faults);
        }
        for (key, is_set) in [("/db", self.db.is_some()), ("/http", self.http.is_some())] {
            if is_set {
                faults.add(
                    ContractRule::MissingKey,
                    "/effect_type",
                    format!(
                        "`effect_type` must say what `{}` is",
                        &key.trim_start_matches('/')
                    ),
                );
            }
        }
        if self.component.is_some() {
            return Implementation::Component(self.component_ref(faults));
        }
        self.refuse_component_keys(faults);
        Implementation::Host
    }

    fn host_effect(&self, effect: EffectType, faults: &mut Faults) -> Implementation {
        if self.kind != NodeKind::Effect {
            faults.add(
                ContractRule::Contradiction,
                "/effect_type",
                "only a node of kind `effect` has an `effect_type`",
            );
        }
        if self.component.is_some() {
            faults.add(
                ContractRule::Contradiction,
                "/component",
                "a node has a `component` or an `effect_type`, not both",
            );
        } else {
            self.refuse_component_keys(faults);
        }
        for (key, is_set, owner) in [
            ("/db", self.db.is_some(), EffectType::Db),
            ("/http", self.http.is_some(), EffectType::Http),
        ] {
            let key_name = key.trim_start_matches('/');
            if is_set && effect != owner {
                faults.add(
                    ContractRule::Contradiction,
                    key,
                    format!("`{key_name}` goes with `effect_type: {key_name}` only"),
                );
            } else if !is_set && effect == owner {
                faults.add(
                    ContractRule::MissingKey,
                    key,
                    format!("`effect_type: {key_name}` needs the key `{key_name}`"),
                );
            }
        }
        match effect {
            EffectType::Db => self.db_effect(faults),
            EffectType::Http => self.http_effect(faults),
            EffectType::Local => Implementation::Host,
        }
    }

    fn db_effect(&self, faults: &mut Faults) -> Implementation {
        let Some(db) = &self.db else {
            return Implementation::Host;
        };
        faults.take(
            ContractRule::Name,
            "/db/connection",
            NodeId::parse(&db.connection),
        );
        if db.sql.trim().is_empty() {
            faults.add(ContractRule::Value, "/db/sql", "the statement is empty");
        }
        for (name, source) in &db.params {
            if !source.starts_with("$.") {
                faults.add(
                    ContractRule::Value,
                    format!("/db/params/{}", escape_pointer(name)),
                    "a parameter's source starts with `$.`, as in `$.payload.user_id`",
                );
            }
        }
        Implementation::Db(DbEffect {
            connection: db.connection.clone(),
            sql: db.sql.clone(),
            params: db.params.clone(),
        })
    }

    fn http_effect(&self, faults: &mut Faults) -> Implementation {
        let Some(http) = &self.http else {
            return Implementation::Host;
        };
        let is_method = (1..=16).contains(&http.method.len())
            && http.method.bytes().all(|b| b.is_ascii_uppercase());
        if !is_method {
            faults.add(
                ContractRule::Value,
                "/http/method",
                "a method is a word in capitals",
            );
        }
        if !http.url_template.starts_with("http://") && !http.url_template.starts_with("https://") {
            faults.add(
                ContractRule::Value,
                "/http/url_template",
                "the address starts with `http://` or `https://`",
            );
        }
        Implementation::Http(HttpEffect {
            url_template: http.url_template.clone(),
            method: http.method.clone(),
            headers: http.headers.clone(),
        })
    }

    /// Keys that say something about a component, where there is none.
    fn refuse_component_keys(&self, faults: &mut Faults) {
        for (key, is_set) in [
            ("world", self.world.is_some()),
            ("asks", !self.asks.is_empty()),
            ("adapt", self.adapt.is_some()),
            ("codex", self.codex.is_some()),
        ] {
            if is_set {
                faults.add(
                    ContractRule::Contradiction,
                    format!("/{key}"),
                    format!(
                        "`{key}` says something about a component, and there is no `component`"
                    ),
                );
            }
        }
    }

    fn component_ref(&self, faults: &mut Faults) -> ComponentRef {
        let written = self.component.clone().unwrap_or_default();
        if written.path.is_none() && written.digest.is_none() {
            faults.add(
                ContractRule::MissingKey,
                "/component",
                "a component needs a `path`, a `digest` or both",
            );
        }
        if let Some(path) = &written.path {
            check_path("/component/path", path, faults);
        }
        let digest = written
            .digest
            .as_deref()
            .and_then(|text| faults.take(ContractRule::Name, "/component/digest", text.parse()));
        let world = self.world.unwrap_or(World::Step);
        if let Some(codex) = &self.codex {
            check_path("/codex", codex, faults);
            if world != World::Gate {
                faults.add(
                    ContractRule::Contradiction,
                    "/codex",
                    "only a gate has a codex; this component's world is another",
                );
            }
        }
        if world == World::Gate && self.kind != NodeKind::Compute {
            faults.add(
                ContractRule::Contradiction,
                "/kind",
                "a gate is a node of kind `compute`",
            );
        }
        if let Some(adapt) = &self.adapt {
            // A profile is named by the rule of node ids.
            faults.take(ContractRule::Name, "/adapt", NodeId::parse(adapt));
        }
        ComponentRef {
            path: written.path,
            digest,
            world,
            adapt: self.adapt.clone(),
            codex: self.codex.clone(),
        }
    }

    fn checked_asks(&self, world: Option<World>, faults: &mut Faults) -> Vec<Ask> {
        let mut seen = BTreeSet::new();
        let mut asks = Vec::new();
        for (index, written) in self.asks.iter().enumerate() {
            let field = format!("/asks/{index}");
            if !seen.insert((written.capability, written.folder.as_deref())) {
                faults.add(
                    ContractRule::Ask,
                    &*field,
                    format!(
                        "`{}` is asked for twice; name all modes in one ask",
                        written.capability
                    ),
                );
            }
            if let Some(world) = world {
                check_ask_in_world(&field, written.capability, world, faults);
            }
            asks.push(checked_ask(&field, written, faults));
        }
        asks.sort();
        asks
    }

    fn checked_limits(
        &self,
        world: Option<World>,
        ceiling: &Limits,
        faults: &mut Faults,
    ) -> Limits {
        let base = match world {
            Some(World::Gate) => Limits::GATE,
            _ => Limits::DEFAULT,
        };
        let mut limits = self.limits.over(lowered(base, ceiling));
        if let Some(timeout) = self.timeout_ms {
            if self.limits.deadline_ms_max.is_some() {
                faults.add(
                    ContractRule::Contradiction,
                    "/timeout_ms",
                    "`timeout_ms` and `limits.deadline_ms_max` say the same thing",
                );
            }
            limits.deadline_ms_max = timeout;
        }
        for name in limits.faults_under(ceiling) {
            let field = match (name, self.timeout_ms) {
                ("deadline_ms_max", Some(_)) => String::from("/timeout_ms"),
                _ => format!("/limits/{name}"),
            };
            faults.add(
                ContractRule::Limit,
                field,
                format!("`{name}` must be from 1 to {}", named_limit(ceiling, name)),
            );
        }
        limits
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
    }
}

/// A default never exceeds a ceiling that the operator has lowered.
fn lowered(base: Limits, ceiling: &Limits) -> Limits {
    Limits {
        memory_bytes_max: base.memory_bytes_max.min(ceiling.memory_bytes_max),
        table_elements_max: base.table_elements_max.min(ceiling.table_elements_max),
        instances_max: base.instances_max.min(ceiling.instances_max),
        memories_max: base.memories_max.min(ceiling.memories_max),
        tables_max: base.tables_max.min(ceiling.tables_max),
        handles_max: base.handles_max.min(ceiling.handles_max),
        fuel_max: base.fuel_max.min(ceiling.fuel_max),
        deadline_ms_max: base.deadline_ms_max.min(ceiling.deadline_ms_max),
        host_calls_max: base.host_calls_max.min(ceiling.host_calls_max),
        host_call_bytes_max: base.host_call_bytes_max.min(ceiling.host_call_bytes_max),
        log_bytes_max: base.log_bytes_max.min(ceiling.log_bytes_max),
        payload_bytes_max: base.payload_bytes_max.min(ceiling.payload_bytes_max),
        emissions_max: base.emissions_max.min(ceiling.emissions_max),
        artifacts_max: base.artifacts_max.min(ceiling.artifacts_max),
        artifact_bytes_max: base.artifact_bytes_max.min(ceiling.artifact_bytes_max),
        random_bytes_max: base.random_bytes_max.min(ceiling.random_bytes_max),
        reentry_max: base.reentry_max.min(ceiling.reentry_max),
    }
}

fn named_limit(limits: &Limits, name: &str) -> u64 {
    serde_json::to_value(limits)
        .ok()
        .and_then(|value| value.get(name).and_then(Value::as_u64))
        .unwrap_or_default()
}

fn checked_ask(field: &str, written: &AuthoredAsk, faults: &mut Faults) -> Ask {
    let capability = written.capability;
    let known = capability.modes();
    for mode in &written.modes {
        if !known.contains(mode) {
            faults.add(
                ContractRule::Ask,
                format!("{field}/modes"),
                format!("`{capability}` has no mode `{}`", mode.word()),
            );
        }
    }
    if written.modes.is_empty() && !known.is_empty() {
        faults.add(
            ContractRule::Ask,
            format!("{field}/modes"),
            format!(
                "`{capability}` needs `modes`: one or more of {}",
                words(known)
            ),
        );
    }
    let modes: BTreeSet<_> = written.modes.iter().copied().collect();
    if modes.len() < written.modes.len() {
        faults.add(
            ContractRule::Ask,
            format!("{field}/modes"),
            "a mode is named twice",
        );
    }
    match (&written.folder, capability == Capability::Filesystem) {
        (None, true) => faults.add(
            ContractRule::Ask,
            format!("{field}/folder"),
            "`filesystem` needs `folder`: the run input to mount",
        ),
        (Some(_), false) => faults.add(
            ContractRule::Ask,
            format!("{field}/folder"),
            format!("`{capability}` has no folder"),
        ),
        (Some(folder), true) => {
            faults.take(
                ContractRule::Name,
                format!("{field}/folder"),
                crate::name::StepName::parse(folder),
            );
        }
        (None, false) => {}
    }
    Ask {
        capability,
        folder: written.folder.clone(),
        modes,
    }
}

fn words(modes: &[crate::access::Mode]) -> String {
    let words: Vec<String> = modes
        .iter()
        .map(|mode| format!("`{}`", mode.word()))
        .collect();
    words.join(", ")
}

fn check_ask_in_world(field: &str, capability: Capability, world: World, faults: &mut Faults) {
    let is_served = match world {
        World::Step => capability != Capability::Codex,
        World::PureStep => false,
        World::Gate => capability == Capability::Codex,
    };
    if !is_served {
        faults.add(
            ContractRule::Ask,
            field,
            format!("the world `{world}` has no `{capability}`"),
        );
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

/// What can be said about a path without looking: it is relative and holds nothing that never belongs in one.
fn check_path(field: &str, path: &str, faults: &mut Faults) {
    let is_drive = path.as_bytes().get(1) == Some(&b':');
    if path.is_empty() || path.len() > 1024 {
        faults.add(ContractRule::Value, field, "a path has 1 to 1024 bytes");
    } else if path.starts_with('/') || path.contains('\\') || is_drive {
        faults.add(
            ContractRule::Value,
            field,
            "a path is relative, with `/` between its parts",
        );
    } else if path.chars().any(char::is_control) {
        faults.add(
            ContractRule::Value,
            field,
            "a path has no control characters",
        );
    }
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

pub(super) fn escape_pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
