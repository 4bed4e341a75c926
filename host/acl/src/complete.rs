//! What can be written at a place of a source that is still being written: for editors.
//!
//! INVARIANT: a completion never offers what the compiler would refuse as unknown, and inside of comments and texts nothing
//! is offered but what belongs there.

mod here;

use alloc::{
    borrow::ToOwned,
    collections::BTreeSet,
    string::{String, ToString as _},
    vec::Vec,
};

use aim_core::plan::{BUILTIN_ROLES, NODE_PARAM};

use crate::{
    ast::{Ast, Backoff, Effect, Emit, Form, GateType, IoType, Pool, Quiet, Reducer, Risk, Stakes},
    diagnostic::Faults,
    parse::{self, braces},
};
use here::{Block, Here};

/// What may be written at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CompletionKind {
    /// A keyword or a key.
    Keyword,
    /// The name of a role, or of a kind of roles.
    Role,
    /// The name of a step.
    Step,
    /// The name of a gate.
    Gate,
    /// A type of gate.
    GateType,
    /// An action for when a gate does not hold.
    Action,
    /// An effect.
    Effect,
    /// A way to reduce.
    Reducer,
    /// The id of a node contract.
    Node,
    /// The name of an imported document.
    Import,
    /// A word out of another closed list.
    Value,
}

/// One thing that may be written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Completion {
    /// What it is.
    pub kind: CompletionKind,
    /// What is written.
    pub text: String,
}

/// Lists what may be written at a byte of a source, which may be in the middle of a word and need not be free of faults.
#[must_use]
pub fn complete(source: &str, offset: usize) -> Vec<Completion> {
    complete_with(source, offset, &[])
}

/// Lists what may be written at a byte of a source, as [`complete`]; `nodes` are the node contracts that are known.
#[must_use]
pub fn complete_with(source: &str, offset: usize, nodes: &[&str]) -> Vec<Completion> {
    let mut faults = Faults::default();
    let ast = parse::parse(source, &mut faults);
    let before = source.get(..offset).unwrap_or(source);
    let mut offers = Offers {
        ast: &ast,
        own: None,
        nodes,
        all: BTreeSet::new(),
    };
    match ast.form {
        Form::Braces => {
            let here = Here::of(before);
            offers.own = here.step;
            offers.in_braces(&here);
        }
        Form::Lines => {
            let above = ast.steps().filter(|step| step.extent.start <= before.len());
            let last = above.last().and_then(|step| step.name.as_ref());
            offers.own = last.map(|name| name.value.as_str());
            offers.in_lines(before.rsplit('\n').next().unwrap_or_default());
        }
        Form::Yaml => {}
    }
    offers.all.into_iter().collect()
}

struct Offers<'a> {
    ast: &'a Ast,
    /// The step that is being written.
    own: Option<&'a str>,
    nodes: &'a [&'a str],
    all: BTreeSet<Completion>,
}

