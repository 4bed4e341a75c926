//! The floor: what a step with scope, gates and evidence is made of, each part alone.
//!
//! Parts are what no host with these promises can leave out, done once and as directly as the same libraries allow: one
//! thread, no queue, no task, no data structure in between.
//!
//! INVARIANT: a part holds only work that the governed step has to do too, on bytes of the real size.

mod evidence;
mod parts;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use aim_core::leaf::SigningMode;

use crate::{
    Result,
    bare::Bare,
    case::{Case, Gates, Storage},
    fixture::{Fixture, linked_gate, prepared},
    process::thread_cpu,
    stats::number,
};

pub(crate) use evidence::Evidence;
pub(crate) use parts::bare_request;

/// Envelopes of one group.
pub(crate) const GROUP: usize = 64;

/// What one thing costs, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Cost {
    /// CPU time over all processes.
    pub(crate) cpu_us: f64,
    /// Time that passed.
    pub(crate) wall_us: f64,
}

impl Cost {
    /// The cost of one of `count`.
    fn each(self, count: usize) -> Self {
        Self {
            cpu_us: self.cpu_us / number(count),
            wall_us: self.wall_us / number(count),
        }
    }

    /// What is left without `other`; never less than nothing.
    fn without(self, other: Self) -> Self {
        Self {
            cpu_us: (self.cpu_us - other.cpu_us).max(0.0),
            wall_us: (self.wall_us - other.wall_us).max(0.0),
        }
    }
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cpu_us: self.cpu_us + other.cpu_us,
            wall_us: self.wall_us + other.wall_us,
        }
    }
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), std::ops::Add::add)
    }
}

/// All parts of one round, per envelope.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Parts {
    /// Fresh pooled instance, call, drop.
    pub(crate) call: Cost,
    /// The same, asynchronously; not part of the floor.
    pub(crate) call_async: Cost,
    /// A call of a live instance; not part of the floor.
    pub(crate) call_live: Cost,
    /// BLAKE3 and SHA-256 of input and output, SHA-256 of the statement's PAE.
    pub(crate) hashes: Cost,
    /// The statement, serialised.
    pub(crate) record: Cost,
    /// One signature.
    pub(crate) signature: Cost,
    /// Leaf, frontier and a 64th of root and signature.
    pub(crate) merkle: Cost,
    /// Grant and request digests.
    pub(crate) policy: Cost,
    /// Two bare calls of the ethical gate.
    pub(crate) gates: Cost,
    /// What the ethical gate adds to the statement: serialising and hashing it.
    pub(crate) gate_record: Cost,
    /// Signer process, without the signature: in groups, and alone.
    pub(crate) hop: [Cost; 2],
    /// Write and sync of the same bytes: in groups, and alone.
    pub(crate) write: [Cost; 2],
    /// The same with the ethical gate's larger statement.
    pub(crate) gate_write: [Cost; 2],
}

impl Parts {
    /// The parts that a case has to pay for, with their names.
    pub(crate) fn of(&self, case: Case) -> Vec<(&'static str, Cost)> {
        let alone = usize::from(case.in_flight == 1);
        let pick = |costs: &[Cost; 2]| costs.get(alone).copied().unwrap_or_default();
        let mut parts = vec![
            ("fresh instance and call", self.call),
            ("hashes", self.hashes),
            ("record", self.record),
            ("policy and request digests", self.policy),
        ];
        match case.signing {
            SigningMode::Each => parts.push(("signature", self.signature)),
            SigningMode::Batch => parts.push(("Merkle share", self.merkle)),
        }
        if case.gates == Gates::Ethical {
            parts.push(("two bare gate calls", self.gates));
            parts.push(("the gates' part of the record", self.gate_record));
        }
        if case.storage == Storage::Durable {
            let write = match case.gates {
                Gates::BuiltIn => &self.write,
                Gates::Ethical => &self.gate_write,
            };
            parts.push(("group write and sync", pick(write)));
            if case.signing == SigningMode::Each {
                parts.push(("signer hop", pick(&self.hop)));
            }
        }
        parts
    }

    /// The sum of a case's parts.
    pub(crate) fn floor(&self, case: Case) -> Cost {
        self.of(case).into_iter().map(|(_, cost)| cost).sum()
    }
}

/// What is measured, set up once.
pub(crate) struct Floor {
    bare: Bare,
    built_in: Evidence,
    ethical: Evidence,
    runtime: tokio::runtime::Runtime,
}

impl Floor {
    /// Sets up.
    pub(crate) fn new(fixture: &Fixture) -> Result<Self> {
        let gate = linked_gate(&fixture.engine, &fixture.gate_bytes)?;
        Ok(Self {
            bare: Bare::new(
                &fixture.engine,
                &fixture.step_bytes,
                &fixture.gate_bytes,
                std::sync::Arc::clone(&fixture.codex),
                prepared(&gate, &fixture.codex)?,
            )?,
            built_in: Evidence::of(fixture, Gates::BuiltIn)?,
            ethical: Evidence::of(fixture, Gates::Ethical)?,
            runtime: tokio::runtime::Builder::new_current_thread().build()?,
        })
    }

    /// Bytes of the statement: with the judge that is built in, and with the ethical gate.
    pub(crate) const fn statement_bytes(&self) -> (usize, usize) {
        (self.built_in.bytes.len(), self.ethical.bytes.len())
    }
}

/// Does something for a while, in as many turns as it takes, and returns the cost of one turn.
fn timed(length: Duration, mut turn: impl FnMut() -> Result<()>) -> Result<Cost> {
    // Once before it counts: what is made on first use is made here.
    turn()?;
    let (before, began) = (thread_cpu()?, Instant::now());
    let mut turns = 0_usize;
    // BOUND: the length.
    while began.elapsed() < length {
        // Looking at the clock costs about as much as the shortest part.
        for _ in 0..8 {
            turn()?;
        }
        turns += 8;
    }
    let (took, spent) = (began.elapsed(), thread_cpu()?.saturating_sub(before));
    let cost = Cost {
        cpu_us: spent.as_secs_f64() * 1e6,
        wall_us: took.as_secs_f64() * 1e6,
    };
    Ok(cost.each(turns))
}

/// As [`timed`], for something that can not fail.
fn timed_value<T>(length: Duration, mut turn: impl FnMut() -> T) -> Result<Cost> {
    timed(length, || {
        black_box(turn());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(cpu_us: f64) -> Cost {
        Cost {
            cpu_us,
            wall_us: cpu_us * 2.0,
        }
    }

    #[test]
    fn a_floor_is_the_sum_of_what_the_case_has_to_pay_for() {
        let parts = Parts {
            call: cost(1.0),
            signature: cost(2.0),
            merkle: cost(4.0),
            gates: cost(8.0),
            hop: [cost(16.0), cost(32.0)],
            write: [cost(64.0), cost(128.0)],
            gate_write: [cost(65.0), cost(129.0)],
            ..Parts::default()
        };
        let mut case = Case {
            storage: Storage::Memory,
            signing: SigningMode::Each,
            gates: Gates::BuiltIn,
            in_flight: 64,
            workers: 1,
        };
        assert_eq!(parts.floor(case), cost(3.0));
        case.gates = Gates::Ethical;
        assert_eq!(parts.floor(case), cost(11.0));
        case.storage = Storage::Durable;
        assert_eq!(parts.floor(case), cost(92.0));
        case.in_flight = 1;
        assert_eq!(parts.floor(case), cost(172.0));
        case.signing = SigningMode::Batch;
        assert_eq!(parts.floor(case), cost(142.0));
    }
}
