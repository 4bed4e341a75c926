//! The governed step: the product's own loop around one attempt, for as long as a round takes.
//!
//! INVARIANT: an attempt counts only when its witness is durable and its output was released.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use aim_core::envelope::Envelope;
use aim_engine::Cancel;
use aim_runtime::{
    attempt::{RunFacts, Summary, Task, run_attempt},
    host::Host,
    services::Contents,
    unit::Unit,
};

use crate::{
    Result,
    case::Case,
    fixture::{Fixture, Opened},
    process::{process_cpu, threads_cpu},
    stats::{Values, number},
};

/// How long caches and pools get to warm up.
const WARM_UP: Duration = Duration::from_millis(100);
/// How long envelopes are counted.
const ROUND: Duration = Duration::from_millis(400);

/// One round of one case.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    /// CPU time over all processes, in microseconds per envelope.
    pub(crate) cpu_us: f64,
    /// The same by thread; the signer counts as one.
    pub(crate) threads_us: BTreeMap<String, f64>,
    /// Envelopes per second.
    pub(crate) per_second: f64,
    /// Median time of one envelope, in microseconds.
    pub(crate) p50_us: f64,
    /// 99th percentile of the same.
    pub(crate) p99_us: f64,
}

/// What tasks share.
struct Shared {
    host: Arc<Host>,
    unit: Arc<Unit>,
    run: Arc<RunFacts>,
    contents: Arc<Contents>,
    envelope: Envelope,
    next: AtomicU32,
}

/// Measures one round of one case.
pub(crate) fn measure(fixture: &Fixture, case: Case) -> Result<Round> {
    let opened = fixture.open(case)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(case.workers)
        .enable_time()
        .build()?;
    let round = runtime.block_on(async {
        lap(fixture, &opened, case, WARM_UP).await?;
        timed(fixture, &opened, case).await
    });
    drop(runtime);
    let round = round.map_err(|error| format!("{case}: {error}"))?;
    opened.close()?;
    Ok(round)
}

async fn timed(fixture: &Fixture, opened: &Opened, case: Case) -> Result<Round> {
    let (before, began) = (cpu(opened)?, Instant::now());
    let latencies = lap(fixture, opened, case, ROUND).await?;
    let (took, after) = (began.elapsed(), cpu(opened)?);
    let count = number(latencies.len());
    let spent = after.into_iter().map(|(name, after)| {
        let before = before.get(&name).copied().unwrap_or_default();
        let spent = after.saturating_sub(before).as_secs_f64() * 1e6;
        (name, spent / count)
    });
    let threads_us: BTreeMap<String, f64> = spent.collect();
    let latencies = Values::new(latencies.iter().map(|one| one.as_secs_f64() * 1e6));
    Ok(Round {
        cpu_us: threads_us.values().sum(),
        threads_us,
        per_second: count / took.as_secs_f64(),
        p50_us: latencies.percentile(500),
        p99_us: latencies.percentile(990),
    })
}

/// CPU time so far by thread, and of the signer.
fn cpu(opened: &Opened) -> Result<BTreeMap<String, Duration>> {
    let mut cpu = threads_cpu(None)?;
    if opened.signer.is_some() {
        cpu.insert("signer".to_owned(), process_cpu(opened.signer)?);
    }
    Ok(cpu)
}

/// Keeps as many envelopes under way as the case says, and returns how long each took.
async fn lap(
    fixture: &Fixture,
    opened: &Opened,
    case: Case,
    length: Duration,
) -> Result<Vec<Duration>> {
    let shared = Arc::new(Shared {
        host: Arc::clone(&opened.host),
        unit: fixture.unit(case.gates),
        run: Arc::clone(&fixture.run),
        contents: Arc::default(),
        envelope: fixture.envelope(),
        next: AtomicU32::new(1),
    });
    let until = Instant::now() + length;
    let tasks: Vec<_> = (0..case.in_flight)
        .map(|_| tokio::spawn(attempts(Arc::clone(&shared), until)))
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    Ok(latencies)
}

async fn attempts(shared: Arc<Shared>, until: Instant) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    let cancel = Cancel::new();
    let shared = &*shared;
    // BOUND: the end of the round.
    loop {
        let began = Instant::now();
        if began >= until {
            return Ok(latencies);
        }
        let task = Task {
            attempt_no: shared.next.fetch_add(1, Ordering::Relaxed),
            ..Task::first(&shared.unit, shared.envelope.clone())
        };
        let (host, unit, run) = (&shared.host, &shared.unit, &shared.run);
        let concluded = run_attempt(host, unit, run, &shared.contents, task, &cancel).await?;
        if concluded.release.is_err() {
            let Summary {
                outcome,
                fault,
                remarks,
                ..
            } = concluded.summary;
            return Err(format!("not released: {outcome:?} {fault:?} {remarks:?}").into());
        }
        latencies.push(began.elapsed());
    }
}
