//! Statements are canonical as they are written, and read back as they were.

use alloc::{string::ToString, vec};

use serde_json::json;

use super::*;
use crate::{
    access::{Ask, Capability, TokenClaims, TokenLimits},
    claims::{Citation, Claim, Confidence, Relation},
    effect::{EffectEnd, EffectKind},
    gate::{Consequence, Decision, Doubt, GateKind, Phase},
    id::{CapId, EffectKey, RunPins},
    outcome::LimitKind,
    verdict::Severity,
};

fn artifact() -> ArtifactRef {
    ArtifactRef {
        digest: Digest::of(b"a"),
        media_type: "text/plain".to_string(),
        size_bytes: 1,
    }
}

fn decision() -> Decision {
    Decision {
        axioms_hit: vec!["axiom".to_string()],
        codex_digest: Digest::of(b"codex").to_string(),
        codex_version: "1".to_string(),
        doubt: Doubt::default(),
        ethical_score: 1,
        facts: vec![("name".to_string(), "value".to_string())],
        futures: vec![Consequence {
            horizon: "run".to_string(),
            metric: "m".to_string(),
            value: -1,
        }],
        quip: Some("quip".to_string()),
        reasons: vec!["reason".to_string()],
        verdict: Verdict::Warn,
    }
}

fn gate() -> GateRecord {
    GateRecord {
        codex: Some(Digest::of(b"codex")),
        codex_version: None,
        component: Some(Digest::of(b"gate")),
        decision: Some(decision()),
        gate: "ethical".to_string(),
        kind: GateKind::Component,
        phase: Phase::Egress,
        prior: None,
        reasons: vec!["reason".to_string()],
        request: Digest::of(b"request"),
        severity: Severity::Block,
        verdict: Verdict::Warn,
    }
}

fn claims() -> GuestClaims {
    let citation = Citation {
        relation: Relation::Cites,
        source: artifact(),
    };
    GuestClaims {
        citations: vec![citation],
        claims: vec![Claim {
            body: json!({ "z": 1, "a": { "y": 2, "b": 3 } }),
            kind: "kind".to_string(),
        }],
        confidence: Some(Confidence {
            method: "method".to_string(),
            score: 1,
        }),
        doubt: Some(Doubt::default()),
        impact: Some("impact".to_string()),
        quip: Some("quip".to_string()),
    }
}

fn envelope(id: EnvelopeId) -> EnvelopeRecord {
    EnvelopeRecord {
        artifacts: vec![artifact()],
        body: Digest::of(b"in"),
        body_bytes: 2,
        causation: Some(id),
        id,
        media_type: "text/plain".to_string(),
        operation: "do".to_string(),
    }
}

fn output(id: EnvelopeId) -> OutputRecord {
    OutputRecord {
        artifacts: vec![artifact()],
        body: Digest::of(b"out"),
        body_bytes: 3,
        envelope: id,
        media_type: "text/plain".to_string(),
        operation: "done".to_string(),
        target: Target::Port("port".to_string()),
    }
}

fn host_calls() -> HostCallRecord {
    HostCallRecord {
        adapters: BTreeMap::from([("wasi:cli/exit.exit".to_string(), 1)]),
        calls: 1,
        denials: vec![DeniedCall {
            action: "action".to_string(),
            call: 0,
            rule: "rule".to_string(),
            target: "target".to_string(),
        }],
        log_bytes_dropped: 0,
        logs: Some(Digest::of(b"logs")),
        transcript: Digest::of(b"transcript"),
    }
}

fn fault() -> Fault {
    Fault {
        code: "C-1".to_string(),
        message: "why".to_string(),
    }
}

fn monitor() -> MonitorRecord {
    MonitorRecord {
        policy: Digest::of(b"trial"),
        would_deny: vec![WouldDeny {
            action: "artifact.put".to_string(),
            calls: 1,
            resource: "Host/any".to_string(),
            rules: vec!["rule".to_string()],
        }],
    }
}

fn token() -> TokenRecord {
    let limits = TokenLimits { bytes: 1, calls: 2 };
    TokenRecord {
        calls: vec![[0, 1]],
        claims: TokenClaims {
            act: "artifact.put".to_string(),
            aud: "origin".to_string(),
            exp: Timestamp::from_millis(1),
            jti: CapId::from_bytes([1; 16]),
            lim: limits,
            res: "Host/any".to_string(),
            sub: "plan/step".to_string(),
        },
        refused: 1,
        used: limits,
    }
}

fn engine() -> EngineRecord {
    EngineRecord {
        allocator: "pooled".to_string(),
        profile: Digest::of(b"x"),
    }
}

fn run_id(digest: Digest) -> RunId {
    RunId::of(&RunPins {
        plan: digest,
        lock: digest,
        inputs: digest,
        tenant: "t",
        seed: 0,
    })
}

fn effect(attempt: AttemptId) -> EffectRecord {
    EffectRecord {
        action: "action".to_string(),
        call: 1,
        end: EffectEnd::Done,
        fault: Some("fault".to_string()),
        gates: vec![gate()],
        intent: Some(Digest::of(b"intent")),
        key: EffectKey::of(attempt, 1),
        kind: EffectKind::Http,
        outcome: Some(Digest::of(b"outcome")),
        request: Digest::of(b"request"),
        response: Some(Digest::of(b"response")),
        response_bytes: 8,
        target: "GET https://api.example:443/".to_string(),
        tries: 1,
    }
}

