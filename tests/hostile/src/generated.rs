//! Components that nobody wrote: generated, and mutated from real ones. Each ends in a typed refusal or a typed end.
//!
//! Two thousand a change, each from its number, so that a number says which one it was; a million in the soak, of which the first
//! are those of every change. The component of a panic is kept. A process that died without a panic leaves the number in the
//! soak's file, and `cargo xtask soak` with the part of that number makes the component again.
//! INVARIANT: no component panics the host, and none is taken for more than it is: nothing here answers with the host's bug.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use aim_core::{
    access::{Ask, Capability, Grant},
    admission::{AdmissionRequest, World, admit},
    digest::Digest,
    outcome::Outcome,
};
use aim_engine::{EngineProfile, StepEnd, VerifiedNativeCode, inspect};
use aim_testkit::soak::Cases;
use arbitrary::Unstructured;
use wasm_encoder::{ComponentSectionId, RawSection};
use wit_component::StringEncoding;

use crate::{
    component::{guest, repository, smallest, try_of_module},
    instance::{NoServices, call},
    rig::ENGINE,
};

/// Components of each of the four kinds in a whole soak.
const WHOLE: u64 = 250_000;

/// How often each end was reached.
type Ends = BTreeMap<String, u64>;

/// Bytes that follow from a number, as many as are asked for.
fn noise(kind: &str, number: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 32);
    let mut block = 0_u64;
    while bytes.len() < length {
        let parts: [&[u8]; 3] = [kind.as_bytes(), &number.to_le_bytes(), &block.to_le_bytes()];
        bytes.extend_from_slice(Digest::derive("generated", &parts).as_bytes());
        block += 1;
    }
    bytes.truncate(length);
    bytes
}

/// All that happens to a component, to its typed end.
fn fed(bytes: &[u8], runtime: &tokio::runtime::Runtime) -> String {
    let inspection = match inspect(bytes) {
        Ok(inspection) => inspection,
        Err(error) => return format!("not read: {}", error.code()),
    };
    let asks: Vec<Ask> = Capability::ALL[..6]
        .iter()
        .map(|one| Ask::plain(*one))
        .collect();
    let grant = Grant {
        asks: asks.clone(),
        policy: None,
    };
    let request = AdmissionRequest {
        world: World::Step,
        asks: &asks,
        grant: &grant,
        adapt: None,
        class: aim_core::class::Class::Standard,
    };
    let linkage = match admit(&inspection, &request) {
        Ok(linkage) => linkage,
        Err(faults) => return format!("not admitted: {}", faults[0].code()),
    };
    let native = match VerifiedNativeCode::compiled_here(EngineProfile::default(), bytes) {
        Ok(native) => native,
        Err(error) => return format!("not compiled: {}", error.code()),
    };
    let step = match ENGINE.load_step(native, &linkage) {
        Ok(step) => step,
        Err(error) => return format!("not loaded: {}", error.code()),
    };
    let mut call = call("x", "{}", Arc::new(NoServices));
    call.limits.fuel_max = 2_000_000;
    // Fuel ends whatever computes; what waits has nothing to wait for.
    call.limits.deadline_ms_max = 60_000;
    call.limits.memory_bytes_max = 8 << 20;
    let report = runtime.block_on(step.invoke(call));
    match report.end {
        StepEnd::Answered(_) => "answered".to_owned(),
        StepEnd::Refused(_) => "refused".to_owned(),
        StepEnd::Ended(Outcome::Bug, fault) => panic!("the host's own bug: {fault:?}"),
        StepEnd::Ended(outcome, _) => outcome.word().to_owned(),
    }
}

/// Feeds one component per number. A panic is reported with the number, and the component is kept for a closer look.
fn feed(kind: &str, make: impl Fn(u64) -> Option<Vec<u8>>) -> Ends {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut ends = Ends::new();
    let cases = Cases::of(WHOLE, 500);
    let count = cases.how_many();
    for number in cases {
        let Some(bytes) = make(number) else {
            *ends.entry("nothing made".to_owned()).or_default() += 1;
            continue;
        };
        let end = catch_unwind(AssertUnwindSafe(|| fed(&bytes, &runtime))).unwrap_or_else(|_| {
            let kept = repository(&format!("target/{kind}-{number}.wasm"));
            std::fs::write(&kept, &bytes).unwrap();
            panic!(
                "{kind} number {number} panicked; it is in {}",
                kept.display()
            )
        });
        *ends.entry(end).or_default() += 1;
    }
    println!("{kind}: {count} fed, {ends:#?}");
    assert_eq!(ends.values().sum::<u64>(), count);
    ends
}

/// True when enough were fed that every end has to occur.
fn is_telling(ends: &Ends) -> bool {
    ends.values().sum::<u64>() >= 500
}

fn count(ends: &Ends, start: &str) -> u64 {
    let of_start = ends.iter().filter(|(end, _)| end.starts_with(start));
    of_start.map(|(_, count)| count).sum()
}

