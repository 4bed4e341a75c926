//! What tokens promise: never copied, never widened, never spent twice or too late.

use alloc::{collections::BTreeSet, string::ToString, vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::{
    access::Ask,
    digest::Digest,
    id::{ExecutionId, RunId, RunPins},
};

const START: Timestamp = Timestamp::from_millis(1_000_000);

fn terms() -> WalletTerms {
    let digest = Digest::of(b"pin");
    let run = RunId::of(&RunPins {
        plan: digest,
        lock: digest,
        inputs: digest,
        tenant: "global",
        seed: 0,
    });
    WalletTerms {
        attempt: AttemptId::of(ExecutionId::of("origin", run, 1), "step", 1),
        branch: None,
        subject: "plan/step".to_string(),
        audience: "origin".to_string(),
        starts_at: START,
        time_ms_max: 60_000,
        limits: TokenLimits {
            bytes: 1_000,
            calls: 10,
        },
    }
}

fn grant() -> Grant {
    Grant {
        asks: vec![
            Ask {
                modes: [Mode::Read].into(),
                bytes_max: Some(100),
                calls_max: Some(3),
                time_ms_max: Some(5_000),
                ..Ask::plain(Capability::Artifact)
            },
            Ask {
                modes: [Mode::Read].into(),
                scope: ["logs".to_string()].into(),
                bytes_max: Some(u64::MAX),
                ..Ask::plain(Capability::Filesystem)
            },
        ],
        policy: None,
    }
}

const READ: (Capability, Option<Mode>, &str) = (Capability::Artifact, Some(Mode::Read), "any");
const LOGS: (Capability, Option<Mode>, &str) = (Capability::Filesystem, Some(Mode::Read), "logs");

#[test]
fn an_ask_can_ask_for_less_than_the_step_may_and_never_for_more() {
    let wallet = Wallet::mint(&grant(), &terms());
    let limits: Vec<TokenLimits> = wallet.tokens().map(|token| token.claims().lim).collect();
    assert_eq!(
        limits[0],
        TokenLimits {
            bytes: 100,
            calls: 3
        }
    );
    assert_eq!(
        limits[1],
        TokenLimits {
            bytes: 1_000,
            calls: 10
        }
    );
    let exp: Vec<u64> = wallet
        .tokens()
        .map(|token| token.claims().exp.millis())
        .collect();
    assert_eq!(exp, [1_005_000, 1_060_000]);
}

/// With the check of calls taken out of `spend`, the fourth call passes; with that of bytes, the second one does; with
/// that of the time, the last one.
#[test]
fn calls_bytes_and_time_run_out() {
    let mut wallet = Wallet::mint(&grant(), &terms());
    assert!(wallet.spend(READ, 60, 0, START).is_ok());
    let refused = wallet.spend(READ, 41, 1, START).unwrap_err();
    assert_eq!(
        (refused.rule(), refused.code()),
        ("token.bytes", "AIM-P042")
    );
    assert!(wallet.spend(READ, 40, 2, START).is_ok());
    assert!(wallet.spend(READ, 0, 3, START).is_ok());
    let refused = wallet.spend(READ, 0, 4, START).unwrap_err();
    assert_eq!(
        (refused.rule(), refused.code()),
        ("token.calls", "AIM-P042")
    );
    let late = Timestamp::from_millis(1_060_001);
    assert!(
        wallet
            .spend(LOGS, 1, 5, Timestamp::from_millis(1_060_000))
            .is_ok()
    );
    let refused = wallet.spend(LOGS, 1, 6, late).unwrap_err();
    assert_eq!(
        (refused.rule(), refused.code()),
        ("token.expired", "AIM-P041")
    );
    let records = wallet.settle();
    assert_eq!(records[0].calls, [[0, 0], [2, 3]]);
    assert_eq!(
        (records[0].used, records[0].refused),
        (
            TokenLimits {
                bytes: 100,
                calls: 3
            },
            2
        )
    );
    assert_eq!((records[1].used.calls, records[1].refused), (1, 1));
}

#[test]
fn what_is_missing_is_named_with_what_there_is() {
    let mut wallet = Wallet::mint(&grant(), &terms());
    let put = (Capability::Artifact, Some(Mode::Put), "any");
    let refused = wallet.spend(put, 0, 0, START).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "requires artifact.put; have artifact.read"
    );
    assert_eq!((refused.rule(), refused.code()), ("grant", "AIM-P040"));
    let other = (Capability::Filesystem, Some(Mode::Read), "keys");
    let refused = wallet.spend(other, 0, 0, START).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "requires filesystem.read on `keys`; have filesystem.read on `logs`"
    );
    let refused = wallet
        .spend((Capability::Log, None, "any"), 0, 0, START)
        .unwrap_err();
    assert_eq!(refused.to_string(), "requires log; have nothing");
    assert!(wallet.settle().is_empty(), "nothing was spent");
}

#[test]
fn numbers_follow_from_the_attempt_and_are_all_different() {
    let jtis = |terms: &WalletTerms| -> Vec<CapId> {
        Wallet::mint(&grant(), terms)
            .tokens()
            .map(|token| token.claims().jti)
            .collect()
    };
    let first = terms();
    let run = AttemptId::from_bytes([7; 16]);
    let second = WalletTerms {
        attempt: run,
        ..terms()
    };
    assert_eq!(jtis(&first), jtis(&first));
    let all: BTreeSet<CapId> = jtis(&first).into_iter().chain(jtis(&second)).collect();
    assert_eq!(all.len(), 4);
}

