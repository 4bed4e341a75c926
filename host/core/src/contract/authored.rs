//! Contracts exactly as people write them: every key that YAML may hold, and nothing derived.
//!
//! The JSON Schemas under `contracts/schemas` are generated from these types (feature `schema`), so the doc comments here
//! are what an editor shows. Names, versions and digests stay text until they are checked: a document with three bad
//! names gets three faults.
//!
//! INVARIANT: every struct refuses unknown keys.

#[cfg(feature = "schema")]
use alloc::string::ToString;
use alloc::{collections::BTreeMap, string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Autonomy, EffectType, HandlerFamily, NodeKind, World};
use crate::{
    access::{Capability, Mode},
    claims::RATIO_ONE,
    gate::floor::Floors,
    kappa::Criticality,
    limits::Limits,
};

/// A node contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NodeDocument {
    /// What kind of node it is.
    pub kind: NodeKind,
    /// The node's id, unique in a deployment.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$"))
    )]
    pub node_id: String,
    /// The contract's version, semantic: `0.1.0`.
    #[cfg_attr(
        feature = "schema",
        schemars(
            regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$"),
            length(max = 129)
        )
    )]
    pub version: String,
    /// Whose envelopes the node takes: `global`, or a list of tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_scope: Option<AuthoredTenantScope>,
    /// Anything that people or tools want to keep here; the host reads none of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// The component that does the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<AuthoredComponent>,
    /// The world that the component is built for; `aim:step/step@0.1.0` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world: Option<World>,
    /// What the component asks to use. What is not asked for is never bound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<AuthoredAsk>,
    /// The toolchain profile whose unavoidable imports are bound to adapters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$"))
    )]
    pub adapt: Option<String>,
    /// JSON Schema (draft 2020-12) of the envelope's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "any_schema"))]
    pub input: Option<Value>,
    /// JSON Schema (draft 2020-12) of each emission's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "any_schema"))]
    pub output: Option<Value>,
    /// Limits of one attempt, where they differ from the defaults.
    #[serde(default, skip_serializing_if = "AuthoredLimits::is_empty")]
    pub limits: AuthoredLimits,
    /// How often a transient failure is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<AuthoredRetry>,
    /// Wall time of one attempt in milliseconds; another way to write `limits.deadline_ms_max`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub timeout_ms: Option<u64>,
    /// The node that takes over when this one fails. Not supported by this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// Gates to pass besides those that the deployment and the plan name. A contract can add gates, never remove one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<String>,
    /// For gates: the file with the rules that it judges by, relative to this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024)))]
    pub codex: Option<String>,
    /// True when doing it twice is the same as doing it once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    /// How far the node may go by itself: `RO` (the default), `REC` or `PROP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autonomy: Option<AuthoredAutonomy>,
    /// True when gates see digests of payloads instead of their bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque_payload: Option<bool>,
    /// Confidence below which the step abstains, in parts per million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000)))]
    pub kappa_ppm: Option<u32>,
    /// How much depends on the node: the table of the deployment says what confidence that needs. Beside `kappa_ppm` the
    /// larger one counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<Criticality>,
    /// What every ethical score must reach for this node, over the codex of the gate. It can only ask for more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ethics: Option<AuthoredFloors>,
    /// For effects without a component: which part of the host carries it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect_type: Option<EffectType>,
    /// The statement, for `effect_type: db`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub db: Option<AuthoredDb>,
    /// The request, for `effect_type: http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<AuthoredHttp>,
}

/// Least ethical scores, in parts per million; what is absent asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuthoredFloors {
    /// Below this score a person must decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000)))]
    pub kappa_ppm: Option<u32>,
    /// Below this score a release is marked for review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000)))]
    pub review_below_ppm: Option<u32>,
    /// What a worse decision before adds to both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000)))]
    pub hysteresis_ppm: Option<u32>,
}

impl AuthoredFloors {
    /// The floors.
    #[must_use]
    pub fn floors(&self) -> Floors {
        Floors {
            hysteresis_ppm: self.hysteresis_ppm.unwrap_or(0),
            kappa_ppm: self.kappa_ppm.unwrap_or(0),
            review_below_ppm: self.review_below_ppm.unwrap_or(0),
        }
    }

