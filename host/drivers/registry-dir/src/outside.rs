//! The parts of `aim.toml` about what steps reach outside: whose certificates are believed, and which secrets go where.
//!
//! INVARIANT: no value of a secret stands in the deployment file; it names files and variables of the environment.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use aim_core::{
    contract::{ContractFault, ContractRule},
    http::{Scheme, check_header, parse_authority},
    secret::is_secret_name,
};
use serde::{Deserialize, Serialize};

use crate::document::pointer_to;

/// How HTTP is spoken.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthoredHttpClient {
    /// A file of certificates in PEM whose owners are believed. Without it `https` can not be spoken; the system's own list
    /// counts only when its file is named here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub roots: Option<String>,
    /// Requests on their way at the same time; 16 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub at_once: Option<u32>,
}

/// One secret: where its value is, and what it may be used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthoredSecret {
    /// The file that holds it, in a folder that nobody else can enter: 0600 in 0700, as for keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub file: Option<String>,
    /// The variable of the environment that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Z_][A-Z0-9_]{0,127}$"))]
    pub env: Option<String>,
    /// Where it may be sent: `https://api.example:443`.
    #[schemars(length(min = 1))]
    pub endpoints: Vec<String>,
    /// In which headers, in lower case: `authorization`.
    #[schemars(length(min = 1))]
    pub headers: Vec<String>,
}

/// Where the value of a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In this file.
    File(PathBuf),
    /// In this variable of the environment.
    Environment(String),
}

/// A secret of the deployment, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUse {
    /// Where its value is.
    pub source: SecretSource,
    /// Where it may be sent.
    pub endpoints: BTreeSet<String>,
    /// In which headers.
    pub headers: BTreeSet<String>,
}

/// What steps reach outside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutsideUse {
    /// The file of certificates.
    pub roots: Option<PathBuf>,
    /// Requests on their way at the same time.
    pub at_once: Option<u32>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, SecretUse>,
}

/// Checks every rule that needs no file system.
pub(crate) fn check(secrets: &BTreeMap<String, AuthoredSecret>, faults: &mut Vec<ContractFault>) {
    for (name, secret) in secrets {
        let at = pointer_to("/secrets", name);
        let mut add = |field: String, message: &str| {
            faults.push(ContractFault {
                rule: ContractRule::Value,
                field,
                message: message.to_owned(),
            });
        };
        if !is_secret_name(name) {
            add(
                at.clone(),
                "a secret's name is 1 to 64 of `a-z 0-9 -`, starting with a letter",
            );
        }
        if secret.file.is_some() == secret.env.is_some() {
            add(at.clone(), "a secret has either a `file` or an `env`");
        }
        for (index, endpoint) in secret.endpoints.iter().enumerate() {
            if !is_endpoint(endpoint) {
                let message = "an endpoint is `https://` and one host with its port, as `https://api.example:443`";
                add(format!("{at}/endpoints/{index}"), message);
            }
        }
        for (index, header) in secret.headers.iter().enumerate() {
            let is_lower = !header.bytes().any(|b| b.is_ascii_uppercase());
            if !is_lower || check_header(header, b"").is_err() {
                let message = "a header is a name in lower case that the host does not set itself";
                add(format!("{at}/headers/{index}"), message);
            }
        }
    }
}

/// In the clear only to an address of this machine.
fn is_endpoint(text: &str) -> bool {
    let (scheme, authority) = match text.split_once("://") {
        Some(("https", authority)) => (Scheme::Https, authority),
        Some(("http", authority))
            if authority.starts_with("127.") || authority.starts_with("[::1]") =>
        {
            (Scheme::Http, authority)
        }
        _ => return false,
    };
    parse_authority(authority, scheme)
        .is_ok_and(|(host, port)| authority == format!("{host}:{port}"))
}

/// Puts paths below `base` where they are relative. Whoever reads a secret checks who else can.
pub(crate) fn resolve(
    base: &Path,
    http: &AuthoredHttpClient,
    secrets: &BTreeMap<String, AuthoredSecret>,
) -> OutsideUse {
    let of_secret = |(name, secret): (&String, &AuthoredSecret)| {
        let source = match (&secret.file, &secret.env) {
            (Some(file), _) => SecretSource::File(base.join(file)),
            (None, env) => SecretSource::Environment(env.clone().unwrap_or_default()),
        };
        let of = SecretUse {
            source,
            endpoints: secret.endpoints.iter().cloned().collect(),
            headers: secret.headers.iter().cloned().collect(),
        };
        (name.clone(), of)
    };
    OutsideUse {
        roots: http.roots.as_ref().map(|path| base.join(path)),
        at_once: http.at_once,
        secrets: secrets.iter().map(of_secret).collect(),
    }
}
