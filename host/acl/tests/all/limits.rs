//! Large plans compile, too large ones are refused, and a source full of faults is answered in bounds.

use std::fmt::Write as _;

use aim_acl::{DIAGNOSTICS_MAX, Profile, SOURCE_BYTES_MAX, codes, compile};
use aim_core::plan::{Plan, STEPS_MAX};

fn chain(count: usize) -> String {
    let mut source = String::from("PLAN chain:\n");
    for step in 0..count {
        writeln!(source, "STEP s{step}:\nASSIGN builder: \"x\"").unwrap();
        writeln!(source, "BUDGET tokens=1,time=1s,tools=1").unwrap();
        if step > 0 {
            writeln!(source, "REQUIRES s{}", step - 1).unwrap();
        }
    }
    source
}

#[test]
fn a_thousand_steps_compile_to_the_same_bytes_twice() {
    let source = chain(1_000);
    let first = compile(&source, Profile::Strict).unwrap();
    let second = compile(&source, Profile::Strict).unwrap();
    assert_eq!(first.plan.steps().len(), 1_000);
    assert_eq!(first.plan.to_json(), second.plan.to_json());
    assert_eq!(Plan::from_json(&first.plan.to_json()), Ok(second.plan));
}

#[test]
fn the_step_limit_is_inclusive() {
    let compiled = compile(&chain(STEPS_MAX), Profile::Strict).unwrap();
    assert_eq!(compiled.plan.steps().len(), STEPS_MAX);
    let faults = compile(&chain(STEPS_MAX + 1), Profile::Strict).unwrap_err();
    let codes: Vec<_> = faults.iter().map(|fault| fault.code).collect();
    assert_eq!(codes, [codes::TOO_LARGE.id]);
}

/// Control: without the limit on bytes, this fails.
#[test]
fn the_size_limit_is_inclusive() {
    let mut source = String::from("PLAN p:\nSTEP a:\nASSIGN builder: \"x\"\n#");
    source.push_str(&"x".repeat(SOURCE_BYTES_MAX - source.len()));
    assert!(compile(&source, Profile::Lenient).is_ok());
    source.push('x');
    let faults = compile(&source, Profile::Lenient).unwrap_err();
    let codes: Vec<_> = faults.iter().map(|fault| fault.code).collect();
    assert_eq!(codes, [codes::TOO_LARGE.id]);
}

/// Control: with an unbounded list, this fails.
#[test]
fn more_faults_than_fit_are_counted() {
    let source = format!(
        "PLAN p:\nSTEP a:\nASSIGN builder: \"x\"\n{}",
        "NONSENSE\n".repeat(1_500)
    );
    let faults = compile(&source, Profile::Lenient).unwrap_err();
    let errors = faults
        .iter()
        .filter(|fault| fault.code == codes::UNKNOWN_KEYWORD.id)
        .count();
    assert_eq!(errors, DIAGNOSTICS_MAX);
    let last = faults.last().unwrap();
    assert_eq!(
        (last.code, last.message.as_str()),
        ("ACL-E025", "500 more errors are not listed")
    );
}

/// The densest plan of each repeatable part still fits into what a reader of the IR accepts.
#[test]
fn the_densest_sources_make_an_ir_that_can_be_read_back() {
    let mut edges = String::from("PLAN p:\n");
    for step in 0..700 {
        writeln!(
            edges,
            "STEP {step}:\nASSIGN builder:\"\"\nBUDGET tokens=1,time=1s,tools=1"
        )
        .unwrap();
        if step > 0 {
            let names: Vec<String> = (0..step).map(|step| step.to_string()).collect();
            writeln!(edges, "REQUIRES {}", names.join(",")).unwrap();
        }
    }
    edges.truncate(SOURCE_BYTES_MAX);
    let edges = edges.rsplit_once("STEP").unwrap().0.to_owned();
    let mut gates = String::from("PLAN p:\nSTEP a:\nASSIGN builder:\"\"\n");
    for gate in 0_u32.. {
        writeln!(gates, "GATE {gate}:output.b").unwrap();
        if gates.len() > SOURCE_BYTES_MAX - 64 {
            break;
        }
    }
    for source in [edges, gates] {
        let plan = compile(&source, Profile::Lenient).unwrap().plan;
        assert_eq!(Plan::from_json(&plan.to_json()), Ok(plan));
    }
}

#[test]
fn many_unknown_names_among_many_known_ones_are_answered() {
    let mut source = chain(5_000);
    source.push_str(
        "STEP last:\nASSIGN builder: \"x\"\nBUDGET tokens=1,time=1s,tools=1\nREQUIRES s_0",
    );
    for unknown in 1..20_000 {
        write!(source, ",s_{unknown}").unwrap();
    }
    let faults = compile(&source, Profile::Strict).unwrap_err();
    assert_eq!(faults.len(), DIAGNOSTICS_MAX + 1);
}

/// The parser of braces never calls itself for what it reads past; YAML is cut off at its own depth.
#[test]
fn deep_nesting_is_answered_in_bounds() {
    for open in [
        "{",
        "(",
        "[",
        "inputs: { a: ",
        "on_fail { if (",
        "gate egress { ",
    ] {
        let source = format!(
            "pipeline \"p\" {{ step a: Builder {{ {}",
            open.repeat(50_000)
        );
        assert!(compile(&source, Profile::Lenient).is_err());
    }
    let yaml = format!("id: p\nsteps: {}", "[".repeat(5_000));
    let faults = compile(&yaml, Profile::Lenient).unwrap_err();
    assert_eq!(faults[0].code, codes::BAD_YAML.id);
    let commented = format!(
        "pipeline \"p\" {{ step a: Builder {{ }} }} {}",
        "/*".repeat(100_000)
    );
    assert!(compile(&commented, Profile::Lenient).is_err());
}

/// Every flow imports the next one.
struct Deep;

impl aim_acl::Resolver for Deep {
    fn import(&self, path: &str) -> Result<Vec<u8>, String> {
        let number: u32 = path.trim_end_matches(".acl").parse().unwrap();
        let next = number + 1;
        Ok(format!(
            "import flow \"{next}.acl\" as f\npipeline \"p\" {{ step a: Builder {{ budget: {{ tokens: 1 wall_ms: 1 calls: 1 }} }} flow f(a, max_iter=1) }}"
        )
        .into_bytes())
    }

    fn node(&self, _plan: &Plan, _step: &aim_core::plan::Step) -> Option<aim_acl::NodeFacts> {
        None
    }
}

#[test]
fn flows_that_import_flows_without_end_are_refused_at_a_depth() {
    let source = String::from_utf8(aim_acl::Resolver::import(&Deep, "0.acl").unwrap()).unwrap();
    let context = aim_acl::Context {
        profile: Profile::Strict,
        resolver: &Deep,
    };
    let found = aim_acl::compile_in(&source, &context).unwrap_err();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code, "ACL-E055");
    assert!(
        found[0].message.contains("more than 8 imports deep"),
        "{}",
        found[0].message
    );
}