    /// The key of a number above one, when there is one.
    #[must_use]
    pub fn above_one(&self) -> Option<&'static str> {
        let named = [
            ("kappa_ppm", self.kappa_ppm),
            ("review_below_ppm", self.review_below_ppm),
            ("hysteresis_ppm", self.hysteresis_ppm),
        ];
        let mut above = named
            .into_iter()
            .filter(|(_, value)| value.is_some_and(|value| value > RATIO_ONE));
        above.next().map(|(name, _)| name)
    }
}

/// The word `global` or a list of tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum AuthoredTenantScope {
    /// The word.
    Word(GlobalWord),
    /// The tenants.
    List(#[cfg_attr(feature = "schema", schemars(length(min = 1)))] Vec<String>),
}

/// The one word that stands for every tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum GlobalWord {
    /// `global`.
    Global,
}

/// Where the component's bytes are, which bytes they must be, or both.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuthoredComponent {
    /// The file, relative to this one or to a components folder of the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024)))]
    pub path: Option<String>,
    /// BLAKE3 of the bytes: `blake3:` and 64 lower-case hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^blake3:[0-9a-f]{64}$"))
    )]
    pub digest: Option<String>,
}

/// One capability that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuthoredAsk {
    /// The capability.
    pub capability: Capability,
    /// The ways it is used: `artifact` has `read` and `put`, `filesystem` and `keyvalue` have `read` and `write`, `clocks` and
    /// `random` are either `virtual` or `real`, `http` has `request` and `special`, the others have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modes: Vec<Mode>,
    /// The run input to mount, for `filesystem`: a shorter way to write a `scope` of one name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[A-Za-z0-9_]{1,64}$")))]
    pub folder: Option<String>,
    /// The names of what it is used on, for capabilities that have more than the host as a whole. Finite, granted whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "schema",
        schemars(length(max = 64), inner(length(min = 1, max = 1024)))
    )]
    pub scope: Vec<String>,
    /// For `config`: values that the contract gives itself, by key; the deployment gives the others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// For `cli`: the environment. The host's own is never seen.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// For `cli`: the arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// For `cli`: what standard input gives; nothing when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 65536)))]
    pub stdin: Option<String>,
    /// Calls that it is good for in one attempt, where that is less than the step's own limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub calls_max: Option<u32>,
    /// Bytes that it is good for in one attempt, where that is less than the step's own limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub bytes_max: Option<u64>,
    /// Milliseconds from the start of an attempt that it is good for, where that is less than the deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub time_ms_max: Option<u64>,
}

/// How often a transient failure is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuthoredRetry {
    /// Attempts in all, the first included: 1 to 10.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10)))]
    pub attempts_max: u32,
    /// Time before the next attempt in milliseconds, up to an hour.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(range(max = 3_600_000)))]
    pub backoff_ms: u64,
}

/// The levels of autonomy that can be written; the last one is refused with a reason of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum AuthoredAutonomy {
    /// Reads and reports.
    #[serde(rename = "RO")]
    ReadOnly,
    /// Recommends.
    #[serde(rename = "REC")]
    Recommend,
    /// Proposes.
    #[serde(rename = "PROP")]
    Propose,
    /// Acts by itself. Always refused.
    #[serde(rename = "EXEC")]
    Execute,
}

impl AuthoredAutonomy {
    /// The level, unless it is the one that nobody gets.
    #[must_use]
    pub const fn level(self) -> Option<Autonomy> {
        match self {
            Self::ReadOnly => Some(Autonomy::ReadOnly),
            Self::Recommend => Some(Autonomy::Recommend),
            Self::Propose => Some(Autonomy::Propose),
            Self::Execute => None,
        }
    }
}

/// One SQL statement. Values are bound, never spliced in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuthoredDb {
    /// Name of the operator's connection.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$"))
    )]
    pub connection: String,
    /// The statement, with `:name` for parameters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub sql: String,
    /// Where each parameter comes from: `$.payload.user_id`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
}

