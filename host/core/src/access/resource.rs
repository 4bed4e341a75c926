//! What an ask is about: a kind of thing and the name of one, as contracts, policy and evidence write it.
//!
//! A new capability with a resource of its own adds a variant here, says how a name of it is written and what of a granted
//! name covers a wanted one, and declares the entity in `contracts/policy/aim.cedarschema`. Nothing else changes.
//!
//! INVARIANT: names are compared byte for byte; no case, no Unicode form and no path is ever folded.

use alloc::{string::String, vec::Vec};
use core::net::IpAddr;

use crate::{http::HttpScope, name::StepName, secret::is_secret_name};

/// What kind of thing an ask is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// The host itself, for what has no finer resource. There is one, named `any`.
    Host,
    /// A run input that is mounted as a folder, or a folder of the deployment that is written.
    Folder,
    /// A bucket of key-value pairs of the run's tenant and the step's node.
    Bucket,
    /// A configuration value.
    Key,
    /// A method, an endpoint and a path prefix: `GET https://api.example:443/v1/`.
    Endpoint,
    /// A secret of the deployment, by its name.
    Secret,
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Host,
        Self::Folder,
        Self::Bucket,
        Self::Key,
        Self::Endpoint,
        Self::Secret,
    ];

    /// The name of its entity type in the policy's schema, without the namespace.
    #[must_use]
    pub const fn entity(self) -> &'static str {
        match self {
            Self::Host => "Host",
            Self::Folder => "Folder",
            Self::Bucket => "Bucket",
            Self::Key => "Key",
            Self::Endpoint => "Endpoint",
            Self::Secret => "Secret",
        }
    }

    /// True when an ask must name what it is about.
    #[must_use]
    pub const fn is_scoped(self) -> bool {
        !matches!(self, Self::Host)
    }

    /// Checks how a name of this kind is written in a contract.
    ///
    /// # Errors
    /// What such a name must look like.
    pub fn check(self, name: &str) -> Result<(), &'static str> {
        match self {
            Self::Host if name == "any" => Ok(()),
            Self::Host => Err("must be `any`"),
            Self::Folder => StepName::parse(name)
                .map(|_| ())
                .map_err(|_| "must be 1 to 64 letters, digits or `_`: the run input to mount"),
            Self::Bucket => StepName::parse(name)
                .map(|_| ())
                .map_err(|_| "must be 1 to 64 letters, digits or `_`: the bucket's name"),
            Self::Key if is_key(name) => Ok(()),
            Self::Key => Err("must be 1 to 128 of `A-Z a-z 0-9 _ . -`: the value's name"),
            Self::Endpoint => name
                .parse::<HttpScope>()
                .map(|_| ())
                .map_err(|error| error.says()),
            Self::Secret if is_secret_name(name) => Ok(()),
            Self::Secret => Err("must be 1 to 64 of `a-z 0-9 -`, starting with a letter"),
        }
    }

    /// True when a granted name covers a wanted one. Bytes are compared, never meanings.
    #[must_use]
    pub fn covers(self, granted: &str, wanted: &str) -> bool {
        match self {
            Self::Host | Self::Folder | Self::Bucket | Self::Key | Self::Secret => {
                granted == wanted
            }
            Self::Endpoint => match (granted.parse::<HttpScope>(), wanted.parse::<HttpScope>()) {
                (Ok(granted), Ok(wanted)) => granted.covers(&wanted),
                _ => false,
            },
        }
    }

    /// Facts that follow from a name, as attributes of its entity in policy: `resource.<attribute>`.
    #[must_use]
    pub fn attributes(self, name: &str) -> Vec<(&'static str, Fact)> {
        match self {
            Self::Host | Self::Folder | Self::Bucket | Self::Key | Self::Secret => Vec::new(),
            // A name that is no endpoint has no attributes, so that no request about it fits the schema.
            Self::Endpoint => name
                .parse::<HttpScope>()
                .map(|scope| scope.facts())
                .unwrap_or_default(),
        }
    }
}

/// True for the name of a configuration value.
fn is_key(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=128).contains(&name.len()) && name.bytes().all(is_plain)
}

/// One thing that an ask or a call is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// Its kind.
    pub kind: ResourceKind,
    /// Its name, unique in its kind.
    pub name: String,
}

impl Resource {
    /// The host itself.
    #[must_use]
    pub fn host() -> Self {
        Self::new(ResourceKind::Host, "any")
    }

    /// A thing of `kind`.
    #[must_use]
    pub fn new(kind: ResourceKind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }
}

/// The name of the fact that is known when a connection is made: the resolved address.
pub const ADDRESS: &str = "address";

/// A value that policy can compare.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// An internet address, as it was resolved.
    Address(IpAddr),
}

impl Fact {
    /// A network address as policy is told it: an IPv4-mapped one is the IPv4 address that it reaches, since rules about IPv4
    /// networks know no other.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        Self::Address(address.to_canonical())
    }
}
