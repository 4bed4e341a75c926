//! What the host of a run can do outside of itself: the HTTP client, the secrets, and what of the network it keeps.
//!
//! INVARIANT: everything here is read before the host gives files and network up; a run whose contracts ask for nothing
//! outside keeps nothing.

use std::{collections::BTreeSet, io::Read as _, path::Path, sync::Arc};

use aim_core::{access::Capability, http::HttpScope, outcome::Exit, pool::Prices};
use aim_hardening::{
    confine::Reach,
    secret_file::{SecretFileError, read_secret_file, read_secret_variable},
};
use aim_http_hyper::{HyperHttp, Roots, SystemResolver};
use aim_registry_dir::{OutsideUse, SecretSource};
use aim_runtime::{
    admission::Node,
    outside::{EFFECTS_AT_ONCE, Outside, SecretBinding, SecretBook},
};

use crate::{
    error::{CliError, Problem},
    files,
};

/// What was made ready.
pub(crate) struct OutsideReady {
    pub(crate) outside: Outside,
    ports: BTreeSet<u16>,
}

impl OutsideReady {
    /// The same, with what calls cost.
    pub(crate) fn priced(mut self, prices: Prices) -> Self {
        self.outside = self.outside.priced(prices);
        self
    }
}

/// Longest file of certificates.
const ROOTS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What the system reads to find the address of a name.
const RESOLVER_FILES: [&str; 5] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
];

/// Reads what the nodes that take part ask for.
pub(crate) fn ready<'a>(
    deployment: &OutsideUse,
    nodes: impl Iterator<Item = &'a Node>,
) -> Result<OutsideReady, CliError> {
    let mut ports = BTreeSet::new();
    let mut names = BTreeSet::new();
    for ask in nodes.flat_map(|node| &node.contract.asks) {
        match ask.capability {
            Capability::Http => {
                let scopes = ask
                    .scope
                    .iter()
                    .filter_map(|name| name.parse::<HttpScope>().ok());
                ports.extend(scopes.map(|scope| scope.port));
            }
            Capability::Secrets => names.extend(ask.scope.iter().cloned()),
            _ => {}
        }
    }
    let mut book = SecretBook::default();
    for name in names {
        let binding = secret(deployment, &name)?;
        book.0.insert(name, binding);
    }
    let http = (!ports.is_empty())
        .then(|| client(deployment))
        .transpose()?;
    let at_once = deployment
        .at_once
        .and_then(|at_once| usize::try_from(at_once).ok())
        .unwrap_or(EFFECTS_AT_ONCE);
    Ok(OutsideReady {
        outside: Outside::new(http, book, at_once),
        ports,
    })
}

fn secret(deployment: &OutsideUse, name: &str) -> Result<SecretBinding, CliError> {
    let Some(secret) = deployment.secrets.get(name) else {
        let message =
            format!("a contract asks for the secret `{name}`, and aim.toml has none of that name");
        return Err(CliError::usage(
            "AIM-N014",
            message,
            "add `[secrets.<name>]` to aim.toml, or take the ask out of the contract",
        ));
    };
    let value = match &secret.source {
        SecretSource::File(path) => read_secret_file(path),
        SecretSource::Environment(variable) => read_secret_variable(variable),
    };
    let value = value.map_err(|error| secret_error(name, &error))?;
    Ok(SecretBinding {
        secret: value,
        endpoints: secret.endpoints.clone(),
        headers: secret.headers.clone(),
    })
}

fn secret_error(name: &str, error: &SecretFileError) -> CliError {
    let message = format!("secret `{name}`: {error}");
    CliError::new(
        Exit::Usage,
        Problem::new(error.code(), message).with_help(error.help()),
    )
}

fn client(deployment: &OutsideUse) -> Result<Arc<dyn aim_ports::http::Http>, CliError> {
    let roots = match &deployment.roots {
        None => Roots::none(),
        Some(path) => {
            let pem = read_roots(path)?;
            Roots::from_pem(&pem).map_err(|error| {
                let message = format!("`{}`: {error}", path.display());
                CliError::new(
                    Exit::Usage,
                    Problem::new(error.code(), message).with_help(error.help()),
                )
            })?
        }
    };
    Ok(Arc::new(HyperHttp::new(Arc::new(SystemResolver), roots)))
}

fn read_roots(path: &Path) -> Result<Vec<u8>, CliError> {
    let unusable = |why: String| {
        let message = format!("`{}`: {why}", path.display());
        CliError::usage(
            "AIM-N010",
            message,
            "name a file of PEM certificates under `[http] roots`",
        )
    };
    let mut bytes = Vec::new();
    let read = files::open_found(path)
        .and_then(|file| file.take(ROOTS_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(length) if u64::try_from(length).is_ok_and(|length| length <= ROOTS_BYTES_MAX) => {
            Ok(bytes)
        }
        Ok(_) => Err(unusable(format!(
            "it is longer than {ROOTS_BYTES_MAX} bytes"
        ))),
        Err(error) => Err(unusable(error.to_string())),
    }
}

impl OutsideReady {
    /// What the host keeps of files and network: nothing, unless a contract asks for requests.
    pub(crate) fn reach<'a>(&self, paths_write: &[&'a Path]) -> Reach<'a> {
        let mut reach = Reach {
            paths_read: Vec::new(),
            paths_write: paths_write.to_vec(),
            connect_ports: self.ports.iter().copied().collect(),
        };
        if !self.ports.is_empty() {
            reach.paths_read.extend(RESOLVER_FILES.map(Path::new));
            // A name that does not fit into a datagram is asked for over TCP.
            reach.connect_ports.push(53);
        }
        reach
    }
}
