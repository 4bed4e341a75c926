//! From verified native code and a linkage to something that can be invoked.
//!
//! INVARIANT: a linker defines exactly the import strings of the linkage; nothing is defined for a string that admission
//! did not bind, and no import that is missing becomes a trap.

use std::sync::Arc;

use aim_core::{
    access::Capability,
    admission::{Binding, How, Linkage, World},
};
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, InstancePre, Lift, Linker, LinkerInstance,
    Lower, types::ComponentItem,
};

use crate::{
    adapter,
    capability::{
        artifact, attest, budget, cli, clocks, codex, config, consult, context, filesystem, http,
        keyvalue, log, model, random, secrets,
    },
    compile::compile,
    engine::{Engine, Shared},
    error::{CompileError, LoadError, shown},
    guest::Guest,
    invoke::{
        HandleParams, HandleResults, JudgeParams, JudgeResults, PrepareParams, PrepareResults,
    },
    plumbing,
    profile::{Allocator, EngineProfile},
};

/// Native code that is known to come from this host's own compiler.
pub struct VerifiedNativeCode(Vec<u8>);

impl core::fmt::Debug for VerifiedNativeCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "VerifiedNativeCode({} bytes)", self.0.len())
    }
}

impl VerifiedNativeCode {
    /// Takes code whose origin the caller has verified on exactly these private bytes: a signature of this host's compile
    /// worker over profile, component digest and code digest. Anything else here would run as machine code of the host,
    /// so the only callers are the ones that have just checked such a signature.
    #[must_use]
    pub const fn assume_verified(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Compiles in this process: for tests and for tools that load nothing untrusted.
    ///
    /// # Errors
    /// As [`compile`].
    pub fn compiled_here(profile: EngineProfile, component: &[u8]) -> Result<Self, CompileError> {
        compile(profile, component).map(Self)
    }
}

/// What a gate exports that reads its codex once for each phase.
const PREPARE: &str = "aim:gate/prepare@0.1.0";

/// A loaded component with its linked imports and its one function.
pub(crate) struct Loaded {
    pub(crate) shared: Arc<Shared>,
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) function: ComponentExportIndex,
    /// A gate's own reading of its codex, where it has one.
    pub(crate) prepare: Option<ComponentExportIndex>,
    component: aim_core::digest::Digest,
}

/// A step, ready to be invoked any number of times, each time in a fresh instance.
#[derive(Clone)]
pub struct LinkedStep(pub(crate) Arc<Loaded>);

/// A gate, ready to judge any number of requests, each in a fresh instance.
#[derive(Clone)]
pub struct LinkedGate(pub(crate) Arc<Loaded>);

macro_rules! loaded {
    ($name:ident) => {
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_tuple(stringify!($name))
                    .field(&self.0.component)
                    .finish()
            }
        }

        impl $name {
            /// The component's digest, as it was admitted.
            #[must_use]
            pub fn component(&self) -> aim_core::digest::Digest {
                self.0.component
            }

            /// Where its instances live.
            #[must_use]
            pub fn allocator(&self) -> Allocator {
                self.0.shared.allocator
            }

            pub(crate) fn shared(&self) -> &Arc<Shared> {
                &self.0.shared
            }
        }
    };
}

loaded!(LinkedStep);
loaded!(LinkedGate);

impl Engine {
    /// Loads a step.
    ///
    /// # Errors
    /// [`LoadError`]; nothing of the guest has run.
    pub fn load_step(
        &self,
        native: VerifiedNativeCode,
        linkage: &Linkage,
    ) -> Result<LinkedStep, LoadError> {
        let export = "handle";
        self.load::<HandleParams, HandleResults>(native, linkage, World::Step, export)
            .map(|loaded| LinkedStep(Arc::new(loaded)))
    }

    /// Loads a gate.
    ///
    /// # Errors
    /// [`LoadError`]; nothing of the guest has run.
    pub fn load_gate(
        &self,
        native: VerifiedNativeCode,
        linkage: &Linkage,
    ) -> Result<LinkedGate, LoadError> {
        let export = "evaluate";
        let mut loaded =
            self.load::<JudgeParams, JudgeResults>(native, linkage, World::Gate, export)?;
        if loaded.pre.component().get_export(None, PREPARE).is_some() {
            let (component, pre) = (loaded.pre.component(), &loaded.pre);
            let found =
                find_function::<PrepareParams, PrepareResults>(component, pre, PREPARE, "prepare")?;
            loaded.prepare = Some(found);
        }
        Ok(LinkedGate(Arc::new(loaded)))
    }

