//! What a source says, before anybody asked whether it makes sense. Every surface form parses to this.
//!
//! INVARIANT: every span lies inside the source that the tree was parsed from; a part that could not be understood is
//! absent here and present among the diagnostics.

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use aim_core::{condition::Decimal, name::StepName, plan::LanguageVersion};

mod gate;
mod topology;
mod words;

pub use gate::{Action, Check, Clause, Gate, GatePlace, Reaction};
pub use topology::{Bounds, FanOut, Flow, Opt, Reduce, Rule, RuleEvent, Rules, Subject};
pub use words::{
    Backoff, Effect, Emit, Form, GateType, IoType, Pool, Quiet, Reducer, Risk, Stakes,
};

/// A value and the bytes that said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the source.
    pub span: Range<usize>,
}

/// A whole source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ast {
    /// The surface form that was read.
    pub form: Form,
    /// Every comment, in source order.
    pub comments: Vec<Comment>,
    /// What is imported, before the header.
    pub imports: Vec<Import>,
    /// The header; absent when the source has none.
    pub header: Option<Header>,
    /// The plan's analogy.
    pub quip: Option<Spanned<String>>,
    /// What all steps together may use.
    pub budget: Option<Budget>,
    /// Further statements of the header block.
    pub settings: Settings,
    /// Conditions on the plan's result.
    pub gates: Vec<Gate>,
    /// Declared roles.
    pub roles: Vec<Role>,
    /// Shards in source order. Line form has one without a name.
    pub shards: Vec<Shard>,
}

/// A remark of the author, kept by the formatter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// What it says, markers and outer blanks cut off.
    pub text: String,
    /// True for `/* */`.
    pub is_block: bool,
    /// Its bytes, markers included.
    pub span: Range<usize>,
}

/// `import policy "x.aclp" as p`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// True for `import flow`, false for `import policy`.
    pub is_flow: bool,
    /// Where the text is, relative to the plan.
    pub path: Spanned<String>,
    /// What it is called here.
    pub name: Spanned<StepName>,
    /// The whole statement.
    pub span: Range<usize>,
}

/// `PLAN name v1.0:` or `pipeline "name" {`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The plan's name.
    pub name: Option<Spanned<StepName>>,
    /// The language version, where one is written.
    pub version: Option<Spanned<LanguageVersion>>,
    /// The whole statement, or the part up to the brace.
    pub span: Range<usize>,
    /// Everything that belongs to it, up to the closing brace.
    pub extent: Range<usize>,
}

/// What a header block may say beyond budget and quip.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The header block, where there is one.
    pub span: Option<Range<usize>>,
    /// The snapshot that the plan reads from.
    pub snapshot: Option<Spanned<String>>,
    /// The seed that the plan was written for.
    pub seeds: Option<Spanned<u64>>,
    /// The semantic version of the shape that the plan is written in.
    pub schema_version: Option<Spanned<String>>,
    /// True when the author claims that equal inputs give equal outputs.
    pub deterministic: Option<Spanned<bool>>,
    /// Declared inputs of the run.
    pub inputs: Vec<(Spanned<StepName>, Spanned<IoType>)>,
    /// Pins for every step.
    pub pins: Option<Pins>,
    /// An imported policy that every step is held against.
    pub policy: Option<Spanned<StepName>>,
    /// Confidence below which steps abstain that say nothing themselves.
    pub kappa: Option<Spanned<Decimal>>,
    /// How much harm a wrong answer may do.
    pub risk: Option<Spanned<Risk>>,
    /// What happens while a question to a person is open.
    pub silence: Option<Spanned<Quiet>>,
}

/// `ROLE name: kind(key=value, ...)` or `role name: kind { key: value }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The role's name.
    pub name: Spanned<StepName>,
    /// Its kind.
    pub kind: Option<Spanned<StepName>>,
    /// Its parameters in source order, without quotes.
    pub params: Vec<(Spanned<StepName>, Spanned<String>)>,
    /// The whole statement.
    pub span: Range<usize>,
}

/// Steps that share caps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shard {
    /// Its name; absent in line form.
    pub name: Option<Spanned<StepName>>,
    /// The whole block.
    pub span: Range<usize>,
    /// What its steps together may use.
    pub caps: Option<Caps>,
    /// Steps in source order.
    pub steps: Vec<Step>,
    /// Typed gates.
    pub gates: Vec<Gate>,
    /// `fanout` statements.
    pub fanouts: Vec<FanOut>,
    /// `reduce` statements.
    pub reduces: Vec<Reduce>,
    /// `flow` statements.
    pub flows: Vec<Flow>,
    /// `policy rewrite` blocks.
    pub rules: Vec<Rules>,
}

/// `caps { max_parallel: 4 token_pool: 100k wall_ms_pool: 60000 }`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Caps {
    /// The whole block.
    pub span: Range<usize>,
    /// Steps that may run at once.
    pub max_parallel: Option<Spanned<u64>>,
    /// Tokens over all its steps.
    pub token_pool: Option<Spanned<u64>>,
    /// Milliseconds over all its steps.
    pub wall_ms_pool: Option<Spanned<u64>>,
}

