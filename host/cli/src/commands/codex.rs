//! `codex`: signing the rules that gates judge by, and checking such a signature.
//!
//! INVARIANT: a document is signed as its exact bytes; nothing here changes it.

use std::path::{Path, PathBuf};

use aim_core::{gate::CodexVersion, outcome::Exit};
use aim_hardening::key_file::{Role, load_secret};
use aim_trust::{
    codex::{self, CodexTrust},
    key::{KeyRole, KeySet, SecretKey},
};
use serde::Serialize;

use crate::{
    args::{Cli, CodexSignArgs, CodexVerifyArgs, Output},
    error::{CliError, Problem},
    files,
    render::out,
};

/// No codex is larger; what the registry reads is no more.
const CODEX_BYTES_MAX: usize = 1024 * 1024;
/// No signature is larger.
const SIGNATURE_BYTES_MAX: usize = 64 * 1024;
/// No file of public keys is larger.
const KEYS_BYTES_MAX: usize = 64 * 1024;

#[derive(Serialize)]
struct Shown {
    codex: String,
    digest: String,
    version: String,
    signer: String,
}

/// `aimctl codex sign`.
pub(crate) fn sign(cli: &Cli, args: &CodexSignArgs) -> Result<Exit, CliError> {
    let document = files::read_bytes(&args.codex, "codex", CODEX_BYTES_MAX)?;
    let version = version_of(&document, args.codex_version.as_deref())?;
    let seed = load_secret(&args.key_dir, Role::Gate)?;
    let key = SecretKey::from_bytes(KeyRole::Gate, seed.bytes());
    let signature = codex::sign(&document, version, &key);
    let path = signature_path(&args.codex);
    files::write_whole(&path, signature.as_bytes())?;
    out::talk(&format!("signature in {}\n", path.display()));
    let line = aim_core::digest::encode_hex(&key.public_bytes());
    let keys = KeySet::parse(&format!("aim-keys v1\ngate {line}\n"))
        .map_err(|error| super::keys::key_error(&error))?;
    check(cli, &args.codex, &document, &keys)
}

/// `aimctl codex verify`.
pub(crate) fn verify(cli: &Cli, args: &CodexVerifyArgs) -> Result<Exit, CliError> {
    let document = files::read_bytes(&args.codex, "codex", CODEX_BYTES_MAX)?;
    let keys = files::read_text(&args.key, "key file", KEYS_BYTES_MAX)?;
    let keys = KeySet::parse(&keys).map_err(|error| super::keys::key_error(&error))?;
    check(cli, &args.codex, &document, &keys)
}

fn check(cli: &Cli, path: &Path, document: &[u8], keys: &KeySet) -> Result<Exit, CliError> {
    let signature = files::read_found(&signature_path(path), "signature", SIGNATURE_BYTES_MAX).ok();
    let trust = CodexTrust {
        keys: Some(keys),
        least: None,
    };
    let verified = codex::verify(document, signature.as_deref(), &trust).map_err(|error| {
        let problem = Problem::new(error.code(), error.to_string()).with_help(error.help());
        CliError::new(Exit::Evidence, problem)
    })?;
    let shown = Shown {
        codex: path.display().to_string(),
        digest: verified.digest().to_string(),
        version: verified.version().to_string(),
        signer: verified.signer().to_string(),
    };
    match cli.output {
        Output::Json => out::json_line("aim.codex/v1", &shown)?,
        Output::Text => out::line(&format!(
            "{}  version {}  signed by gate key {}",
            shown.digest, shown.version, shown.signer
        ))?,
    }
    Ok(Exit::Ok)
}

/// The version that was given, else the document's own.
fn version_of(document: &[u8], given: Option<&str>) -> Result<CodexVersion, CliError> {
    let own = || {
        let value: serde_json::Value = serde_json::from_slice(document).ok()?;
        Some(value.get("version")?.as_str()?.to_owned())
    };
    let help = "give one with `--codex-version <major>.<minor>.<patch>`";
    let text = given
        .map(str::to_owned)
        .or_else(own)
        .ok_or_else(|| CliError::usage("AIM-G017", "the codex says no version of its own", help))?;
    CodexVersion::parse(&text).map_err(|error| CliError::usage("AIM-G017", error.to_string(), help))
}

/// Beside the codex, with `.dsse` at the end of its name.
fn signature_path(codex: &Path) -> PathBuf {
    let name = codex.file_name().unwrap_or_default().to_string_lossy();
    codex.with_file_name(codex::signature_name(&name))
}
