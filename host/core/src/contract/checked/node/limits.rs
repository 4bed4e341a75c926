//! Limits of one attempt: what is written over what is usual, under what is allowed.
//!
//! INVARIANT: a limit that nobody wrote never exceeds the ceiling.

use alloc::{format, string::String};

use serde_json::Value;

use crate::{
    class::Class,
    contract::{ContractRule, NodeDocument, World, error::Faults},
    limits::Limits,
};

impl NodeDocument {
    pub(super) fn checked_limits(
        &self,
        world: Option<World>,
        class: Class,
        ceiling: &Limits,
        faults: &mut Faults,
    ) -> Limits {
        // Gates are small and slow ones are denials: what a gate gets by itself is also the most that its contract can say.
        let (base, ceiling) = match world {
            Some(World::Gate) => (Limits::GATE, &lowered(Limits::GATE, ceiling)),
            _ => (class.default_limits(), ceiling),
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
        kv_keys_max: base.kv_keys_max.min(ceiling.kv_keys_max),
        kv_value_bytes_max: base.kv_value_bytes_max.min(ceiling.kv_value_bytes_max),
        kv_bytes_max: base.kv_bytes_max.min(ceiling.kv_bytes_max),
        files_max: base.files_max.min(ceiling.files_max),
        file_bytes_max: base.file_bytes_max.min(ceiling.file_bytes_max),
        folder_bytes_max: base.folder_bytes_max.min(ceiling.folder_bytes_max),
        hops_max: base.hops_max.min(ceiling.hops_max),
        fan_out_max: base.fan_out_max.min(ceiling.fan_out_max),
        effects_max: base.effects_max.min(ceiling.effects_max),
        effect_bytes_max: base.effect_bytes_max.min(ceiling.effect_bytes_max),
        effect_ms_max: base.effect_ms_max.min(ceiling.effect_ms_max),
    }
}

fn named_limit(limits: &Limits, name: &str) -> u64 {
    serde_json::to_value(limits)
        .ok()
        .and_then(|value| value.get(name).and_then(Value::as_u64))
        .unwrap_or_default()
}
