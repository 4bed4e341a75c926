//! `policy test`: every case of a file, decided and compared.
//!
//! INVARIANT: exit 0 means that every case was decided and none differs.

use aim_core::outcome::Exit;
use aim_policy_cedar::cases::{CaseResult, Cases, CasesError};
use serde::Serialize;

use super::load;
use crate::{
    args::{Cli, Output, PolicyTestArgs},
    error::{CliError, Problem},
    files,
    render::{lines::Lines, out},
};

/// Bytes of a file of cases.
const CASES_BYTES_MAX: usize = 4 * 1024 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    name: &'a str,
    expected: &'static str,
    verdict: &'static str,
    rules: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    differs: &'a [String],
}

#[derive(Serialize)]
struct Summary {
    cases: usize,
    differ: usize,
}

/// `aimctl policy test`.
pub(crate) fn test(cli: &Cli, args: &PolicyTestArgs) -> Result<Exit, CliError> {
    let text = files::read_text(&args.cases, "cases", CASES_BYTES_MAX)?;
    let cases = Cases::parse(&text).map_err(|error| cases_error(&error))?;
    let tested = args.policy.as_deref().map(load).transpose()?;
    let results = cases
        .run(tested.as_ref())
        .map_err(|error| cases_error(&error))?;
    let differ = results.iter().filter(|one| !one.differs.is_empty()).count();
    match cli.output {
        Output::Json => {
            for result in &results {
                out::json_line("aim.policy-case/v1", &row(result))?;
            }
            let cases = results.len();
            out::json_line("aim.policy-test/v1", &Summary { cases, differ })?;
        }
        Output::Text => {
            let mut lines = Lines::new(7);
            for result in results.iter().filter(|one| !one.differs.is_empty()) {
                for what in &result.differs {
                    lines.add("differs", format!("{}: {what}", result.name));
                }
            }
            lines.title(&format!("{} cases, {differ} differ", results.len()));
            out::text(&lines.into_text())?;
        }
    }
    Ok(if differ == 0 { Exit::Ok } else { Exit::Failed })
}

fn row(result: &CaseResult) -> Row<'_> {
    Row {
        name: &result.name,
        expected: result.expected.word(),
        verdict: result.verdict.word(),
        rules: &result.rules,
        code: result.refusal.as_ref().map(|(code, _)| code.as_str()),
        differs: &result.differs,
    }
}

fn cases_error(error: &CasesError) -> CliError {
    let problem = Problem::new(error.code(), error.to_string()).with_help(error.help());
    CliError::new(Exit::Usage, problem)
}
