//! What a node is, what it consumes and emits, and what it asks for: the contract, as people write it and as the host uses it.
//!
//! [`authored`] is the shape of the YAML and nothing more; [`checked`] is what came through every rule, with all defaults
//! filled in. The way from one to the other is [`authored::NodeDocument::check`], which names every broken rule of a
//! document at once, each with the field it is about. Files, lines and columns are the registry driver's business.
//!
//! INVARIANT: a checked contract has one constructor, and what it can say has no "maybe" in it: nothing unknown, nothing
//! unset, no limit absent.

pub mod authored;
pub mod checked;
pub mod error;

use core::fmt;

use serde::{Deserialize, Serialize};

pub use authored::{NodeDocument, RuntimeHostDocument};
pub use checked::{
    ComponentRef, DbEffect, HttpEffect, Implementation, NodeContract, NodeFacts, Retry,
    RuntimeHostContract, RuntimeHostFacts, TenantScope,
};
pub use error::{ContractFault, ContractRule};

/// What kind of node a contract describes. A runtime host is a document of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// Reaches the outside through host calls.
    Effect,
    /// Turns input into output.
    Compute,
    /// Folds envelopes into a state.
    Reducer,
    /// Decides which node runs next.
    Orchestrator,
}

/// The world a component is built for: what it may import and what it must export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum World {
    /// A step with host calls.
    #[serde(rename = "aim:step/step@0.1.0")]
    Step,
    /// A step without any import but types.
    #[serde(rename = "aim:step/pure-step@0.1.0")]
    PureStep,
    /// A gate: it judges, and has no effect at all.
    #[serde(rename = "aim:step/gate@0.1.0")]
    Gate,
    /// A probe: it is given the record of a run, imports nothing but types, and says whether an invariant held.
    #[serde(rename = "aim:step/probe@0.1.0")]
    Probe,
}

impl World {
    /// Every world that a contract can name.
    pub const ALL: [Self; 4] = [Self::Step, Self::PureStep, Self::Gate, Self::Probe];

    /// The world's full name, as contracts write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Step => "aim:step/step@0.1.0",
            Self::PureStep => "aim:step/pure-step@0.1.0",
            Self::Gate => "aim:step/gate@0.1.0",
            Self::Probe => "aim:step/probe@0.1.0",
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far a node may go by itself. There is no way to write the level above, which would act without anybody asked.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Autonomy {
    /// Reads and reports.
    #[default]
    #[serde(rename = "RO")]
    ReadOnly,
    /// Recommends.
    #[serde(rename = "REC")]
    Recommend,
    /// Proposes a change that somebody else puts into effect.
    #[serde(rename = "PROP")]
    Propose,
}

impl Autonomy {
    /// The word used in contracts and policy.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "RO",
            Self::Recommend => "REC",
            Self::Propose => "PROP",
        }
    }
}

/// Which part of the host carries out an effect node that has no component of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum EffectType {
    /// One SQL statement with bound parameters.
    Db,
    /// One HTTP request.
    Http,
    /// Nothing outside the process; for trying things out.
    Local,
}

/// A family of handlers that a runtime host serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum HandlerFamily {
    /// In-process handlers.
    Local,
    /// HTTP requests.
    Http,
    /// SQL databases.
    Db,
    /// Language models.
    Llm,
}

/// True for `MAJOR.MINOR.PATCH` with an optional `-pre.release` and `+build`, without leading zeros, at most 64 bytes.
#[must_use]
pub fn is_semver(text: &str) -> bool {
    let (text, build) = text
        .split_once('+')
        .map_or((text, None), |(rest, build)| (rest, Some(build)));
    let (core, pre) = text
        .split_once('-')
        .map_or((text, None), |(core, pre)| (core, Some(pre)));
    let is_number = |part: &str| {
        (1..=9).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let is_word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let is_pre = |part: &str| {
        is_word(part) && (!part.bytes().all(|b| b.is_ascii_digit()) || is_number(part))
    };
    text.len() <= 64
        && build.is_none_or(|build| build.len() <= 64 && build.split('.').all(is_word))
        && core.split('.').count() == 3
        && core.split('.').all(is_number)
        && pre.is_none_or(|pre| pre.split('.').all(is_pre))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_numbers_and_nothing_looser() {
        for good in [
            "0.1.0",
            "10.20.30",
            "1.0.0-rc.1",
            "1.0.0+b7",
            "1.0.0-a-b+c.d",
        ] {
            assert!(is_semver(good), "{good}");
        }
        for bad in [
            "", "1", "1.0", "01.0.0", "1.0.0.0", "v1.0.0", "1.0.0-", "1.0.0-01", "1.0.x", "1.0.0+",
            "1.0.0 ", "-1.0.0",
        ] {
            assert!(!is_semver(bad), "{bad}");
        }
    }

    #[test]
    fn a_world_is_written_as_it_is_named() {
        for world in World::ALL {
            let written = serde_json::to_string(&world).unwrap();
            assert_eq!(written, alloc::format!("\"{}\"", world.name()));
        }
    }
}
