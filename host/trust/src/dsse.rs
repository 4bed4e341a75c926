//! DSSE: what exactly is signed, and the envelope in which statements travel.
//!
//! The pre-authentication encoding (PAE, <https://github.com/secure-systems-lab/dsse>, protocol 1.0) puts the payload's type
//! and the lengths into the signed bytes. There is one payload type here, so a signature over anything else never fits.
//!
//! INVARIANT: a statement leaves [`Envelope::verify`] only as the bytes that were signed, and `keyid` never decides.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use aim_core::{digest::Sha256, leaf::KeyId};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::{
    encoding::{from_base64_either, to_base64},
    key::{KeyRole, KeySet},
};

/// The only payload type: an in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The most signatures that one envelope may carry.
pub const SIGNATURES_MAX: usize = 16;

/// The largest envelope, in bytes of JSON.
pub const ENVELOPE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Returns the pre-authentication encoding of a payload.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = pae_head(payload_type, payload.len());
    let mut out = Vec::with_capacity(head.len() + payload.len());
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(payload);
    out
}

/// Returns the SHA-256 of a statement's pre-authentication encoding: its name in a leaf.
#[must_use]
pub fn statement_digest(payload: &[u8]) -> Sha256 {
    let hash = sha2::Sha256::new()
        .chain_update(pae_head(PAYLOAD_TYPE, payload.len()))
        .chain_update(payload)
        .finalize();
    Sha256::from_bytes(hash.into())
}

fn pae_head(payload_type: &str, payload_bytes: usize) -> String {
    let mut head = String::with_capacity(64);
    for part in [
        "DSSEv1 ",
        &payload_type.len().to_string(),
        " ",
        payload_type,
        " ",
        &payload_bytes.to_string(),
        " ",
    ] {
        head.push_str(part);
    }
    head
}

/// Why an envelope was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not the JSON of an envelope.
    #[error("envelope is not well-formed: {detail}")]
    Form {
        /// What the parser says.
        detail: String,
    },
    /// Larger than the limit.
    #[error("envelope is larger than {ENVELOPE_BYTES_MAX} bytes")]
    Size,
    /// Another payload type.
    #[error("envelope carries another payload type than `{PAYLOAD_TYPE}`")]
    PayloadType,
    /// Payload or signature is not base64.
    #[error("envelope holds text that is not base64")]
    Base64,
    /// None or more than the limit.
    #[error("envelope must carry 1 to {SIGNATURES_MAX} signatures")]
    SignatureCount,
    /// No signature by enough different keys.
    #[error("envelope is signed by {found} of {needed} keys that are needed")]
    Votes {
        /// How many known keys signed.
        found: usize,
        /// How many had to.
        needed: usize,
    },
}

/// A signature in an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeSignature {
    /// A hint, not signed and never trusted.
    pub key_hint: String,
    /// The signature as it came; any length.
    pub signature: Vec<u8>,
}

/// A statement with signatures, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload: Vec<u8>,
    signatures: Vec<EnvelopeSignature>,
}

/// A statement whose signatures were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedStatement {
    payload: Vec<u8>,
    signers: Vec<KeyId>,
}

impl VerifiedStatement {
    /// Returns the exact bytes that were signed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Returns the different keys that signed, sorted.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
    }
}

// Fields that nobody here knows are ignored, as the DSSE document demands of readers; a field twice is refused.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenEnvelope {
    payload: String,
    payload_type: String,
    signatures: Vec<WrittenSignature>,
}

#[derive(Serialize, Deserialize)]
struct WrittenSignature {
    #[serde(default)]
    keyid: String,
    sig: String,
}

impl Envelope {
    /// Wraps a statement with one signature.
    #[must_use]
    pub fn signed(payload: Vec<u8>, key: KeyId, signature: [u8; 64]) -> Self {
        let signature = EnvelopeSignature {
            key_hint: key.to_string(),
            signature: signature.to_vec(),
        };
        Self {
            payload,
            signatures: [signature].into(),
        }
    }

    /// Reads an envelope. Both base64 alphabets are accepted.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn parse(json: &[u8]) -> Result<Self, EnvelopeError> {
        if json.len() > ENVELOPE_BYTES_MAX {
            return Err(EnvelopeError::Size);
        }
        let written: WrittenEnvelope =
            serde_json::from_slice(json).map_err(|error| EnvelopeError::Form {
                detail: error.to_string(),
            })?;
        if written.payload_type != PAYLOAD_TYPE {
            return Err(EnvelopeError::PayloadType);
        }
        if written.signatures.is_empty() || written.signatures.len() > SIGNATURES_MAX {
            return Err(EnvelopeError::SignatureCount);
        }
        let bytes = |text: &str| from_base64_either(text).ok_or(EnvelopeError::Base64);
        let signature = |written: WrittenSignature| {
            Ok(EnvelopeSignature {
                signature: bytes(&written.sig)?,
                key_hint: written.keyid,
            })
        };
        Ok(Self {
            payload: bytes(&written.payload)?,
            signatures: written
                .signatures
                .into_iter()
                .map(signature)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Writes the envelope as JSON, in standard base64.
    #[must_use]
    pub fn to_json(&self) -> String {
        let signature = |signature: &EnvelopeSignature| WrittenSignature {
            keyid: signature.key_hint.clone(),
            sig: to_base64(&signature.signature),
        };
        let written = WrittenEnvelope {
            payload: to_base64(&self.payload),
            payload_type: PAYLOAD_TYPE.to_string(),
            signatures: self.signatures.iter().map(signature).collect(),
        };
        // Strings in fixed fields: serialisation has no failure to report.
        serde_json::to_string(&written).unwrap_or_default()
    }

    /// Returns the payload without any check.
    #[must_use]
    pub fn payload_unchecked(&self) -> &[u8] {
        &self.payload
    }

    /// Checks that at least `needed` different keys of `role` signed; more signatures by one key are one vote.
    ///
    /// # Errors
    /// [`EnvelopeError::Votes`].
    pub fn verify(
        self,
        keys: &KeySet,
        role: KeyRole,
        needed: usize,
    ) -> Result<VerifiedStatement, EnvelopeError> {
        let message = pae(PAYLOAD_TYPE, &self.payload);
        // BOUND: at most KEYS_MAX keys and SIGNATURES_MAX signatures.
        let has_signed = |key: &&crate::key::PublicKey| {
            self.signatures
                .iter()
                .filter_map(|signature| signature.signature.as_slice().try_into().ok())
                .any(|signature| key.verify(&message, signature).is_ok())
        };
        let mut signers: Vec<KeyId> = keys
            .of_role(role)
            .filter(has_signed)
            .map(crate::key::PublicKey::id)
            .collect();
        signers.sort_unstable();
        let found = signers.len();
        if found < needed.max(1) {
            return Err(EnvelopeError::Votes {
                found,
                needed: needed.max(1),
            });
        }
        Ok(VerifiedStatement {
            payload: self.payload,
            signers,
        })
    }
}
