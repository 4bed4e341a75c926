//! What a replay came to, on stdout.
//!
//! INVARIANT: both forms show every difference and everything that is missing.

use aim_core::{
    digest::Digest,
    outcome::Exit,
    replay::{BEHAVES_OTHERWISE, DIVERGED, Difference},
};
use aim_engine::text::neutralise;
use aim_runtime::replay::{Case, Missing, Replay, Standing};
use serde::Serialize;

use crate::{
    args::{Cli, Output},
    error::CliError,
    render::out,
};

/// Bytes of one line's variable part.
const LINE_BYTES_MAX: usize = 1_000;

#[derive(Serialize)]
struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Digest>,
    attempt: u32,
    calls: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    differences: &'a [Difference],
    execution: String,
    /// Cut by time or by a person, and compared as far as it goes.
    is_cut: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<Lack<'a>>,
    path: &'a str,
    run: String,
    standing: &'static str,
    step: &'a str,
    witness: Digest,
}

#[derive(Serialize)]
struct Lack<'a> {
    code: &'static str,
    what: &'a str,
}

fn lacks(missing: &[Missing]) -> Vec<Lack<'_>> {
    missing
        .iter()
        .map(|one| Lack {
            code: one.code,
            what: &one.what,
        })
        .collect()
}

/// One attempt.
pub(super) fn one(
    cli: &Cli,
    case: &Case,
    replay: &Replay,
    against: Option<Digest>,
) -> Result<(), CliError> {
    let (differences, missing): (&[Difference], &[Missing]) = match &replay.standing {
        Standing::Diverged(found) => (found, &[]),
        Standing::Abstained(missing) => (&[], missing),
        Standing::Equal | Standing::NotRun => (&[], &[]),
    };
    let of_differences = match against {
        Some(_) => BEHAVES_OTHERWISE,
        None => DIVERGED,
    };
    let code = (!differences.is_empty()).then_some(of_differences);
    let code = code.or_else(|| missing.first().map(|one| one.code));
    if cli.output == Output::Json {
        let document = Document {
            against,
            attempt: replay.attempt_no,
            calls: replay.calls,
            code,
            differences,
            execution: case.start().execution.to_string(),
            is_cut: replay.is_cut,
            missing: lacks(missing),
            path: replay.path.as_str(),
            run: case.run().to_string(),
            standing: replay.standing.word(),
            step: replay.step.as_str(),
            witness: replay.witness,
        };
        return out::json_line("aim.replay/v1", &document);
    }
    let code = code.map(|code| format!("  {code}")).unwrap_or_default();
    let cut = if replay.is_cut { ", cut" } else { "" };
    out::line(&format!(
        "{:<10} {} #{} · {} calls{cut} · {}{code}",
        replay.standing.word(),
        replay.path,
        replay.attempt_no,
        replay.calls,
        replay.witness
    ))?;
    for difference in differences {
        let Difference {
            field,
            recorded,
            replayed,
        } = difference;
        line(&format!(
            "{field}: recorded {recorded}, replayed {replayed}"
        ))?;
    }
    missing.iter().try_for_each(lack)
}

fn lack(missing: &Missing) -> Result<(), CliError> {
    line(&format!("missing ({}): {}", missing.code, missing.what))?;
    line(&format!("  help: {}", missing.help()))
}

fn line(text: &str) -> Result<(), CliError> {
    out::line(&format!("  {}", neutralise(text, LINE_BYTES_MAX)))
}

#[derive(Serialize)]
struct NothingDocument<'a> {
    missing: Vec<Lack<'a>>,
    run: String,
    standing: &'static str,
}

/// A run of which nothing can be replayed.
pub(super) fn nothing(cli: &Cli, case: &Case, missing: &[Missing]) -> Result<Exit, CliError> {
    if cli.output == Output::Json {
        let document = NothingDocument {
            missing: lacks(missing),
            run: case.run().to_string(),
            standing: "abstained",
        };
        out::json_line("aim.replay/v1", &document)?;
        return Ok(Exit::Abstained);
    }
    out::line(&format!("abstained  {}", case.run()))?;
    missing.iter().try_for_each(lack)?;
    Ok(Exit::Abstained)
}

/// One line for people.
pub(super) fn summary(replays: &[Replay]) {
    let count = |word: &str| {
        replays
            .iter()
            .filter(|one| one.standing.word() == word)
            .count()
    };
    out::talk(&format!(
        "{} attempts · {} equal · {} diverged · {} abstained · {} not run\n",
        replays.len(),
        count("equal"),
        count("diverged"),
        count("abstained"),
        count("not-run")
    ));
}