fn branch(index: u32, of: u32) -> Wallet {
    let branch = Some(Branch { index, of });
    Wallet::mint(&grant(), &WalletTerms { branch, ..terms() })
}

/// What all branches of a step together get out of one use, asking until they are refused.
fn spent_by(of: u32, wanted: (Capability, Option<Mode>, &str), bytes: u64) -> (u32, u64) {
    let mut spent = (0, 0);
    for index in 0..of {
        let mut wallet = branch(index, of);
        while wallet.spend(wanted, bytes, spent.0, START).is_ok() {
            spent = (spent.0 + 1, spent.1 + bytes);
        }
    }
    spent
}

/// With `mint` leaving the branch out of account, three branches spend thirty calls of the ten and this fails.
#[test]
fn branches_together_never_spend_more_than_the_one_grant() {
    for of in 1..=3 {
        let (calls, bytes) = spent_by(of, LOGS, 30);
        assert!((1..=10).contains(&calls) && bytes <= 1_000, "{of}: {calls}");
        let (calls, bytes) = spent_by(of, READ, 7);
        assert!((of..=3).contains(&calls) && bytes <= 100, "{of}: {calls}");
    }
    assert_eq!(
        spent_by(3, LOGS, 0),
        (9, 0),
        "what can't be divided is given up"
    );
}

#[test]
fn branches_have_numbers_and_names_of_their_own_and_live_as_long_as_the_whole() {
    let claims = |wallet: &Wallet| -> Vec<TokenClaims> {
        wallet
            .tokens()
            .map(|token| token.claims().clone())
            .collect()
    };
    let whole = claims(&Wallet::mint(&grant(), &terms()));
    let mut numbers: BTreeSet<CapId> = whole.iter().map(|one| one.jti).collect();
    for index in 0..3 {
        for (part, whole) in claims(&branch(index, 3)).iter().zip(&whole) {
            assert!(numbers.insert(part.jti), "{part:?}");
            assert_eq!(part.sub, format!("plan/step[{index}]"));
            assert_eq!((part.exp, &part.act), (whole.exp, &whole.act));
        }
    }
}

#[test]
fn branches_that_are_too_many_get_nothing_and_are_named_beforehand() {
    assert_eq!(spent_by(4, READ, 1), (0, 0));
    assert_eq!(
        branch(3, 3).tokens().map(|one| one.left().calls).max(),
        Some(0)
    );
    assert_eq!(
        branch(0, 0).tokens().map(|one| one.left().calls).max(),
        Some(0)
    );
    let limits = terms().limits;
    assert!(undivided(&grant(), limits, 1).is_empty());
    assert!(undivided(&grant(), limits, 3).is_empty());
    let short = undivided(&grant(), limits, 4);
    let named: Vec<(Capability, &str)> = (short.iter())
        .map(|(ask, error)| (ask.capability, error.code()))
        .collect();
    assert_eq!(named, [(Capability::Artifact, "AIM-P043")]);
    assert_eq!(undivided(&grant(), limits, 11).len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However a token is spent, narrowed and split, and whatever its parts then spend: never more in all than it had,
    /// never later than it lived, and no two parts have one number.
    #[test]
    fn the_parts_are_never_more_than_the_whole(
        before in proptest::collection::vec(0u64..200, 0..4),
        narrowed in (0u64..2_000, 0u32..20, 0u64..120_000),
        branches in 0u32..6,
        again in 0u32..4,
        after in proptest::collection::vec((0usize..32, 0u64..400, 0u64..120_000), 0..60),
    ) {
        let mut wallet = Wallet::mint(&grant(), &terms());
        let slot = wallet.slots.remove(1);
        let mut whole = slot.token;
        let (limit, end) = (whole.claims().lim, whole.claims().exp);
        let (mut bytes_used, mut calls_used) = (0u64, 0u32);
        for bytes in before {
            if whole.spend(bytes, START).is_ok() {
                bytes_used += bytes;
                calls_used += 1;
            }
        }
        let (bytes, calls, time) = narrowed;
        let to = Timestamp::from_millis(START.millis() + time);
        let mut whole = whole.narrow(TokenLimits { bytes, calls }, to);
        prop_assert!(whole.claims().exp <= end.min(to));
        prop_assert!(whole.left().bytes <= bytes && whole.left().calls <= calls);
        let exp = whole.claims().exp;
        let parent = whole.claims().jti;
        let mut parts = Vec::new();
        if branches == 0 {
            parts.push(whole.narrow(TokenLimits { bytes: u64::MAX, calls: u32::MAX }, Timestamp::from_millis(u64::MAX)));
            whole = parts.remove(0);
            parts.push(whole);
        } else if let Ok(split) = whole.split(branches) {
            for part in split {
                prop_assert_ne!(part.claims().jti, parent);
                if again == 0 { parts.push(part) } else if let Ok(more) = part.split(again) { parts.extend(more) }
            }
        }
        let numbers: BTreeSet<CapId> = parts.iter().map(|part| part.claims().jti).collect();
        prop_assert_eq!(numbers.len(), parts.len());
        for (which, bytes, time) in after {
            let count = parts.len().max(1);
            let Some(part) = parts.get_mut(which % count) else { continue };
            let now = Timestamp::from_millis(START.millis() + time);
            if part.spend(bytes, now).is_ok() {
                prop_assert!(now <= exp);
                bytes_used += bytes;
                calls_used += 1;
            }
        }
        prop_assert!(bytes_used <= limit.bytes, "{} of {}", bytes_used, limit.bytes);
        prop_assert!(calls_used <= limit.calls, "{} of {}", calls_used, limit.calls);
    }
}
