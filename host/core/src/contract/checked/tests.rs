//! What the rules refuse, what they fill in, and that they all speak at once.

use alloc::{format, string::String, vec::Vec};

use serde_json::{Value, json};

use crate::{
    access::Capability,
    contract::{
        Autonomy, ContractFault, Implementation, NodeContract, NodeDocument, RuntimeHostDocument,
        TenantScope, World,
    },
    limits::Limits,
    name::TenantId,
};

fn echo() -> Value {
    json!({ "kind": "compute", "node_id": "echo-node", "version": "0.1.0" })
}

fn component(extra: &Value) -> Value {
    let mut document = echo();
    document["component"] = json!({ "path": "echo.wasm" });
    for (key, value) in extra.as_object().unwrap() {
        document[key.as_str()] = value.clone();
    }
    document
}

fn check(document: Value) -> Result<NodeContract, Vec<ContractFault>> {
    serde_json::from_value::<NodeDocument>(document)
        .unwrap()
        .check(&Limits::CEILING)
}

fn fields(document: Value) -> Vec<(&'static str, String)> {
    let faults = check(document).unwrap_err();
    faults
        .into_iter()
        .map(|fault| (fault.code(), fault.field))
        .collect()
}

fn expect(extra: Value, code: &str, field: &str) {
    let found = fields(component(&extra));
    assert_eq!(found.len(), 1, "{extra}: {found:?}");
    assert_eq!((found[0].0, found[0].1.as_str()), (code, field), "{extra}");
}

#[test]
fn the_smallest_document_gets_every_default() {
    let contract = check(echo()).unwrap();
    assert_eq!(contract.limits, Limits::DEFAULT);
    assert_eq!(contract.tenant_scope, TenantScope::Global);
    assert_eq!(contract.autonomy, Autonomy::ReadOnly);
    assert_eq!(contract.implementation, Implementation::Host);
    assert_eq!(contract.retry.attempts_max, 1);
    assert!(!contract.is_idempotent && !contract.is_payload_opaque && !contract.is_gate());
    assert!(contract.fingerprint().starts_with("0.1.0:"));
}

#[test]
fn a_gate_gets_the_limits_of_gates() {
    let contract = check(component(&json!({
        "world": "aim:step/gate@0.1.0", "codex": "codex/v1.yaml",
        "asks": [{ "capability": "codex" }], "limits": { "fuel_max": 7 },
    })))
    .unwrap();
    assert!(contract.is_gate());
    assert_eq!(
        contract.limits,
        Limits {
            fuel_max: 7,
            ..Limits::GATE
        }
    );
    assert_eq!(contract.component().unwrap().world, World::Gate);
}

/// Control: with the step's ceiling for gates, too, both are accepted and this fails (seen).
#[test]
fn a_gate_can_not_ask_for_more_than_gates_get_or_the_operator_allows() {
    let gate = |limits: Value| {
        component(&json!({
            "world": "aim:step/gate@0.1.0", "codex": "codex/v1.yaml",
            "asks": [{ "capability": "codex" }], "limits": limits,
        }))
    };
    let over = json!({ "fuel_max": Limits::GATE.fuel_max + 1, "log_bytes_max": 65_537 });
    let found = fields(gate(over));
    let named: Vec<&str> = found.iter().map(|(_, field)| field.as_str()).collect();
    assert_eq!(named, ["/limits/fuel_max", "/limits/log_bytes_max"]);

    let ceiling = Limits {
        deadline_ms_max: 500,
        ..Limits::CEILING
    };
    let read = |value| serde_json::from_value::<NodeDocument>(value).unwrap();
    let usual = read(gate(json!({}))).check(&ceiling).unwrap();
    assert_eq!(usual.limits.deadline_ms_max, 500);
    assert!(
        read(gate(json!({ "deadline_ms_max": 501 })))
            .check(&ceiling)
            .is_err()
    );
}

