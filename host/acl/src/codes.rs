//! Every code of the plan language in one table. A code keeps its meaning forever; each has a page `docs/errors/<id>.md`.
//!
//! INVARIANT: no two rows share an id, and a diagnostic can only be made from a row.

/// A stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code {
    /// As people see it.
    pub id: &'static str,
    /// What it means, in a few words.
    pub title: &'static str,
    /// What it is raised on.
    pub subject: Subject,
}

/// What a code is raised on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A `.acl` source, by this crate.
    Source,
    /// A compiled plan, its lock or its deployment, by `aim_core::plan`.
    Compiled,
}

macro_rules! table {
    ($($name:ident $id:literal $subject:ident $title:literal,)*) => {
        $(#[doc = concat!("`", $id, "`: ", $title, ".")]
        pub const $name: Code = Code { id: $id, title: $title, subject: Subject::$subject };)*

        /// All codes, by id.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

table! {
    TYPE_MISMATCH "ACL-E001" Source "types that do not fit",
    NO_HEADER "ACL-E002" Source "no plan is found",
    SYNTAX "ACL-E003" Source "a malformed statement",
    UNKNOWN_KEYWORD "ACL-E004" Source "an unknown keyword",
    BAD_NAME "ACL-E005" Source "an invalid name",
    DUPLICATE "ACL-E006" Source "a name is used twice",
    OUT_OF_PLACE "ACL-E007" Source "a statement out of place",
    REPEATED "ACL-E008" Source "a statement is repeated",
    INCOMPLETE "ACL-E009" Source "a required statement is missing",
    UNKNOWN_STEP "ACL-E010" Source "an unknown step is required",
    SELF_DEPENDENCY "ACL-E011" Source "a step requires itself",
    CYCLE "ACL-E012" Source "steps wait for one another",
    UNDECLARED_ROLE "ACL-E013" Source "an undeclared role",
    GATE_COVERAGE "ACL-E014" Source "outputs are merged without a gate",
    BAD_BUDGET "ACL-E015" Source "an invalid budget",
    NO_BUDGET "ACL-E016" Source "a budget is not stated",
    BAD_CONDITION "ACL-E017" Source "an invalid condition",
    BAD_ACTION "ACL-E018" Source "an action that does not exist",
    UNKNOWN_VERSION "ACL-E019" Source "an unknown language version",
    TOO_LARGE "ACL-E020" Source "a source or plan beyond its limit",
    FORBIDDEN_CHARACTER "ACL-E021" Source "a character that can hide what a plan says",
    INFEASIBLE "ACL-E022" Source "steps need more than the plan's budget",
    BAD_PARAMETER "ACL-E023" Source "an invalid role parameter",
    UNUSED_ROLE "ACL-E024" Source "a role that no step uses",
    TOO_MANY "ACL-E025" Source "more faults than are listed",
    MISSING_PINS "ACL-E037" Source "pins are missing",
    BAD_IR "ACL-E040" Compiled "a plan ir that is refused",
    UNBOUND_ROLE "ACL-E041" Compiled "a step without a node",
    BAD_LOCK "ACL-E042" Compiled "a lock that can not be read",
    UNBOUNDED "ACL-E043" Source "a repetition without an end",
    UNKNOWN_GATE_TYPE "ACL-E044" Source "an unknown gate type",
    UNKNOWN_EFFECT "ACL-E045" Source "an unknown effect",
    UNKNOWN_WORD "ACL-E046" Source "a word that is not in its list",
    UNKNOWN_REFERENCE "ACL-E047" Source "a name leads nowhere",
    NO_EVALUATOR "ACL-E048" Source "a gate that nothing here can judge",
    UNGRANTED_EFFECT "ACL-E049" Source "an effect that is not asked for or not granted",
    SAME_JUDGE "ACL-E050" Source "a step is judged by its own kind",
    UNKNOWN_SCHEMA "ACL-E051" Source "an unknown schema version",
    REFUSED_ACTION "ACL-E052" Source "an action of a YAML plan that is not run",
    BAD_YAML "ACL-E053" Source "a YAML plan that can not be read",
    BAD_SELECTOR "ACL-E054" Source "an invalid selector or time",
    BAD_IMPORT "ACL-E055" Source "an import that can not be used",
    BAD_VALUE "ACL-E056" Source "an invalid value",
    BAD_TOPOLOGY "ACL-E057" Source "fan-out, reduce or flow do not fit together",
    BAD_RECOVERY "ACL-E058" Source "what stands in for a step can not be",
    BAD_GATE "ACL-E059" Source "a gate contradicts itself",
    DRIFT "ACL-E060" Compiled "what is there is not what the lock pins",
    NO_LOCK "ACL-E061" Compiled "there is no lock",
    UNDECLARED_EFFECT "ACL-E065" Source "an effect that is granted and not declared",
    UNDECIDED_TYPES "ACL-L001" Source "types across an edge can not be compared",
    LONG_PROMPT "ACL-L002" Source "a description that is very long",
    NO_CONFIDENCE "ACL-L003" Source "nothing asks how sure a step is",
    UNREDUCED "ACL-L004" Source "a fan-out without a reduce",
    WILDCARD "ACL-L005" Source "a rule for everything",
    FIXED_INPUT "ACL-L006" Source "an input that is the same in every run",
    IMPLIED_STEP "ACL-L007" Source "a step that is only implied",
    TOLD_TO_NOBODY "ACL-L008" Source "a step is told what it can not hear",
    IDLE_WORD "ACL-L009" Source "a word of a gate by which its type does not judge",
}
