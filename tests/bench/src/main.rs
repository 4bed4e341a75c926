//! `aim-bench`: a governed step beside the parts that it is made of, in one run, on one component and one payload.
//!
//! ```text
//! each round: floor parts, one by one -> every case of the governed step -> next round
//! afterwards: cold start of `aimctl run`, memory of an idle host
//! ```
//! It asserts nothing about time and is no test: it prints what was measured, and a person judges.
//!
//! INVARIANT: floor and governed step are measured in the same rounds, so that a slow minute of the machine hits both.

#![forbid(unsafe_code)]

mod asking;
mod bare;
mod case;
mod cold;
mod compile;
mod fixture;
mod floor;
mod gates;
mod governed;
mod memory;
mod neighbour;
mod opening;
mod places;
mod process;
mod report;
mod say;
mod scheduling;
mod stats;

use std::process::ExitCode;

use crate::{case::Case, fixture::Fixture, places::Places, report::Results};

/// Whatever went wrong, for whoever reads the terminal.
type Error = Box<dyn std::error::Error + Send + Sync>;
/// What it comes to.
type Result<T> = std::result::Result<T, Error>;

fn main() -> ExitCode {
    match Options::read(std::env::args().skip(1))
        .and_then(|options| play_a_part(&options).unwrap_or_else(|| run(&options)))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// What was asked for.
#[derive(Debug)]
struct Options {
    places: Places,
    rounds: usize,
    /// Only cases whose name contains this.
    only: String,
    /// Only what a neighbour notices of a hostile step.
    is_neighbour: bool,
    /// Only what asking costs.
    is_asking: bool,
    /// Only what a judgement costs.
    is_gates: bool,
    /// Another gate component, measured beside the shipped one.
    other_gate: Option<std::path::PathBuf>,
    /// Only what compiling a plan costs; needs no guests.
    is_compile: bool,
    /// Only what the scheduler itself costs.
    is_scheduling: bool,
    /// Be the idle host that another `aim-bench` looks at.
    is_idle: bool,
    /// Only what opening a grown log costs.
    is_open: bool,
    /// Where the logs of that stay.
    keep: Option<std::path::PathBuf>,
    /// Be the process that opens the log in this folder.
    reopen: Option<std::path::PathBuf>,
    /// Be the signer with the keys in this folder.
    signer: Option<std::path::PathBuf>,
}

impl Options {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            places: Places::beside_this_program()?,
            rounds: 7,
            only: String::new(),
            is_neighbour: false,
            is_asking: false,
            is_gates: false,
            other_gate: None,
            is_compile: false,
            is_scheduling: false,
            is_idle: false,
            is_open: false,
            keep: None,
            reopen: None,
            signer: None,
        };
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("`{name}` needs a value"));
            match name.as_str() {
                "--rounds" => options.rounds = value()?.parse()?,
                "--only" => options.only = value()?,
                "--guests" => options.places.guests = value()?.into(),
                "--aimctl" => options.places.aimctl = value()?.into(),
                "--neighbour" => options.is_neighbour = true,
                "--asking" => options.is_asking = true,
                "--gates" => options.is_gates = true,
                "--other-gate" => options.other_gate = Some(value()?.into()),
                "--compile" => options.is_compile = true,
                "--scheduling" => options.is_scheduling = true,
                "--idle" => options.is_idle = true,
                "--open" => options.is_open = true,
                "--keep" => options.keep = Some(value()?.into()),
                "--signer" => options.signer = Some(value()?.into()),
                "--reopen" => options.reopen = Some(value()?.into()),
                _ => {
                    return Err("usage: aim-bench [--rounds N] \
                                [--only TEXT | --neighbour | --asking | --gates | --compile | --scheduling | --open] \
                                [--other-gate FILE] [--keep FOLDER] \
                                [--guests FOLDER] [--aimctl FILE]"
                        .into());
                }
            }
        }
        if options.rounds == 0 {
            return Err("`--rounds` must be at least 1".into());
        }
        Ok(options)
    }
}

/// Plays the part of another process, where this one was started for that.
fn play_a_part(options: &Options) -> Option<Result<()>> {
    if let Some(keys) = &options.signer {
        return Some(opening::sign(keys));
    }
    options.reopen.as_deref().map(opening::reopen)
}

fn run(options: &Options) -> Result<()> {
    if options.is_asking {
        say::line(&asking::text()?);
        return Ok(());
    }
    if options.is_scheduling {
        say::line(&scheduling::text()?);
        return Ok(());
    }
    if options.is_compile {
        say::line(&compile::measure(options.rounds)?);
        return Ok(());
    }
    let fixture = Fixture::load(&options.places)?;
    if options.is_open {
        say::line(&opening::measure(
            &fixture,
            options.rounds,
            options.keep.as_deref(),
        )?);
        return Ok(());
    }
    if options.is_idle {
        return cold::be_idle(&fixture);
    }
    say::progress(&format!(
        "allocator {}, {} rounds",
        fixture.engine.allocator().word(),
        options.rounds
    ));
    if options.is_gates {
        return what_judging_costs(&fixture, options);
    }
    if options.is_neighbour {
        let rows = neighbour::measure(&fixture, options.rounds)?;
        say::line(&neighbour::text(&rows));
        return Ok(());
    }
    let cases: Vec<Case> = Case::all()
        .into_iter()
        .filter(|case| case.to_string().contains(&options.only))
        .collect();
    let floor = floor::Floor::new(&fixture)?;
    let mut results = Results::new(&fixture, &floor, cases.clone());
    for number in 1..=options.rounds {
        say::progress(&format!("round {number} of {}", options.rounds));
        let parts = floor.measure(&fixture)?;
        let mut rounds = Vec::with_capacity(cases.len());
        for case in &cases {
            rounds.push(governed::measure(&fixture, *case)?);
        }
        results.add(parts, rounds);
    }
    if options.only.is_empty() {
        say::progress("cold start and idle memory");
        results.cold = Some(cold::measure(&fixture)?);
    }
    say::line(&results.text());
    what_judging_costs(&fixture, options)?;
    say::line(&scheduling::text()?);
    if options.only.is_empty() {
        say::progress("compiling a large plan");
        say::line(&compile::measure(options.rounds)?);
        say::progress("a neighbour of hostile steps");
        let rows = neighbour::measure(&fixture, options.rounds)?;
        say::line(&neighbour::text(&rows));
    }
    Ok(())
}

/// What asking and judging cost, beside a decision of the policy.
fn what_judging_costs(fixture: &Fixture, options: &Options) -> Result<()> {
    say::line(&asking::text()?);
    let other = options.other_gate.as_deref();
    say::line(&gates::text(fixture, other, options.rounds)?);
    Ok(())
}
