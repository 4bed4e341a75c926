//! Artifacts as files: `artifacts/<first two hex digits>/<64 hex digits>`, written once.
//!
//! INVARIANT: a file is complete and synced before its name exists, and its bytes are held against its name on every read.

use std::path::{Path, PathBuf};

use aim_core::digest::Digest;
use aim_hardening::private_dir::{Privacy, PrivateDir, PrivateDirError};
use aim_ports::{PortError, PortFault, artifact::ArtifactStore};

/// The folder inside the data directory.
const FOLDER: &str = "artifacts";
/// No artifact is larger; a file that is was not written by this store.
const ARTIFACT_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Artifacts below one data directory. Opening it makes nothing; folders appear with the first write.
#[derive(Debug, Clone)]
pub struct DirArtifactStore {
    data_dir: PathBuf,
}

impl DirArtifactStore {
    /// A store in the folder `artifacts` of `data_dir`.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_path_buf(),
        }
    }

    /// The folder that holds artifacts of that digest, when it is there.
    fn shard(&self, digest: Digest) -> Result<(PrivateDir, String), PrivateDirError> {
        let hex = digest.hex();
        let data = PrivateDir::open(&self.data_dir, Privacy::Readable)?;
        let store = data.existing_subfolder(FOLDER)?;
        let shard = store.existing_subfolder(prefix(&hex))?;
        Ok((shard, hex))
    }

    fn shard_for_writing(&self, hex: &str) -> Result<PrivateDir, PrivateDirError> {
        let data = PrivateDir::open_or_create(&self.data_dir, Privacy::Readable)?;
        data.subfolder(FOLDER)?.subfolder(prefix(hex))
    }
}

impl ArtifactStore for DirArtifactStore {
    fn read(&self, digest: Digest) -> Result<Vec<u8>, PortError> {
        let bytes = self
            .shard(digest)
            .and_then(|(shard, hex)| shard.read(&hex, ARTIFACT_BYTES_MAX))
            .map_err(|error| read_error(digest, &error))?;
        if Digest::of(&bytes) == digest {
            Ok(bytes)
        } else {
            Err(damaged(digest, "the bytes do not have this digest"))
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<Digest, PortError> {
        let digest = Digest::of(bytes);
        if bytes.len() > ARTIFACT_BYTES_MAX {
            let detail = format!("larger than {ARTIFACT_BYTES_MAX} bytes");
            return Err(write_fault(PortFault::Exhausted, digest, detail));
        }
        let hex = digest.hex();
        let shard = self
            .shard_for_writing(&hex)
            .map_err(|error| write_error(digest, &error))?;
        match shard.create_new(&hex, bytes) {
            Ok(()) => Ok(digest),
            Err(PrivateDirError::Exists(_)) => {
                let there = shard
                    .read(&hex, ARTIFACT_BYTES_MAX)
                    .map_err(|error| write_error(digest, &error))?;
                if there != bytes {
                    return Err(damaged(digest, "the file holds other bytes"));
                }
                // Whoever wrote it first may have died before the entry was synced.
                shard.sync().map_err(|error| write_error(digest, &error))?;
                Ok(digest)
            }
            Err(error) => Err(write_error(digest, &error)),
        }
    }

    fn contains(&self, digest: Digest) -> bool {
        self.shard(digest)
            .is_ok_and(|(shard, hex)| shard.open_file(&hex).is_ok())
    }
}

fn prefix(hex: &str) -> &str {
    hex.get(..2).unwrap_or("00")
}

fn damaged(digest: Digest, detail: &str) -> PortError {
    PortError::new(
        PortFault::Corrupt,
        format!("artifact {digest}"),
        format!("{detail}; restore the file from a copy or remove it"),
    )
    .with_code("AIM-D007")
}

fn read_error(digest: Digest, error: &PrivateDirError) -> PortError {
    let (fault, code) = match error {
        PrivateDirError::Missing(_) => (PortFault::NotFound, "AIM-D008"),
        PrivateDirError::TooLarge(..) => (PortFault::Corrupt, "AIM-D007"),
        error if error.is_forbidden() => (PortFault::Forbidden, "AIM-D002"),
        _ => (PortFault::Unavailable, "AIM-D001"),
    };
    PortError::new(fault, format!("read artifact {digest}"), error.to_string()).with_code(code)
}

fn write_error(digest: Digest, error: &PrivateDirError) -> PortError {
    let fault = match error {
        error if error.is_out_of_space() => PortFault::Exhausted,
        error if error.is_forbidden() => PortFault::Forbidden,
        _ => PortFault::FailStop,
    };
    write_fault(fault, digest, error.to_string())
}

fn write_fault(fault: PortFault, digest: Digest, detail: String) -> PortError {
    let code = match fault {
        PortFault::Exhausted => "AIM-D005",
        PortFault::Forbidden => "AIM-D002",
        _ => "AIM-D006",
    };
    PortError::new(fault, format!("write artifact {digest}"), detail).with_code(code)
}