fn smith_config(number: u64) -> wasm_smith::Config {
    wasm_smith::Config {
        max_funcs: 8,
        max_instructions: 60,
        max_imports: if number.is_multiple_of(2) { 0 } else { 10 },
        max_memories: 3,
        max_tables: 3,
        // Every fourth may use what is off, and is refused for it.
        gc_enabled: number.is_multiple_of(4),
        exceptions_enabled: number.is_multiple_of(4),
        threads_enabled: false,
        memory64_enabled: number.is_multiple_of(4),
        relaxed_simd_enabled: number.is_multiple_of(4),
        ..wasm_smith::Config::default()
    }
}

#[test]
fn generated_components_end_in_types() {
    let ends = feed("component", |number| {
        let bytes = noise("component", number, 2_048);
        let made = wasm_smith::Component::new(smith_config(number), &mut Unstructured::new(&bytes));
        made.ok().map(|component| component.to_bytes())
    });
    if is_telling(&ends) {
        assert!(
            count(&ends, "not read") > 0 && count(&ends, "not admitted") > 0,
            "{ends:?}"
        );
    }
}

/// The generated module lies in a real step and is instantiated with it: its start function, its data and its memories.
#[test]
fn steps_with_a_generated_module_in_them_end_in_types() {
    let step = smallest();
    let first = inspect(&step).unwrap().core_modules;
    let ends = feed("module", |number| {
        let bytes = noise("module", number, 2_048);
        let config = smith_config(number);
        let module = wasm_smith::Module::new(config, &mut Unstructured::new(&bytes)).ok()?;
        let mut step = step.clone();
        let raw = module.to_bytes();
        let section = RawSection {
            id: ComponentSectionId::CoreModule.into(),
            data: &raw,
        };
        wasm_encoder::ComponentSection::append_to_component(&section, &mut step);
        let mut instances = wasm_encoder::InstanceSection::new();
        let none: [(&str, wasm_encoder::ModuleArg); 0] = [];
        instances.instantiate(first, none);
        wasm_encoder::ComponentSection::append_to_component(&instances, &mut step);
        Some(step)
    });
    if is_telling(&ends) {
        assert!(count(&ends, "answered") > 20, "{ends:?}");
        assert!(count(&ends, "not read") > 20, "{ends:?}");
        assert!(
            count(&ends, "trapped") + count(&ends, "limit") > 5,
            "{ends:?}"
        );
    }
}

#[test]
fn mutated_modules_of_real_steps_end_in_types() {
    const GUESTS: [&str; 4] = [
        "hostile-g18-handles",
        "hostile-g16-discriminants",
        "hostile-g11-reentry",
        "hostile-g27-nan",
    ];
    let sources = GUESTS.map(|name| {
        let text = |kind: &str| repository(&format!("guests/wat/{name}.{kind}"));
        let module = wat::parse_file(text("wat")).unwrap();
        (module, std::fs::read_to_string(text("wit")).unwrap())
    });
    let ends = feed("mutant", |number| {
        let at = usize::try_from(number).unwrap() % sources.len();
        let (module, wit) = &sources[at];
        let mut module = module.clone();
        // Some mutations in a row, as far as they go.
        for round in 0..=number % 4 {
            let mut mutate = wasm_mutate::WasmMutate::default();
            mutate
                .seed(number.wrapping_mul(31).wrapping_add(round))
                .preserve_semantics(false)
                .fuel(200);
            let Some(Ok(next)) = mutate
                .run(&module)
                .ok()
                .and_then(|mut mutants| mutants.next())
            else {
                break;
            };
            module = next;
        }
        try_of_module(&module, wit, StringEncoding::UTF8).ok()
    });
    if is_telling(&ends) {
        assert!(count(&ends, "answered") > 20, "{ends:?}");
        assert!(count(&ends, "trapped") > 20, "{ends:?}");
    }
}

/// Bytes of real components, changed anywhere: in names, in code, in lengths.
/// Negative control: with a panic where the parser finds a fault, this fails.
#[test]
fn l12_components_with_changed_bytes_end_in_types() {
    let sources = [
        "conformance-echo",
        "hostile-g18-handles",
        "hostile-g28-dirty-slot",
        "hostile-l4-sockets",
    ]
    .map(guest);
    let ends = feed("bytes", |number| {
        let at = usize::try_from(number).unwrap() % sources.len();
        let mut bytes = sources[at].clone();
        let noise = noise("bytes", number, 64);
        for change in noise
            .chunks_exact(8)
            .take(1 + usize::try_from(number).unwrap() % 6)
        {
            let (place, value) = change.split_at(7);
            let place = place.iter().fold(0_usize, |sum, byte| {
                sum.wrapping_mul(256).wrapping_add(usize::from(*byte))
            });
            let place = place % bytes.len();
            bytes[place] ^= value[0].max(1);
        }
        if number.is_multiple_of(16) {
            let keep = usize::from(noise[0]) * bytes.len() / 256;
            bytes.truncate(keep);
        }
        Some(bytes)
    });
    if is_telling(&ends) {
        assert!(count(&ends, "not read") > 50, "{ends:?}");
        assert!(count(&ends, "answered") > 5, "{ends:?}");
    }
}
