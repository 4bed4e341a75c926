//! `logs`: the runtime events of a data directory, as a projection of its log.
//!
//! INVARIANT: readers never lock; following works while a run writes and after it was killed.

use std::{thread, time::Duration};

use aim_core::{event::RuntimeEvent, id::ExecutionId, outcome::Exit};
use aim_engine::text::neutralise;
use aim_runtime::ledger::Ledger;

use crate::{
    args::{Cli, LogsArgs, Output},
    error::CliError,
    evidence,
    render::out::{self, Reader},
};

/// How often a followed log is looked at.
const POLL: Duration = Duration::from_millis(200);
/// Bytes of one event's details that are shown.
const DETAIL_BYTES_MAX: usize = 300;

/// `aimctl logs`.
pub(crate) fn logs(cli: &Cli, args: &LogsArgs) -> Result<Exit, CliError> {
    let reader = evidence::open(&args.data.data_dir)?;
    let mut ledger = Ledger::read(&reader)?;
    let only = only(&ledger, args.run.as_deref())?;
    let mut shown = 0;
    // BOUND: without `--follow` one turn; with it until the reader of stdout leaves or the user interrupts.
    loop {
        let events = ledger.events_from(shown, only);
        let rendered = events.iter().map(|event| render(event, cli.output));
        let text: String = rendered.collect();
        shown = ledger.position().next_sequence;
        let is_gone = !text.is_empty() && out::stream(&text)? == Reader::Gone;
        if is_gone || !args.follow {
            return Ok(Exit::Ok);
        }
        while ledger.refresh(&reader)? == 0 {
            thread::sleep(POLL);
        }
    }
}

fn only(ledger: &Ledger, run: Option<&str>) -> Result<Option<ExecutionId>, CliError> {
    let Some(run) = run else { return Ok(None) };
    let execution = evidence::execution(ledger, run)?;
    Ok(Some(execution.start.execution))
}

fn render(event: &RuntimeEvent, output: Output) -> String {
    match output {
        Output::Json => out::json("aim.event/v1", event),
        Output::Text => {
            let attribute = |name: &str| event.attributes.get(name).map_or("-", String::as_str);
            let step = attribute("step");
            let ended = event
                .attributes
                .get("verdict")
                .or_else(|| event.attributes.get("outcome"));
            let ended = ended.map_or("-", String::as_str);
            let line = format!(
                "{}  {:<26}  {:<16}  {:<10}  {}",
                event.timestamp,
                neutralise(&event.event_type, DETAIL_BYTES_MAX),
                step,
                ended,
                neutralise(&detail(event), DETAIL_BYTES_MAX),
            );
            format!("{}\n", line.trim_end())
        }
    }
}

fn detail(event: &RuntimeEvent) -> String {
    let attribute = |name: &str| event.attributes.get(name).cloned();
    if let (Some(event), Some(from), Some(to)) =
        (attribute("event"), attribute("from"), attribute("to"))
    {
        let why = attribute("reason").map_or_else(String::new, |reason| format!(" ({reason})"));
        return format!("{event} {from} -> {to}{why}");
    }
    if let Some(says) = attribute("says") {
        return says;
    }
    if let Some(violations) = attribute("violations") {
        return violations;
    }
    if let (Some(run), Some(execution)) = (attribute("run"), attribute("execution")) {
        return format!("{} {run} {execution}", event.intent);
    }
    if let Some(code) = attribute("exit_code") {
        return format!("{} exit {code}", event.intent);
    }
    event
        .artifact_id
        .clone()
        .or_else(|| attribute("review").map(|open| format!("review {open}")))
        .unwrap_or_default()
}