fn budget() -> BudgetUse {
    BudgetUse {
        soft: None,
        cap: 2,
        name: "fuel".to_string(),
        used: 1,
    }
}

/// An attempt with every optional field there.
pub(crate) fn attempt() -> AttemptPredicate {
    let digest = Digest::of(b"x");
    let run = run_id(digest);
    let execution = ExecutionId::of("origin", run, 1);
    let id = EnvelopeId::emitted(run, "step", 0);
    let attempt = AttemptId::of(execution, "step", 1);
    AttemptPredicate {
        actor: "actor".to_string(),
        attempt,
        attempt_no: 1,
        bases: BTreeMap::from([("notes".to_string(), digest)]),
        budgets: vec![budget()],
        component: digest,
        composite: None,
        config: digest,
        contract: digest,
        correlation: id,
        disposition: Disposition::Quarantine,
        effects: vec![effect(attempt)],
        ended_at: Timestamp::from_millis(1),
        engine: engine(),
        envelope: envelope(id),
        execution,
        fault: Some(fault()),
        folders: BTreeMap::from([("logs".to_string(), digest)]),
        gates: vec![gate()],
        grant: Grant {
            asks: vec![Ask::plain(Capability::Log)],
            policy: Some(digest),
        },
        guest_claims: Some(claims()),
        host: HostRecord {
            isolation: "landlock".to_string(),
            version: "1".to_string(),
        },
        host_calls: host_calls(),
        kappa: Some(KappaRecord {
            adapted_from_ppm: Some(3),
            band: Band::A,
            confidence_ppm: Some(1),
            criticality: Some(Criticality::Important),
            escalation: Some(Escalation::BelowThreshold),
            threshold_ppm: 2,
        }),
        monitor: Some(monitor()),
        node: NodeId::parse("node").unwrap(),
        options: BTreeMap::from([(StepName::parse("backoff").unwrap(), "truncate".to_string())]),
        origin: "origin".to_string(),
        outcome: Outcome::Limit(LimitKind::Fuel),
        outputs: vec![output(id)],
        parent_span: Some(SpanId::of(attempt)),
        path: None,
        plan: digest,
        released: false,
        reroute: None,
        role: "role".to_string(),
        run,
        span: SpanId::of(attempt),
        staged: vec![],
        started_at: Timestamp::from_millis(0),
        step: StepName::parse("step").unwrap(),
        tenant: TenantId::parse("tenant").unwrap(),
        tokens: vec![token()],
        trace: TraceId::of(execution),
        verdict: Verdict::Warn,
    }
}

#[test]
fn bands_change_exactly_at_their_borders() {
    let bands = [699_999, 700_000, 899_999, 900_000].map(Band::of);
    assert_eq!(bands, [Band::C, Band::B, Band::B, Band::A]);
}

// Negative control: with the tag of `Target` called `to`, it is written before `name`, the bytes differ and this fails (seen).
#[test]
fn a_statement_is_written_in_canonical_form_and_reads_back_as_it_was() {
    let subject = Subject::new("input", Digest::of(b"in"), Sha256::of(b"in"));
    let statement = Statement::new(ATTEMPT_PREDICATE, vec![subject], attempt());
    let written = statement.payload();
    let value: serde_json::Value = serde_json::from_slice(&written).unwrap();
    let canonical = crate::canonical::bytes(&value);
    assert_eq!(
        core::str::from_utf8(&written).unwrap(),
        core::str::from_utf8(&canonical).unwrap()
    );
    let read: Statement<AttemptPredicate> = serde_json::from_slice(&written).unwrap();
    assert_eq!(read, statement);
}

#[test]
fn an_unknown_field_in_a_statement_is_refused() {
    let subject = Subject::new("input", Digest::of(b"in"), Sha256::of(b"in"));
    let written = Statement::new(ATTEMPT_PREDICATE, vec![subject], attempt()).payload();
    let text = core::str::from_utf8(&written).unwrap();
    let more = text.replacen("\"actor\":", "\"acter\":1,\"actor\":", 1);
    assert!(serde_json::from_str::<Statement<AttemptPredicate>>(&more).is_err());
}

#[test]
fn a_token_that_was_refused_for_a_call_is_an_event() {
    use crate::event::{FrameOrigin, of_attempt};
    let frame = FrameOrigin {
        origin: "origin",
        sequence: 1,
    };
    let plan = StepName::parse("plan").unwrap();
    let mut attempt = attempt();
    let of_tokens = |attempt: &AttemptPredicate| {
        let events = of_attempt(frame, &plan, attempt, &[]).into_iter();
        events
            .filter(|event| event.event_type == "token.denied")
            .collect::<Vec<_>>()
    };
    attempt.tokens[0].refused = 0;
    assert!(of_tokens(&attempt).is_empty());
    attempt.tokens[0].refused = 3;
    let events = of_tokens(&attempt);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].attributes["violations"], "3");
    assert_eq!(events[0].attributes["action"], attempt.tokens[0].claims.act);
}