/// A step and everything said about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// The step's name.
    pub name: Option<Spanned<StepName>>,
    /// The header statement.
    pub span: Range<usize>,
    /// Everything that belongs to it, the header included.
    pub extent: Range<usize>,
    /// Who does it.
    pub assign: Option<Assign>,
    /// What it waits for.
    pub requires: Vec<Require>,
    /// What it is given.
    pub inputs: Vec<Input>,
    /// The part of memory that it reads.
    pub slice: Option<Spanned<Selector>>,
    /// The time that it reads memory at.
    pub time: Option<Spanned<Moment>>,
    /// The model that it asks for.
    pub model: Option<Spanned<String>>,
    /// The tools that it may use.
    pub tools: Vec<Spanned<String>>,
    /// What it may use.
    pub budget: Option<Budget>,
    /// What must not change between two runs of it.
    pub pins: Option<Pins>,
    /// An imported policy that it is held against.
    pub policy: Option<Spanned<StepName>>,
    /// What it does to the world.
    pub effects: Vec<Spanned<Effect>>,
    /// How often it is tried.
    pub retries: Option<Retries>,
    /// Which step answers instead.
    pub fallback: Option<Spanned<StepName>>,
    /// Confidence below which it abstains.
    pub kappa: Option<Spanned<Decimal>>,
    /// When its node is left alone.
    pub breaker: Option<Breaker>,
    /// How much depends on it.
    pub criticality: Option<Spanned<Stakes>>,
    /// Whether doing it twice is the same as doing it once.
    pub idempotent: Option<Spanned<bool>>,
    /// What a person is asked before it runs.
    pub question: Option<Spanned<String>>,
    /// Conditions on its input and output.
    pub gates: Vec<Gate>,
    /// Where a budget would be written that is not there, for a form whose layout carries meaning.
    pub slot: Option<Slot>,
}

/// Where one more entry of a map would stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The byte.
    pub at: usize,
    /// What stands before each entry that is put there.
    pub lead: String,
}

/// `ASSIGN role: "description"`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assign {
    /// The role.
    pub role: Option<Spanned<StepName>>,
    /// What is to be done.
    pub description: Option<Spanned<String>>,
    /// The whole statement.
    pub span: Range<usize>,
}

/// One name of `REQUIRES a, b?` or `depends a, b?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Require {
    /// The step that is waited for.
    pub step: Spanned<StepName>,
    /// Whether a question mark follows.
    pub is_optional: bool,
}

/// One entry of `inputs: { ... }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it is called.
    pub name: Spanned<StepName>,
    /// What it is.
    pub value: Spanned<Source>,
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A text, as it is.
    Text(String),
    /// A number, as it is.
    Number(Decimal),
    /// True or false.
    Boolean(bool),
    /// The output of a step.
    Step(StepName),
    /// A named input of the run: `input.logs`.
    Run(StepName),
    /// The whole trace: `ALL`.
    Trace,
    /// A part of memory.
    Memory(Selector),
}

/// `HHNI:<path>` or `SEG:<path>`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// True for `SEG:`.
    pub is_graph: bool,
    /// The path.
    pub path: String,
}

/// `ASOF:<instant>` or `WINDOW:<instant>..<instant>`, instants as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// One instant.
    AsOf(String),
    /// A half-open interval.
    Window(String, String),
}

/// `BUDGET tokens=N, time=Ns, tools=N` or `budget: { tokens: N wall_ms: N calls: N }`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Budget {
    /// The whole statement.
    pub span: Range<usize>,
    /// Model tokens.
    pub tokens: Option<Amount>,
    /// Wall time in milliseconds.
    pub time_ms: Option<Amount>,
    /// Tool calls.
    pub tools: Option<Amount>,
    /// Cost in millionths of a dollar.
    pub cost_micros: Option<Amount>,
    /// What happens between the soft and the hard amount.
    pub backoff: Option<Spanned<Backoff>>,
    /// How a plan's budget is shared; of a plan only.
    pub pool: Option<Spanned<Pool>>,
    /// How much more than the sum of its steps a plan's budget must hold, as a factor from 1; of a plan only.
    pub headroom: Option<Spanned<Decimal>>,
    /// True when a part could not be understood, so that a missing one means nothing.
    pub is_faulty: bool,
    /// Where a part would be written that is not there, for a form whose layout carries meaning.
    pub slot: Option<Slot>,
}

/// One part of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// Never more than this.
    pub max: u64,
    /// From here on the step is told to save.
    pub soft: Option<u64>,
}

/// `pins: { model: "m" index: "i" tool: "t" seed: 7 }`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pins {
    /// The whole statement.
    pub span: Range<usize>,
    /// The model.
    pub model: Option<Spanned<String>>,
    /// The index.
    pub index: Option<Spanned<String>>,
    /// The tool.
    pub tool: Option<Spanned<String>>,
    /// The seed.
    pub seed: Option<Spanned<u64>>,
}

/// `retries: { max_attempts: 3 backoff_ms: 500 }`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retries {
    /// The whole statement.
    pub span: Range<usize>,
    /// Attempts in all.
    pub max_attempts: Option<Spanned<u64>>,
    /// Wait before the second attempt; each further one waits twice as long.
    pub backoff_ms: Option<Spanned<u64>>,
}

/// `breaker: { failures: 5 cooldown_ms: 60000 }`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Breaker {
    /// The whole statement.
    pub span: Range<usize>,
    /// Failures in a row that open it.
    pub failures: Option<Spanned<u64>>,
    /// How long nothing is tried then.
    pub cooldown_ms: Option<Spanned<u64>>,
}

impl Ast {
    /// Every step of every shard, in source order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.shards.iter().flat_map(|shard| &shard.steps)
    }
}

impl<T> Spanned<T> {
    /// A value that stands at `span`.
    pub const fn new(value: T, span: Range<usize>) -> Self {
        Self { value, span }
    }
}

impl Amount {
    /// A hard amount without a soft one.
    #[must_use]
    pub const fn hard(max: u64) -> Self {
        Self { max, soft: None }
    }
}
