//! What one judgement of the ethical gate costs: a fresh instance, a request with a payload of 1 KiB, the decision, checked.
//!
//! ```text
//! judged: as the host asks, limits armed      bare: the component on a bare engine, as in the floor
//! ```
//! INVARIANT: every turn is a fresh instance; all gates that are named are measured in turn in the same rounds.

use std::{fmt::Write as _, path::Path, sync::Arc, time::Instant};

use aim_core::limits::Limits;
use aim_runtime::judge::{ComponentJudge, Judge as _};

use crate::{
    Result,
    bare::Bare,
    case::Gates,
    fixture::{Fixture, linked_gate, prepared},
    floor::{Evidence, bare_request},
    process::thread_cpu,
    stats::{Values, number},
};

/// Turns of each round.
const TURNS: usize = 500;

/// A gate with what was measured of it.
struct Measured {
    name: String,
    judge: ComponentJudge,
    bare: Bare,
    times: [Vec<f64>; 4],
    cpu: [Vec<f64>; 4],
}

/// Measures the shipped gate, and `other` beside it where a file is named; writes one line for each way of asking.
pub(crate) fn text(fixture: &Fixture, other: Option<&Path>, rounds: usize) -> Result<String> {
    let evidence = Evidence::of(fixture, Gates::Ethical)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let mut gates = vec![measured(fixture, "gate-mcel", &fixture.gate_bytes)?];
    if let Some(path) = other {
        gates.push(measured(
            fixture,
            &path.display().to_string(),
            &std::fs::read(path)?,
        )?);
    }
    for _ in 0..rounds {
        for gate in &mut gates {
            round(gate, &evidence, &runtime)?;
        }
    }
    let mut text = String::from("fresh gate, 1 KiB (us each)     CPU    median       p95\n");
    for gate in gates {
        let rows = [
            "judged ingress",
            "judged egress",
            "bare ingress",
            "bare egress",
        ];
        for ((row, times), cpu) in rows.into_iter().zip(gate.times).zip(gate.cpu) {
            let (times, cpu) = (Values::new(times), Values::new(cpu));
            let (median, p95) = (times.median(), times.percentile(950));
            let cpu = cpu.median();
            writeln!(
                text,
                "  {} {row:<16} {cpu:>9.2} {median:>9.2} {p95:>9.2}",
                gate.name
            )?;
        }
    }
    Ok(text)
}

fn measured(fixture: &Fixture, name: &str, bytes: &[u8]) -> Result<Measured> {
    let linked = linked_gate(&fixture.engine, bytes)?;
    let codex = Arc::clone(&fixture.codex);
    let prepared = prepared(&linked, &codex)?;
    Ok(Measured {
        name: name.to_owned(),
        judge: ComponentJudge::new(linked, Arc::clone(&codex), Limits::GATE),
        bare: Bare::new(&fixture.engine, &fixture.step_bytes, bytes, codex, prepared)?,
        times: Default::default(),
        cpu: Default::default(),
    })
}

fn round(
    gate: &mut Measured,
    evidence: &Evidence,
    runtime: &tokio::runtime::Runtime,
) -> Result<()> {
    let Measured {
        judge,
        bare,
        times,
        cpu,
        ..
    } = gate;
    let mut ways = times.iter_mut().zip(cpu.iter_mut());
    for request in &evidence.requests {
        let (times, cpu) = ways.next().ok_or("a way of asking is missing")?;
        turns(times, cpu, || {
            let decision = runtime.block_on(judge.judge(request))?;
            Ok(decision.verdict.releases())
        })?;
    }
    for request in &evidence.requests {
        let request = bare_request(request);
        let (times, cpu) = ways.next().ok_or("a way of asking is missing")?;
        turns(times, cpu, || bare.judge(&request))?;
    }
    Ok(())
}

fn turns(
    times: &mut Vec<f64>,
    cpu: &mut Vec<f64>,
    mut judge: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let before = thread_cpu()?;
    for _ in 0..TURNS {
        let began = Instant::now();
        if !judge()? {
            return Err("the gate objects to the payload".into());
        }
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    let spent = thread_cpu()?.saturating_sub(before);
    cpu.push(spent.as_secs_f64() * 1e6 / number(TURNS));
    Ok(())
}
