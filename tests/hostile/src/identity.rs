//! L11, L14, L16, L17, L21, L23, L24: who a component is, and who compiles and loads it.
//!
//! INVARIANT: a component is its digest; no name inside of it is believed.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aim_compiler_process::{ProcessCompiler, SideCommand, WorkerLimits, serve_compiler};
use aim_core::{
    access::Downgrade,
    digest::{Digest, encode_hex},
    name::{NodeId, StepName, TenantId},
    outcome::Outcome,
    quarantine::Approver,
    time::Timestamp,
};
use aim_engine::{
    AllocatorPreference, Cancel, Engine, EngineProfile, StepEnd, VerifiedNativeCode, inspect,
};
use aim_hardening::key_file::{self, Role};
use aim_ports::{
    PortFault,
    compiler::{CompileRequest, Compiler as _},
};
use aim_registry_dir::read_component;
use aim_runtime::{admission::AdmissionError, progress::Unwatched};
use aim_trust::{
    key::{KeyRole, SecretKey},
    use_approval::sign_downgrade,
};

use crate::{
    case::Case,
    component::{guest, smallest, with_more},
    instance::{NoServices, call},
    loading::unasked,
    rig::{ENGINE, Rig, native_code},
};

const KEYS: &str = "AIM_HOSTILE_TEST_KEYS";

/// Child: a compile worker with the real compiler, in this test binary.
#[test]
fn child_that_compiles() {
    let Some(keys) = std::env::var_os(KEYS).map(std::path::PathBuf::from) else {
        return;
    };
    let served = serve_compiler(&keys, |_, component| {
        aim_engine::compile(EngineProfile::default(), component).map_err(|error| error.to_string())
    });
    std::process::exit(i32::from(served.is_err()));
}

/// A function with fifty thousand locals, a branch table of fifty thousand targets and a body of megabytes.
fn compile_bomb() -> Vec<u8> {
    use wasm_encoder::{
        CodeSection, ExportKind, ExportSection, Function, FunctionSection, InstructionSink, Module,
        ModuleSection, TypeSection, ValType,
    };
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut body = Function::new([(49_000, ValType::I64)]);
    let mut code: InstructionSink<'_> = body.instructions();
    for local in 1..49_000_u32 {
        code.local_get(local)
            .local_get((local * 7) % 48_000 + 1)
            .i64_mul()
            .local_set(local);
        code.block(wasm_encoder::BlockType::Empty)
            .local_get(0)
            .br_table((0..8).map(|_| 0), 0)
            .end();
    }
    code.local_get(0).end();
    let mut bodies = CodeSection::new();
    bodies.function(&body);
    let mut exports = ExportSection::new();
    exports.export("f", ExportKind::Func, 0);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&exports)
        .section(&bodies);
    let mut component = wasm_encoder::Component::new();
    component.section(&ModuleSection(&module));
    component.finish()
}

/// The real compiler on a component made to keep it busy. Negative control: the smallest step compiles in the same worker
/// under the same limits, before and after.
#[test]
fn l11_a_compile_bomb_ends_the_worker_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let keys = home.path().join("keys");
    key_file::init(&keys).unwrap();
    let command = SideCommand::new(
        std::env::current_exe().unwrap(),
        ["--exact", "identity::child_that_compiles", "--nocapture"],
    );
    let command = with_environment(command, &keys);
    let limits = WorkerLimits {
        memory_bytes_base: 1 << 30,
        memory_bytes_each: 0,
        memory_bytes_max: 1 << 30,
        cpu_s_base: 1,
        cpu_s_each_mib: 0,
        wall_factor: 60,
    };
    let public = key_file::load_public(&keys, Role::Cache).unwrap();
    let mut compiler = ProcessCompiler::new(command, &public, None, limits).unwrap();
    let mut native = |component: &[u8]| {
        let profile = &EngineProfile::default().fingerprint();
        compiler.native_code(&CompileRequest { component, profile })
    };
    native(&smallest()).unwrap();
    let bomb = compile_bomb();
    inspect(&bomb).unwrap();
    let error = native(&bomb).unwrap_err();
    assert_eq!(
        (error.fault, error.code),
        (PortFault::Exhausted, Some("AIM-K009")),
        "{error}"
    );
    native(&smallest()).unwrap();
}

