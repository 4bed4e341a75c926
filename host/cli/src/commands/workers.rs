//! The processes beside a run: one that signs and one that compiles. `run` starts them over an inherited socket.
//!
//! INVARIANT: secrets live in these processes only, and each of them has the keys of its own work.

use aim_core::outcome::Exit;
use aim_engine::EngineProfile;
use aim_ports::{
    PortError, PortFault,
    signer::{CheckpointRequest, PublicKeys, SignedTree, SigningCore},
};
use aim_signer_process::SignerSeeds;
use aim_trust::{
    key::{KeyRole, SecretKey},
    signing::KeysSigningCore,
};

use crate::{args::WorkerArgs, error::CliError};

/// `aimctl signer`: holds the step and the log key.
pub(crate) fn signer(args: &WorkerArgs) -> Result<Exit, CliError> {
    aim_signer_process::serve(&args.keys, make_core)?;
    Ok(Exit::Ok)
}

/// `aimctl compile-worker`: holds the cache key.
pub(crate) fn compile(args: &WorkerArgs) -> Result<Exit, CliError> {
    aim_compiler_process::serve_compiler(&args.keys, |profile, component| {
        let own = EngineProfile::default();
        if profile != own.fingerprint() {
            return Err("the host has another engine profile than this worker".to_owned());
        }
        aim_engine::compile(own, component).map_err(|error| error.to_string())
    })?;
    Ok(Exit::Ok)
}

fn make_core(seeds: SignerSeeds) -> Box<dyn SigningCore> {
    let step = SecretKey::from_bytes(KeyRole::Step, seeds.step.bytes());
    let log = SecretKey::from_bytes(KeyRole::Log, seeds.log.bytes());
    match KeysSigningCore::new(step, log) {
        Ok(core) => Box::new(core),
        // It has no keys, which the serving side finds out before it says hello.
        Err(_) => Box::new(NoKeys),
    }
}

/// Stands in when the keys can not be used; signs nothing.
#[derive(Debug)]
struct NoKeys;

fn refused() -> PortError {
    PortError::new(
        PortFault::Forbidden,
        "sign",
        "step and log key must be two different keys",
    )
    .with_code("AIM-K013")
}

impl SigningCore for NoKeys {
    fn public_keys(&self) -> PublicKeys {
        PublicKeys {
            step: [0; 32],
            log: [0; 32],
        }
    }

    fn sign_statements(&self, _: &[&[u8]]) -> Result<Vec<[u8; 64]>, PortError> {
        Err(refused())
    }

    fn sign_checkpoint(
        &self,
        _: Option<&[u8]>,
        _: &CheckpointRequest,
    ) -> Result<(Vec<u8>, Vec<u8>), PortError> {
        Err(refused())
    }

    fn signed_tree(&self, _: &str, _: &[u8]) -> Result<SignedTree, PortError> {
        Err(refused())
    }
}
