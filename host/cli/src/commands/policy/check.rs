//! `policy check`: a policy that loads, or everything that is wrong with it.
//!
//! INVARIANT: what passes here is what `run` would take, read by the same code.

use aim_core::outcome::Exit;
use aim_ports::policy::Policy as _;
use serde::Serialize;

use super::{ShownRule, load};
use crate::{
    args::{Cli, Output, PolicyCheckArgs},
    error::CliError,
    render::{lines::Lines, out},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    policy: String,
    rules: Vec<ShownRule>,
}

/// `aimctl policy check`.
pub(crate) fn check(cli: &Cli, args: &PolicyCheckArgs) -> Result<Exit, CliError> {
    let policy = load(&args.policy)?;
    let document = Document {
        policy: policy.digest().to_string(),
        rules: policy.rules().iter().map(ShownRule::from).collect(),
    };
    match cli.output {
        Output::Json => out::json_line("aim.policy-check/v1", &document)?,
        Output::Text => {
            let mut lines = Lines::new(6);
            lines.add("policy", &document.policy);
            for rule in &document.rules {
                lines.add(rule.effect, rule.text());
            }
            out::text(&lines.into_text())?;
        }
    }
    Ok(Exit::Ok)
}