impl Offers<'_> {
    fn put<'t>(&mut self, kind: CompletionKind, words: impl IntoIterator<Item = &'t str>) {
        self.all.extend(words.into_iter().map(|word| Completion {
            kind,
            text: word.to_owned(),
        }));
    }

    /// Every step but the one that is being written, which can not wait for itself.
    fn steps(&mut self) {
        let own = self.own;
        let names = self.ast.steps().filter_map(|step| step.name.as_ref());
        let others = names.map(|name| name.value.as_str());
        self.put(
            CompletionKind::Step,
            others.filter(|name| Some(*name) != own),
        );
    }

    fn roles(&mut self) {
        let declared = self.ast.roles.iter().map(|role| role.name.value.as_str());
        self.put(CompletionKind::Role, declared);
        self.put(CompletionKind::Role, BUILTIN_ROLES);
    }

    /// Gates that rules may be about.
    fn gates(&mut self) {
        let shards = self.ast.shards.iter();
        let inside = shards.flat_map(|shard| {
            let of_steps = shard.steps.iter().flat_map(|step| &step.gates);
            shard.gates.iter().chain(of_steps)
        });
        let names = self.ast.gates.iter().chain(inside);
        let names = names.filter_map(|gate| gate.name.as_ref());
        self.put(CompletionKind::Gate, names.map(|name| name.value.as_str()));
    }

    fn nodes(&mut self) {
        self.put(CompletionKind::Node, self.nodes.iter().copied());
    }

    fn imports(&mut self) {
        let names = self.ast.imports.iter().filter(|import| !import.is_flow);
        let names: Vec<String> = names.map(|import| import.name.value.to_string()).collect();
        self.put(CompletionKind::Import, names.iter().map(String::as_str));
    }

    fn actions(&mut self) {
        self.put(CompletionKind::Action, parse::ACTIONS);
    }

    fn in_lines(&mut self, line: &str) {
        let written = without_word(line).trim();
        let (keyword, rest) = written.split_once([' ', '\t']).unwrap_or((written, ""));
        if line.contains('#') && written.trim_start().starts_with('#') {
            return;
        }
        match keyword {
            "" => self.put(CompletionKind::Keyword, parse::LINE_KEYWORDS),
            "ASSIGN" if !rest.contains(':') => self.roles(),
            "REQUIRES" => self.steps(),
            "ON_FAIL" if names_a_step(rest) => self.steps(),
            "ON_FAIL" if rest.is_empty() => self.actions(),
            "ROLE" if is_node(rest) => self.nodes(),
            "ROLE" if rest.ends_with(':') => self.put(CompletionKind::Role, BUILTIN_ROLES),
            "ROLE" if rest.ends_with(['(', ',']) => {
                self.put(CompletionKind::Keyword, [NODE_PARAM]);
            }
            "BUDGET" if rest.is_empty() || rest.ends_with(',') => {
                self.put(CompletionKind::Keyword, parse::LINE_BUDGET);
            }
            _ => {}
        }
    }

    fn in_braces(&mut self, here: &Here<'_>) {
        let words = here.statement.as_slice();
        if here.is_in_comment {
            return;
        }
        if here.is_in_text {
            if matches!(words, [NODE_PARAM, ":"]) && here.block.head == "role" {
                self.nodes();
            }
            return;
        }
        match words {
            [] => self.at_start(here.block),
            [first, rest @ ..] => self.in_statement(here.block, first, rest),
        }
    }

    /// What may begin a statement.
    fn at_start(&mut self, block: Block<'_>) {
        let keys: &[&str] = match block.head {
            "" => &braces::TOP,
            "pipeline" | "plan" => {
                self.put(CompletionKind::Keyword, braces::SHARD_KEYS);
                &["header", "shard", "role", "gate", "quip"]
            }
            "header" => &braces::HEADER_KEYS,
            "shard" => &braces::SHARD_KEYS,
            "step" => &braces::STEP_KEYS,
            "gate" if block.is_typed => &braces::TYPED_KEYS,
            "gate" => &braces::GATE_KEYS,
            "on_fail" => {
                self.actions();
                &["if"]
            }
            "budget" | "budgets" => &braces::BUDGET_KEYS,
            "tokens" | "wall_ms" | "calls" | "cost" => &["max", "soft"],
            "pins" => &["model", "index", "tool", "seed"],
            "caps" => &["max_parallel", "token_pool", "wall_ms_pool"],
            "retries" => &["max_attempts", "backoff_ms"],
            "breaker" => &["failures", "cooldown_ms"],
            "policy" => &["on", "require"],
            "role" => &[NODE_PARAM],
            _ => &[],
        };
        self.put(CompletionKind::Keyword, keys.iter().copied());
    }

    fn in_statement(&mut self, block: Block<'_>, first: &str, rest: &[&str]) {
        let last = rest.last().copied().unwrap_or_default();
        let is_value = matches!(rest, [":"]);
        match first {
            "import" if rest.is_empty() => self.put(CompletionKind::Keyword, ["policy", "flow"]),
            "step" if last == ":" => self.roles(),
            "role" if last == ":" => self.put(CompletionKind::Role, BUILTIN_ROLES),
            "gate" if last == ":" => self.put(
                CompletionKind::GateType,
                GateType::ALL.iter().map(|kind| kind.word()),
            ),
            "gate" if rest.is_empty() && block.head == "step" => {
                self.put(CompletionKind::Keyword, ["ingress", "egress"]);
            }
            "depends" | "fallback" | "fanout" | "flow" => self.steps(),
            "reduce" if last == "using" => self.put(
                CompletionKind::Reducer,
                Reducer::ALL.iter().map(|way| way.word()),
            ),
            "reduce" => self.steps(),
            "effects" => self.effects(),
            "emit" => self.put(
                CompletionKind::Value,
                Emit::ALL.iter().map(|one| one.word()),
            ),
            "on_fail" | "if" if last == "(" && rest.len() > 1 => self.steps(),
            "on_fail" if rest.is_empty() => self.actions(),
            "if" if last == ")" => self.actions(),
            "reroute" if last == "(" => self.steps(),
            "on" => self.in_rule(rest),
            "require" if block.head == "policy" => self.in_hitl(rest),
            "policy" if is_value => self.imports(),
            "policy" if rest.is_empty() => self.put(CompletionKind::Keyword, ["rewrite"]),
            _ if block.head == "inputs" && last == ":" => self.in_inputs(block),
            _ if is_value => self.words_of(first),
            _ => {}
        }
    }

    fn effects(&mut self) {
        self.put(
            CompletionKind::Effect,
            Effect::ALL.iter().map(|effect| effect.word()),
        );
    }

    fn in_inputs(&mut self, block: Block<'_>) {
        if block.outer == "header" {
            self.put(
                CompletionKind::Value,
                IoType::ALL.iter().map(|one| one.word()),
            );
            return;
        }
        self.steps();
        if block.outer == "step" {
            self.put(CompletionKind::Value, ["ALL"]);
        }
    }

    fn in_rule(&mut self, rest: &[&str]) {
        match rest {
            [] => self.put(CompletionKind::Keyword, braces::EVENTS),
            ["gate_fail", "("] => self.gates(),
            [.., "=>"] => self.actions(),
            [.., "("] => self.steps(),
            _ => {}
        }
    }

    fn in_hitl(&mut self, rest: &[&str]) {
        match rest {
            [] => self.put(CompletionKind::Keyword, ["HITL for"]),
            ["HITL", "for"] | [.., ","] => {
                self.steps();
                self.effects();
            }
            _ => {}
        }
    }

    fn words_of(&mut self, key: &str) {
        let words: Vec<&str> = match key {
            "risk" => Risk::ALL.iter().map(|one| one.word()).collect(),
            "silence" => Quiet::ALL.iter().map(|one| one.word()).collect(),
            "criticality" => Stakes::ALL.iter().map(|one| one.word()).collect(),
            "backoff" => Backoff::ALL.iter().map(|one| one.word()).collect(),
            "pool" => Pool::ALL.iter().map(|one| one.word()).collect(),
            "deterministic" | "idempotent" | "strict" => ["true", "false"].into(),
            _ => return,
        };
        self.put(CompletionKind::Value, words);
    }
}

/// A line without the word that is being written: whoever shows the list filters by it.
fn without_word(line: &str) -> &str {
    line.trim_end_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// True after `node=` and its quote.
fn is_node(rest: &str) -> bool {
    let rest = rest.trim_end_matches(['"', '\'']).trim_end();
    let key = rest.strip_suffix('=').map(str::trim_end);
    key.is_some_and(|key| {
        key.strip_suffix(NODE_PARAM)
            .is_some_and(|before| before.ends_with(['(', ',', ' ', '\t']))
    })
}

/// True after `fallback(` or `reroute(`, and after either word alone.
fn names_a_step(rest: &str) -> bool {
    let word = rest.trim_end_matches('(').trim_end();
    matches!(word, "fallback" | "reroute")
}
