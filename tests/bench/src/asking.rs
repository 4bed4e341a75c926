//! What asking costs: a match in a compiled grant and the spending of a token, which every call pays, beside a decision of
//! the policy itself, which is made at admission only.
//!
//! INVARIANT: each is measured in the same process on the same grant; nothing is asserted about time.

use std::{fmt::Write as _, hint::black_box, time::Instant};

use aim_core::{
    access::{Ask, Asker, Capability, Grant, GrantMatcher, Mode, TokenLimits, Wallet, WalletTerms},
    contract::Autonomy,
    digest::Digest,
    id::AttemptId,
    name::{NodeId, StepName, TenantId},
    time::Timestamp,
};
use aim_policy_cedar::{CedarPolicy, PolicySource};
use aim_ports::policy::Policy as _;

use crate::{Result, stats::Values};

/// Turns of one timing of what takes nanoseconds: a clock reading costs more than one turn.
const TURNS: u32 = 200;
/// Timings.
const TIMINGS: usize = 2_000;

/// Measures and writes one line for each.
pub(crate) fn text() -> Result<String> {
    let grant = grant();
    let matcher = GrantMatcher::compile(&grant);
    let read = (Capability::Filesystem, Some(Mode::Read), "folder31");
    let found = values(TURNS, || {
        black_box(matcher.find(black_box(read.0), read.1, black_box(read.2)));
    });
    let mut wallet = Wallet::mint(&grant, &terms());
    let spent = values(TURNS, || {
        let spent = wallet.spend(black_box(read), 1, 0, Timestamp::from_millis(1));
        black_box(spent.is_ok());
    });
    let policy = CedarPolicy::compile(&[PolicySource {
        name: "bench.cedar".to_owned(),
        text: policy_text(),
    }])?;
    let requests = asker()?.requests(&grant.asks);
    let request = requests.last().ok_or("the grant holds no use")?;
    let decided = values(1, || {
        black_box(policy.decide(black_box(request)));
    });
    let mut text = String::from("asking (ns each)            median       p95\n");
    for (name, values) in [
        ("compiled grant match", found),
        ("capability token spent", spent),
        ("Cedar decision", decided),
    ] {
        let (median, p95) = (values.median(), values.percentile(950));
        writeln!(text, "  {name:<24} {median:>9.0} {p95:>9.0}")?;
    }
    Ok(text)
}

fn values(turns: u32, mut work: impl FnMut()) -> Values {
    let mut times = Vec::with_capacity(TIMINGS);
    for _ in 0..TIMINGS {
        let started = Instant::now();
        for _ in 0..turns {
            work();
        }
        times.push(started.elapsed().as_secs_f64() * 1e9 / f64::from(turns));
    }
    Values::new(times)
}

/// A wide grant: the use that is looked for is the last of 34.
fn grant() -> Grant {
    let folders = Ask {
        modes: [Mode::Read].into(),
        scope: (0..32).map(|number| format!("folder{number:02}")).collect(),
        ..Ask::plain(Capability::Filesystem)
    };
    let artifacts = Ask {
        modes: [Mode::Read, Mode::Put].into(),
        ..Ask::plain(Capability::Artifact)
    };
    Grant {
        asks: vec![artifacts, folders],
        policy: None,
    }
}

fn policy_text() -> String {
    let mut text = String::new();
    for number in 0..10 {
        text.push_str(&format!(
            "permit (principal == Aim::Step::\"plan.step{number}\", action == Aim::Action::\"filesystem.read\", \
             resource == Aim::Folder::\"folder{number}\");\n"
        ));
    }
    text.push_str("permit (principal, action == Aim::Action::\"filesystem.read\", resource) when { context.tenant == \"global\" };\n");
    text
}

fn asker() -> Result<Asker> {
    Ok(Asker {
        component: Digest::of(b"component"),
        node: NodeId::parse("node")?,
        plan: StepName::parse("plan")?,
        step: StepName::parse("step")?,
        tenant: TenantId::parse("global")?,
        autonomy: Autonomy::ReadOnly,
    })
}

fn terms() -> WalletTerms {
    WalletTerms {
        attempt: AttemptId::from_bytes([1; 16]),
        branch: None,
        subject: "plan/step".to_owned(),
        audience: "bench".to_owned(),
        starts_at: Timestamp::from_millis(0),
        time_ms_max: 60_000,
        limits: TokenLimits {
            bytes: u64::MAX,
            calls: u32::MAX,
        },
    }
}
