//! Signed codexes: which bytes, which version, and by whose gate key.
//!
//! The signature lies beside the document, as a DSSE envelope over an in-toto statement whose subject is the document. So
//! the document stays what people read and diff, and no byte of it is parsed before its digest was compared.
//!
//! INVARIANT: a [`VerifiedCodex`] exists only for bytes that a known gate key signed, and never below the least version.

use alloc::{string::String, vec};

use aim_core::{
    digest::{Digest, Sha256},
    gate::CodexVersion,
    leaf::KeyId,
    witness::{STATEMENT_TYPE, Statement, Subject},
};
use serde::{Deserialize, Serialize};

use crate::{
    dsse::{Envelope, EnvelopeError, PAYLOAD_TYPE, pae},
    key::{KeyRole, KeySet, SecretKey},
};

/// Predicate type of a codex's statement.
pub const CODEX_PREDICATE: &str = "urn:aim:predicate:codex:v1";

/// What a gate key states about a codex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodexPredicate {
    /// The version; a later one is larger.
    pub version: CodexVersion,
}

/// What codexes are held against.
#[derive(Debug, Clone, Copy, Default)]
pub struct CodexTrust<'a> {
    /// The keys whose gate keys may sign; without any, no codex is accepted.
    pub keys: Option<&'a KeySet>,
    /// No version below it is accepted.
    pub least: Option<CodexVersion>,
}

/// A codex that may be judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCodex {
    digest: Digest,
    version: CodexVersion,
    signer: KeyId,
}

/// Why a codex was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodexError {
    /// There is no signature.
    #[error("the codex is not signed")]
    Unsigned,
    /// There is nothing to hold a signature against.
    #[error("the deployment names no keys that codexes are signed with")]
    NoKeys,
    /// The signature file is none.
    #[error("the codex's signature can not be read: {0}")]
    Form(EnvelopeError),
    /// By no key that counts.
    #[error("the codex is signed by no gate key of this deployment")]
    Foreign,
    /// The statement that was signed is not one about a codex.
    #[error("the codex's signature is about something else")]
    Statement,
    /// The statement is about other bytes.
    #[error("the codex is not the document that was signed")]
    Changed,
    /// An older one than the operator accepts.
    #[error("the codex has version {found}, and none below {least} is accepted")]
    RolledBack {
        /// Its version.
        found: CodexVersion,
        /// The least that counts.
        least: CodexVersion,
    },
}

impl CodexError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unsigned => "AIM-G010",
            Self::NoKeys => "AIM-G011",
            Self::Form(_) | Self::Statement => "AIM-G012",
            Self::Foreign => "AIM-G013",
            Self::Changed => "AIM-G014",
            Self::RolledBack { .. } => "AIM-G015",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Unsigned | Self::Changed | Self::Form(_) | Self::Statement => {
                "read the codex, and sign it with `aimctl codex sign`"
            }
            Self::NoKeys => "name the gate keys' file in aim.toml: `[gates] codex_keys = \"…\"`",
            Self::Foreign => {
                "have it signed with a gate key of the deployment, or add the signer's key to `codex_keys`"
            }
            Self::RolledBack { .. } => {
                "use the newer codex; to go back on purpose, sign the old rules under a newer version"
            }
        }
    }
}

impl VerifiedCodex {
    /// BLAKE3 of the document.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The version that was signed.
    #[must_use]
    pub const fn version(&self) -> CodexVersion {
        self.version
    }

    /// The key that signed.
    #[must_use]
    pub const fn signer(&self) -> KeyId {
        self.signer
    }
}

fn statement(document: &[u8], version: CodexVersion) -> Statement<CodexPredicate> {
    let subject = Subject::new("codex", Digest::of(document), Sha256::of(document));
    Statement::new(CODEX_PREDICATE, vec![subject], CodexPredicate { version })
}

/// Signs a codex; returns the text of its signature file.
#[must_use]
pub fn sign(document: &[u8], version: CodexVersion, key: &SecretKey) -> String {
    let payload = statement(document, version).payload();
    let signature = key.sign(&pae(PAYLOAD_TYPE, &payload));
    let mut text = Envelope::signed(payload, key.id(), signature).to_json();
    text.push('\n');
    text
}

