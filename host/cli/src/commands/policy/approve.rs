//! `policy approve`: what waits for a person, and that person's signed answer.
//!
//! A person is asked about uses that the policy permits once somebody agrees, and about going back to an older version.
//!
//! INVARIANT: nothing is signed but what was shown, and without a terminal nobody is asked: `--yes` says it in advance.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use aim_clock_system::SystemClock;
use aim_core::{
    access::{AccessRequest, Use, UseApproval, UseApprovalError},
    leaf::LeafKind,
    name::TenantId,
    outcome::Exit,
    time::Timestamp,
};
use aim_ports::{clock::Clock as _, policy::Policy as _};
use aim_registry_dir::{Registry, approval_text, downgrade_text};
use aim_runtime::commit::Submission;
use aim_schema_json::JsonSchemas;
use aim_trust::{
    approval,
    key::{PublicKey, SecretKey},
    use_approval::{self, Consent, Counted, Noted, UseApprovals},
};
use serde::Serialize;

mod older;

use self::older::Older;
use super::asked::asked;
use crate::{
    args::{Cli, Output, PolicyApproveArgs},
    commands::{
        person,
        run::{self, compile_policy, load_error, start},
    },
    error::CliError,
    paths,
    render::out,
};

const DAY_MS: u64 = 86_400_000;

/// One thing that waits for a person, as it is shown.
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

/// What waits.
enum Wanted {
    Use(AccessRequest, UseApprovalError),
    Older(Older),
}

/// What was given: for the file of approvals, and for the log.
struct Given {
    text: String,
    record: Counted,
}

/// `aimctl policy approve`.
pub(crate) fn approve(cli: &Cli, args: &PolicyApproveArgs) -> Result<Exit, CliError> {
    let beside = || paths::beside(&args.asked.plan).join("aim.toml");
    let config = args.asked.config.clone().unwrap_or_else(beside);
    let registry = Registry::load(&config, &JsonSchemas).map_err(|error| load_error(&error))?;
    let now = SystemClock::start().now();
    let wanted = wanted(&registry, args, now)?;
    for one in &wanted {
        show(cli, &one.shown(&registry.deployment().tenant))?;
    }
    if wanted.is_empty() {
        out::talk("nothing waits for an approval\n");
        return Ok(Exit::Ok);
    }
    let Some(file) = registry.deployment().approvals.clone() else {
        let help = "create an empty file and name it: `approvals = \"approvals.toml\"`";
        let message = "the deployment names no file for approvals";
        return Err(CliError::usage("AIM-P039", message, help));
    };
    let question = format!("approve these {}?", wanted.len());
    person::consent(args.yes, &question)?;
    let (approver, key) = person::find(&args.person, &registry.deployment().gates.approvers)?;
    let expires = now
        .millis()
        .saturating_add(u64::from(args.days).saturating_mul(DAY_MS));
    let expires = Timestamp::from_millis(expires);
    let public = approval::public_key(&approver).map_err(person::refused)?;
    let keys = (&key, &public);
    let given = wanted.iter().map(|one| one.give(args, expires, keys));
    let given: Vec<Given> = given.collect();
    // Opened first: with the log open, nothing else can be.
    let target = OpenOptions::new().append(true).open(&file);
    let target = target.map_err(|error| unwritable(&file, &error))?;
    record(cli, args, &given)?;
    append(target, &given).map_err(|error| unwritable(&file, &error))?;
    out::talk(&format!(
        "approved until {expires}: {} in {}\n",
        given.len(),
        file.display()
    ));
    Ok(Exit::Ok)
}

/// The data directory whose log says what was accepted, and keeps the answers.
fn data_dir(args: &PolicyApproveArgs) -> PathBuf {
    let beside = || paths::beside(&args.asked.plan).join(paths::DATA_DIR);
    args.data_dir.clone().unwrap_or_else(beside)
}

/// Everything that waits for a person and that nobody's approval covers now; each once.
fn wanted(
    registry: &Registry,
    args: &PolicyApproveArgs,
    now: Timestamp,
) -> Result<Vec<Wanted>, CliError> {
    let given = registry
        .read_approvals()
        .map_err(|error| load_error(&error))?;
    let approvals = UseApprovals {
        given: &given.uses,
        downgrades: &given.downgrades,
        approvers: &registry.deployment().gates.approvers,
        now,
    };
    let mut wanted = uses(registry, &asked(&args.asked)?, &approvals)?;
    let older = older::waiting(registry, &args.asked, &data_dir(args), &approvals)?;
    wanted.extend(older.into_iter().map(Wanted::Older));
    Ok(wanted)
}

