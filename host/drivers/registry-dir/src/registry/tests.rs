//! A deployment loads whole or not at all, and says everything that is wrong with it.

use std::{fs, path::Path};

use aim_core::{digest::Digest, name::NodeId};
use aim_schema_json::JsonSchemas;
use tempfile::TempDir;

use super::*;

const ECHO: &str =
    "kind: compute\nnode_id: echo-node\nversion: \"0.1.0\"\ncomponent:\n  path: echo.wasm\n";
const GATE: &str = "kind: compute\nnode_id: ethical-gate\nversion: \"0.1.0\"\ncomponent:\n  path: gate.wasm\nworld: aim:step/gate@0.1.0\nasks:\n  - capability: codex\ncodex: codex.yaml\n";
const TOML: &str = "contracts = [\"contracts\"]\ncomponents = [\"components\"]\npolicy = \"policy.cedar\"\n[roles.echo]\nnode = \"echo-node\"\n[gates]\nethical = \"ethical-gate\"\n";

fn project(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("components")).unwrap();
    let standard = [
        ("aim.toml", TOML),
        ("policy.cedar", "permit(principal, action, resource);"),
        ("contracts/echo.yaml", ECHO),
        ("contracts/gate.yaml", GATE),
        ("contracts/codex.yaml.txt", ""),
    ];
    for (name, text) in standard.iter().chain(files) {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn load(dir: &Path) -> Result<Registry, LoadError> {
    Registry::load(&dir.join("aim.toml"), &JsonSchemas)
}

fn faults(files: &[(&str, &str)]) -> Vec<(&'static str, String, u64)> {
    let dir = project(files);
    let error = load(dir.path()).map(|_| ()).unwrap_err();
    error
        .faults
        .iter()
        .map(|fault| (fault.code, source::file_name(&fault.file), fault.line))
        .collect()
}

fn id(text: &str) -> NodeId {
    NodeId::parse(text).unwrap()
}

#[test]
fn a_good_project_loads() {
    let dir = project(&[
        ("contracts/_draft.yaml", "nonsense: ["),
        ("contracts/notes.txt", "x"),
    ]);
    let registry = load(dir.path()).unwrap();
    assert_eq!(registry.nodes().count(), 2);
    assert!(
        registry
            .node(&id("ethical-gate"))
            .unwrap()
            .contract
            .is_gate()
    );
    assert_eq!(registry.deployment().ethical_gate, Some(id("ethical-gate")));
    assert_eq!(
        registry.read_policy().unwrap().unwrap()[0].name,
        "policy.cedar"
    );
}

#[test]
fn all_faults_of_all_files_come_at_once_with_their_places() {
    let found = faults(&[
        (
            "contracts/a.yaml",
            "kind: compute\nnode_id: a\nversion: \"1\"\ntimout_ms: 5\nlimits:\n  fuel_max: 0\n  fual: 1\n",
        ),
        (
            "contracts/b.yaml",
            "kind: compute\nnode_id: b\nnode_id: c\nversion: \"0.1.0\"\n",
        ),
        (
            "contracts/c.yaml",
            "kind: compute\nversion: \"0.1.0\"\nretry: { attempts_max: 20 }\n",
        ),
    ]);
    assert_eq!(
        found,
        [
            ("AIM-C007", "a.yaml".to_owned(), 3),
            ("AIM-C005", "a.yaml".to_owned(), 4),
            ("AIM-C007", "a.yaml".to_owned(), 6),
            ("AIM-C005", "a.yaml".to_owned(), 7),
            ("AIM-C020", "b.yaml".to_owned(), 3),
            ("AIM-C006", "c.yaml".to_owned(), 1),
            ("AIM-C007", "c.yaml".to_owned(), 3),
        ]
    );
}

#[test]
fn a_place_is_the_line_and_column_of_the_value() {
    let dir = project(&[(
        "contracts/a.yaml",
        "kind: compute\nnode_id: a\nversion: \"0.1.0\"\nlimits:\n  fuel_max:   0\n",
    )]);
    let error = load(dir.path()).map(|_| ()).unwrap_err();
    let fault = &error.faults[0];
    assert_eq!((fault.line, fault.column), (5, 15), "{fault}");
    assert!(fault.message.contains("limits.fuel_max"), "{fault}");
    assert!(fault.to_string().contains("a.yaml:5:15: "), "{fault}");
}

/// Negative control: with no look whether an id is taken, this fails.
#[test]
fn l15_two_files_can_not_share_a_node_id() {
    let found = faults(&[("contracts/z.yaml", ECHO)]);
    assert_eq!(found, [("AIM-C014", "z.yaml".to_owned(), 0)]);
    let host = "kind: runtime_host\nnode_id: echo-node\nversion: \"0.1.0\"\nsubscriptions: { cmd_topics: [\"onex.#\"] }\nhandlers: { families: [local] }\nhost_selector: { node_ids: [echo-node] }\n";
    assert_eq!(faults(&[("contracts/z.yaml", host)])[0].0, "AIM-C014");
}

#[test]
fn names_must_lead_somewhere() {
    for (file, text, expect) in [
        (
            "aim.toml",
            TOML.replace("\"echo-node\"", "\"nobody\""),
            "aim.toml",
        ),
        (
            "aim.toml",
            TOML.replace("\"ethical-gate\"", "\"echo-node\""),
            "aim.toml",
        ),
        (
            "aim.toml",
            TOML.replace("\"echo-node\"", "\"ethical-gate\""),
            "aim.toml",
        ),
        (
            "aim.toml",
            format!("probes = {{ node = \"nobody\" }}\n{TOML}"),
            "aim.toml",
        ),
        (
            "aim.toml",
            format!("probes = {{ node = \"echo-node\" }}\n{TOML}"),
            "aim.toml",
        ),
        (
            "contracts/echo.yaml",
            format!("{ECHO}gates: [nobody]\n"),
            "echo.yaml",
        ),
    ] {
        let found = faults(&[(file, &text)]);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(
            (found[0].0, found[0].1.as_str()),
            ("AIM-C015", expect),
            "{text}"
        );
    }
}

#[test]
fn a_gate_that_asks_for_a_codex_must_have_one() {
    let without = GATE.replace("codex: codex.yaml\n", "");
    assert_eq!(
        faults(&[("contracts/gate.yaml", &without)])[0].0,
        "AIM-C006"
    );
    let toml = format!("codex = \"shared.yaml\"\n{TOML}");
    let dir = project(&[
        ("contracts/gate.yaml", &without),
        ("aim.toml", &toml),
        ("shared.yaml", "shared"),
    ]);
    let registry = load(dir.path()).unwrap();
    assert_eq!(
        registry.read_codex(&id("ethical-gate")).unwrap().unwrap(),
        b"shared"
    );
}

#[test]
fn a_codex_of_its_own_is_read_beside_the_contract() {
    let dir = project(&[("contracts/codex.yaml.d/x", "")]);
    let registry = load(dir.path());
    // The codex is named like a contract and stands in the contracts folder only in this test.
    assert!(registry.unwrap().read_codex(&id("ethical-gate")).is_err());
    let gate = GATE.replace("codex.yaml", "../codex/v1.txt");
    let dir = project(&[("contracts/gate.yaml", &gate), ("codex/v1.txt", "own")]);
    let registry = load(dir.path()).unwrap();
    assert_eq!(
        registry.read_codex(&id("ethical-gate")).unwrap().unwrap(),
        b"own"
    );
}

#[test]
fn a_component_is_found_beside_its_contract_or_in_the_components_folder() {
    let dir = project(&[("components/echo.wasm", "far")]);
    let registry = load(dir.path()).unwrap();
    assert_eq!(registry.read_component(&id("echo-node")).unwrap(), b"far");
    fs::write(dir.path().join("contracts/echo.wasm"), "near").unwrap();
    assert_eq!(registry.read_component(&id("echo-node")).unwrap(), b"near");
    let missing = registry.read_component(&id("ethical-gate")).unwrap_err();
    assert_eq!(missing.code(), "AIM-C001");
    assert_eq!(
        registry.read_component(&id("nobody")).unwrap_err().code(),
        "AIM-C015"
    );
}

/// With the comparison taken out of `read_component`, the swapped bytes are returned.
/// Negative control: with no comparison with the pinned digest, this fails.
#[test]
fn l21_a_pinned_component_is_compared_with_its_digest() {
    let pin = Digest::of(b"right");
    let by_path = format!("{ECHO}  digest: {pin}\n");
    let dir = project(&[
        ("contracts/echo.yaml", &by_path),
        ("components/echo.wasm", "right"),
    ]);
    let registry = load(dir.path()).unwrap();
    assert_eq!(registry.read_component(&id("echo-node")).unwrap(), b"right");
    fs::write(dir.path().join("components/echo.wasm"), "wrong").unwrap();
    assert_eq!(
        registry
            .read_component(&id("echo-node"))
            .unwrap_err()
            .code(),
        "AIM-C017"
    );
    let by_digest = ECHO.replace("path: echo.wasm", &format!("digest: {pin}"));
    let name = format!("components/{}.wasm", pin.hex());
    let dir = project(&[("contracts/echo.yaml", &by_digest), (&name, "right")]);
    let registry = load(dir.path()).unwrap();
    assert_eq!(registry.read_component(&id("echo-node")).unwrap(), b"right");
}

#[test]
fn a_component_outside_the_root_is_refused_unless_the_root_is_widened() {
    let contract = ECHO.replace("echo.wasm", "../../echo.wasm");
    let dir = project(&[
        ("echo.wasm", "outside"),
        ("inner/aim.toml", "contracts = [\"contracts\"]\n"),
        ("inner/contracts/echo.yaml", &contract),
    ]);
    let inner = dir.path().join("inner");
    let refused = load(&inner)
        .unwrap()
        .read_component(&id("echo-node"))
        .unwrap_err();
    assert_eq!(refused.code(), "AIM-C016");
    fs::write(
        inner.join("aim.toml"),
        "root = \"..\"\ncontracts = [\"contracts\"]\n",
    )
    .unwrap();
    let registry = load(&inner).unwrap();
    assert_eq!(
        registry.read_component(&id("echo-node")).unwrap(),
        b"outside"
    );
}

#[test]
fn a_node_without_a_component_has_no_bytes() {
    let plain = ECHO.replace("component:\n  path: echo.wasm\n", "");
    let dir = project(&[("contracts/echo.yaml", &plain)]);
    let error = load(dir.path())
        .unwrap()
        .read_component(&id("echo-node"))
        .unwrap_err();
    assert_eq!(error.code(), "AIM-C021");
}

#[test]
fn a_contract_that_is_a_link_a_pipe_or_too_long_stops_the_load() {
    let dir = project(&[]);
    let contracts = dir.path().join("contracts");
    std::os::unix::fs::symlink(contracts.join("echo.yaml"), contracts.join("link.yaml")).unwrap();
    fs::create_dir(contracts.join("folder.yaml")).unwrap();
    fs::write(contracts.join("long.yaml"), vec![b' '; 1024 * 1024 + 1]).unwrap();
    let error = load(dir.path()).map(|_| ()).unwrap_err();
    let codes: Vec<_> = error.faults.iter().map(|fault| fault.code).collect();
    assert_eq!(codes, ["AIM-C002", "AIM-C002", "AIM-C018"]);
}

/// Aliases are refused at the first one, so there is nothing to expand; depth and size have budgets of their own.
#[test]
fn bombs_are_refused() {
    let mut bomb = String::from(
        "kind: compute\nnode_id: a\nversion: \"0.1.0\"\nmetadata:\n  a: &a [x, x, x, x, x, x, x, x, x]\n",
    );
    for (next, last) in [
        ('b', 'a'),
        ('c', 'b'),
        ('d', 'c'),
        ('e', 'd'),
        ('f', 'e'),
        ('g', 'f'),
    ] {
        bomb.push_str(&format!(
            "  {next}: &{next} [{}]\n",
            vec![format!("*{last}"); 9].join(", ")
        ));
    }
    let deep = format!("metadata:\n  a: {}{}\n", "[".repeat(5000), "]".repeat(5000));
    let mut deep_block = String::from("metadata:\n");
    for depth in 1..400 {
        deep_block.push_str(&format!("{}a:\n", " ".repeat(depth)));
    }
    let anchors: String = (0..20_000).map(|n| format!("  k{n}: &a{n} x\n")).collect();
    let wide: String = (0..60_000).map(|n| format!("  k{n}: x\n")).collect();
    for (name, text) in [
        ("aliases", bomb),
        ("deep", deep),
        ("deep blocks", deep_block),
        ("anchors", format!("metadata:\n{anchors}")),
        ("wide", format!("metadata:\n{wide}")),
    ] {
        let found = faults(&[("contracts/bomb.yaml", &text)]);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert!(
            matches!(found[0].0, "AIM-C003" | "AIM-C004"),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn nonsense_never_panics() {
    for text in [
        "",
        "\0",
        "\u{feff}kind: x",
        "kind",
        "[]",
        "{}",
        "~",
        "kind: {a: b}",
        "? a\n: b",
        "kind: compute\n\tnode_id: x",
        "%YAML 9.9\n---\nkind: x",
        "kind: !!binary aGk=",
        "kind: .inf",
    ] {
        let found = faults(&[("contracts/x.yaml", text)]);
        assert!(!found.is_empty(), "{text:?}");
    }
}