fn with_environment(mut command: SideCommand, keys: &std::path::Path) -> SideCommand {
    command.environment.push((KEYS.into(), keys.into()));
    command
}

/// The name section and the producers say `ethical`; the witness says what the contract said.
/// Negative control: with the digest made from other bytes, this fails.
#[test]
fn l14_a_name_inside_a_component_is_never_its_name() {
    use wasm_encoder::{ComponentNameSection, ProducersField, ProducersSection};
    let mut bytes = smallest();
    let mut names = ComponentNameSection::new();
    names.component("ethical");
    let mut field = ProducersField::new();
    field.value("ethical \u{1b}[31m", "9.9.9");
    let mut producers = ProducersSection::new();
    producers.field("processed-by", &field);
    append(&mut bytes, &names);
    append_custom(&mut bytes, &producers);
    let inspection = inspect(&bytes).unwrap();
    let named = |name: &str| inspection.producers.iter().any(|one| one.name == name);
    assert!(named("ethical \\u{1b}[31m"), "{:?}", inspection.producers);
    let attempt = Case::of(bytes.clone()).ends(&[Outcome::Completed]);
    assert_eq!(
        (attempt.node.as_str(), attempt.component),
        ("enemy", Digest::of(&bytes))
    );
}

fn append(bytes: &mut Vec<u8>, section: &impl wasm_encoder::ComponentSection) {
    section.append_to_component(bytes);
}

fn append_custom(bytes: &mut Vec<u8>, section: &wasm_encoder::ProducersSection) {
    wasm_encoder::Section::append_to(section, bytes);
}

/// The old version is back in its place, bytes and contract. Negative controls: the version that was accepted, and the old
/// one with an approver's signature, are admitted (asserted here); with `rollback::check` answering without a look at what
/// was accepted, the old one is admitted unsigned and this fails.
#[test]
fn l16_an_older_version_than_one_that_ran_is_refused_unless_an_approver_signed_it() {
    let plan = "PLAN p:\n  ROLE n: custom(node=\"victim\")\n  STEP attack:\n    ASSIGN n: \"x\"\n";
    let mut rig = Rig::new();
    let (old, new) = (smallest(), with_more(&smallest(), "(core module)"));
    let version = |version: &str| serde_json::json!({ "version": version });
    for (bytes, number) in [(&old, "1.2.0"), (&new, "1.10.0")] {
        rig.add("victim", bytes.clone(), &version(number), None);
        rig.run(plan, "x", Arc::new(Unwatched), &Cancel::new());
    }
    let begun = rig.ledger().executions().len();
    let compiled = aim_acl::compile(plan, aim_acl::Profile::Lenient).unwrap();
    assert!(rig.admit(&compiled.plan).is_ok());
    rig.add("victim", old.clone(), &version("1.2.0"), None);
    let Err(AdmissionError::Refused(refused)) = rig.admit(&compiled.plan) else {
        panic!("the old version was admitted");
    };
    let reasons: Vec<&str> = refused[0].reasons.iter().map(|one| one.code).collect();
    assert_eq!(reasons, ["AIM-A060"], "{refused:?}");
    assert_eq!(rig.ledger().executions().len(), begun);

    let key = SecretKey::from_bytes(KeyRole::Approver, &[8; 32]);
    rig.approvers = vec![Approver {
        actor: "uid:1".to_owned(),
        key: encode_hex(&key.public_bytes()),
        name: "ann".to_owned(),
        role: "operations".to_owned(),
    }];
    let leave = Downgrade {
        approver: "ann".to_owned(),
        component: Digest::of(&old),
        expires: Timestamp::from_millis(1),
        node: NodeId::parse("victim").unwrap(),
        tenant: TenantId::parse("global").unwrap(),
        version: "1.2.0".to_owned(),
    };
    rig.downgrades = vec![sign_downgrade(leave, &key)];
    assert!(rig.admit(&compiled.plan).is_ok());
}

