//! How an attempt ends, and the exit code of a run. Denied, failed and bug are three species and never mix.
//!
//! INVARIANT: every outcome has exactly one exit code and one word in evidence.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// How one attempt of one step ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "of", rename_all = "kebab-case")]
pub enum Outcome {
    /// The handler answered and every gate was asked.
    Completed,
    /// Nobody is sure enough to answer.
    Abstained(Abstention),
    /// Refused by a gate, the policy or the grant.
    Denied(DeniedBy),
    /// The guest or the world failed in a way that is typed.
    Failed(Failure),
    /// The guest's code stopped in a way that WebAssembly defines.
    Trapped(Trap),
    /// A limit ended it.
    Limit(LimitKind),
    /// An immediate effect was begun and its end is unknown: the index of the host call.
    Indeterminate(u32),
    /// The run was told to stop.
    Cancelled,
    /// Ours: the step ends, the host lives.
    Bug,
}

/// Why an attempt abstained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Abstention {
    /// Claimed confidence is below kappa, or the step itself would rather not answer.
    Kappa,
    /// A plan budget ran out.
    Budget,
    /// Evidence that the step needs is missing.
    Evidence,
    /// A pin is missing.
    Pin,
}

/// Who refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeniedBy {
    /// A gate's verdict.
    Gate,
    /// The operator's policy.
    Policy,
    /// The grant that admission computed.
    Grant,
}

/// How something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Trying again may succeed.
    Transient,
    /// Trying again would fail again.
    Permanent,
    /// The envelope does not satisfy the contract.
    InvalidInput,
}

/// Why the guest's code stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trap {
    /// `unreachable` was executed: panics and aborts of most toolchains.
    Unreachable,
    /// The WebAssembly stack ended.
    StackOverflow,
    /// A memory or table access outside its bounds.
    OutOfBounds,
    /// Integer division by zero, overflow, or a bad conversion.
    Arithmetic,
    /// A call through a wrong or empty table entry.
    IndirectCall,
    /// A value that breaks the component model's rules: bad string, handle, discriminant, pointer.
    Abi,
    /// The guest asked to exit with a code other than zero.
    Exit,
    /// Any other trap.
    Other,
}

/// Which limit ended an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitKind {
    /// Computation, in fuel.
    Fuel,
    /// Time, running or waiting.
    Deadline,
    /// All memories together.
    Memory,
    /// Table elements.
    Tables,
    /// Core instances, memories or tables by number.
    Instances,
    /// Resource handles.
    Handles,
    /// Bytes that cross from guest to host in calls.
    HostCallBytes,
    /// Host calls by number.
    HostCalls,
    /// The payload of an envelope or of emissions.
    Payload,
    /// Emissions by number.
    Emissions,
    /// Artifacts by number or bytes.
    Artifacts,
    /// Random bytes.
    Random,
    /// Calls from the host into the guest from within a host call.
    Reentry,
    /// Steps that lie behind an envelope.
    Hops,
    /// Deliveries of one attempt.
    FanOut,
    /// Immediate effects by number.
    Effects,
    /// Bytes of immediate effects.
    EffectBytes,
    /// A plan's token budget.
    Tokens,
    /// A plan's tool-call budget.
    Tools,
    /// A plan's cost budget.
    Cost,
    /// Attempts that run and wait at the host.
    Concurrency,
}

impl Outcome {
    /// The kind's word, without detail.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Abstained(_) => "abstained",
            Self::Denied(_) => "denied",
            Self::Failed(_) => "failed",
            Self::Trapped(_) => "trapped",
            Self::Limit(_) => "limit",
            Self::Indeterminate(_) => "indeterminate",
            Self::Cancelled => "cancelled",
            Self::Bug => "bug",
        }
    }

    /// The exit code that this outcome alone would give a run.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Completed => Exit::Ok,
            Self::Abstained(_) => Exit::Abstained,
            Self::Denied(_) => Exit::Denied,
            Self::Failed(_) | Self::Trapped(_) => Exit::Failed,
            Self::Limit(_) => Exit::Limit,
            Self::Indeterminate(_) => Exit::Waiting,
            Self::Cancelled => Exit::Interrupted,
            Self::Bug => Exit::Bug,
        }
    }
}

/// Exit codes of `aimctl`; scripts may rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// 0: everything required completed.
    Ok,
    /// 1: a step failed.
    Failed,
    /// 2: usage or configuration.
    Usage,
    /// 3: denied by policy, gate or grant.
    Denied,
    /// 4: evidence or a signature is invalid, or not authenticated.
    Evidence,
    /// 5: a limit or timeout.
    Limit,
    /// 6: something named was not found.
    NotFound,
    /// 7: a replay diverged.
    Diverged,
    /// 8: abstained.
    Abstained,
    /// 9: waiting for a person, or indeterminate.
    Waiting,
    /// 70: our bug, or a fail-stop.
    Bug,
    /// 130: interrupted.
    Interrupted,
}

impl Exit {
    /// The process exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Denied => 3,
            Self::Evidence => 4,
            Self::Limit => 5,
            Self::NotFound => 6,
            Self::Diverged => 7,
            Self::Abstained => 8,
            Self::Waiting => 9,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }

    /// The exit of a run from those of its required steps: the worst in the order
    /// 130, 70, 4, 3, 5, 7, 1, 9, 8, 0. An empty run is ok.
    #[must_use]
    pub fn worst(exits: impl IntoIterator<Item = Self>) -> Self {
        exits
            .into_iter()
            .max_by_key(|exit| exit.rank())
            .unwrap_or(Self::Ok)
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Abstained => 1,
            Self::Waiting => 2,
            Self::Failed => 3,
            Self::Diverged => 4,
            Self::Limit => 5,
            Self::Denied => 6,
            Self::NotFound => 7,
            Self::Usage => 8,
            Self::Evidence => 9,
            Self::Bug => 10,
            Self::Interrupted => 11,
        }
    }
}

/// A failure with a stable code (`[A-Z]+-[A-Z]?[0-9]+`) and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fault {
    /// The stable code.
    pub code: String,
    /// The sentence; guest text is data and is neutralised before any terminal sees it.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_exits_with_the_worst_of_its_steps() {
        use Exit::*;
        let order = [
            Ok, Abstained, Waiting, Failed, Diverged, Limit, Denied, Evidence, Bug,
        ];
        for (index, worse) in order.iter().enumerate() {
            for better in &order[..=index] {
                assert_eq!(Exit::worst([*worse, *better]), *worse);
                assert_eq!(Exit::worst([*better, *worse]), *worse);
            }
        }
        assert_eq!(Exit::worst([]), Ok);
    }

    #[test]
    fn outcomes_are_written_with_kind_and_detail() {
        let json = serde_json::to_string(&Outcome::Limit(LimitKind::HostCallBytes)).unwrap();
        assert_eq!(json, r#"{"kind":"limit","of":"host-call-bytes"}"#);
        let json = serde_json::to_string(&Outcome::Completed).unwrap();
        assert_eq!(json, r#"{"kind":"completed"}"#);
    }

    #[test]
    fn denied_failed_and_bug_have_different_exits() {
        let exits = [
            Outcome::Denied(DeniedBy::Gate).exit().code(),
            Outcome::Failed(Failure::Permanent).exit().code(),
            Outcome::Bug.exit().code(),
        ];
        assert_eq!(exits, [3, 1, 70]);
    }
}
