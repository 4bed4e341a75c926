//! The cache folder: `<cache>/<profile's 64 hex>/<component's 64 hex>.native`, one file with seal and code, so that a
//! rename puts both in place at once.
//!
//! INVARIANT: the folder's word counts for nothing; a file is taken only when its seal verifies, else it is as if it were
//! not there.

use std::path::Path;

use aim_core::digest::Digest;
use aim_hardening::private_dir::{Privacy, PrivateDir, PrivateDirError};
use ed25519_dalek::VerifyingKey;

use crate::{MESSAGE_BYTES_MAX, seal::Subject};

/// Begins every file; a change of the layout changes it.
const MAGIC: &[u8; 8] = b"AIMNATV1";
/// Magic and signature.
const HEAD_BYTES: usize = 8 + 64;

/// An open cache folder.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PrivateDir,
}

impl Cache {
    /// Opens the folder, makes it when it is not there, and refuses one that somebody else can change.
    pub(crate) fn open(path: &Path) -> Result<Self, PrivateDirError> {
        PrivateDir::open_or_create(path, Privacy::Readable).map(|folder| Self { folder })
    }

    /// Code whose seal verified on the bytes that are returned; `None` for anything else.
    pub(crate) fn load(&self, subject: &Subject, key: &VerifyingKey) -> Option<Vec<u8>> {
        let folder = self
            .folder
            .existing_subfolder(&subject.profile.hex())
            .ok()?;
        let mut bytes = folder
            .read(&file_name(subject.component), MESSAGE_BYTES_MAX)
            .ok()?;
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (signature, code) = rest.split_first_chunk::<64>()?;
        if magic != MAGIC || !subject.verifies(code, signature, key) {
            return None;
        }
        bytes.drain(..HEAD_BYTES);
        Some(bytes)
    }

    /// Keeps code with its seal. Of several processes that do this at once the last one wins; each file is whole.
    pub(crate) fn store(
        &self,
        subject: &Subject,
        signature: &[u8; 64],
        code: &[u8],
    ) -> Result<(), PrivateDirError> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + code.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(signature);
        bytes.extend_from_slice(code);
        self.folder
            .subfolder(&subject.profile.hex())?
            .replace(&file_name(subject.component), &bytes)
    }
}

fn file_name(component: Digest) -> String {
    format!("{}.native", component.hex())
}
