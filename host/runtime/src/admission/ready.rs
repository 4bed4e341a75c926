//! From an admitted plan to units that can run: components loaded, folders given, gates put in front.
//!
//! INVARIANT: a unit gets its gates from the admitted plan only; there is no unit without the ethical one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aim_core::{
    access::{Capability, Mode},
    gate::floor::Floors,
    name::{NodeId, StepName},
    plan::Lock,
};
use aim_engine::{Engine, LoadError, VerifiedNativeCode};
use aim_trust::use_approval::Counted;

use super::{Admitted, AdmittedGate, AdmittedStep, ReadyError};
use crate::{
    inputs::Inputs,
    judge::{ComponentJudge, Gate},
    unit::{Unit, UnitParts},
};

impl Admitted {
    /// Every digest that the run's result depends on besides its inputs.
    #[must_use]
    pub const fn lock(&self) -> &Lock {
        &self.lock
    }

    /// The approvals that the lock names, as the log is to keep them.
    #[must_use]
    pub fn approvals(&self) -> &[Counted] {
        &self.approvals
    }

    /// Loads everything into the engine and gives the steps their folders.
    ///
    /// # Errors
    /// [`ReadyError`]; no guest instruction has run.
    pub fn ready(&self, engine: &Engine, inputs: &Inputs) -> Result<Vec<Unit>, ReadyError> {
        let mut gates = BTreeMap::new();
        for (id, gate) in &self.gates {
            gates.insert(id, load_gate(engine, id, gate)?);
        }
        let terminals: BTreeSet<&StepName> = self.plan.terminals().map(|step| &step.name).collect();
        let mut units = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let is_terminal = terminals.contains(&step.step.name);
            units.push(self.unit(engine, step, &gates, inputs, is_terminal)?);
        }
        Ok(units)
    }

    fn unit(
        &self,
        engine: &Engine,
        step: &AdmittedStep,
        gates: &BTreeMap<&NodeId, Gate>,
        inputs: &Inputs,
        is_terminal: bool,
    ) -> Result<Unit, ReadyError> {
        let load = |error| ReadyError::Load {
            node: step.node.clone(),
            error,
        };
        let native = VerifiedNativeCode::assume_verified(step.component.native.to_vec());
        let linked = engine
            .load_step(native, &step.component.linkage)
            .map_err(load)?;
        let mut folders = BTreeMap::new();
        let read = step.grant.asks_for(Capability::Filesystem);
        let read = read.filter(|ask| !ask.modes.contains(&Mode::Write));
        for folder in read.flat_map(|ask| &ask.scope) {
            let snapshot = inputs
                .folders()
                .get(folder)
                .ok_or_else(|| ReadyError::NoFolder {
                    step: step.step.name.clone(),
                    folder: folder.clone(),
                })?;
            folders.insert(folder.clone(), snapshot.clone());
        }
        let of = |id: &NodeId| gates.get(id).cloned();
        let ethical = of(&self.ethical).ok_or_else(|| ReadyError::Load {
            node: self.ethical.clone(),
            error: LoadError::NativeCode("the ethical gate was not admitted".to_owned()),
        })?;
        Ok(Unit::new(UnitParts {
            step: step.step.clone(),
            contract: step.contract.clone(),
            component: step.component.linkage.component(),
            grant: step.grant.clone(),
            linked,
            input: step.input.clone(),
            output: step.output.clone(),
            ethical,
            gates: (self.also.iter().chain(&step.contract.gates))
                .filter_map(of)
                .collect(),
            rules: self.rules.clone(),
            plan_gates: self.plan.result_gates(&step.step, is_terminal),
            plan_kappa_ppm: self.plan.kappa_ppm(&step.step),
            plan_risk: self.plan.header().risk,
            folders,
            config: Arc::clone(&step.config),
            addresses: step.addresses.clone(),
            monitor: step.monitor.clone(),
        }))
    }
}

fn load_gate(engine: &Engine, id: &NodeId, gate: &AdmittedGate) -> Result<Gate, ReadyError> {
    let native = VerifiedNativeCode::assume_verified(gate.component.native.to_vec());
    let linked = engine
        .load_gate(native, &gate.component.linkage)
        .map_err(|error| ReadyError::Load {
            node: id.clone(),
            error,
        })?;
    Ok(Gate {
        id: id.to_string(),
        component: Some(gate.component.linkage.component()),
        codex: gate.codex.as_ref().map(|(_, codex)| codex.digest()),
        codex_version: gate.codex.as_ref().map(|(_, codex)| codex.version()),
        floors: Floors::default(),
        judge: Arc::new(ComponentJudge::new(
            linked,
            (gate.codex.as_ref()).map_or_else(Arc::default, |(document, _)| Arc::clone(document)),
            gate.limits,
        )),
    })
}
