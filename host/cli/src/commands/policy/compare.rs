//! `policy diff`: what becomes allowed and what becomes denied for the contracts of a plan.
//!
//! INVARIANT: both policies answer the same requests; an ask that is refused whole is shown by the use that it fails on.

use aim_core::{
    access::{AccessRequest, WrittenRequest},
    outcome::Exit,
};
use aim_policy_cedar::{CedarPolicy, cases::CaseVerdict};
use aim_ports::policy::Policy as _;
use serde::Serialize;

use super::{ShownRule, asked::asked, load};
use crate::{
    args::{Cli, Output, PolicyDiffArgs},
    error::CliError,
    render::{lines::Lines, out},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    request: WrittenRequest,
    was: &'static str,
    becomes: &'static str,
    was_by: Vec<ShownRule>,
    becomes_by: Vec<ShownRule>,
}

#[derive(Serialize)]
struct Summary {
    requests: usize,
    changes: usize,
}

/// `aimctl policy diff`.
pub(crate) fn diff(cli: &Cli, args: &PolicyDiffArgs) -> Result<Exit, CliError> {
    let (old, new) = (load(&args.old)?, load(&args.new)?);
    let requests = asked(&args.asked)?;
    let rows: Vec<Row> = requests
        .iter()
        .filter_map(|request| row(&old, &new, request))
        .collect();
    match cli.output {
        Output::Json => {
            for row in &rows {
                out::json_line("aim.policy-change/v1", row)?;
            }
            let (requests, changes) = (requests.len(), rows.len());
            out::json_line("aim.policy-diff/v1", &Summary { requests, changes })?;
        }
        Output::Text => out::text(&text(&rows, requests.len()))?,
    }
    Ok(Exit::Ok)
}

fn row(old: &CedarPolicy, new: &CedarPolicy, request: &AccessRequest) -> Option<Row> {
    let (before, after) = (old.decide(request), new.decide(request));
    let (was, becomes) = (CaseVerdict::of(&before), CaseVerdict::of(&after));
    let by = |policy: &CedarPolicy, rules: &[String]| {
        let rules = rules.iter().map(|name| ShownRule::from(&policy.rule(name)));
        rules.collect::<Vec<_>>()
    };
    (was != becomes).then(|| Row {
        request: WrittenRequest::from(request),
        was: was.word(),
        becomes: becomes.word(),
        was_by: by(old, &before.rules),
        becomes_by: by(new, &after.rules),
    })
}

fn text(rows: &[Row], requests: usize) -> String {
    let mut lines = Lines::new(7);
    for row in rows {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        let (plan, step) = (part(&row.request.plan), part(&row.request.step));
        let (action, name) = (part(&row.request.action), part(&row.request.resource));
        let rules: Vec<String> = row.becomes_by.iter().map(ShownRule::text).collect();
        let by = match rules.as_slice() {
            [] => "no rule permits it".to_owned(),
            rules => rules.join(", "),
        };
        let what = format!("{plan}.{step} {action} on {name}: was {}, by {by}", row.was);
        lines.add(row.becomes, what);
    }
    lines.title(&format!("{requests} requests, {} changes", rows.len()));
    lines.into_text()
}
