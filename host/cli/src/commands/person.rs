//! A person with a key of their own: found in the deployment, asked at a terminal only.
//!
//! INVARIANT: whoever the deployment doesn't list, with exactly this key, signs nothing; without a terminal nobody is asked.

use std::io::{self, IsTerminal as _};

use aim_core::{digest::encode_hex, outcome::Exit, quarantine::Approver};
use aim_hardening::key_file::{Role, load_secret};
use aim_trust::{
    approval::ApprovalError,
    key::{KeyRole, SecretKey},
};

use crate::{
    args::PersonArgs,
    error::{CliError, Problem},
    render::out,
};

/// The approver who is named, and their key, when it is the one that the deployment knows.
///
/// # Errors
/// Exit 3 with `AIM-G028` for somebody who is not listed, with `AIM-G029` for another key than theirs.
pub(crate) fn find(
    args: &PersonArgs,
    approvers: &[Approver],
) -> Result<(Approver, SecretKey), CliError> {
    let listed = approvers.iter().find(|one| one.name == args.approver);
    let approver = listed.ok_or_else(|| refused(ApprovalError::Unknown))?;
    let seed = load_secret(&args.key_dir, Role::Approver)?;
    let key = SecretKey::from_bytes(KeyRole::Approver, seed.bytes());
    if approver.key == encode_hex(&key.public_bytes()) {
        Ok((approver.clone(), key))
    } else {
        Err(refused(ApprovalError::Signature))
    }
}

/// An answer that does not count.
pub(crate) fn refused(error: ApprovalError) -> CliError {
    let problem = Problem::new(error.code(), error.to_string()).with_help(error.help());
    CliError::new(Exit::Denied, problem)
}

/// Asks whoever sits at the terminal; nobody is asked where there is none.
///
/// # Errors
/// Exit 3 with `AIM-P037` when there is no terminal, or the answer is not `yes`.
pub(crate) fn consent(is_given: bool, question: &str) -> Result<(), CliError> {
    if is_given {
        return Ok(());
    }
    let refused = |message: &str, help: &str| {
        let problem = Problem::new("AIM-P037", message).with_help(help);
        Err(CliError::new(Exit::Denied, problem))
    };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let help = "run it at a terminal, or say `--yes` after reading what is shown";
        return refused(
            "there is no terminal to ask at, and nothing was signed",
            help,
        );
    }
    out::talk(&format!("{question} type `yes`: "));
    let mut answer = String::new();
    // A terminal that goes away is no answer.
    drop(io::stdin().read_line(&mut answer));
    if answer.trim() == "yes" {
        return Ok(());
    }
    refused(
        "it was not confirmed, and nothing was signed",
        "type `yes` to sign",
    )
}
