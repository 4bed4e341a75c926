//! `verify`: whether evidence holds, what that proves and what it does not.
//!
//! INVARIANT: the last line is `VERIFIED` only for evidence that keys from outside vouch for; every other end exits with 4.

mod artifacts;

use std::{io::ErrorKind, path::Path};

use aim_core::{
    digest::{Digest, encode_hex},
    outcome::Exit,
    plan::Lock,
};
use aim_policy_cedar::{CedarPolicy, PolicySource};
use aim_ports::{log::LogReader as _, policy::Policy as _};
use aim_trust::{
    export::{EXPORT_BYTES_MAX, Export, open_export},
    key::KeySet,
    verify::{Anchored, EvidenceFault, KeySource, Report, VerifyOptions, verify_log},
};
use serde::Serialize;

use self::artifacts::Artifacts;
use super::keys::key_error;
use crate::{
    args::{Cli, Output, VerifyArgs},
    error::CliError,
    evidence, files,
    render::{lines::Lines, out},
};

/// What a key text may have.
const KEYS_BYTES_MAX: usize = 16 * 1024;
/// What a checkpoint may have.
const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;

/// What was found, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Finding {
    Verified,
    Consistent,
    Invalid,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    finding: Finding,
    evidence: String,
    origin: Option<&'a str>,
    witnesses: u64,
    size: u64,
    root: String,
    frames: u64,
    leaves_covered: u64,
    checkpoints: u64,
    anchored: &'static str,
    isolation: &'a [String],
    payloads: Payloads,
    /// Payloads beside the log; only for a data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    artifacts: Option<Artifacts>,
    keys: Option<Keys>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unfinished_tail_at: Option<u64>,
    faults: Vec<Fault>,
    fault_count: u64,
    not_proven: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payloads {
    present: u64,
    redacted: u64,
    missing: u64,
    is_exact: bool,
}

#[derive(Serialize)]
struct Keys {
    source: &'static str,
    ids: Vec<String>,
}

#[derive(Serialize)]
struct Fault {
    code: &'static str,
    place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    message: String,
}

/// `aimctl verify`.
pub(crate) fn verify(cli: &Cli, args: &VerifyArgs) -> Result<Exit, CliError> {
    let keys = args.key.as_deref().map(read_keys).transpose()?;
    let anchor = args.checkpoint.as_deref();
    let anchor = anchor
        .map(|path| files::read_bytes(path, "checkpoint", CHECKPOINT_BYTES_MAX))
        .transpose()?;
    let is_folder = is_folder(&args.evidence)?;
    let (report, artifacts, policy) = if is_folder {
        let (report, artifacts) = verify_folder(&args.evidence, keys.as_ref(), anchor.as_deref())?;
        (report, artifacts, None)
    } else {
        let bytes = files::read_bytes(&args.evidence, "export", EXPORT_BYTES_MAX)?;
        let (report, export) = open_export(&bytes, keys.as_ref(), anchor.as_deref());
        (report, None, export.as_ref().and_then(policy_fault))
    };
    let mut document = document(&report, artifacts, &args.evidence);
    if let Some(message) = policy {
        document.finding = Finding::Invalid;
        document.fault_count += 1;
        document.faults.push(Fault {
            code: "AIM-R084",
            place: "export".to_owned(),
            index: None,
            message: message.to_owned(),
        });
    }
    match cli.output {
        Output::Json => out::json_line("aim.verify/v1", &document)?,
        Output::Text => out::text(&text(&document))?,
    }
    Ok(match document.finding {
        Finding::Verified => Exit::Ok,
        Finding::Consistent | Finding::Invalid => Exit::Evidence,
    })
}

/// What is wrong with the policy that an export carries: it is held against the lock, which a witness vouches for.
pub(crate) fn policy_fault(export: &Export) -> Option<&'static str> {
    let part = export.replay.as_ref()?;
    if part.policy.is_empty() {
        return None;
    }
    let sources = part.policy.iter().map(|(name, text)| PolicySource {
        name: name.clone(),
        text: text.clone(),
    });
    let sources: Vec<PolicySource> = sources.collect();
    let policy = CedarPolicy::compile(&sources).ok();
    let lock = Lock::from_json(part.start.lock.as_bytes()).ok();
    let is_it = policy.map(|policy| policy.digest()) == lock.map(|lock| lock.policy);
    (!is_it).then_some("the policy is not the one that the lock pins")
}