/// One HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuthoredHttp {
    /// The address, with `{name}` for parameters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub url_template: String,
    /// The method, in capitals.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[A-Z]{1,16}$")))]
    pub method: String,
    /// Headers to send.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// A runtime host's contract: what it subscribes to and which nodes it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RuntimeHostDocument {
    /// Always `runtime_host`.
    pub kind: RuntimeHostWord,
    /// The host's id, unique in a deployment.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$"))
    )]
    pub node_id: String,
    /// The contract's version, semantic: `0.1.0`.
    #[cfg_attr(
        feature = "schema",
        schemars(
            regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$"),
            length(max = 129)
        )
    )]
    pub version: String,
    /// Whose envelopes the host takes: `global`, or a list of tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_scope: Option<AuthoredTenantScope>,
    /// Anything that people or tools want to keep here; the host reads none of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// What it listens to.
    pub subscriptions: AuthoredSubscriptions,
    /// What it can carry out.
    pub handlers: AuthoredHandlers,
    /// Which nodes it runs.
    pub host_selector: AuthoredHostSelector,
}

/// The one word that marks a runtime host's contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RuntimeHostWord {
    /// `runtime_host`.
    RuntimeHost,
}

/// Topics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuthoredSubscriptions {
    /// Patterns of command topics: `*` is one segment, a last `#` the rest.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub cmd_topics: Vec<String>,
}

/// Handlers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuthoredHandlers {
    /// The families that it serves.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub families: Vec<HandlerFamily>,
}

/// Nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuthoredHostSelector {
    /// Ids of the nodes that it runs; each has a contract of its own.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub node_ids: Vec<String>,
}

macro_rules! authored_limits {
    ($($(#[$doc:meta])* $name:ident: $type:ty),+ $(,)?) => {
        /// Limits of one attempt; what is absent keeps its default. Every one is a whole number in the unit that its name
        /// ends in, and an inclusive maximum.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub struct AuthoredLimits {
            $(
                $(#[$doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
                pub $name: Option<$type>,
            )+
        }

        impl AuthoredLimits {
            /// Puts what is written over `base`.
            #[must_use]
            pub fn over(&self, base: Limits) -> Limits {
                Limits { $($name: self.$name.unwrap_or(base.$name),)+ }
            }

            /// True when nothing is written.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                *self == Self::default()
            }
        }
    };
}

authored_limits! {
    /// Bytes over all linear memories together.
    memory_bytes_max: u64,
    /// Elements over all tables together.
    table_elements_max: u32,
    /// Core instances inside the component.
    instances_max: u32,
    /// Linear memories by number.
    memories_max: u32,
    /// Tables by number.
    tables_max: u32,
    /// Live resource handles.
    handles_max: u32,
    /// Fuel, about one per executed instruction.
    fuel_max: u64,
    /// Wall time in milliseconds.
    deadline_ms_max: u64,
    /// Host calls by number.
    host_calls_max: u32,
    /// Bytes that one host call may bring.
    host_call_bytes_max: u32,
    /// Log bytes kept.
    log_bytes_max: u32,
    /// Bytes of one body.
    payload_bytes_max: u32,
    /// Emissions by number.
    emissions_max: u32,
    /// Artifacts put.
    artifacts_max: u32,
    /// Bytes over all artifacts put.
    artifact_bytes_max: u64,
    /// Random bytes.
    random_bytes_max: u32,
    /// Depth of calls into the guest from within a host call.
    reentry_max: u32,
    /// Keys that a bucket may hold.
    kv_keys_max: u32,
    /// Bytes of one value in a bucket.
    kv_value_bytes_max: u32,
    /// Bytes of keys and values that a bucket may hold, with what the attempt stages.
    kv_bytes_max: u64,
    /// Files and folders that a writable folder may hold.
    files_max: u32,
    /// Bytes of one file in a writable folder.
    file_bytes_max: u64,
    /// Bytes of all files in a writable folder, with what the attempt stages.
    folder_bytes_max: u64,
    /// Steps that lie behind an envelope, its own included.
    hops_max: u32,
    /// Deliveries of one attempt: emissions times the steps that require it.
    fan_out_max: u32,
    /// Immediate effects by number.
    effects_max: u32,
    /// Bytes of requests and answers of all immediate effects together.
    effect_bytes_max: u64,
    /// Wall time of one immediate effect in milliseconds.
    effect_ms_max: u64,
}

#[cfg(feature = "schema")]
fn any_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["object", "boolean"] })
}