#[test]
fn every_fault_is_named_at_once() {
    let mut document = component(&json!({
        "asks": [{ "capability": "artifact" }, { "capability": "codex" }],
        "limits": { "fuel_max": 0 },
        "retry": { "attempts_max": 11 },
        "fallback": "other",
        "autonomy": "EXEC",
    }));
    document["node_id"] = json!("../../etc/x");
    document["version"] = json!("one");
    let codes: Vec<_> = fields(document).into_iter().map(|(code, _)| code).collect();
    assert_eq!(
        codes,
        [
            "AIM-C008", "AIM-C008", "AIM-C010", "AIM-C010", "AIM-C009", "AIM-C009", "AIM-C012",
            "AIM-C012"
        ]
    );
}

#[test]
fn refuses_asks_that_can_not_be_granted() {
    for (asks, field) in [
        (json!([{ "capability": "artifact" }]), "/asks/0/modes"),
        (
            json!([{ "capability": "log", "modes": ["read"] }]),
            "/asks/0/modes",
        ),
        (
            json!([{ "capability": "artifact", "modes": ["put", "put"] }]),
            "/asks/0/modes",
        ),
        (
            json!([{ "capability": "filesystem", "modes": ["put"], "folder": "in" }]),
            "/asks/0/modes",
        ),
        (
            json!([{ "capability": "filesystem", "modes": ["read"] }]),
            "/asks/0/folder",
        ),
        (
            json!([{ "capability": "filesystem", "modes": ["read"], "folder": "../x" }]),
            "/asks/0/folder",
        ),
        (
            json!([{ "capability": "log", "folder": "in" }]),
            "/asks/0/folder",
        ),
        (
            json!([{ "capability": "log" }, { "capability": "log" }]),
            "/asks/1",
        ),
        (json!([{ "capability": "codex" }]), "/asks/0"),
    ] {
        let found = fields(component(&json!({ "asks": asks })));
        assert!(found.iter().any(|(_, at)| at == field), "{asks}: {found:?}");
        assert!(
            found
                .iter()
                .all(|(code, _)| *code == "AIM-C010" || *code == "AIM-C008")
        );
    }
}

// Negative control: without `refuse_step_keys`, every one of these loads, and nothing is different for it.
#[test]
fn a_gate_has_no_key_that_only_steps_obey() {
    for (key, value) in [
        ("tenant_scope", json!(["acme"])),
        ("input", json!(true)),
        ("output", json!({})),
        ("retry", json!({ "attempts_max": 2 })),
        ("idempotent", json!(true)),
        ("autonomy", json!("PROP")),
        ("opaque_payload", json!(true)),
        ("kappa_ppm", json!(1)),
        ("criticality", json!("critical")),
        ("ethics", json!({ "kappa_ppm": 1 })),
    ] {
        let mut extra = json!({ "world": "aim:step/gate@0.1.0" });
        extra[key] = value.clone();
        expect(extra, "AIM-C011", &format!("/{key}"));
        let mut extra = json!({});
        extra[key] = value;
        assert!(check(component(&extra)).is_ok(), "a step has `{key}`");
    }
    let everywhere = json!({ "world": "aim:step/gate@0.1.0", "tenant_scope": "global" });
    assert!(check(component(&everywhere)).is_ok());
}

#[test]
fn a_pure_step_asks_for_nothing_and_a_gate_only_for_its_codex() {
    let asks = json!([{ "capability": "log" }]);
    expect(
        json!({ "world": "aim:step/pure-step@0.1.0", "asks": asks }),
        "AIM-C010",
        "/asks/0",
    );
    expect(
        json!({ "world": "aim:step/gate@0.1.0", "asks": asks }),
        "AIM-C010",
        "/asks/0",
    );
    let contract = check(component(&json!({ "asks": asks }))).unwrap();
    assert_eq!(contract.asks[0].capability, Capability::Log);
}

