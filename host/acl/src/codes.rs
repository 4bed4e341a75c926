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
    TYPE_MISMATCH "ACL-E001" Source "a condition orders what has no order",
    NO_HEADER "ACL-E002" Source "no PLAN header found",
    SYNTAX "ACL-E003" Source "a malformed line",
    UNKNOWN_KEYWORD "ACL-E004" Source "an unknown keyword",
    BAD_NAME "ACL-E005" Source "an invalid name",
    DUPLICATE "ACL-E006" Source "a name is used twice",
    OUT_OF_PLACE "ACL-E007" Source "a statement out of place",
    REPEATED "ACL-E008" Source "a statement is repeated",
    INCOMPLETE "ACL-E009" Source "a required statement is missing",
    UNKNOWN_STEP "ACL-E010" Source "REQUIRES names an unknown step",
    SELF_DEPENDENCY "ACL-E011" Source "a step requires itself",
    CYCLE "ACL-E012" Source "steps wait for one another",
    UNDECLARED_ROLE "ACL-E013" Source "an undeclared role",
    GATE_COVERAGE "ACL-E014" Source "outputs are merged without a gate",
    BAD_BUDGET "ACL-E015" Source "an invalid budget",
    NO_BUDGET "ACL-E016" Source "a budget is not stated",
    BAD_CONDITION "ACL-E017" Source "an invalid condition",
    BAD_ACTION "ACL-E018" Source "an ON_FAIL action that does not exist here",
    UNKNOWN_VERSION "ACL-E019" Source "an unknown language version",
    TOO_LARGE "ACL-E020" Source "a source or plan beyond its limit",
    FORBIDDEN_CHARACTER "ACL-E021" Source "a character that can hide what a plan says",
    INFEASIBLE "ACL-E022" Source "steps need more than the plan's budget",
    BAD_PARAMETER "ACL-E023" Source "an invalid role parameter",
    UNUSED_ROLE "ACL-E024" Source "a role that no step uses",
    TOO_MANY "ACL-E025" Source "more faults than are listed",
    MISSING_PINS "ACL-E037" Compiled "a lock that does not pin its plan",
    BAD_IR "ACL-E040" Compiled "a plan ir that is refused",
    UNBOUND_ROLE "ACL-E041" Compiled "a step without a node",
    BAD_LOCK "ACL-E042" Compiled "a lock that can not be read",
}
