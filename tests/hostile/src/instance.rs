//! G24 to G28: what an instance leaves behind, and what happens around its life.
//!
//! INVARIANT: an instance serves one envelope; what it did is in its report, and nothing of it is anywhere else.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use aim_core::{
    access::{Ask, Capability, Grant, Mode, TokenLimits, WalletTerms},
    admission::{AdmissionRequest, World, admit},
    digest::Digest,
    envelope::Envelope,
    gate::Decision,
    id::{AttemptId, EnvelopeId},
    limits::Limits,
    outcome::{LimitKind, Outcome, Trap},
    time::Timestamp,
};
use aim_engine::{
    Cancel, LinkedStep, PlanBudget, Resources, StepCall, StepContext, StepEnd, StepReport,
    VerifiedNativeCode, inspect,
};
use aim_ports::{PortError, PortFault, services::StepServices};
use aim_testkit::SimClock;
use serde_json::json;

use crate::{
    case::Case,
    component::{edited, guest, import_index, replaced, smallest, variant, with_more},
    rig::{ENGINE, native_code},
};

/// A step that is linked with these capabilities.
pub(crate) fn linked(bytes: &[u8], capabilities: &[Capability]) -> LinkedStep {
    let asks: Vec<Ask> = capabilities.iter().map(|one| Ask::plain(*one)).collect();
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
    let linkage = admit(&inspect(bytes).unwrap(), &request).unwrap();
    let native = VerifiedNativeCode::assume_verified(native_code(bytes).unwrap());
    ENGINE.load_step(native, &linkage).unwrap()
}

fn terms(limits: &Limits) -> WalletTerms {
    WalletTerms {
        attempt: AttemptId::from_bytes([1; 16]),
        branch: None,
        subject: "plan/step".to_owned(),
        audience: "test".to_owned(),
        starts_at: Timestamp::from_millis(0),
        time_ms_max: limits.deadline_ms_max,
        limits: TokenLimits::of(limits),
    }
}

/// What the guests that are called here may use.
fn granted() -> Grant {
    let plain = [
        Capability::Attest,
        Capability::Budget,
        Capability::Consult,
        Capability::Context,
        Capability::Log,
    ];
    let mut asks: Vec<Ask> = plain.into_iter().map(Ask::plain).collect();
    let mut artifact = Ask::plain(Capability::Artifact);
    artifact.modes = [Mode::Put, Mode::Read].into();
    asks.push(artifact);
    asks.sort_by_key(|ask| ask.capability);
    Grant { asks, policy: None }
}

/// One call of an operation with these services.
pub(crate) fn call(operation: &str, body: &str, services: Arc<dyn StepServices>) -> StepCall {
    let id = EnvelopeId::ingress("global", "actor", "test", operation);
    StepCall {
        envelope: Envelope {
            id,
            correlation: id,
            causation: None,
            operation: operation.to_owned(),
            media_type: "application/json".to_owned(),
            artifacts: vec![],
            body: body.as_bytes().to_vec(),
        },
        context: Arc::new(StepContext {
            run: "run".to_owned(),
            step: "step".to_owned(),
            role: "role".to_owned(),
            attempt: 1,
            tenant: "global".to_owned(),
            actor: "actor".to_owned(),
            correlation: "c".to_owned(),
            causation: None,
            traceparent: "t".to_owned(),
            labels: BTreeMap::new(),
            plan: Digest::of(b"plan"),
            component: Digest::of(b"component"),
            seed: 7,
            pinned_time: Timestamp::from_millis(0),
        }),
        grant: Arc::new(granted()),
        terms: terms(&Limits::DEFAULT),
        clock: Arc::new(SimClock::at(Timestamp::from_millis(0))),
        limits: Limits::DEFAULT,
        budget: PlanBudget::default(),
        services,
        folders: Arc::default(),
        playback: None,
        resources: Resources::default(),
        cancel: Cancel::new(),
    }
}

/// Nothing is there and nobody answers.
#[derive(Debug)]
pub(crate) struct NoServices;