/// Negative control: `echo-2` and the like are names (asserted here).
#[test]
fn l17_names_that_look_like_others_are_no_names() {
    let long = "a".repeat(200);
    let odd = [
        "Echo",
        "ECHO",
        "\u{435}cho",
        "echo\u{200b}",
        "echo.",
        ".echo",
        "echo\0",
        "e/cho",
        "..",
        "echo ",
        "\u{ff45}cho",
        "",
        &long,
    ];
    for name in odd {
        assert!(NodeId::parse(name).is_err(), "node `{name:?}`");
        assert!(TenantId::parse(name).is_err(), "tenant `{name:?}`");
    }
    for name in [
        "\u{435}cho",
        "echo\u{200b}",
        "echo.",
        "echo\0",
        "e/cho",
        "..",
        "echo ",
        "",
    ] {
        assert!(StepName::parse(name).is_err(), "step `{name:?}`");
        assert!(crate::rig::contract(name, &serde_json::json!({})).is_err());
    }
    assert!(NodeId::parse("echo-2").is_ok() && TenantId::parse("acme").is_ok());
}

/// The file is replaced after it was read: digest, admission and code are those of the bytes that were read.
/// Negative control: with the digest made from other bytes, this fails.
#[test]
fn l21_what_was_digested_is_what_is_compiled_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.wasm");
    let good = smallest();
    std::fs::write(&path, &good).unwrap();
    let bytes = read_component(&path).unwrap();
    std::fs::write(&path, guest("hostile-g2-start-loop")).unwrap();
    let attempt = Case::of(bytes).ends(&[Outcome::Completed]);
    assert_eq!(attempt.component, Digest::of(&good));
}

fn load(engine: &Engine, bytes: &[u8]) -> aim_engine::LinkedStep {
    let linkage = unasked(bytes).unwrap();
    let native = VerifiedNativeCode::assume_verified(native_code(bytes).unwrap());
    engine.load_step(native, &linkage).unwrap()
}

/// Five hundred loads on four threads, each dropped at once or after a call, of five components.
/// Negative control: with a loader that refuses while it is busy, this fails.
#[test]
fn l23_components_come_and_go_on_many_threads_at_once() {
    let components: Vec<Vec<u8>> = (0..5)
        .map(|number| with_more(&smallest(), &format!("(core module (memory {number}))")))
        .collect();
    for component in &components {
        native_code(component).unwrap();
    }
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (components, answered) = (&components, &answered);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                for turn in 0..125 {
                    let component = &components[(thread + turn) % components.len()];
                    let step = load(&ENGINE, component);
                    assert_eq!(step.component(), Digest::of(component));
                    if turn % 3 == 0 {
                        let report =
                            runtime.block_on(step.invoke(call("x", "", Arc::new(NoServices))));
                        assert!(
                            matches!(report.end, StepEnd::Answered(_)),
                            "{:?}",
                            report.end
                        );
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(answered.load(Ordering::Relaxed), 4 * 42);
}

/// A linker is made for one load and belongs to its engine: code of one engine runs there and nowhere else, and what one
/// engine loaded lives on when another one ends.
/// Negative control: with one engine for all linkers, this fails.
#[test]
fn l24_two_engines_share_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let other = Engine::new(EngineProfile::default(), AllocatorPreference::default()).unwrap();
    let (here, there) = (load(&ENGINE, &smallest()), load(&other, &smallest()));
    drop(other);
    for step in [&here, &there, &here] {
        let report = runtime.block_on(step.invoke(call("x", "", Arc::new(NoServices))));
        assert!(
            matches!(report.end, StepEnd::Answered(_)),
            "{:?}",
            report.end
        );
    }
    drop(there);
    let report = runtime.block_on(here.invoke(call("x", "", Arc::new(NoServices))));
    assert!(
        matches!(report.end, StepEnd::Answered(_)),
        "{:?}",
        report.end
    );
}
