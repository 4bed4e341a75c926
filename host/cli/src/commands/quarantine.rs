//! `quarantine`: what is kept aside, and the two people who release it.
//!
//! INVARIANT: the rules are core's; an answer that core refuses is never written down, nothing is signed but what was shown, and
//! no bytes are handed out before the release is in the log.

use std::path::Path;

use aim_clock_system::SystemClock;
use aim_core::{
    digest::{Digest, Sha256},
    leaf::LeafKind,
    outcome::Exit,
    quarantine::{
        self, ANSWER_KIND, Answer, AnswerPredicate, Approval, Approver, Case, QuarantineRules,
        RELEASE_KIND, ReleasePredicate, Standing,
    },
    witness::{AttemptPredicate, Statement, Subject},
};
use aim_ports::clock::Clock as _;
use aim_registry_dir::Registry;
use aim_runtime::{
    aside::kept_aside,
    commit::Submission,
    host::Host,
    ledger::{Entry, EntryBody, Ledger},
    resume::Payloads,
};
use aim_schema_json::JsonSchemas;
use aim_trust::{approval, key::SecretKey};
use serde::Serialize;

use crate::{
    args::{Cli, Output, QuarantineAnswerArgs, QuarantineArgs, QuarantineShowArgs},
    commands::{
        person,
        run::{self, start},
    },
    error::{CliError, Problem},
    evidence, files,
    render::out,
};

/// Who may answer, and how.
struct Deployed {
    approvers: Vec<Approver>,
    rules: QuarantineRules,
}

#[derive(Serialize)]
struct Shown {
    case: String,
    step: String,
    run: String,
    ran_by: String,
    standing: &'static str,
    is_recorded: bool,
    approvers: Vec<String>,
    token: String,
    reasons: Vec<String>,
    outputs: Vec<String>,
}

/// `aimctl quarantine list`.
pub(crate) fn list(cli: &Cli, args: &QuarantineArgs) -> Result<Exit, CliError> {
    let deployed = deployed(&args.config)?;
    let (_, ledger) = evidence::read(&args.data.data_dir)?;
    for entry in ledger.entries() {
        let Some(attempt) = kept_aside(entry) else {
            continue;
        };
        let shown = shown(&ledger, entry, attempt, &deployed);
        match cli.output {
            Output::Json => out::json_line("aim.quarantine/v1", &shown)?,
            Output::Text => out::line(&format!(
                "{}  {:<9} {}  by {}",
                shown.case, shown.standing, shown.step, shown.ran_by
            ))?,
        }
    }
    Ok(Exit::Ok)
}

/// `aimctl quarantine show`.
pub(crate) fn show(cli: &Cli, args: &QuarantineShowArgs) -> Result<Exit, CliError> {
    let deployed = deployed(&args.common.config)?;
    let (reader, ledger) = evidence::read(&args.common.data.data_dir)?;
    let (entry, attempt) = find(&ledger, &args.case)?;
    let shown = shown(&ledger, entry, attempt, &deployed);
    if let Some(folder) = &args.out {
        if !shown.is_recorded {
            let message = format!(
                "the case is {}, and its outputs stay where they are",
                shown.standing
            );
            let help = "two approvals release it: `aimctl quarantine release`";
            let problem = Problem::new("AIM-G030", message).with_help(help);
            return Err(CliError::new(Exit::Denied, problem));
        }
        let store = start::store(&args.common.data.data_dir);
        let payloads = Payloads {
            ledger: &ledger,
            reader: &reader,
            store: &store,
        };
        write_outputs(folder, attempt, payloads)?;
    }
    match cli.output {
        Output::Json => out::json_line("aim.quarantine/v1", &shown)?,
        Output::Text => out::text(&for_people(&shown))?,
    }
    Ok(Exit::Ok)
}

fn write_outputs(
    folder: &Path,
    attempt: &AttemptPredicate,
    payloads: Payloads<'_>,
) -> Result<(), CliError> {
    std::fs::create_dir_all(folder).map_err(|error| {
        CliError::usage(
            "AIM-D001",
            error.to_string(),
            "name another folder with --out",
        )
    })?;
    for output in &attempt.outputs {
        let bytes = payloads
            .find(output.body)
            .map_err(|detail| CliError::new(Exit::Evidence, Problem::new("AIM-R050", detail)))?;
        files::write_whole(&folder.join(output.body.hex()), &bytes)?;
    }
    Ok(())
}

