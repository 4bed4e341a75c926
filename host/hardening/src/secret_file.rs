//! Reading secrets of a deployment: from files that nobody else can read, or from the environment.
//!
//! INVARIANT: no error here holds a byte of a secret, and nothing read stays in memory that is not wiped.

use std::path::{Path, PathBuf};

use aim_core::secret::{SECRET_BYTES_MAX, Secret, SecretError};
use zeroize::Zeroizing;

use crate::private_dir::{Privacy, PrivateDir, PrivateDirError};

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The folder or the file can not be used, or somebody else can reach it.
    #[error("{0}")]
    File(#[from] PrivateDirError),
    /// The path names no file in a folder.
    #[error("`{0}` names no file")]
    Path(PathBuf),
    /// The variable is not set.
    #[error("the variable `{0}` is not set, or holds what is no text")]
    Variable(String),
    /// What is there is no secret.
    #[error("{place}: {error}")]
    Secret {
        /// Where it was.
        place: String,
        /// Why.
        error: SecretError,
    },
}

impl SecretFileError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "AIM-N011"
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::File(_) => {
                "give the folder mode 700 and the file mode 600, owned by you, without links"
            }
            Self::Path(_) => "name a file under `file` in aim.toml",
            Self::Variable(_) => "set it before the run, or name a `file` instead",
            Self::Secret { .. } => "a secret is one line of 8 to 4096 printable ASCII characters",
        }
        .to_owned()
    }
}

/// Reads a secret from a file of mode 0600 in a folder of mode 0700, both of this user.
///
/// # Errors
/// [`SecretFileError`].
pub fn read_secret_file(path: &Path) -> Result<Secret, SecretFileError> {
    let bad = || SecretFileError::Path(path.to_owned());
    let folder = path.parent().ok_or_else(bad)?;
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(bad)?;
    let folder = PrivateDir::open(folder, Privacy::Secret)?;
    let bytes = Zeroizing::new(folder.read(name, SECRET_BYTES_MAX + 2)?);
    parse(bytes, path.display().to_string())
}

/// Reads a secret from a variable of the environment.
///
/// # Errors
/// [`SecretFileError`].
pub fn read_secret_variable(name: &str) -> Result<Secret, SecretFileError> {
    let value = std::env::var(name).map_err(|_| SecretFileError::Variable(name.to_owned()))?;
    parse(
        Zeroizing::new(value.into_bytes()),
        format!("variable `{name}`"),
    )
}

fn parse(bytes: Zeroizing<Vec<u8>>, place: String) -> Result<Secret, SecretFileError> {
    Secret::parse(bytes).map_err(|error| SecretFileError::Secret { place, error })
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use super::*;

    fn place(file_mode: u32, folder_mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "canary-0123456789\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(file_mode)).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(folder_mode)).unwrap();
        (folder, path)
    }

    // Negative control: with `Privacy::Secret` weakened to the privacy of data folders, the readable file passes and this
    // fails.
    #[test]
    fn s6_a_secret_that_others_can_read_or_that_is_a_link_is_refused() {
        let (_folder, good) = place(0o600, 0o700);
        assert!(
            read_secret_file(&good)
                .unwrap()
                .matches(b"canary-0123456789")
        );
        for (file, folder) in [
            (0o644, 0o700),
            (0o640, 0o700),
            (0o600, 0o750),
            (0o600, 0o755),
        ] {
            let (_folder, path) = place(file, folder);
            let error = read_secret_file(&path).unwrap_err();
            assert_eq!(error.code(), "AIM-N011", "{file:o} in {folder:o}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
        let (folder, path) = place(0o600, 0o700);
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(read_secret_file(&link).is_err());
        assert!(read_secret_file(&folder.path().join("missing")).is_err());
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_shown() {
        let (_folder, path) = place(0o600, 0o700);
        fs::write(&path, "tiny").unwrap();
        let error = read_secret_file(&path).unwrap_err();
        assert!(matches!(error, SecretFileError::Secret { .. }));
        assert!(!format!("{error} {error:?}").contains("tiny"));
        assert!(matches!(
            read_secret_variable("AIM_TEST_NO_SUCH_VARIABLE"),
            Err(SecretFileError::Variable(_))
        ));
    }
}
