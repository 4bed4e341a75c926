//! `keys`: making this machine's keys and showing their public halves.
//!
//! INVARIANT: no secret is read here; `show` looks at the public files only.

use std::path::Path;

use aim_core::{digest::encode_hex, outcome::Exit};
use aim_hardening::key_file::{self, KeyFileError, Role};
use aim_trust::key::{KeyError, KeySet};
use serde::Serialize;

use crate::{
    args::{Cli, KeysNewArgs, NewKeyRole, Output},
    error::{CliError, Problem},
    paths,
    render::out,
};

#[derive(Serialize)]
struct WrittenKeys {
    folder: String,
    keys: Vec<WrittenKey>,
}

#[derive(Serialize)]
struct WrittenKey {
    role: &'static str,
    id: String,
    public: String,
}

/// `aimctl keys init`.
pub(crate) fn init(cli: &Cli) -> Result<Exit, CliError> {
    let folder = paths::keys_dir(cli)?;
    key_file::init(&folder)?;
    let keys = public_keys(&folder)?;
    match cli.output {
        Output::Json => out::json_line("aim.keys/v1", &written(&folder, &keys))?,
        Output::Text => {
            for key in &keys {
                out::line(&format!("{:<5}  {}", key.role().name(), key.id()))?;
            }
            out::talk(&format!(
                "keys in {}\nkeep what `aimctl keys show` prints outside the data: `verify --key` needs it\n",
                folder.display()
            ));
        }
    }
    Ok(Exit::Ok)
}

/// `aimctl keys show`.
pub(crate) fn show(cli: &Cli) -> Result<Exit, CliError> {
    let folder = paths::keys_dir(cli)?;
    let keys = public_keys(&folder)?;
    match cli.output {
        Output::Json => out::json_line("aim.keys/v1", &written(&folder, &keys))?,
        Output::Text => out::text(&keys.to_text())?,
    }
    Ok(Exit::Ok)
}

/// `aimctl keys new`.
pub(crate) fn new(cli: &Cli, args: &KeysNewArgs) -> Result<Exit, CliError> {
    let role = match args.role {
        NewKeyRole::Gate => Role::Gate,
        NewKeyRole::Approver => Role::Approver,
    };
    let public = encode_hex(&key_file::init_one(&args.folder, role)?);
    let text = format!("aim-keys v1\n{} {public}\n", role.word());
    let keys = KeySet::parse(&text).map_err(|error| key_error(&error))?;
    match cli.output {
        Output::Json => out::json_line("aim.keys/v1", &written(&args.folder, &keys))?,
        Output::Text => out::text(&text)?,
    }
    Ok(Exit::Ok)
}

fn public_keys(folder: &Path) -> Result<KeySet, CliError> {
    let mut text = String::from("aim-keys v1\n");
    for role in Role::ALL {
        let public = key_file::load_public(folder, role)?;
        text.push_str(&format!("{} {}\n", role.word(), encode_hex(&public)));
    }
    KeySet::parse(&text).map_err(|error| key_error(&error))
}

fn written(folder: &Path, keys: &KeySet) -> WrittenKeys {
    let key = |key: &aim_trust::key::PublicKey| WrittenKey {
        role: key.role().name(),
        id: key.id().to_string(),
        public: encode_hex(key.as_bytes()),
    };
    WrittenKeys {
        folder: folder.display().to_string(),
        keys: keys.iter().map(key).collect(),
    }
}

/// What a key text that can not be used ends a command with.
pub(crate) fn key_error(error: &KeyError) -> CliError {
    let help = "give the file that `aimctl keys show` printed, as it is";
    CliError::usage(error.code(), error.to_string(), help)
}

impl From<KeyFileError> for CliError {
    fn from(error: KeyFileError) -> Self {
        let exit = match error {
            KeyFileError::Missing(_) => Exit::NotFound,
            _ => Exit::Usage,
        };
        Self::new(
            exit,
            Problem::new(error.code(), error.to_string()).with_help(error.help()),
        )
    }
}