/// `aimctl quarantine release` and `aimctl quarantine reject`.
pub(crate) fn answer(
    cli: &Cli,
    args: &QuarantineAnswerArgs,
    answer: Answer,
) -> Result<Exit, CliError> {
    let deployed = deployed(&args.common.config)?;
    let (_, ledger) = evidence::read(&args.common.data.data_dir)?;
    let (entry, attempt) = find(&ledger, &args.case)?;
    let witness = entry.witness;
    let (approver, key) = person::find(&args.person, &deployed.approvers)?;
    out::talk(&for_people(&shown(&ledger, entry, attempt, &deployed)));
    let verb = match answer {
        Answer::Approve => "release",
        Answer::Reject => "reject",
    };
    person::consent(args.yes, &format!("{verb} it as {}?", approver.name))?;
    let (host, ledger) = start::open_for_admin(cli, &args.common.data.data_dir, "quarantine")?;
    let committed = give(
        &host,
        &ledger,
        (witness, &deployed),
        (&approver, &key),
        answer,
    );
    let standing = match committed {
        Ok(standing) => standing,
        Err(error) => {
            // The log is unchanged; that the host could not be closed well is no reason to hide why.
            drop(run::close(host));
            return Err(error);
        }
    };
    run::close(host)?;
    match cli.output {
        Output::Json => {
            let body = std::collections::BTreeMap::from([
                ("case", witness.to_string()),
                ("standing", standing.word().to_owned()),
            ]);
            out::json_line("aim.quarantine-answer/v1", &body)?;
        }
        Output::Text => {
            out::line(&format!("{witness}  {}", standing.word()))?;
            if let Standing::Released(..) | Standing::Rejected(_) = &standing {
                out::talk("a run that waits for it goes on when it is run again\n");
            }
        }
    }
    Ok(Exit::Ok)
}

/// Decides on what the locked log says, then writes it down.
fn give(
    host: &Host,
    ledger: &Ledger,
    (witness, deployed): (Digest, &Deployed),
    (approver, key): (&Approver, &SecretKey),
    answer: Answer,
) -> Result<Standing, CliError> {
    let (_, attempt) = find(ledger, &witness.hex())?;
    let case = Case::of(witness, &attempt.actor, &attempt.gates);
    let taken = approvals(ledger, witness, deployed);
    let now = host.clock.now();
    let next = Approval {
        answer,
        approver: approver.clone(),
        at: now,
        token: case.token(),
    };
    let standing = match quarantine::standing(&case, &taken, now, &deployed.rules) {
        // Two have approved, and the host fell before the release was recorded: what is left is to record it.
        released @ Standing::Released(..)
            if answer == Answer::Approve && !is_recorded(ledger, witness) =>
        {
            released
        }
        _ => {
            let standing = quarantine::take(&case, &taken, &next, now, &deployed.rules);
            let standing = standing.map_err(|error| {
                let problem = Problem::new(error.code(), error.to_string()).with_help(error.help());
                CliError::new(Exit::Denied, problem)
            })?;
            let signed = approval::sign(&next, key);
            let checked: Result<Approval, _> = approval::verify(&signed, &deployed.approvers);
            checked.map_err(person::refused)?;
            commit(
                host,
                LeafKind::Answer,
                witness,
                AnswerPredicate {
                    approval: signed,
                    kind: ANSWER_KIND.to_owned(),
                    origin: host.facts.origin.clone(),
                    witness,
                },
            )?;
            standing
        }
    };
    if let Standing::Released(first, second) = &standing {
        commit(
            host,
            LeafKind::Admin,
            witness,
            ReleasePredicate {
                approvers: vec![first.clone(), second.clone()],
                kind: RELEASE_KIND.to_owned(),
                origin: host.facts.origin.clone(),
                outputs: attempt.outputs.iter().map(|output| output.body).collect(),
                released_at: now,
                token: case.token(),
                witness,
            },
        )?;
    }
    Ok(standing)
}

