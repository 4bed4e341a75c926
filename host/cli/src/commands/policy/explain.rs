//! `policy explain`: one request in words, decided and explained.
//!
//! INVARIANT: the verdict is the one that a run would get from the same policy.

use aim_core::{access::WrittenRequest, outcome::Exit};

use super::{ShownExplanation, load};
use crate::{
    args::{Cli, Output, PolicyExplainArgs},
    error::{CliError, Problem},
    render::out,
};

/// `aimctl policy explain`.
pub(crate) fn explain(cli: &Cli, args: &PolicyExplainArgs) -> Result<Exit, CliError> {
    let policy = load(&args.policy)?;
    let mut pairs = Vec::new();
    for written in &args.request {
        let pair = written.split_once('=').ok_or_else(|| {
            let message = format!("`{written}` is no `name=value`");
            CliError::usage(
                "AIM-P012",
                message,
                "write the request as `action=log plan=triage ...`",
            )
        })?;
        pairs.push(pair);
    }
    let written = WrittenRequest::from_pairs(pairs.into_iter()).map_err(|name| {
        let message = format!("`{name}` is no part of a request, or is given twice");
        let help = "use action, plan, step, node, component, tenant, resource, kind and autonomy";
        CliError::usage("AIM-P012", message, help)
    })?;
    let request = written.request().map_err(|error| {
        let problem = Problem::new(error.code(), error.to_string()).with_help(error.help());
        CliError::new(Exit::Usage, problem)
    })?;
    let explanation = policy.explain(&request);
    let shown = ShownExplanation::new(WrittenRequest::from(&request), &explanation);
    match cli.output {
        Output::Json => out::json_line("aim.policy-explain/v1", &shown)?,
        Output::Text => out::text(&shown.text())?,
    }
    Ok(if explanation.decision.is_permitted {
        Exit::Ok
    } else {
        Exit::Denied
    })
}
