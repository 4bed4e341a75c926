//! What each command's help ends with: a line to copy, and what it is good for.
//!
//! INVARIANT: every command that people see has examples, and every one of them is a command line that parses.

use clap::Command;

/// The words of a command behind `aimctl`, and its examples: what is typed, and why.
type Row = (
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

/// Every command with its examples.
const ROWS: &[Row] = &[
    (
        &["run"],
        &[
            (
                "aimctl run plan.acl -i logs=@/var/log/app",
                "run it; what is left lies in .aim/ beside the plan",
            ),
            (
                "aimctl run plan.acl --again",
                "ask the same question once more",
            ),
            (
                "aimctl run plan.acl --locked",
                "only what plan.lock pins (aimctl plan plan.acl --lock)",
            ),
        ],
    ),
    (
        &["answer"],
        &[(
            "aimctl answer last q_0123abcd yes --as ann --key-dir ~/ann",
            "`aimctl runs` shows the question; then run the plan again",
        )],
    ),
    (
        &["cancel"],
        &[(
            "aimctl cancel last",
            "what is cut off has a witness; the run ends with 130",
        )],
    ),
    (
        &["replay"],
        &[
            ("aimctl replay last", "every attempt again, from its record"),
            (
                "aimctl replay last --step verify --against new.wasm",
                "would the new component have behaved the same?",
            ),
        ],
    ),
    (
        &["runs"],
        &[(
            "aimctl runs --data-dir examples/incident-triage/.aim",
            "every run of that folder and how it stands",
        )],
    ),
    (
        &["compile"],
        &[(
            "aimctl compile plan.acl > plan.json",
            "the IR on stdout, its digest on stderr",
        )],
    ),
    (
        &["plan"],
        &[
            (
                "aimctl plan plan.acl",
                "steps, components, grants and the rule behind each",
            ),
            (
                "aimctl plan plan.acl --graph svg > plan.svg",
                "a picture; needs no deployment",
            ),
            (
                "aimctl plan plan.acl --lock",
                "writes plan.lock for `run --locked`",
            ),
        ],
    ),
    (
        &["lint"],
        &[
            (
                "aimctl lint plan.acl --strict",
                "nothing may be left unsaid",
            ),
            (
                "aimctl lint plan.acl --fix",
                "writes what changes no meaning",
            ),
        ],
    ),
    (
        &["fmt"],
        &[(
            "aimctl fmt --check plans/a.acl plans/b.acl",
            "for automation: exit 2 names what would change",
        )],
    ),
    (
        &["lsp"],
        &[(
            "aimctl lsp --stdio",
            "what an editor starts (docs/guides/editor.md)",
        )],
    ),
    (
        &["logs"],
        &[
            ("aimctl logs --run last", "what happened, event by event"),
            ("aimctl logs -f -o json", "as it happens, for programs"),
        ],
    ),
    (
        &["witness", "show"],
        &[(
            "aimctl witness show last -o json",
            "the whole statement, as it was signed",
        )],
    ),
    (
        &["witness", "export"],
        &[(
            "aimctl witness export --run last -f run.json",
            "one file that `aimctl verify` checks anywhere",
        )],
    ),
    (
        &["verify"],
        &[
            (
                "aimctl verify .aim --key aim.pub",
                "a data directory; keys from `aimctl keys show`, kept elsewhere",
            ),
            ("aimctl verify run.json --key aim.pub", "an export"),
        ],
    ),
    (
        &["inspect"],
        &[(
            "aimctl inspect step.wasm",
            "what a contract for it has to ask for",
        )],
    ),
    (
        &["keys", "init"],
        &[("aimctl keys init", "otherwise the first run makes them")],
    ),
    (
        &["keys", "show"],
        &[(
            "aimctl keys show > aim.pub",
            "keep it where the evidence is not",
        )],
    ),
    (
        &["keys", "new"],
        &[
            (
                "aimctl keys new gate ~/publisher > codex.pub",
                "for signing codexes",
            ),
            (
                "aimctl keys new approver ~/ann",
                "for a person who approves and answers",
            ),
        ],
    ),
    (
        &["explain", "deny"],
        &[
            (
                "aimctl explain deny last fetch 14",
                "host call 14 of step `fetch`",
            ),
            (
                "aimctl explain deny load 7",
                "a component that was refused; 7 is its index in the log",
            ),
        ],
    ),
    (
        &["policy", "check"],
        &[(
            "aimctl policy check policy.cedar",
            "a file or a folder of them",
        )],
    ),
    (
        &["policy", "test"],
        &[(
            "aimctl policy test cases.toml --policy policy.cedar",
            "docs/guides/policy.md says how a case is written",
        )],
    ),
    (
        &["policy", "explain"],
        &[(
            "aimctl policy explain policy.cedar action=artifact.put plan=triage step=report node=triage.report tenant=global",
            "why, and what would change it",
        )],
    ),
    (
        &["policy", "suggest"],
        &[
            (
                "aimctl policy suggest --plan plan.acl > policy.cedar",
                "the least that the contracts ask for",
            ),
            (
                "aimctl policy suggest --run last",
                "the rules that a policy on trial lacks",
            ),
        ],
    ),
    (
        &["policy", "diff"],
        &[(
            "aimctl policy diff old.cedar new.cedar --plan plan.acl",
            "what becomes allowed, what becomes denied",
        )],
    ),
    (
        &["policy", "approve"],
        &[(
            "aimctl policy approve --plan plan.acl --as ann --key-dir ~/ann",
            "shows what waits, and asks",
        )],
    ),
    (
        &["codex", "sign"],
        &[(
            "aimctl codex sign codex.json --key-dir ~/publisher",
            "writes codex.json.dsse beside it",
        )],
    ),
    (
        &["codex", "verify"],
        &[(
            "aimctl codex verify codex.json --key codex.pub",
            "as a run would",
        )],
    ),
    (
        &["gate", "record"],
        &[(
            "aimctl gate record cases.jsonl --node judge",
            "a table for aim.toml, which thresholds follow from then on",
        )],
    ),
    (
        &["gate", "test"],
        &[(
            "aimctl gate test gate.wasm --cases cases --codex codex.json",
            "exit 1 when a case came otherwise",
        )],
    ),
    (
        &["quarantine", "list"],
        &[(
            "aimctl quarantine list",
            "what is kept aside, and who has answered",
        )],
    ),
    (
        &["quarantine", "show"],
        &[(
            "aimctl quarantine show 12 --out released",
            "12 is its index in the log",
        )],
    ),
    (
        &["quarantine", "release"],
        &[(
            "aimctl quarantine release 12 --as ann --key-dir ~/ann",
            "one of the two approvals that it takes",
        )],
    ),
    (
        &["quarantine", "reject"],
        &[(
            "aimctl quarantine reject 12 --as ann --key-dir ~/ann",
            "one is enough, and it is for good",
        )],
    ),
];

/// The command line with the examples of every command at the end of its help.
pub(crate) fn with_examples(command: Command) -> Command {
    ROWS.iter().fold(command, |command, (path, examples)| {
        let width = examples
            .iter()
            .map(|(line, _)| line.len())
            .max()
            .unwrap_or(0);
        let lines = examples.iter().map(|(line, why)| {
            if width + why.len() < 94 {
                format!("  {line:width$}  {why}\n")
            } else {
                format!("  {line}\n      {why}\n")
            }
        });
        let text = format!("Examples:\n{}", lines.collect::<String>());
        at(command, path, text)
    })
}

/// Ends the help of the command behind `path` with `text`.
fn at(command: Command, path: &[&'static str], text: String) -> Command {
    match path {
        [] => command.after_help(text),
        [first, rest @ ..] => command.mut_subcommand(*first, |command| at(command, rest, text)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::args::Cli;

    /// The paths of all commands that do something and are shown.
    fn leaves(command: &Command, path: &[String], found: &mut BTreeSet<Vec<String>>) {
        let shown = command.get_subcommands().filter(|one| !one.is_hide_set());
        let mut is_leaf = true;
        for one in shown.filter(|one| one.get_name() != "help") {
            is_leaf = false;
            leaves(one, &[path, &[one.get_name().to_owned()]].concat(), found);
        }
        if is_leaf {
            found.insert(path.to_vec());
        }
    }

    /// Control: with the row of `verify` taken out, this failed.
    #[test]
    fn every_command_that_people_see_has_examples() {
        let mut found = BTreeSet::new();
        leaves(&Cli::command(), &[], &mut found);
        let known = ROWS
            .iter()
            .map(|(path, _)| path.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(found, known.collect());
    }

    #[test]
    fn every_example_is_a_command_line_that_parses_and_is_about_its_command() {
        for (path, examples) in ROWS {
            for (line, _) in *examples {
                let typed = line.split(" > ").next().unwrap();
                let words: Vec<&str> = typed.split(' ').collect();
                let parsed = Cli::try_parse_from(&words);
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
                assert_eq!(&words[1..=path.len()], *path, "{line}");
            }
        }
    }
}
