//! `policy suggest`: the least policy that grants what is asked.
//!
//! INVARIANT: what is printed is validated first, permits every request it was made for, and nothing is put into effect.

use aim_core::{
    access::{AccessRequest, smallest_permit},
    outcome::Exit,
};
use aim_policy_cedar::{CedarPolicy, PolicySource};
use aim_ports::policy::Policy as _;
use serde::Serialize;

use super::asked::asked;
use crate::{
    args::{AskedArgs, Cli, Output, PolicySuggestArgs},
    commands::explain::would_deny,
    error::{CliError, Problem},
    evidence,
    render::out,
};

#[derive(Serialize)]
struct Document<'a> {
    rules: usize,
    policy: &'a str,
}

/// `aimctl policy suggest`.
pub(crate) fn suggest(cli: &Cli, args: &PolicySuggestArgs) -> Result<Exit, CliError> {
    let requests = match (&args.plan, &args.run) {
        (Some(plan), _) => {
            let (plan, config) = (plan.clone(), args.config.clone());
            asked(&AskedArgs { plan, config })?
        }
        (None, run) => {
            let (_, ledger) = evidence::read(&args.data.data_dir)?;
            would_deny(&ledger, run.as_deref().unwrap_or("last"))?
        }
    };
    let (rules, policy) = least(&requests, args.pin)?;
    match cli.output {
        Output::Json => {
            let policy = &policy;
            out::json_line("aim.policy-suggest/v1", &Document { rules, policy })?;
        }
        Output::Text => out::text(&policy)?,
    }
    Ok(Exit::Ok)
}

/// One rule for each request, each once.
pub(super) fn least(
    requests: &[AccessRequest],
    is_pinned: bool,
) -> Result<(usize, String), CliError> {
    let mut rules: Vec<String> = Vec::new();
    for request in requests {
        let rule = smallest_permit(request, is_pinned);
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    if rules.is_empty() {
        let message = "nothing is asked for, so there is nothing to permit";
        return Err(CliError::usage("AIM-P013", message, "run without a policy"));
    }
    let text = rules.join("\n");
    let source = PolicySource {
        name: "suggested.cedar".to_owned(),
        text: text.clone(),
    };
    let is_right = CedarPolicy::compile(&[source])
        .is_ok_and(|policy| requests.iter().all(|one| policy.decide(one).is_permitted));
    if !is_right {
        let message = "the rules that were written do not permit what they were written for";
        return Err(CliError::new(Exit::Bug, Problem::new("AIM-P005", message)));
    }
    Ok((rules.len(), text))
}
