//! The first frame of a log: who it is and which keys it says it is signed with.
//!
//! The genesis is bound by the block chain, not by a signature. What counts is what the reader's own keys and the signed
//! statements say; the genesis must agree with both.
//!
//! INVARIANT: a genesis that was read names an origin that can stand in a checkpoint and two usable keys.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use aim_core::digest::{decode_hex, encode_hex};
use aim_ports::signer::PublicKeys;
use serde::{Deserialize, Serialize};

use crate::{
    checkpoint::is_origin,
    key::{KeyError, KeySet},
};

/// The `$type` of a genesis.
pub const GENESIS_TYPE: &str = "aim.log/v1";

/// Why bytes are not a genesis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Not the JSON of a genesis.
    #[error("genesis is not well-formed: {detail}")]
    Form {
        /// What is wrong.
        detail: String,
    },
    /// Another `$type`.
    #[error(
        "genesis is not of type `{GENESIS_TYPE}`: this program is too old or the file is no log"
    )]
    Type,
    /// The origin can't name a log.
    #[error("genesis names an origin that can not stand in a checkpoint")]
    Origin,
    /// A key is no key.
    #[error("genesis names an unusable key: {0}")]
    Key(#[from] KeyError),
}

/// What a log says about itself at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// The log's unique name.
    pub origin: String,
    /// The keys that it is signed with.
    pub keys: PublicKeys,
    /// The host's claim, RFC 3339; nothing depends on it.
    pub created_at: String,
    /// Version of the host that made it.
    pub host_version: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenGenesis {
    #[serde(rename = "$type")]
    document_type: String,
    created_at: String,
    host_version: String,
    keys: WrittenKeys,
    origin: String,
}

/// Two public keys as hex, as they stand in documents.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenKeys {
    log: String,
    step: String,
}

impl WrittenKeys {
    pub(crate) fn of(keys: &PublicKeys) -> Self {
        Self {
            log: encode_hex(&keys.log),
            step: encode_hex(&keys.step),
        }
    }

    pub(crate) fn read(&self) -> Option<PublicKeys> {
        Some(PublicKeys {
            step: decode_hex(&self.step)?,
            log: decode_hex(&self.log)?,
        })
    }
}

impl Genesis {
    /// Writes the genesis as JSON with sorted keys.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let written = WrittenGenesis {
            document_type: GENESIS_TYPE.into(),
            created_at: self.created_at.clone(),
            host_version: self.host_version.clone(),
            keys: WrittenKeys::of(&self.keys),
            origin: self.origin.clone(),
        };
        // Strings in fixed fields: serialisation has no failure to report.
        serde_json::to_vec(&written).unwrap_or_default()
    }

    /// Reads a genesis.
    ///
    /// # Errors
    /// [`GenesisError`]; unknown fields are refused.
    pub fn parse(json: &[u8]) -> Result<Self, GenesisError> {
        let form = |detail: &dyn ToString| GenesisError::Form {
            detail: detail.to_string(),
        };
        let written: WrittenGenesis = serde_json::from_slice(json).map_err(|error| form(&error))?;
        if written.document_type != GENESIS_TYPE {
            return Err(GenesisError::Type);
        }
        if !is_origin(&written.origin) {
            return Err(GenesisError::Origin);
        }
        let keys = written
            .keys
            .read()
            .ok_or_else(|| form(&"keys must be 64 lower-case hex digits"))?;
        KeySet::of(&keys)?;
        Ok(Self {
            origin: written.origin,
            keys,
            created_at: written.created_at,
            host_version: written.host_version,
        })
    }
}