fn commit<P: Serialize>(
    host: &Host,
    kind: LeafKind,
    witness: Digest,
    predicate: P,
) -> Result<(), CliError> {
    let bytes = witness.as_bytes();
    let subject = Subject::new("witness", Digest::of(bytes), Sha256::of(bytes));
    let statement = Statement::new(kind.predicate_type(), vec![subject], predicate).payload();
    let submission = Submission::witness(kind, statement, Vec::new());
    run::commit(host, submission).map(drop)
}

fn deployed(config: &Path) -> Result<Deployed, CliError> {
    let registry = Registry::load(config, &JsonSchemas).map_err(|error| run::load_error(&error))?;
    let gates = &registry.deployment().gates;
    Ok(Deployed {
        approvers: gates.approvers.clone(),
        rules: gates.quarantine.unwrap_or(QuarantineRules::DEFAULT),
    })
}

fn find<'a>(ledger: &'a Ledger, id: &str) -> Result<(&'a Entry, &'a AttemptPredicate), CliError> {
    let entry = evidence::entry(ledger, id)?;
    let attempt = kept_aside(entry).ok_or_else(|| {
        let message = format!("`{id}` is no attempt whose outputs are kept aside");
        CliError::not_found(
            "AIM-G030",
            message,
            "`aimctl quarantine list` shows all there are",
        )
    })?;
    Ok((entry, attempt))
}

/// The answers about a case that their approvers signed, in the order of the log.
fn approvals(ledger: &Ledger, witness: Digest, deployed: &Deployed) -> Vec<Approval> {
    let answers = ledger.about(witness);
    answers
        .filter_map(|entry| match &entry.body {
            EntryBody::Approval(answer) => {
                approval::verify(&answer.approval, &deployed.approvers).ok()
            }
            _ => None,
        })
        .collect()
}

/// True when the release of a case is in the log.
fn is_recorded(ledger: &Ledger, witness: Digest) -> bool {
    let mut acts = ledger.about(witness);
    acts.any(|entry| matches!(&entry.body, EntryBody::Release(_)))
}

fn shown(ledger: &Ledger, entry: &Entry, attempt: &AttemptPredicate, deployed: &Deployed) -> Shown {
    let case = Case::of(entry.witness, &attempt.actor, &attempt.gates);
    let taken = approvals(ledger, entry.witness, deployed);
    let now = SystemClock::start().now();
    let standing = quarantine::standing(&case, &taken, now, &deployed.rules);
    let approvers: Vec<&Approver> = match &standing {
        Standing::Open => Vec::new(),
        Standing::OneKey(one) | Standing::Rejected(one) => vec![one],
        Standing::Released(one, other) => vec![one, other],
    };
    let held = attempt.gates.iter().filter(|gate| !gate.verdict.releases());
    let reasons = held.flat_map(|gate| {
        let reasons = gate.reasons.iter();
        reasons.map(|reason| format!("{} says {}: {reason}", gate.gate, gate.verdict.word()))
    });
    Shown {
        case: entry.witness.to_string(),
        step: attempt.step.to_string(),
        run: attempt.run.to_string(),
        ran_by: attempt.actor.clone(),
        standing: standing.word(),
        is_recorded: is_recorded(ledger, entry.witness),
        approvers: approvers
            .iter()
            .map(|one| format!("{} ({})", one.name, one.role))
            .collect(),
        token: case.token().to_string(),
        reasons: reasons.collect(),
        outputs: attempt
            .outputs
            .iter()
            .map(|output| output.body.to_string())
            .collect(),
    }
}

fn for_people(shown: &Shown) -> String {
    let approvers = shown.approvers.join(", ");
    let mut standing = vec![shown.standing, approvers.as_str()];
    standing.retain(|part| !part.is_empty());
    let mut lines = vec![
        format!("case      {}", shown.case),
        format!("step      {} of {}", shown.step, shown.run),
        format!("run by    {}", shown.ran_by),
        format!("standing  {}", standing.join(" ")),
        format!("token     {}", shown.token),
    ];
    lines.extend(
        shown
            .reasons
            .iter()
            .map(|one| format!("reason    {}", aim_engine::text::neutralise(one, 600))),
    );
    lines.extend(shown.outputs.iter().map(|one| format!("output    {one}")));
    lines.push(String::new());
    lines.join("\n")
}
