//! Key files: one Ed25519 seed a role, in a folder that only its owner can enter.
//!
//! ```text
//! <keys>/step.key   aim-secret-key v1 step\n<64 hex>\n     0600, read by the process that signs and by nobody else
//! <keys>/step.pub   aim-public-key v1 step\n<64 hex>\n     what the host and people read
//! ```
//!
//! The role is written into the file, so that a file that was moved to another role's name is refused.
//!
//! INVARIANT: a seed is only ever in memory that is wiped, and never in a message, a `Debug` text or the environment.

use std::{
    fmt,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use aim_core::digest::{decode_hex, encode_hex};
use ed25519_dalek::{SigningKey, VerifyingKey};
use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroizing;

use crate::private_dir::{Privacy, PrivateDir, PrivateDirError};

/// No key file is larger.
const FILE_BYTES_MAX: usize = 256;

/// What a key signs. One key, one role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Statements about attempts.
    Step,
    /// Checkpoints.
    Log,
    /// Native code in the cache.
    Cache,
    /// Codexes: a publisher's key, in a folder of its own.
    Gate,
    /// Answers about quarantine: a person's key, in a folder of its own.
    Approver,
}

impl Role {
    /// Every role that a host has a file for.
    pub const ALL: [Self; 3] = [Self::Step, Self::Log, Self::Cache];

    /// The word in file names and files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Log => "log",
            Self::Cache => "cache",
            Self::Gate => "gate",
            Self::Approver => "approver",
        }
    }

    fn secret_name(self) -> String {
        format!("{}.key", self.word())
    }

    fn public_name(self) -> String {
        format!("{}.pub", self.word())
    }
}

/// A secret seed; wiped when dropped, hidden when printed.
#[derive(Clone)]
pub struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    /// The secret bytes, for the code that signs.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        SigningKey::from_bytes(&self.0).verifying_key().to_bytes()
    }

    fn random() -> Result<Self, KeyFileError> {
        let mut seed = Zeroizing::new([0; 32]);
        // BOUND: the kernel fills 32 bytes at once unless a signal comes in between.
        loop {
            match getrandom(seed.as_mut_slice(), GetRandomFlags::empty()) {
                Ok(32) => return Ok(Self(seed)),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(KeyFileError::Random(errno.into())),
            }
        }
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(hidden)")
    }
}

/// Why keys could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The key folder or a file could not be used.
    #[error("the key folder can not be used: {0}")]
    System(PrivateDirError),
    /// Somebody else can reach a key.
    #[error("a key is not safe: {0}")]
    Exposed(PrivateDirError),
    /// Not the form of a key file of that role, or a key that proves nothing.
    #[error("`{0}` is not a key file for its role")]
    Malformed(PathBuf),
    /// The two halves do not belong together.
    #[error("`{0}` is not the public half of the key beside it")]
    Mismatch(PathBuf),
    /// There is no such key.
    #[error("there is no key `{0}`")]
    Missing(PathBuf),
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(std::io::Error),
}

impl KeyFileError {
    /// The stable code of the page that explains it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::System(_) | Self::Random(_) => "AIM-K001",
            Self::Exposed(_) => "AIM-K002",
            Self::Malformed(_) | Self::Mismatch(_) => "AIM-K003",
            Self::Missing(_) => "AIM-K004",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::System(_) | Self::Random(_) => {
                "check that the key folder's parent exists and can be written".into()
            }
            Self::Exposed(_) => {
                "chmod 700 the folder and 600 the files; if somebody may have read them, make new keys"
                    .into()
            }
            Self::Malformed(_) | Self::Mismatch(_) => {
                "restore the file from a copy, or move the key folder away and make new keys".into()
            }
            Self::Missing(_) => "make keys with `aimctl keys init`".into(),
        }
    }
}

impl From<PrivateDirError> for KeyFileError {
    fn from(error: PrivateDirError) -> Self {
        match error {
            PrivateDirError::Missing(path) => Self::Missing(path),
            PrivateDirError::TooLarge(path, _) => Self::Malformed(path),
            error if error.is_forbidden() => Self::Exposed(error),
            error => Self::System(error),
        }
    }
}