/// Checks a codex against its signature file.
///
/// # Errors
/// [`CodexError`]; the document must not be judged by then.
pub fn verify(
    document: &[u8],
    envelope: Option<&[u8]>,
    trust: &CodexTrust<'_>,
) -> Result<VerifiedCodex, CodexError> {
    let envelope = envelope.ok_or(CodexError::Unsigned)?;
    let keys = trust.keys.ok_or(CodexError::NoKeys)?;
    let envelope = Envelope::parse(envelope).map_err(CodexError::Form)?;
    let verified = envelope
        .verify(keys, KeyRole::Gate, 1)
        .map_err(|_| CodexError::Foreign)?;
    let signer = *verified.signers().first().ok_or(CodexError::Foreign)?;
    let signed: Statement<CodexPredicate> =
        serde_json::from_slice(verified.payload()).map_err(|_| CodexError::Statement)?;
    let is_codex =
        signed.statement_type == STATEMENT_TYPE && signed.predicate_type == CODEX_PREDICATE;
    if !is_codex {
        return Err(CodexError::Statement);
    }
    let version = signed.predicate.version;
    if signed != statement(document, version) {
        return Err(CodexError::Changed);
    }
    if let Some(least) = trust.least.filter(|least| version < *least) {
        return Err(CodexError::RolledBack {
            found: version,
            least,
        });
    }
    Ok(VerifiedCodex {
        digest: Digest::of(document),
        version,
        signer,
    })
}

/// Where the signature of a codex lies: beside it, with `.dsse` at the end of its name.
#[must_use]
pub fn signature_name(document: &str) -> String {
    [document, ".dsse"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec::Vec};

    const DOCUMENT: &[u8] = b"{\"version\":\"1.2.0\"}";

    fn secret(role: KeyRole, byte: u8) -> SecretKey {
        SecretKey::from_bytes(role, &[byte; 32])
    }

    fn keys(secrets: &[&SecretKey]) -> KeySet {
        let lines: Vec<String> = secrets
            .iter()
            .map(|key| {
                let hex = aim_core::digest::encode_hex(&key.public_bytes());
                format!("{} {hex}\n", key.role().name())
            })
            .collect();
        KeySet::parse(&format!("aim-keys v1\n{}", lines.concat())).unwrap()
    }

    fn version(text: &str) -> CodexVersion {
        CodexVersion::parse(text).unwrap()
    }

    fn signed() -> String {
        sign(DOCUMENT, version("1.2.0"), &secret(KeyRole::Gate, 7))
    }

    fn check(
        document: &[u8],
        envelope: Option<&str>,
        least: &str,
    ) -> Result<VerifiedCodex, CodexError> {
        let keys = keys(&[&secret(KeyRole::Gate, 7), &secret(KeyRole::Step, 9)]);
        let trust = CodexTrust {
            keys: Some(&keys),
            least: Some(version(least)),
        };
        verify(document, envelope.map(str::as_bytes), &trust)
    }

    #[test]
    fn a_codex_that_a_gate_key_signed_is_accepted_with_its_version_and_signer() {
        let codex = check(DOCUMENT, Some(&signed()), "1.2.0").unwrap();
        assert_eq!(codex.version(), version("1.2.0"));
        assert_eq!(codex.digest(), Digest::of(DOCUMENT));
        assert_eq!(codex.signer(), secret(KeyRole::Gate, 7).id());
    }

    // Negative control: with the comparison of the statement, or of the version, taken out of `verify`, this fails.
    #[test]
    fn an_unsigned_foreign_changed_or_old_codex_is_refused() {
        assert_eq!(check(DOCUMENT, None, "0.0.0"), Err(CodexError::Unsigned));
        let foreign = sign(DOCUMENT, version("9.0.0"), &secret(KeyRole::Gate, 8));
        assert_eq!(
            check(DOCUMENT, Some(&foreign), "0.0.0"),
            Err(CodexError::Foreign)
        );
        let other_role = sign(DOCUMENT, version("9.0.0"), &secret(KeyRole::Step, 9));
        assert_eq!(
            check(DOCUMENT, Some(&other_role), "0.0.0"),
            Err(CodexError::Foreign)
        );
        assert_eq!(
            check(b"{}", Some(&signed()), "0.0.0"),
            Err(CodexError::Changed)
        );
        let old = CodexError::RolledBack {
            found: version("1.2.0"),
            least: version("1.10.0"),
        };
        assert_eq!(check(DOCUMENT, Some(&signed()), "1.10.0"), Err(old));
        let garbage = check(DOCUMENT, Some("{}"), "0.0.0");
        assert!(matches!(garbage, Err(CodexError::Form(_))));
        let envelope = signed();
        let no_keys = verify(DOCUMENT, Some(envelope.as_bytes()), &CodexTrust::default());
        assert_eq!(no_keys, Err(CodexError::NoKeys));
    }

    // Negative control: with the types of the statement not looked at, this fails.
    #[test]
    fn a_signature_over_another_statement_is_about_something_else() {
        let key = secret(KeyRole::Gate, 7);
        let subject = Subject::new("codex", Digest::of(DOCUMENT), Sha256::of(DOCUMENT));
        let predicate = CodexPredicate {
            version: version("1.2.0"),
        };
        let other = Statement::new("urn:aim:predicate:plan:v1", vec![subject], predicate).payload();
        let signature = key.sign(&pae(PAYLOAD_TYPE, &other));
        let text = Envelope::signed(other, key.id(), signature).to_json();
        assert_eq!(
            check(DOCUMENT, Some(&text), "0.0.0"),
            Err(CodexError::Statement)
        );
    }
}