#[async_trait::async_trait]
impl StepServices for NoServices {
    async fn read_artifact(&self, _digest: Digest) -> Result<Arc<[u8]>, PortError> {
        Err(PortError::new(
            PortFault::Unavailable,
            "read",
            "/etc/secret-place",
        ))
    }

    async fn consult(&self, _: String, _: String, _: Vec<u8>) -> Result<Decision, PortError> {
        // Three waits before the answer, so that a call has points to be dropped at.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        Err(PortError::new(
            PortFault::Unavailable,
            "consult",
            "uid 4711",
        ))
    }

    async fn act(
        &self,
        _: aim_ports::effect::EffectCall,
    ) -> Result<aim_ports::effect::EffectAnswer, aim_ports::effect::EffectFault> {
        Err(aim_ports::effect::EffectFault::Unavailable)
    }
}

/// Drives a future on a runtime of its own.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().unwrap().block_on(future)
}

async fn invoked(step: &LinkedStep, operation: &str, body: &str) -> StepReport {
    step.invoke(call(operation, body, Arc::new(NoServices)))
        .await
}

fn is_answered(report: &StepReport) -> bool {
    matches!(report.end, StepEnd::Answered(_))
}

/// A trapped store is gone: the same step answers the next envelope, and the trap shows in nothing.
/// Negative control: with a trap remembered by the step, this fails.
#[test]
fn g24_after_a_trap_the_next_envelope_gets_a_fresh_instance() {
    Case::hostile("g24-trap").ends(&[Outcome::Trapped(Trap::Unreachable)]);
    let capabilities = [
        Capability::Budget,
        Capability::Log,
        Capability::Artifact,
        Capability::Consult,
    ];
    let step = linked(&guest("hostile"), &capabilities);
    let fresh = wait(invoked(&step, "s1-terminal-escapes", ""));
    let trapped = wait(invoked(&step, "g24-trap", ""));
    assert!(matches!(
        trapped.end,
        StepEnd::Ended(Outcome::Trapped(Trap::Unreachable), _)
    ));
    let next = wait(invoked(&step, "s1-terminal-escapes", ""));
    assert!(is_answered(&next));
    assert_eq!((fresh.fuel_used, fresh.end), (next.fuel_used, next.end));
}

/// The future of a call is dropped after one poll, after two, and so on to its end; the next call of the same step is as if
/// nothing had been.
/// Negative control: with a dropped call remembered by the step, this fails.
#[tokio::test(flavor = "current_thread")]
async fn g25_a_call_can_be_dropped_at_every_await_point() {
    let step = linked(&guest("conformance-functions"), &Capability::ALL[..6]);
    let consult = json!({ "call": "aim:gate/consult.check", "with": { "action": "a", "target": "t", "payload": "p" } });
    let body = json!([consult, consult, consult]).to_string();
    let whole = invoked(&step, "batch", &body).await;
    let mut dropped = 0;
    // BOUND: a call of three waits ends after some polls; a hundred are far more.
    for polls in 1..100 {
        let mut future = pin!(step.invoke(call("batch", &body, Arc::new(NoServices))));
        let mut context = Context::from_waker(Waker::noop());
        let ended = (0..polls).any(|_| future.as_mut().poll(&mut context).is_ready());
        if ended {
            break;
        }
        dropped += 1;
    }
    assert!(dropped >= 9, "only {dropped} points to drop at");
    let after = invoked(&step, "batch", &body).await;
    assert_eq!((whole.fuel_used, whole.end), (after.fuel_used, after.end));
    assert_eq!(whole.transcript.digest(), after.transcript.digest());
}

/// A computing guest yields at every tick; it can be dropped there too.
/// Negative control: with a dropped call remembered by the step, this fails.
#[tokio::test(flavor = "current_thread")]
async fn g25_a_computing_call_can_be_dropped_at_a_tick() {
    let step = linked(
        &guest("hostile"),
        &[
            Capability::Budget,
            Capability::Log,
            Capability::Artifact,
            Capability::Consult,
        ],
    );
    for polls in [1, 2, 5, 20] {
        let mut endless = call("g1-infinite-loop", "", Arc::new(NoServices));
        // The tick may come late on a busy machine; the fuel lasts until then.
        endless.limits.fuel_max = u64::MAX / 2;
        endless.limits.deadline_ms_max = 600_000;
        let mut future = pin!(step.invoke(endless));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..polls {
            assert_eq!(
                future.as_mut().poll(&mut context).map(|_| ()),
                Poll::Pending
            );
        }
    }
    assert!(is_answered(
        &invoked(&step, "s1-terminal-escapes", "").await
    ));
}

