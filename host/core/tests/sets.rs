//! P11: the order of a set of gates and how often one is in it change nothing. Generated sets; a soak does a million.

use aim_core::{
    attempt::Received,
    digest::Digest,
    envelope::Envelope,
    gate::{GateKind, GateRecord, Phase},
    id::EnvelopeId,
    outcome::Outcome,
    verdict::{Severity, Verdict},
};
use proptest::prelude::*;

/// Reorderings of each generated set: 256 sets make 12,800 here, and the 20,000 sets of a soak a million.
const ORDERS: u64 = 50;

fn envelope() -> Envelope {
    let id = EnvelopeId::from_bytes([1; 16]);
    Envelope {
        id,
        correlation: id,
        causation: None,
        operation: "run".to_owned(),
        media_type: "text/plain".to_owned(),
        artifacts: Vec::new(),
        body: b"x".to_vec(),
    }
}

fn record(gate: usize, kind: GateKind, verdict: Verdict) -> GateRecord {
    GateRecord {
        codex: None,
        codex_version: None,
        component: None,
        decision: None,
        gate: format!("g{gate}"),
        kind,
        phase: Phase::Ingress,
        prior: None,
        reasons: Vec::new(),
        request: Digest::of(b"request"),
        severity: Severity::Block,
        verdict,
    }
}

/// What a set comes to: nothing when the envelope goes on, else the end and the worst verdict.
fn comes_to(set: Vec<GateRecord>) -> Option<(Outcome, Verdict)> {
    let builtin = [GateKind::Schema, GateKind::Policy];
    let builtin = builtin
        .map(|kind| record(100, kind, Verdict::Pass))
        .to_vec();
    let screened = Received::new(envelope()).screen(builtin).ok()?;
    let ended = screened.clear(set).err()?;
    Some((ended.outcome().clone(), ended.verdict()))
}

/// Numbers by chance that follow from a seed.
fn draw(seed: &mut u64, below: usize) -> usize {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).unwrap_or(0) % below.max(1)
}

/// Another order, with some members more than once.
fn reordered(set: &[GateRecord], seed: &mut u64) -> Vec<GateRecord> {
    let mut other = set.to_vec();
    for _ in 0..draw(seed, 4) {
        if let Some(member) = set.get(draw(seed, set.len())) {
            other.push(member.clone());
        }
    }
    for index in (1..other.len()).rev() {
        other.swap(index, draw(seed, index + 1));
    }
    other
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        4 => Just(Verdict::Pass),
        2 => Just(Verdict::Warn),
        1 => Just(Verdict::Abstain),
        1 => Just(Verdict::Fail),
        1 => Just(Verdict::Error),
    ]
}

fn kinds() -> impl Strategy<Value = GateKind> {
    prop_oneof![3 => Just(GateKind::Component), 1 => Just(GateKind::Condition)]
}

proptest! {
    /// Control: with `Verdict::worst` taking the last member instead of the worst, this fails (seen).
    #[test]
    fn p11_order_and_duplicates_of_gates_change_no_verdict(
        members in prop::collection::vec((kinds(), verdicts()), 0..8),
        seed in any::<u64>(),
    ) {
        let mut seed = seed;
        let numbered = members.iter().enumerate();
        let set: Vec<GateRecord> = numbered.map(|(index, (kind, verdict))| record(index, *kind, *verdict)).collect();
        let first = comes_to(set.clone());
        // The reference: what each member says by itself.
        let has_component = members.iter().any(|(kind, _)| *kind == GateKind::Component);
        let goes_on = has_component && members.iter().all(|(_, verdict)| verdict.releases());
        prop_assert_eq!(first.is_none(), goes_on);
        for _ in 0..ORDERS {
            prop_assert_eq!(&comes_to(reordered(&set, &mut seed)), &first);
        }
        let shuffled: Vec<Verdict> = reordered(&set, &mut seed).iter().map(|one| one.verdict).collect();
        let all = members.iter().map(|(_, verdict)| *verdict);
        prop_assert_eq!(Verdict::worst(shuffled), Verdict::worst(all));
    }
}
