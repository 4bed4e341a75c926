//! `policy approve`: what waits for a person, and that person's signed answer.
//!
//! INVARIANT: nothing is signed but what was shown, and without a terminal nobody is asked: `--yes` says it in advance.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal as _, Write as _},
    path::Path,
};

use aim_clock_system::SystemClock;
use aim_core::{
    access::{AccessRequest, SignedUseApproval, Use, UseApproval},
    digest::{Digest, Sha256},
    leaf::LeafKind,
    outcome::Exit,
    quarantine::Approver,
    time::Timestamp,
    witness::{Statement, Subject},
};
use aim_hardening::key_file::{Role, load_secret};
use aim_ports::{clock::Clock as _, policy::Policy as _};
use aim_registry_dir::{Registry, approval_text};
use aim_runtime::commit::Submission;
use aim_schema_json::JsonSchemas;
use aim_trust::{
    key::{KeyRole, SecretKey},
    use_approval::{self, UseApprovals},
};
use serde::Serialize;

use super::asked::asked;
use crate::{
    args::{Cli, Output, PolicyApproveArgs},
    commands::run::{self, compile_policy, load_error, start},
    error::{CliError, Problem},
    paths,
    render::out,
};

const DAY_MS: u64 = 86_400_000;

/// One use that waits.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Waiting {
    node: String,
    request: String,
    tenant: String,
    component: String,
    /// Why there is no approval that counts.
    code: &'static str,
    reason: String,
}

/// What the log keeps of an approval.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UseAnswer<'a> {
    approval: &'a UseApproval,
    digest: Digest,
    kind: &'static str,
    origin: String,
    signature: Option<&'a str>,
}

/// `aimctl policy approve`.
pub(crate) fn approve(cli: &Cli, args: &PolicyApproveArgs) -> Result<Exit, CliError> {
    let beside = || paths::beside(&args.asked.plan).join("aim.toml");
    let config = args.asked.config.clone().unwrap_or_else(beside);
    let registry = Registry::load(&config, &JsonSchemas).map_err(|error| load_error(&error))?;
    let now = SystemClock::start().now();
    let waiting = waiting(&registry, &asked(&args.asked)?, now)?;
    for (_, shown) in &waiting {
        show(cli, shown)?;
    }
    if waiting.is_empty() {
        out::talk("nothing waits for an approval\n");
        return Ok(Exit::Ok);
    }
    let Some(file) = registry.deployment().approvals.clone() else {
        let help = "create an empty file and name it: `approvals = \"approvals.toml\"`";
        let message = "the deployment names no file for approvals";
        return Err(CliError::usage("AIM-P039", message, help));
    };
    consent(args.yes, waiting.len())?;
    let key = key(args, &registry.deployment().gates.approvers)?;
    let expires = now
        .millis()
        .saturating_add(u64::from(args.days).saturating_mul(DAY_MS));
    let expires = Timestamp::from_millis(expires);
    let signed: Vec<SignedUseApproval> = waiting
        .iter()
        .map(|(request, _)| {
            use_approval::sign(UseApproval::of(request, &args.approver, expires), &key)
        })
        .collect();
    // Opened first: with the log open, nothing else can be.
    let target = OpenOptions::new().append(true).open(&file);
    let target = target.map_err(|error| unwritable(&file, &error))?;
    record(cli, args, &signed)?;
    append(target, &signed).map_err(|error| unwritable(&file, &error))?;
    out::talk(&format!(
        "approved until {expires}: {} in {}\n",
        signed.len(),
        file.display()
    ));
    Ok(Exit::Ok)
}

/// Every use that the policy would permit once a person agrees, and that nobody's approval covers now; each once.
fn waiting(
    registry: &Registry,
    requests: &[AccessRequest],
    now: Timestamp,
) -> Result<Vec<(AccessRequest, Waiting)>, CliError> {
    let files = registry.read_policy().map_err(|error| load_error(&error))?;
    let Some(policy) = files.map(compile_policy).transpose()? else {
        return Ok(Vec::new());
    };
    let given = registry
        .read_approvals()
        .map_err(|error| load_error(&error))?;
    let approvals = UseApprovals {
        given: &given,
        approvers: &registry.deployment().gates.approvers,
        now,
    };
    let mut waiting: Vec<(AccessRequest, Waiting)> = Vec::new();
    for request in requests {
        if !policy.decide(request).is_approvable {
            continue;
        }
        let Err(error) = approvals.find(request) else {
            continue;
        };
        let shown = shown(request, error);
        let is_same = |(_, other): &(AccessRequest, Waiting)| {
            other.node == shown.node && other.request == shown.request
        };
        if !waiting.iter().any(is_same) {
            waiting.push((request.clone(), shown));
        }
    }
    Ok(waiting)
}