/// Makes the folder and every key that is not there yet, and checks those that are. Several processes may do this at
/// once: all end up with the same keys.
///
/// # Errors
/// The check that failed, or what the operating system says. Keys that exist are never replaced.
pub fn init(keys_dir: &Path) -> Result<(), KeyFileError> {
    if let Some(parent) = keys_dir
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)
            .map_err(|source| {
                KeyFileError::System(PrivateDirError::System {
                    action: "make folder",
                    path: parent.to_path_buf(),
                    source,
                })
            })?;
    }
    let folder = PrivateDir::open_or_create(keys_dir, Privacy::Secret)?;
    Role::ALL
        .into_iter()
        .try_for_each(|role| init_role(&folder, role))
}

/// Makes the key of one role in a folder of its own, if there is none, and returns its public half.
///
/// # Errors
/// As [`init`]. A key that exists is never replaced.
pub fn init_one(keys_dir: &Path, role: Role) -> Result<[u8; 32], KeyFileError> {
    let folder = PrivateDir::open_or_create(keys_dir, Privacy::Secret)?;
    init_role(&folder, role)?;
    read_public(&folder, role)
}

fn init_role(folder: &PrivateDir, role: Role) -> Result<(), KeyFileError> {
    let seed = match read_secret(folder, role) {
        Err(KeyFileError::Missing(_)) => {
            let seed = Seed::random()?;
            place(folder, &role.secret_name(), &secret_text(role, &seed))?;
            // Another process may have been first: what is in the file counts.
            read_secret(folder, role)?
        }
        other => other?,
    };
    let public = match read_public(folder, role) {
        Err(KeyFileError::Missing(_)) => {
            place(
                folder,
                &role.public_name(),
                public_text(role, &seed.public()).as_bytes(),
            )?;
            read_public(folder, role)?
        }
        other => other?,
    };
    if public == seed.public() {
        Ok(())
    } else {
        Err(KeyFileError::Mismatch(
            folder.path().join(role.public_name()),
        ))
    }
}

fn place(folder: &PrivateDir, name: &str, bytes: &[u8]) -> Result<(), KeyFileError> {
    match folder.create_new(name, bytes) {
        Ok(()) | Err(PrivateDirError::Exists(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Reads the public half of a role's key; does not touch the secret.
///
/// # Errors
/// [`KeyFileError::Missing`], [`KeyFileError::Exposed`], [`KeyFileError::Malformed`], [`KeyFileError::System`].
pub fn load_public(keys_dir: &Path, role: Role) -> Result<[u8; 32], KeyFileError> {
    read_public(&PrivateDir::open(keys_dir, Privacy::Secret)?, role)
}

/// Reads a role's secret. Only the process that signs in that role calls this.
///
/// # Errors
/// [`KeyFileError::Missing`], [`KeyFileError::Exposed`], [`KeyFileError::Malformed`], [`KeyFileError::System`].
pub fn load_secret(keys_dir: &Path, role: Role) -> Result<Seed, KeyFileError> {
    read_secret(&PrivateDir::open(keys_dir, Privacy::Secret)?, role)
}

fn read_secret(folder: &PrivateDir, role: Role) -> Result<Seed, KeyFileError> {
    let name = role.secret_name();
    let bytes = Zeroizing::new(folder.read(&name, FILE_BYTES_MAX)?);
    parse(&bytes, "aim-secret-key", role)
        .map(|seed| Seed(Zeroizing::new(seed)))
        .ok_or_else(|| KeyFileError::Malformed(folder.path().join(name)))
}

fn read_public(folder: &PrivateDir, role: Role) -> Result<[u8; 32], KeyFileError> {
    let name = role.public_name();
    let bytes = folder.read(&name, FILE_BYTES_MAX)?;
    parse(&bytes, "aim-public-key", role)
        .filter(|key| VerifyingKey::from_bytes(key).is_ok_and(|key| !key.is_weak()))
        .ok_or_else(|| KeyFileError::Malformed(folder.path().join(name)))
}

fn parse(bytes: &[u8], kind: &str, role: Role) -> Option<[u8; 32]> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, hex) = text.strip_suffix('\n')?.split_once('\n')?;
    (head == format!("{kind} v1 {}", role.word())).then(|| decode_hex(hex))?
}

fn secret_text(role: Role, seed: &Seed) -> Zeroizing<Vec<u8>> {
    let hex = Zeroizing::new(encode_hex(seed.bytes()));
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX));
    text.extend_from_slice(format!("aim-secret-key v1 {}\n", role.word()).as_bytes());
    text.extend_from_slice(hex.as_bytes());
    text.push(b'\n');
    text
}

fn public_text(role: Role, key: &[u8; 32]) -> String {
    format!("aim-public-key v1 {}\n{}\n", role.word(), encode_hex(key))
}

#[cfg(test)]
mod tests;