/// Public keys from a file.
pub(crate) fn read_keys(path: &Path) -> Result<KeySet, CliError> {
    let text = files::read_text(path, "key file", KEYS_BYTES_MAX)?;
    KeySet::parse(&text).map_err(|error| key_error(&error))
}

fn is_folder(path: &Path) -> Result<bool, CliError> {
    let shown = path.display();
    std::fs::metadata(path)
        .map(|metadata| metadata.is_dir())
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => CliError::not_found(
                "AIM-C041",
                format!("evidence `{shown}` does not exist"),
                "name an export or a data directory, such as the `.aim` beside a plan",
            ),
            _ => CliError::usage(
                "AIM-C045",
                format!("evidence `{shown}` can not be read: {error}"),
                "check who may read it",
            ),
        })
}

/// The checkpoint is read before the log, so that a run that goes on meanwhile only adds to what it covers.
fn verify_folder(
    folder: &Path,
    keys: Option<&KeySet>,
    anchor: Option<&[u8]>,
) -> Result<(Report, Option<Artifacts>), CliError> {
    let reader = evidence::open(folder)?;
    let checkpoint = reader.checkpoint()?;
    let options = VerifyOptions {
        keys,
        checkpoint: checkpoint.as_deref(),
        anchor,
        is_live: true,
    };
    let report = verify_log(&reader, &options)?;
    Ok((report, artifacts::check(folder, &reader)))
}

fn document<'a>(report: &'a Report, artifacts: Option<Artifacts>, evidence: &Path) -> Document<'a> {
    let damaged = artifacts
        .as_ref()
        .map_or(&[][..], |artifacts| artifacts.damaged.as_slice());
    let faults = faults(report, damaged);
    let unlisted = report.fault_count - u64::try_from(report.faults.len()).unwrap_or(0);
    let payloads = &report.payloads;
    Document {
        finding: finding(report, damaged),
        evidence: evidence.display().to_string(),
        origin: report.origin.as_deref(),
        witnesses: report.witnesses,
        size: report.size,
        root: encode_hex(&report.root),
        frames: report.frames,
        leaves_covered: report.leaves_covered,
        checkpoints: report.checkpoints,
        anchored: report.anchored.name(),
        isolation: &report.isolation,
        payloads: Payloads {
            present: payloads.present,
            redacted: payloads.redacted,
            missing: payloads.missing,
            is_exact: payloads.is_exact,
        },
        keys: report.keys.as_ref().map(|keys| Keys {
            source: source(keys.source),
            ids: keys
                .ids
                .iter()
                .map(|(role, id)| format!("{} {id}", role.name()))
                .collect(),
        }),
        unfinished_tail_at: report.unfinished_tail_at,
        fault_count: unlisted.saturating_add(u64::try_from(faults.len()).unwrap_or(u64::MAX)),
        faults,
        not_proven: not_proven(report, artifacts.as_ref()),
        artifacts,
    }
}

/// Faults of the log or export, then payloads beside the log that were changed.
fn faults(report: &Report, damaged: &[Digest]) -> Vec<Fault> {
    let fault = |fault: &EvidenceFault| Fault {
        code: fault.code(),
        place: fault.place.to_string(),
        index: fault.index(),
        message: fault.kind.to_string(),
    };
    let changed = |digest: &Digest| Fault {
        code: "AIM-E011",
        place: format!("artifact {digest}"),
        index: None,
        message: "payload is not what its digest says".to_owned(),
    };
    report
        .faults
        .iter()
        .map(fault)
        .chain(damaged.iter().map(changed))
        .collect()
}

const fn finding(report: &Report, damaged: &[Digest]) -> Finding {
    match (
        report.is_consistent() && damaged.is_empty(),
        report.authenticated,
    ) {
        (true, true) => Finding::Verified,
        (true, false) => Finding::Consistent,
        (false, _) => Finding::Invalid,
    }
}

const fn source(source: KeySource) -> &'static str {
    match source {
        KeySource::Given => "given",
        KeySource::Data => "data",
    }
}