fn shown(request: &AccessRequest, error: aim_core::access::UseApprovalError) -> Waiting {
    let wanted = Use {
        capability: request.capability,
        mode: request.mode,
        resource: request.resource.clone(),
    };
    Waiting {
        node: request.node.to_string(),
        request: wanted.to_string(),
        tenant: request.tenant.to_string(),
        component: request.component.to_string(),
        code: error.code(),
        reason: error.to_string(),
    }
}

fn show(cli: &Cli, shown: &Waiting) -> Result<(), CliError> {
    match cli.output {
        Output::Json => out::json_line("aim.policy-approve/v1", shown),
        Output::Text => out::line(&format!(
            "{}  {}  for tenant {}, component {}: {} ({})",
            shown.node, shown.request, shown.tenant, shown.component, shown.reason, shown.code
        )),
    }
}

/// Asks whoever sits at the terminal; nobody is asked where there is none.
fn consent(is_given: bool, count: usize) -> Result<(), CliError> {
    if is_given {
        return Ok(());
    }
    let refused = |message: &str, help: &str| {
        let problem = Problem::new("AIM-P037", message).with_help(help);
        Err(CliError::new(Exit::Denied, problem))
    };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let help = "run it at a terminal, or say `--yes` after reading the list";
        return refused(
            "there is no terminal to ask at, and nothing was approved",
            help,
        );
    }
    out::talk(&format!("approve these {count}? type `yes`: "));
    let mut answer = String::new();
    // A terminal that goes away is no answer.
    drop(io::stdin().read_line(&mut answer));
    if answer.trim() == "yes" {
        return Ok(());
    }
    refused("it was not approved", "answer `yes` to approve")
}

/// The approver's key, when it is the one that the deployment knows.
fn key(args: &PolicyApproveArgs, approvers: &[Approver]) -> Result<SecretKey, CliError> {
    let seed = load_secret(&args.key_dir, Role::Approver)?;
    let key = SecretKey::from_bytes(KeyRole::Approver, seed.bytes());
    let public = aim_core::digest::encode_hex(&key.public_bytes());
    let is_known = |one: &Approver| one.name == args.approver && one.key == public;
    if approvers.iter().any(is_known) {
        return Ok(key);
    }
    let message = format!("`{}` with this key is no approver here", args.approver);
    let help = "add `[gates.approvers.<name>]` with role, actor and key to aim.toml";
    let problem = Problem::new("AIM-P032", message).with_help(help);
    Err(CliError::new(Exit::Denied, problem))
}

/// Writes the answers into the log, where there is one: before the first run the run's own lock is their record.
fn record(
    cli: &Cli,
    args: &PolicyApproveArgs,
    signed: &[SignedUseApproval],
) -> Result<(), CliError> {
    let folder = paths::beside(&args.asked.plan).join(paths::DATA_DIR);
    let folder = args.data_dir.as_deref().unwrap_or(&folder);
    if !folder.exists() {
        out::talk("there is no log yet: the first run records these approvals in its lock\n");
        return Ok(());
    }
    let (host, _) = start::open_for_admin(cli, folder, "policy approve")?;
    let committed = signed.iter().try_for_each(|one| {
        let digest = one.approval.digest();
        let bytes = digest.as_bytes();
        let subject = Subject::new("approval", digest, Sha256::of(bytes));
        let kind = LeafKind::Answer;
        let answer = UseAnswer {
            approval: &one.approval,
            digest,
            kind: "use-approval",
            origin: host.facts.origin.clone(),
            signature: one.signature.as_deref(),
        };
        let statement = Statement::new(kind.predicate_type(), vec![subject], answer).payload();
        commit(&host, Submission::witness(kind, statement, Vec::new()))
    });
    let closed = run::close(host);
    committed.and(closed)
}

fn commit(host: &aim_runtime::host::Host, submission: Submission) -> Result<(), CliError> {
    let bug = |code: &str, message: String| CliError::new(Exit::Bug, Problem::new(code, message));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| bug("AIM-R099", error.to_string()))?;
    let committed = runtime.block_on(host.committer.commit_witness(submission));
    committed
        .map(drop)
        .map_err(|error| bug(error.code(), error.to_string()))
}

fn append(mut file: File, signed: &[SignedUseApproval]) -> io::Result<()> {
    let text: String = signed.iter().map(approval_text).collect();
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn unwritable(file: &Path, error: &io::Error) -> CliError {
    let message = format!("`{}` can not be written: {error}", file.display());
    CliError::usage("AIM-P039", message, "make the file one that you may write")
}
