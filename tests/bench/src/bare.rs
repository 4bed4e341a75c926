//! The same components on a bare engine: no scope, no gate, no evidence. What nobody who runs a component can save.
//!
//! The engine has the settings and the allocator of ours; fuel, epoch and a memory limiter are armed, because code that is
//! compiled with them can not run without.
//!
//! INVARIANT: nothing of `aim-engine` runs here but the list of settings.

use std::sync::Arc;

use aim_engine::PoolSize;
use wasmtime::{
    Engine, Store, StoreLimits, StoreLimitsBuilder,
    component::{Component, Linker},
};

use crate::Result;

/// The step's world.
pub(crate) mod step {
    wasmtime::component::bindgen!({
        path: [
            "../../wit/aim-types@0.1.0",
            "../../wit/aim-gate@0.1.0",
            "../../wit/aim-artifact@0.1.0",
            "../../wit/aim-host@0.1.0",
            "../../wit/aim-log@0.1.0",
            "../../wit/aim-witness@0.1.0",
            "../../wit/aim-step@0.1.0",
        ],
        inline: "
            package bench:step;
            world bare { export aim:step/handler@0.1.0; }
        ",
    });
}

/// The gate's world.
pub(crate) mod gate {
    wasmtime::component::bindgen!({
        path: ["../../wit/aim-types@0.1.0", "../../wit/aim-gate@0.1.0"],
        inline: "
            package bench:gate;
            world bare { export aim:gate/judge@0.1.0; }
        ",
    });
}

use gate::{BarePre as GatePre, aim::gate::types::Request};
use step::{
    Bare as LiveStep, BarePre as StepPre,
    aim::types::types::{Emission, Envelope},
};

/// Enough for every call of a run.
const FUEL: u64 = u64::MAX / 4;
/// Ticks that never come.
const TICKS: u64 = u64::MAX / 4;
/// The engine's own limit for steps.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a store holds.
struct Held {
    limits: StoreLimits,
    codex: Arc<[u8]>,
    prepared: Arc<[u8]>,
}

/// Both components, linked.
pub(crate) struct Bare {
    engine: Engine,
    step: StepPre<Held>,
    gate: GatePre<Held>,
    codex: Arc<[u8]>,
    prepared: Prepared,
}

/// What the gate made of its codex for the way in and for the way out.
pub(crate) type Prepared = [Arc<[u8]>; 2];

/// A step's instance that is kept.
pub(crate) struct Live {
    store: Store<Held>,
    step: LiveStep,
}

impl Bare {
    /// Compiles and links both.
    pub(crate) fn new(
        ours: &aim_engine::Engine,
        step: &[u8],
        gate: &[u8],
        codex: Arc<[u8]>,
        prepared: Prepared,
    ) -> Result<Self> {
        let config = ours
            .profile()
            .config_with(ours.allocator(), PoolSize::default());
        let engine = Engine::new(&config)?;
        let linker = Linker::<Held>::new(&engine);
        let step = linker.instantiate_pre(&Component::new(&engine, step)?)?;
        let mut linker = Linker::<Held>::new(&engine);
        let mut served = linker.instance("aim:gate/codex@0.1.0")?;
        served.func_wrap(
            "document",
            |cx: wasmtime::StoreContextMut<'_, Held>, (): ()| Ok((Arc::clone(&cx.data().codex),)),
        )?;
        served.func_wrap(
            "prepared",
            |cx: wasmtime::StoreContextMut<'_, Held>, (): ()| {
                Ok((Arc::clone(&cx.data().prepared),))
            },
        )?;
        let gate = linker.instantiate_pre(&Component::new(&engine, gate)?)?;
        Ok(Self {
            step: StepPre::new(step)?,
            gate: GatePre::new(gate)?,
            engine,
            codex,
            prepared,
        })
    }

    fn store(&self, prepared: &Arc<[u8]>) -> Result<Store<Held>> {
        let limits = StoreLimitsBuilder::new()
            .memory_size(MEMORY_BYTES_MAX)
            .build();
        let codex = Arc::clone(&self.codex);
        let prepared = Arc::clone(prepared);
        let held = Held {
            limits,
            codex,
            prepared,
        };
        let mut store = Store::new(&self.engine, held);
        store.limiter(|held| &mut held.limits);
        store.set_fuel(FUEL)?;
        store.set_epoch_deadline(TICKS);
        Ok(store)
    }

    /// Fresh instance, call, drop.
    pub(crate) fn call(&self, envelope: &Envelope) -> Result<Vec<Emission>> {
        let mut store = self.store(&self.codex)?;
        let step = self.step.instantiate(&mut store)?;
        let answer = step.aim_step_handler().call_handle(&mut store, envelope)?;
        answer.map_err(|error| format!("the step refused: {error:?}").into())
    }

    /// As [`Bare::call`], on the stack of its own that an asynchronous host needs.
    pub(crate) async fn call_async(&self, envelope: &Envelope) -> Result<Vec<Emission>> {
        type Answer = (std::result::Result<Vec<Emission>, step::aim::types::types::StepError>,);
        let mut store = self.store(&self.codex)?;
        let instance = self
            .step
            .instance_pre()
            .instantiate_async(&mut store)
            .await?;
        let component = self.step.instance_pre().component();
        let handler = component.get_export_index(None, "aim:step/handler@0.1.0");
        let handle = component.get_export_index(handler.as_ref(), "handle");
        let handle = handle.ok_or("the step has no `handle`")?;
        let function = instance.get_typed_func::<(&Envelope,), Answer>(&mut store, &handle)?;
        let (answer,) = function.call_async(&mut store, (envelope,)).await?;
        answer.map_err(|error| format!("the step refused: {error:?}").into())
    }

    /// An instance for many calls.
    pub(crate) fn live(&self) -> Result<Live> {
        let mut store = self.store(&self.codex)?;
        let step = self.step.instantiate(&mut store)?;
        Ok(Live { store, step })
    }

    /// Fresh gate, one judgement, drop; false when it objects.
    pub(crate) fn judge(&self, request: &Request) -> Result<bool> {
        use gate::aim::gate::types::Phase;
        let [ingress, egress] = &self.prepared;
        let prepared = match request.phase {
            Phase::Ingress => ingress,
            _ => egress,
        };
        let mut store = self.store(prepared)?;
        let gate = self.gate.instantiate(&mut store)?;
        let answer = gate.aim_gate_judge().call_evaluate(&mut store, request)?;
        let decision = answer.map_err(|fault| format!("the gate refused: {fault:?}"))?;
        use gate::aim::gate::types::Verdict;
        Ok(matches!(decision.verdict, Verdict::Pass | Verdict::Warn))
    }
}

impl Live {
    /// One more call of the same instance.
    pub(crate) fn call(&mut self, envelope: &Envelope) -> Result<Vec<Emission>> {
        let answer = self
            .step
            .aim_step_handler()
            .call_handle(&mut self.store, envelope)?;
        answer.map_err(|error| format!("the step refused: {error:?}").into())
    }
}
