//! From what a plan was resolved to, to native code for all of it.
//!
//! INVARIANT: nothing is compiled before everything is resolved without a fault, and each component is compiled once.

use std::{collections::BTreeMap, sync::Arc};

use aim_core::{digest::Digest, name::NodeId};
use aim_ports::compiler::{CompileRequest, Compiler};

use super::{
    AdmissionError, Admitted, AdmittedComponent, AdmittedGate, AdmittedStep, Node,
    resolve::{Resolution, ResolvedGate, ResolvedStep},
};

impl Resolution<'_> {
    /// Compiles every component.
    ///
    /// # Errors
    /// The first of the resolution's faults, and [`AdmissionError::Compile`] when native code can not be had.
    pub fn compile(self, compiler: &mut dyn Compiler) -> Result<Admitted, AdmissionError> {
        let lock = self.lock();
        let Self {
            request,
            faults,
            steps: resolved,
            gates: resolved_gates,
        } = self;
        if let Some(fault) = faults.into_iter().next() {
            return Err(fault);
        }
        let Some(lock) = lock else {
            return Err(AdmissionError::Refused(Vec::new()));
        };
        let mut code = CodeSource {
            fingerprint: request.profile.fingerprint(),
            made: BTreeMap::new(),
        };
        let mut steps = Vec::with_capacity(resolved.len());
        for step in resolved {
            let native = code.native(compiler, &step.id, step.node)?;
            steps.push(admitted_step(step, native));
        }
        let mut gates = BTreeMap::new();
        for gate in resolved_gates {
            let native = code.native(compiler, gate.id, gate.node)?;
            gates.insert(gate.id.clone(), admitted_gate(gate, native));
        }
        Ok(Admitted {
            steps,
            gates,
            ethical: request.ethical.clone(),
            also: request.also.to_vec(),
            rules: request.rules,
            plan: request.plan.clone(),
            approvals: request.approvals.counted(&lock.approvals().collect()),
            lock,
        })
    }
}

fn admitted_step(step: ResolvedStep<'_>, native: Arc<[u8]>) -> AdmittedStep {
    AdmittedStep {
        step: step.step.clone(),
        contract: step.node.contract.clone(),
        config: step.config,
        monitor: step.monitor,
        addresses: step.addresses,
        grant: step.grant,
        component: AdmittedComponent {
            native,
            linkage: step.linkage,
        },
        input: step.input,
        output: step.output,
        node: step.id,
    }
}

fn admitted_gate(gate: ResolvedGate<'_>, native: Arc<[u8]>) -> AdmittedGate {
    AdmittedGate {
        component: AdmittedComponent {
            native,
            linkage: gate.linkage,
        },
        codex: gate.codex,
        limits: gate.limits,
    }
}

/// Native code by component digest, so that a component of several steps is compiled once.
struct CodeSource {
    fingerprint: String,
    made: BTreeMap<Digest, Arc<[u8]>>,
}

impl CodeSource {
    fn native(
        &mut self,
        compiler: &mut dyn Compiler,
        id: &NodeId,
        node: &Node,
    ) -> Result<Arc<[u8]>, AdmissionError> {
        let digest = Digest::of(&node.component);
        if let Some(native) = self.made.get(&digest) {
            return Ok(Arc::clone(native));
        }
        let request = CompileRequest {
            component: &node.component,
            profile: &self.fingerprint,
        };
        let native: Arc<[u8]> = compiler
            .native_code(&request)
            .map_err(|error| AdmissionError::Compile {
                node: id.clone(),
                error,
            })?
            .into();
        self.made.insert(digest, Arc::clone(&native));
        Ok(native)
    }
}