/// Every use that the policy would permit once a person agrees.
fn uses(
    registry: &Registry,
    requests: &[AccessRequest],
    approvals: &UseApprovals<'_>,
) -> Result<Vec<Wanted>, CliError> {
    let files = registry.read_policy().map_err(|error| load_error(&error))?;
    let Some(policy) = files.map(compile_policy).transpose()? else {
        return Ok(Vec::new());
    };
    let mut waiting: Vec<(&AccessRequest, UseApprovalError)> = Vec::new();
    for request in requests {
        let is_same = |(known, _): &(&AccessRequest, _)| {
            known.node == request.node && used(known) == used(request)
        };
        if !policy.decide(request).is_approvable || waiting.iter().any(is_same) {
            continue;
        }
        if let Err(error) = approvals.find(request) {
            waiting.push((request, error));
        }
    }
    let waiting = waiting.into_iter();
    Ok(waiting
        .map(|(request, error)| Wanted::Use(request.clone(), error))
        .collect())
}

fn used(request: &AccessRequest) -> String {
    let wanted = Use {
        capability: request.capability,
        mode: request.mode,
        resource: request.resource.clone(),
    };
    wanted.to_string()
}

impl Wanted {
    fn shown(&self, tenant: &TenantId) -> Waiting {
        match self {
            Self::Use(request, error) => Waiting {
                node: request.node.to_string(),
                request: used(request),
                tenant: request.tenant.to_string(),
                component: request.component.to_string(),
                code: error.code(),
                reason: error.to_string(),
            },
            Self::Older(older) => Waiting {
                node: older.node.to_string(),
                request: format!("version {} after {}", older.version, older.highest),
                tenant: tenant.to_string(),
                component: older.component.to_string(),
                code: "AIM-A060",
                reason: older.why.to_string(),
            },
        }
    }

    fn give(
        &self,
        args: &PolicyApproveArgs,
        expires: Timestamp,
        (key, public): (&SecretKey, &PublicKey),
    ) -> Given {
        let name = &args.person.approver;
        match self {
            Self::Use(request, _) => {
                let signed = use_approval::sign(UseApproval::of(request, name, expires), key);
                Given::of(
                    &signed.approval,
                    signed.signature.as_deref(),
                    (approval_text(&signed), public),
                )
            }
            Self::Older(older) => {
                let signed = use_approval::sign_downgrade(older.leave(name, expires), key);
                Given::of(
                    &signed.approval,
                    signed.signature.as_deref(),
                    (downgrade_text(&signed), public),
                )
            }
        }
    }
}

impl Given {
    fn of<C: Consent>(
        said: &C,
        signature: Option<&str>,
        (text, public): (String, &PublicKey),
    ) -> Self {
        Self {
            text,
            record: Counted::of(said, public, signature.unwrap_or_default()),
        }
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

/// Writes the answers into the log, where there is one: each run for which they count writes them down again.
fn record(cli: &Cli, args: &PolicyApproveArgs, given: &[Given]) -> Result<(), CliError> {
    let folder = data_dir(args);
    if !folder.exists() {
        out::talk("there is no log yet: the runs that they count for write them down\n");
        return Ok(());
    }
    let (host, _) = start::open_for_admin(cli, &folder, "policy approve")?;
    let committed = given.iter().try_for_each(|one| {
        let statement = one.record.statement(&Noted {
            actor: &start::actor(),
            at: host.clock.now(),
            execution: None,
            origin: &host.facts.origin,
        });
        let submission = Submission::witness(LeafKind::Answer, statement, Vec::new());
        run::commit(&host, submission).map(drop)
    });
    let closed = run::close(host);
    committed.and(closed)
}

fn append(mut file: File, given: &[Given]) -> io::Result<()> {
    let text: String = given.iter().map(|one| one.text.as_str()).collect();
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn unwritable(file: &Path, error: &io::Error) -> CliError {
    let message = format!("`{}` can not be written: {error}", file.display());
    CliError::usage("AIM-P039", message, "make the file one that you may write")
}
