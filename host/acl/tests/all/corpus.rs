//! Every plan under `tests/plans` with what it compiles to. Set `AIM_BLESS=1` to write the expectations anew.

use std::{fmt::Write as _, fs, path::PathBuf};

use aim_acl::{
    Context, Diagnostic, NodeFacts, Position, Profile, Resolver, Severity, compile, compile_in,
    lint,
};
use aim_core::{
    digest::Digest,
    plan::{Effect, NODE_PARAM, Plan, Step},
};

/// A flow of two steps with a role, a gate and a fallback of its own.
const CHECK: &str = r#"
PLAN check v1.0:
ROLE reader: retriever(node="reads.files")
STEP look:
  ASSIGN reader: "read what there is"
  BUDGET tokens=10, time=1s, tools=1
STEP judge:
  ASSIGN verifier: "is it so?"
  REQUIRES look
  BUDGET tokens=20, time=2s, tools=2
  GATE sure: output.confidence >= 0.9
"#;

/// A flow that is made of another one.
const NESTED: &str = r#"
import flow "check.acl" as c
import policy "rules.aclp" as p
pipeline "nested" {
  step ask: Planner { policy: p budget: { tokens: 5 wall_ms: 500 calls: 1 } }
  flow c(ask, max_iter=1)
  step sum: Builder { inputs: { checked: c } budget: { tokens: 5 wall_ms: 500 calls: 1 } }
}
"#;

const LOOP: &str = r#"
import flow "loop.acl" as l
pipeline "loop" {
  step a: Builder { budget: { tokens: 1 wall_ms: 1 calls: 1 } }
  flow l(a, max_iter=1)
}
"#;

const TWO: &str = r#"
PLAN two v1.0:
STEP left:
  ASSIGN builder: "x"
  BUDGET tokens=1, time=1s, tools=1
STEP right:
  ASSIGN builder: "x"
  BUDGET tokens=1, time=1s, tools=1
"#;

const WANTS_NUMBER: &str = r#"
PLAN wants v1.0:
ROLE counter: builder(node="takes.number")
STEP count:
  ASSIGN counter: "x"
  BUDGET tokens=1, time=1s, tools=1
"#;

/// The world of the corpus: one policy, one flow, and nodes that their ids describe.
pub(crate) struct World;