    fn load<P, R>(
        &self,
        native: VerifiedNativeCode,
        linkage: &Linkage,
        world: World,
        export: &'static str,
    ) -> Result<Loaded, LoadError>
    where
        P: ComponentNamedList + Lower + 'static,
        R: ComponentNamedList + Lift + 'static,
    {
        if linkage.world() != world {
            return Err(LoadError::World {
                admitted: linkage.world().word(),
                wanted: world.word(),
            });
        }
        let shared = self.shared(linkage.class())?;
        let component = deserialize(shared, native)?;
        check_bound(&component, linkage)?;
        let mut linker = Linker::new(&shared.engine);
        for binding in linkage.bindings() {
            link(&mut linker, binding).map_err(|error| LoadError::Link(shown(&error)))?;
        }
        let pre = linker
            .instantiate_pre(&component)
            .map_err(|error| LoadError::Link(shown(&error)))?;
        let function = find_function::<P, R>(&component, &pre, world.export(), export)?;
        Ok(Loaded {
            shared: Arc::clone(shared),
            pre,
            function,
            prepare: None,
            component: linkage.component(),
        })
    }
}

fn deserialize(shared: &Shared, native: VerifiedNativeCode) -> Result<Component, LoadError> {
    #[expect(
        unsafe_code,
        reason = "loading native code can not be expressed safely"
    )]
    // SAFETY: `VerifiedNativeCode` holds private bytes that this host's own compiler made: either in this process,
    // or in its worker, whose signature over exactly these bytes the caller has checked. The engine itself refuses
    // code of another version or other settings.
    let component = unsafe { Component::deserialize(&shared.engine, &native.0) };
    component.map_err(|error| LoadError::NativeCode(shown(&error)))
}

/// The native code must import exactly what was admitted: it is how code of another component would be noticed.
fn check_bound(component: &Component, linkage: &Linkage) -> Result<(), LoadError> {
    let engine = component.engine();
    for (name, _) in component.component_type().imports(engine) {
        let is_bound = linkage
            .bindings()
            .iter()
            .any(|binding| binding.import.name == name);
        if !is_bound {
            return Err(LoadError::Unbound(crate::text::neutralise(name, 200)));
        }
    }
    Ok(())
}

fn find_function<P, R>(
    component: &Component,
    pre: &InstancePre<Guest>,
    interface: &str,
    export: &'static str,
) -> Result<ComponentExportIndex, LoadError>
where
    P: ComponentNamedList + Lower + 'static,
    R: ComponentNamedList + Lift + 'static,
{
    let fault = |detail: String| LoadError::Export { export, detail };
    let (_, interface) = component
        .get_export(None, interface)
        .ok_or_else(|| fault("its interface is missing".to_owned()))?;
    let (item, index) = component
        .get_export(Some(&interface), export)
        .ok_or_else(|| fault("it is missing".to_owned()))?;
    let ComponentItem::ComponentFunc(function) = item else {
        return Err(fault("it is not a function".to_owned()));
    };
    function
        .typecheck::<P, R>(&pre.instance_type())
        .map_err(|error| fault(shown(&error)))?;
    Ok(index)
}

fn link(linker: &mut Linker<Guest>, binding: &Binding) -> wasmtime::Result<()> {
    if binding.how == How::TypesOnly {
        return Ok(());
    }
    let mut instance = linker.instance(&binding.import.name)?;
    match binding.how {
        How::TypesOnly => Ok(()),
        How::Adapt => adapter::link(&mut instance, binding),
        How::Plumbing => plumbing::link(&mut instance, &binding.interface),
        How::Serve(capability) => serve(&mut instance, capability, binding),
    }
}

fn serve(
    instance: &mut LinkerInstance<'_, Guest>,
    capability: Capability,
    binding: &Binding,
) -> wasmtime::Result<()> {
    match capability {
        Capability::Context => context::link(instance),
        Capability::Budget => budget::link(instance),
        Capability::Attest => attest::link(instance),
        Capability::Consult => consult::link(instance),
        Capability::Log => log::link(instance),
        Capability::Artifact => artifact::link(instance),
        Capability::Codex => codex::link(instance),
        Capability::Clocks => clocks::link(instance, binding),
        Capability::Random => random::link(instance, binding),
        Capability::Cli => cli::link(instance, binding),
        Capability::Config => config::link(instance),
        Capability::Keyvalue => keyvalue::link(instance, binding),
        Capability::Model => model::link(instance),
        Capability::Http => http::link(instance, binding),
        Capability::Secrets => secrets::link(instance),
        Capability::Filesystem => filesystem::link(instance, binding),
    }
}
