//! What a well-behaved tenant notices of a hostile one: its own latencies, alone and while the other one's guests spin.
//!
//! INVARIANT: both are measured on one host, in alternating laps, so that a slow minute of the machine hits both.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use aim_core::{
    contract::NodeDocument,
    leaf::SigningMode,
    limits::Limits,
    name::TenantId,
    outcome::{LimitKind, Outcome},
};
use aim_engine::Cancel;
use aim_runtime::{
    attempt::{RunFacts, Task, run_attempt},
    host::Host,
    services::Contents,
    unit::Unit,
};

use crate::{
    Result,
    case::{Case, Gates, Storage},
    fixture::Fixture,
    stats::{Values, digits},
};

/// How long each lap is.
const LAP: Duration = Duration::from_secs(2);
/// Time between two envelopes of the neighbour: it is not in a hurry, and notices whatever stands in its way.
const PAUSE: Duration = Duration::from_millis(1);
/// How long a hostile guest may spin until its deadline; then it is sent again at once.
const SPIN_MS: u64 = 500;
const HOSTILE_CONTRACT: &str = r#"{
  "kind": "compute", "node_id": "hostile", "version": "0.1.0",
  "component": { "path": "hostile.wasm" }, "limits": { "deadline_ms_max": 500 },
  "asks": [{ "capability": "artifact", "modes": ["read", "put"] }, { "capability": "budget" }, { "capability": "consult" },
    { "capability": "log" }]
}"#;
/// Spinning guests at the same time, for each table row.
pub(crate) const SPINNING: [usize; 3] = [1, 4, 16];

/// One row: alone and beside so many spinning guests, in microseconds.
#[derive(Debug)]
pub(crate) struct Beside {
    spinning: usize,
    alone: (Values, Values),
    beside: (Values, Values),
    ratios: Values,
}

struct Shared {
    host: Arc<Host>,
    unit: Arc<Unit>,
    hostile: Arc<Unit>,
    run: Arc<RunFacts>,
    hostile_run: Arc<RunFacts>,
    contents: Arc<Contents>,
    next: AtomicU32,
}

/// Measures every row, `rounds` laps each.
pub(crate) fn measure(fixture: &Fixture, rounds: usize) -> Result<Vec<Beside>> {
    let case = Case {
        storage: Storage::Durable,
        signing: SigningMode::Each,
        gates: Gates::Ethical,
        in_flight: 1,
        workers: 2,
    };
    let opened = fixture.open(case)?;
    let contract: NodeDocument = serde_json::from_str(HOSTILE_CONTRACT)?;
    let contract = contract
        .check(&Limits::CEILING)
        .map_err(|faults| format!("the contract is faulty: {faults:?}"))?;
    let mut hostile_run = (*fixture.run).clone();
    hostile_run.tenant = TenantId::parse("hostile")?;
    let shared = Arc::new(Shared {
        host: Arc::clone(&opened.host),
        unit: fixture.unit(case.gates),
        hostile: Arc::new(fixture.unit_of("hostile", &contract)?),
        run: Arc::clone(&fixture.run),
        hostile_run: Arc::new(hostile_run),
        contents: Arc::default(),
        next: AtomicU32::new(1),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(case.workers)
        .enable_time()
        .build()?;
    let rows = (SPINNING.into_iter())
        .map(|spinning| runtime.block_on(row(fixture, &shared, spinning, rounds)))
        .collect::<Result<Vec<Beside>>>()?;
    drop(runtime);
    drop(shared);
    opened.close()?;
    Ok(rows)
}

async fn row(
    fixture: &Fixture,
    shared: &Arc<Shared>,
    spinning: usize,
    rounds: usize,
) -> Result<Beside> {
    let (mut alone, mut beside, mut ratios) = ((vec![], vec![]), (vec![], vec![]), vec![]);
    for _ in 0..rounds {
        let quiet = neighbour(fixture, shared).await?;
        let cancel = Cancel::new();
        let hostile: Vec<_> = (0..spinning)
            .map(|_| tokio::spawn(spin(fixture.envelope(), Arc::clone(shared), cancel.clone())))
            .collect();
        let loud = neighbour(fixture, shared).await?;
        cancel.cancel();
        for one in hostile {
            one.await??;
        }
        alone.0.push(quiet.percentile(500));
        alone.1.push(quiet.percentile(990));
        beside.0.push(loud.percentile(500));
        beside.1.push(loud.percentile(990));
        ratios.push(loud.percentile(990) / quiet.percentile(990));
    }
    Ok(Beside {
        spinning,
        alone: (Values::new(alone.0), Values::new(alone.1)),
        beside: (Values::new(beside.0), Values::new(beside.1)),
        ratios: Values::new(ratios),
    })
}

/// One lap of the well-behaved tenant.
async fn neighbour(fixture: &Fixture, shared: &Shared) -> Result<Values> {
    let cancel = Cancel::new();
    let mut latencies = Vec::new();
    let until = Instant::now() + LAP;
    while Instant::now() < until {
        let began = Instant::now();
        let task = task(shared, &shared.unit, fixture.envelope());
        let (host, unit, run) = (&shared.host, &shared.unit, &shared.run);
        let concluded = run_attempt(host, unit, run, &shared.contents, task, &cancel).await?;
        latencies.push(began.elapsed().as_secs_f64() * 1e6);
        if concluded.summary.outcome != Outcome::Completed {
            return Err(format!("the neighbour ended as {:?}", concluded.summary).into());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(Values::new(latencies))
}

/// Spins until its deadline, again and again.
async fn spin(
    mut envelope: aim_core::envelope::Envelope,
    shared: Arc<Shared>,
    cancel: Cancel,
) -> Result<()> {
    "g1-infinite-loop".clone_into(&mut envelope.operation);
    envelope.body = b"{}".to_vec();
    while !cancel.is_cancelled() {
        let task = task(&shared, &shared.hostile, envelope.clone());
        let (host, unit, run) = (&shared.host, &shared.hostile, &shared.hostile_run);
        let concluded = run_attempt(host, unit, run, &shared.contents, task, &cancel).await?;
        let is_stopped = matches!(
            concluded.summary.outcome,
            Outcome::Limit(LimitKind::Deadline) | Outcome::Cancelled
        );
        if !is_stopped {
            return Err(format!("the hostile step ended as {:?}", concluded.summary).into());
        }
    }
    Ok(())
}

fn task(shared: &Shared, unit: &Unit, envelope: aim_core::envelope::Envelope) -> Task {
    Task {
        attempt_no: shared.next.fetch_add(1, Ordering::Relaxed),
        ..Task::first(unit, envelope)
    }
}

/// The rows as a table.
pub(crate) fn text(rows: &[Beside]) -> String {
    let mut text = format!(
        "one neighbour, an envelope each millisecond, durable, signing each, ethical gate; guests that spin for {SPIN_MS} ms at a time\n\n\
         | spinning | alone p50 us | alone p99 us | beside p50 us | beside p99 us | p99 ratio |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    );
    for row in rows {
        let cells = [
            row.spinning.to_string(),
            digits(row.alone.0.median()),
            row.alone.1.shown(),
            digits(row.beside.0.median()),
            row.beside.1.shown(),
            row.ratios.shown(),
        ];
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}