impl Resolver for World {
    fn import(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "rules.aclp" => Ok(b"permit nothing".to_vec()),
            "part.acl" => Ok(b"PLAN part:".to_vec()),
            "check.acl" => Ok(CHECK.into()),
            "nested.acl" => Ok(NESTED.into()),
            "loop.acl" => Ok(LOOP.into()),
            "two.acl" => Ok(TWO.into()),
            "wants_number.acl" => Ok(WANTS_NUMBER.into()),
            _ => Err("there is no such file".into()),
        }
    }

    fn node(&self, plan: &Plan, step: &Step) -> Option<NodeFacts> {
        let role = plan.roles().get(&step.role)?;
        let node = role
            .params
            .iter()
            .find(|(param, _)| param.as_str() == NODE_PARAM)?
            .1;
        let schema = |text: &str| serde_json::from_str(text).ok();
        let known = NodeFacts {
            node: node.clone(),
            component: Some(Digest::of(node.as_bytes())),
            ..NodeFacts::default()
        };
        Some(match node.as_str() {
            "gives.text" => NodeFacts {
                output: schema(r#"{"type":"string"}"#),
                ..known
            },
            "gives.number" => NodeFacts {
                output: schema(r#"{"type":"integer"}"#),
                ..known
            },
            "takes.number" => NodeFacts {
                input: schema(r#"{"type":"number"}"#),
                ..known
            },
            "takes.two" => NodeFacts {
                input: schema(
                    r#"{"type":"object","required":["a"],"properties":{"a":{"type":"number"}}}"#,
                ),
                ..known
            },
            "gives.anything" => NodeFacts {
                output: schema(r#"{"description":"who knows"}"#),
                ..known
            },
            "reads.files" => NodeFacts {
                asked: [Effect::FsRead].into(),
                granted: [Effect::FsRead].into(),
                uses: [(Effect::FsRead, ["filesystem.read".to_owned()].into())].into(),
                ..known
            },
            "asks.too.much" => NodeFacts {
                asked: [Effect::MailSend].into(),
                ..known
            },
            "hears.nothing" => NodeFacts {
                is_deaf: true,
                ..known
            },
            "twin.a" | "twin.b" => NodeFacts {
                component: Some(Digest::of(b"twin")),
                ..known
            },
            _ => return None,
        })
    }
}

/// A plan of the corpus.
pub(crate) struct Fixture {
    pub(crate) path: PathBuf,
    pub(crate) source: String,
}

impl Fixture {
    pub(crate) fn name(&self) -> String {
        self.path
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned()
    }

    /// Lenient, unless the first line says otherwise.
    pub(crate) fn profile(&self) -> Profile {
        let first = self.source.lines().next().unwrap_or_default();
        if matches!(first, "# profile: strict" | "// profile: strict") {
            Profile::Strict
        } else {
            Profile::Lenient
        }
    }

    pub(crate) fn context(&self) -> Context<'static> {
        Context {
            profile: self.profile(),
            resolver: &World,
        }
    }
}

/// The plans of one folder, by name.
pub(crate) fn fixtures(folder: &str) -> Vec<Fixture> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/plans")
        .join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "acl"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    let read = |path: PathBuf| Fixture {
        source: fs::read_to_string(&path).unwrap(),
        path,
    };
    paths.into_iter().map(read).collect()
}

fn render(source: &str, diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for fault in diagnostics {
        let Position { line, column } = fault.position(source);
        let severity = match fault.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let quoted = source.get(fault.span.clone()).unwrap().escape_debug();
        writeln!(
            text,
            "{line}:{column} {} {severity}: {}",
            fault.code, fault.message
        )
        .unwrap();
        writeln!(text, "    at `{quoted}`").unwrap();
        for (span, label) in &fault.labels {
            let Position { line, column } = Position::of(source, span.start);
            let quoted = source.get(span.clone()).unwrap();
            writeln!(text, "    {line}:{column} `{quoted}`: {label}").unwrap();
        }
        if let Some(help) = &fault.help {
            writeln!(text, "    help: {help}").unwrap();
        }
    }
    text
}

/// Holds what was got against the file beside the plan, or writes that file.
fn expect(fixture: &Fixture, got: &str, differing: &mut Vec<String>) {
    let path = fixture.path.with_extension("expected");
    if std::env::var_os("AIM_BLESS").is_some() {
        fs::write(path, got).unwrap();
    } else if fs::read_to_string(&path).unwrap_or_default() != got {
        differing.push(format!("{}:\n{got}", fixture.name()));
    }
}

#[test]
fn good_plans_compile_to_their_ir() {
    let mut differing = Vec::new();
    for fixture in fixtures("good") {
        let compiled = compile_in(&fixture.source, &fixture.context()).unwrap_or_else(|faults| {
            panic!("{}:\n{}", fixture.name(), render(&fixture.source, &faults))
        });
        let value: serde_json::Value = serde_json::from_slice(&compiled.plan.to_json()).unwrap();
        let got = format!(
            "{}\n{}\n{}",
            compiled.plan.digest(),
            serde_json::to_string_pretty(&value).unwrap(),
            render(&fixture.source, &compiled.warnings),
        );
        expect(&fixture, &got, &mut differing);
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// Control: without the search for hidden characters, cycles, zeros or shadowed gates, this fails.
#[test]
fn bad_plans_are_answered_with_all_their_faults() {
    let mut differing = Vec::new();
    for fixture in fixtures("bad") {
        let diagnostics = lint(&fixture.source, &fixture.context());
        let code = fixture.name().get(..8).unwrap().to_owned();
        assert!(
            diagnostics.iter().any(|fault| fault.code == code),
            "{}",
            fixture.name()
        );
        expect(
            &fixture,
            &render(&fixture.source, &diagnostics),
            &mut differing,
        );
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn the_corpus_is_large_enough() {
    assert!(fixtures("good").len() >= 40);
    assert!(fixtures("bad").len() >= 80);
}

/// What a lint calls an error does not compile, and what it calls a warning does.
#[test]
fn lint_and_compile_agree() {
    for fixture in fixtures("good").into_iter().chain(fixtures("bad")) {
        let found = lint(&fixture.source, &fixture.context());
        let has_errors = found.iter().any(|one| one.severity == Severity::Error);
        let compiled = compile_in(&fixture.source, &fixture.context());
        assert_eq!(compiled.is_err(), has_errors, "{}", fixture.name());
    }
}

/// Control: with contracts not asked, every plan of these compiles and this fails.
#[test]
fn what_a_lone_compiler_can_not_know_it_does_not_refuse() {
    for fixture in fixtures("bad") {
        let name = fixture.name();
        let needs_world = name.starts_with("ACL-E049")
            || name.starts_with("ACL-E065")
            || name.contains("types_")
            || name.contains("same_component");
        if needs_world {
            assert!(compile(&fixture.source, Profile::Lenient).is_ok(), "{name}");
            assert!(
                compile_in(&fixture.source, &fixture.context()).is_err(),
                "{name}"
            );
        }
    }
}

#[test]
fn the_canonical_sample_has_its_shape() {
    let fixture = fixtures("good")
        .into_iter()
        .find(|f| f.name() == "user_authentication")
        .unwrap();
    let compiled = compile(&fixture.source, Profile::Lenient).unwrap();
    assert_eq!(compiled.warnings, []);
    let plan = compiled.plan;
    let names: Vec<_> = plan.steps().iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["survey", "design", "implement"]);
    let ids: Vec<_> = plan
        .steps()
        .iter()
        .map(|step| step.id.to_string())
        .collect();
    assert_eq!(ids, ["s1", "s2", "s3"]);
    // `builder` is used without a ROLE line: it is there, as its own kind.
    let builder = plan
        .roles()
        .iter()
        .find(|(name, _)| name.as_str() == "builder")
        .unwrap()
        .1;
    assert_eq!(builder.kind.as_str(), "builder");
    assert_eq!(plan.steps()[2].budget.time_ms, 600_000);
    assert_eq!(plan.steps()[1].gates.len(), 2);
}

#[test]
fn only_the_strict_profile_refuses_an_unstated_budget() {
    let fixture = fixtures("good")
        .into_iter()
        .find(|f| f.name() == "one_step")
        .unwrap();
    let lenient = compile(&fixture.source, Profile::Lenient).unwrap();
    assert_eq!(
        lenient.plan.steps()[0].budget,
        aim_core::plan::Budget::DEFAULT
    );
    assert_eq!(lenient.warnings[0].code, "ACL-E016");
    let strict = compile(&fixture.source, Profile::Strict).unwrap_err();
    assert_eq!(strict.len(), 1);
    assert_eq!(
        (strict[0].code, strict[0].severity),
        ("ACL-E016", Severity::Error)
    );
}
