//! The signer's side: harden, read the keys, give up everything else, answer until the host is gone.
//!
//! INVARIANT: a checkpoint is answered only after the state that covers it is durable.

use std::path::Path;

use aim_hardening::{
    channel::{Channel, ChannelError},
    confine::{harden_self, restrict_files},
    key_file::{self, KeyFileError, Role, Seed},
    private_dir::{Privacy, PrivateDir},
};
use aim_ports::{
    PortError, PortFault,
    signer::{PublicKeys, SigningCore},
};

use crate::{
    MESSAGE_BYTES_MAX,
    state::StateStore,
    wire::{Answer, Request},
};

/// The signer's secrets, one a role.
#[derive(Debug)]
pub struct SignerSeeds {
    /// Signs statements.
    pub step: Seed,
    /// Signs checkpoints.
    pub log: Seed,
}

/// Serves the host that started this process, and returns when the host is gone. Makes the keys in `keys_dir` when there
/// are none. `make_core` gets the secrets once.
///
/// # Errors
/// When the process was started by hand, the keys can not be used, or the core does not sign with them; the host has been
/// told. Also when the host says something that is no message.
pub fn serve(
    keys_dir: &Path,
    make_core: impl FnOnce(SignerSeeds) -> Box<dyn SigningCore>,
) -> Result<(), PortError> {
    let mut channel =
        Channel::inherited(MESSAGE_BYTES_MAX).map_err(|error| unavailable(error.to_string()))?;
    let (core, mut states) = match prepare(keys_dir, make_core) {
        Ok(prepared) => prepared,
        Err(error) => {
            // The host may be gone already; then nobody needs to know.
            let _ignored = channel.send(&Answer::Error(error.clone()).write(), None);
            return Err(error);
        }
    };
    let mut answer = Answer::Hello(core.public_keys());
    // BOUND: ends when the host closes its end of the socket.
    loop {
        match channel.send(&answer.write(), None) {
            Ok(()) => {}
            Err(ChannelError::Closed) => return Ok(()),
            Err(error) => return Err(unavailable(error.to_string())),
        }
        let message = match channel.receive(None) {
            Ok(message) => message,
            Err(ChannelError::Closed) => return Ok(()),
            Err(error) => return Err(unavailable(error.to_string())),
        };
        let request = Request::read(&message)
            .ok_or_else(|| unavailable("the host sent no known message".to_owned()))?;
        answer = answer_to(&request, core.as_ref(), &mut states).unwrap_or_else(Answer::Error);
    }
}

fn prepare(
    keys_dir: &Path,
    make_core: impl FnOnce(SignerSeeds) -> Box<dyn SigningCore>,
) -> Result<(Box<dyn SigningCore>, StateStore), PortError> {
    // Before any secret is in memory.
    harden_self().map_err(|error| unavailable(format!("could not be hardened: {error}")))?;
    key_file::init(keys_dir).map_err(|error| key_error(&error))?;
    let load = |role| key_file::load_secret(keys_dir, role).map_err(|error| key_error(&error));
    let seeds = SignerSeeds {
        step: load(Role::Step)?,
        log: load(Role::Log)?,
    };
    let expected = PublicKeys {
        step: seeds.step.public(),
        log: seeds.log.public(),
    };
    let folder = PrivateDir::open(keys_dir, Privacy::Secret)
        .and_then(|keys| keys.subfolder("state"))
        .map_err(|error| key_error(&error.into()))?;
    // An old kernel without Landlock still has the process border; the keys were read anyway.
    let _is_enforced = restrict_files(&[], &[folder.path()]);
    let core = make_core(seeds);
    if core.public_keys() != expected {
        return Err(unavailable(
            "the signing core uses other keys than it was given".to_owned(),
        ));
    }
    Ok((core, StateStore::new(folder)))
}

fn answer_to(
    request: &Request<'_>,
    core: &dyn SigningCore,
    states: &mut StateStore,
) -> Result<Answer, PortError> {
    match request {
        Request::Statements(payloads) => core.sign_statements(payloads).map(Answer::Signatures),
        Request::Checkpoint(request) => states
            .advance(&request.origin, |state| {
                core.sign_checkpoint(state, request)
            })
            .map(Answer::Note),
        Request::Tree(origin) => states
            .load(origin)?
            .map(|state| core.signed_tree(origin, &state))
            .transpose()
            .map(Answer::Tree),
    }
}

fn key_error(error: &KeyFileError) -> PortError {
    let detail = format!("{error}; {}", error.help());
    PortError::new(PortFault::Forbidden, "use the signing keys", detail).with_code(error.code())
}

fn unavailable(detail: String) -> PortError {
    PortError::new(PortFault::Unavailable, "serve as signer", detail).with_code("AIM-K005")
}