/// Negative control: with the check of `is_whole` in `door::begin` taken away, the log line of the start function is in the
/// report and the step completes.
#[test]
fn g26_a_call_from_where_none_may_come_ends_the_step() {
    let early_and_late = |case| Case::of(variant("hostile-g26-early-and-late", case));
    for case in [0, 1] {
        let attempt = early_and_late(case).ends(&[Outcome::Limit(LimitKind::Reentry)]);
        assert_eq!(attempt.host_calls.calls, 0);
    }
    early_and_late(2).ends(&[Outcome::Completed]);
    early_and_late(3).ends(&[Outcome::Completed]);
}

/// A step whose last core module logs a line when it is instantiated.
pub(crate) fn logs_at_start() -> Vec<u8> {
    let inner = variant("hostile-g16-discriminants", 9);
    let log = import_index(&inner, "aim:log/log@0.1.0");
    let more = format!(
        r#"(alias export {log} "write" (func $late_write))
        (core func $late_lowered (canon lower (func $late_write) (memory 0) string-encoding=utf8))
        (core module $late
          (import "h" "write" (func $w (param i32 i32 i32 i32 i32)))
          (func $start (call $w (i32.const 2) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0)))
          (start $start))
        (core instance $late_imports (export "write" (func $late_lowered)))
        (core instance (instantiate $late (with "h" (instance $late_imports))))"#
    );
    with_more(&inner, &more)
}

/// Every way to make a NaN gives the same bits, today and on any machine.
/// Negative control: with canonical NaN switched off, this fails.
#[tokio::test]
async fn g27_a_number_that_is_none_has_the_same_bits_everywhere() {
    let step = linked(&guest("hostile-g27-nan"), &[]);
    let report = invoked(&step, "x", "").await;
    let StepEnd::Answered(emissions) = &report.end else {
        panic!("{:?}", report.end);
    };
    let body = &emissions[0].body;
    for bytes in body[..16].chunks(4) {
        assert_eq!(
            u32::from_le_bytes(bytes.try_into().unwrap()),
            0x7fc0_0000,
            "{body:x?}"
        );
    }
    for bytes in body[16..].chunks(8) {
        let bits = u64::from_le_bytes(bytes.try_into().unwrap());
        assert_eq!(bits, 0x7ff8_0000_0000_0000, "{body:x?}");
    }
}

/// What one guest left in a slot, the next can not read: each call looks at all of its memory first and fills it last.
/// Negative control: a guest that looks after it has filled, as it would find what another left, traps (asserted here).
#[tokio::test]
async fn g28_a_recycled_slot_is_all_zero_ten_thousand_times() {
    let step = linked(&guest("hostile-g28-dirty-slot"), &[]);
    for turn in aim_testkit::soak::Cases::of(100_000, 10_000) {
        let report = invoked(&step, "x", "").await;
        assert!(is_answered(&report), "turn {turn}: {:?}", report.end);
    }
    assert!(is_answered(
        &invoked(&linked(&smallest(), &[]), "x", "").await
    ));
    let finds = edited("hostile-g28-dirty-slot", |text| {
        let look = "(local.set $at (i32.const 65536))";
        let fill = "(memory.fill (i32.const 65536) (i32.const 0xa5) (i32.const 196608))";
        replaced(&text, look, &format!("{fill} {look}"))
    });
    let report = invoked(&linked(&finds, &[]), "x", "").await;
    assert!(
        matches!(
            report.end,
            StepEnd::Ended(Outcome::Trapped(Trap::Unreachable), _)
        ),
        "{:?}",
        report.end
    );
}