/// What stays open although nothing is wrong.
fn not_proven(report: &Report, artifacts: Option<&Artifacts>) -> Vec<String> {
    let mut open = Vec::new();
    if !report.authenticated {
        open.push("who made it: no key from outside vouches for all of it (--key)".to_owned());
    }
    match report.anchored {
        Anchored::External => {}
        Anchored::Checkpoint | Anchored::None => open.push(
            "that nothing newer was taken away: no checkpoint kept elsewhere (--checkpoint)"
                .to_owned(),
        ),
    }
    if report.strangers > 0 {
        open.push(format!(
            "who gave {} answers of people: they are signed, with keys that no key from outside vouches for (--key, lines `approver`)",
            report.strangers
        ));
    }
    let uncovered = report.size.saturating_sub(report.leaves_covered);
    if uncovered > 0 {
        open.push(format!(
            "the last {uncovered} leaves: no checkpoint covers them yet"
        ));
    }
    if let Some(offset) = report.unfinished_tail_at {
        let what = "a writer at work, or one that was killed";
        open.push(format!(
            "an unfinished block at byte {offset}: {what}; it counts for nothing"
        ));
    }
    let levels = match report.isolation.as_slice() {
        [] => "unknown".to_owned(),
        levels => levels.join(", "),
    };
    open.push(format!(
        "how well the signing keys were kept: `{levels}` is the host's own word"
    ));
    let missing = artifacts.map_or(report.payloads.missing, |artifacts| artifacts.missing);
    if missing > 0 || report.payloads.redacted > 0 {
        let redacted = report.payloads.redacted;
        open.push(format!(
"what {missing} payloads said that are not here (rebuilt from others, kept elsewhere or lost) and {redacted} that were erased: only their digests are"
        ));
    }
    open.push("times: they are the host's claims".to_owned());
    open
}

fn text(document: &Document<'_>) -> String {
    let mut lines = Lines::new(10);
    lines.add("evidence", document.evidence.as_str());
    lines.add("log", document.origin.unwrap_or("none that can be read"));
    let (size, root) = (document.size, document.root.get(..16).unwrap_or_default());
    lines.add(
        "witnesses",
        format!(
            "{} · tree of {size} leaves, root {root}…",
            document.witnesses
        ),
    );
    let covered = document.leaves_covered;
    let against = match document.anchored {
        "external" => "the checkpoint that you brought",
        "checkpoint" => "the checkpoint beside the log",
        _ => "no checkpoint from elsewhere",
    };
    lines.add(
        "covered",
        format!("{covered} leaves by signed checkpoints · held against {against}"),
    );
    if let Some(keys) = &document.keys {
        let whose = match keys.source {
            "given" => "given by you",
            _ => "from the evidence itself: they prove nothing",
        };
        lines.add("keys", format!("{} ({whose})", keys.ids.join(", ")));
    }
    lines.add("payloads", payloads_text(document));
    for open in &document.not_proven {
        lines.add("not proven", open);
    }
    for fault in &document.faults {
        lines.add(
            "fault",
            format!("{} {}: {}", fault.code, fault.place, fault.message),
        );
    }
    let listed = u64::try_from(document.faults.len()).unwrap_or(u64::MAX);
    if document.fault_count > listed {
        lines.add(
            "fault",
            format!("and {} more", document.fault_count - listed),
        );
    }
    lines.title(match document.finding {
        Finding::Verified => "VERIFIED",
        Finding::Consistent => "CONSISTENT, NOT AUTHENTICATED",
        Finding::Invalid => "INVALID",
    });
    lines.into_text()
}

fn payloads_text(document: &Document<'_>) -> String {
    let payloads = &document.payloads;
    let mut text = format!(
        "{} with the evidence, {} erased",
        payloads.present, payloads.redacted
    );
    if let Some(artifacts) = &document.artifacts {
        let (present, missing) = (artifacts.present, artifacts.missing);
        text.push_str(&format!(
            "; {present} more in the artifact store, {missing} not here"
        ));
    } else {
        let about = if payloads.is_exact { "" } else { "at most " };
        text.push_str(&format!(", {about}{} not here", payloads.missing));
    }
    text
}