#[test]
fn refuses_limits_of_zero_and_above_the_ceiling() {
    expect(
        json!({ "limits": { "memory_bytes_max": 0 } }),
        "AIM-C009",
        "/limits/memory_bytes_max",
    );
    expect(
        json!({ "limits": { "fuel_max": u64::MAX } }),
        "AIM-C009",
        "/limits/fuel_max",
    );
    expect(json!({ "timeout_ms": 0 }), "AIM-C009", "/timeout_ms");
    expect(json!({ "kappa_ppm": 1_000_001 }), "AIM-C009", "/kappa_ppm");
    expect(
        json!({ "retry": { "attempts_max": 0 } }),
        "AIM-C009",
        "/retry/attempts_max",
    );
    for bad in [
        json!(-1),
        json!("10m"),
        json!(1.5),
        json!(18_446_744_073_709_551_616_f64),
    ] {
        let document = component(&json!({ "limits": { "fuel_max": bad } }));
        assert!(
            serde_json::from_value::<NodeDocument>(document).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn a_lowered_ceiling_lowers_the_defaults_and_refuses_what_is_written_above_it() {
    let ceiling = Limits {
        deadline_ms_max: 500,
        ..Limits::CEILING
    };
    let read = |value| serde_json::from_value::<NodeDocument>(value).unwrap();
    let contract = read(echo()).check(&ceiling).unwrap();
    assert_eq!(contract.limits.deadline_ms_max, 500);
    let faults = read(component(&json!({ "timeout_ms": 501 })))
        .check(&ceiling)
        .unwrap_err();
    assert_eq!(faults[0].field, "/timeout_ms");
    assert!(faults[0].message.contains("500"), "{}", faults[0].message);
}

#[test]
fn refuses_keys_that_contradict_each_other() {
    expect(
        json!({ "timeout_ms": 5, "limits": { "deadline_ms_max": 5 } }),
        "AIM-C011",
        "/timeout_ms",
    );
    expect(json!({ "codex": "codex.yaml" }), "AIM-C011", "/codex");
    expect(json!({ "gates": ["echo-node"] }), "AIM-C011", "/gates/0");
    expect(json!({ "gates": ["a", "a"] }), "AIM-C007", "/gates/1");
    expect(
        json!({ "kind": "effect", "world": "aim:step/gate@0.1.0" }),
        "AIM-C011",
        "/kind",
    );
    let mut without = echo();
    without["asks"] = json!([{ "capability": "log" }]);
    assert_eq!(fields(without), [("AIM-C011", String::from("/asks"))]);
    assert_eq!(
        fields(component(&json!({ "component": {} })))[0].0,
        "AIM-C006"
    );
}

#[test]
fn refuses_paths_that_are_not_relative() {
    for path in ["/etc/x", "C:/x", "a\\b", "a\nb", ""] {
        expect(
            json!({ "component": { "path": path } }),
            "AIM-C007",
            "/component/path",
        );
    }
}

#[test]
fn an_effect_of_the_host_needs_its_own_section_and_no_component() {
    let base = json!({ "kind": "effect", "node_id": "q", "version": "0.1.0", "effect_type": "db" });
    assert_eq!(fields(base.clone()), [("AIM-C006", String::from("/db"))]);
    let mut full = base;
    full["db"] = json!({ "connection": "default", "sql": "select 1", "params": { "a": "b" } });
    assert_eq!(
        fields(full.clone()),
        [("AIM-C007", String::from("/db/params/a"))]
    );
    full["db"]["params"]["a"] = json!("$.payload.a");
    assert!(matches!(
        check(full.clone()).unwrap().implementation,
        Implementation::Db(_)
    ));
    full["component"] = json!({ "path": "x.wasm" });
    assert_eq!(fields(full), [("AIM-C011", String::from("/component"))]);
}

#[test]
fn tenants_are_taken_by_name() {
    let mut document = echo();
    document["tenant_scope"] = json!(["acme", "umbra"]);
    let contract = check(document.clone()).unwrap();
    let admits = |name| {
        contract
            .tenant_scope
            .admits(&TenantId::parse(name).unwrap())
    };
    assert!(admits("acme") && !admits("global") && !admits("acme2"));
    document["tenant_scope"] = json!([]);
    assert_eq!(
        fields(document.clone()),
        [("AIM-C007", String::from("/tenant_scope"))]
    );
    document["tenant_scope"] = json!("acme");
    assert!(serde_json::from_value::<NodeDocument>(document).is_err());
}

#[test]
fn the_digest_is_of_what_is_said_and_not_of_how_it_is_written() {
    let plain = check(component(&json!({}))).unwrap();
    let spelled_out = check(component(&json!({
        "tenant_scope": "global", "world": "aim:step/step@0.1.0", "idempotent": false,
        "retry": { "attempts_max": 1 }, "limits": { "fuel_max": Limits::DEFAULT.fuel_max },
    })))
    .unwrap();
    assert_eq!(plain.digest(), spelled_out.digest());
    for other in [
        json!({ "idempotent": true }),
        json!({ "asks": [{ "capability": "log" }] }),
        json!({ "metadata": { "owner": "x" } }),
        json!({ "timeout_ms": 1 }),
    ] {
        assert_ne!(
            plain.digest(),
            check(component(&other)).unwrap().digest(),
            "{other}"
        );
    }
}

/// Control: with the comparison of bytes left out of `from_canonical`, the other spellings are read too, and this fails (seen).
#[test]
fn the_canonical_form_is_read_back_to_the_same_digest_and_no_other_spelling_is() {
    let more = json!({
        "asks": [{ "capability": "artifact", "modes": ["read"] }],
        "input": { "type": "object", "required": ["b", "a"] },
        "retry": { "attempts_max": 3, "backoff_ms": 5 },
        "metadata": { "owner": "me", "list": [1, 2.5, null] },
    });
    for document in [echo(), component(&json!({})), component(&more)] {
        let contract = check(document).unwrap();
        let bytes = contract.canonical();
        let read = NodeContract::from_canonical(&bytes).unwrap();
        assert_eq!(read, contract);
        assert_eq!(read.digest(), contract.digest());
        let text = String::from_utf8(bytes).unwrap();
        let first = text.replacen('{', "{\"more\":1,", 1);
        for other in [text.replacen(':', ": ", 1), first, text.to_uppercase()] {
            assert!(NodeContract::from_canonical(other.as_bytes()).is_none());
        }
    }
}

#[test]
fn unknown_keys_do_not_parse_anywhere() {
    for (at, extra) in [
        ("root", json!({ "timeout": 5 })),
        ("limits", json!({ "limits": { "fuel": 5 } })),
        (
            "component",
            json!({ "component": { "path": "a", "url": "b" } }),
        ),
        (
            "ask",
            json!({ "asks": [{ "capability": "log", "mode": "read" }] }),
        ),
        (
            "retry",
            json!({ "retry": { "attempts_max": 1, "jitter": 1 } }),
        ),
    ] {
        assert!(
            serde_json::from_value::<NodeDocument>(component(&extra)).is_err(),
            "{at}"
        );
    }
}

#[test]
fn a_runtime_host_names_topics_families_and_nodes() {
    let document = |topic: &str, nodes: Value| {
        let value = json!({
            "kind": "runtime_host", "node_id": "runtime-dev", "version": "0.1.0",
            "subscriptions": { "cmd_topics": [topic] },
            "handlers": { "families": ["local", "http"] },
            "host_selector": { "node_ids": nodes },
        });
        serde_json::from_value::<RuntimeHostDocument>(value)
            .unwrap()
            .check()
    };
    assert!(document("onex.app.local.global.cmd.node.#", json!(["echo-node"])).is_ok());
    assert!(document("onex.app.*.global.cmd.node.x.v1", json!(["a", "b"])).is_ok());
    for topic in [
        "",
        "onex",
        "onex.#.node",
        "onex.App",
        "onex..a",
        "app.x",
        "onex.a#",
    ] {
        assert!(document(topic, json!(["a"])).is_err(), "{topic}");
    }
    for nodes in [json!([]), json!(["a", "a"]), json!(["../a"])] {
        assert!(document("onex.#", nodes.clone()).is_err(), "{nodes}");
    }
}
