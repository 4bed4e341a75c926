//! Every word that means something in the language, with what it is: for grammars, editors and their tests.
//!
//! INVARIANT: the lists are the parser's own, so a word that the parser learns is here without anybody adding it.

use alloc::vec::Vec;

use aim_core::plan::BUILTIN_ROLES;

use crate::{
    ast::{Backoff, Effect, Emit, Form, GateType, IoType, Pool, Quiet, Reducer, Risk, Stakes},
    parse::{self, braces},
    token,
};

/// What kind of word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WordKind {
    /// Begins a statement.
    Keyword,
    /// Stands between the parts of a statement.
    Connector,
    /// Names a value.
    Key,
    /// A role that every plan has.
    Role,
    /// What is done when something does not hold.
    Action,
    /// What a step does to the world.
    Effect,
    /// A type of gate.
    GateType,
    /// A way to reduce.
    Reducer,
    /// What a rule waits for.
    Event,
    /// A value out of a closed list.
    Value,
    /// Begins a selector; a colon follows.
    Selector,
}

/// One word of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word {
    /// What kind of word it is.
    pub kind: WordKind,
    /// As it is written.
    pub text: &'static str,
}

/// Lists the words of a form, without repetition, in an order that never changes. YAML, which is imported, has none.
#[must_use]
pub fn vocabulary(form: Form) -> Vec<Word> {
    let mut words = match form {
        Form::Lines => of_lines(),
        Form::Braces => of_braces(),
        Form::Yaml => Vec::new(),
    };
    words.sort_unstable();
    words.dedup();
    words
}

/// How the statement that a word begins is written, with places in angle brackets; where there are several ways, they are
/// divided by "`, or `" as inside a code span.
#[must_use]
pub fn statement_of(form: Form, word: &str) -> Option<&'static str> {
    match form {
        Form::Lines => parse::line_statement(word),
        Form::Braces => Some(braces::statement(word)).filter(|known| *known != braces::ANY_KEY),
        Form::Yaml => None,
    }
}

fn put(words: &mut Vec<Word>, kind: WordKind, texts: impl IntoIterator<Item = &'static str>) {
    words.extend(texts.into_iter().map(|text| Word { kind, text }));
}

fn of_lines() -> Vec<Word> {
    let mut words = Vec::new();
    put(&mut words, WordKind::Keyword, parse::LINE_KEYWORDS);
    put(&mut words, WordKind::Key, parse::LINE_BUDGET);
    put(&mut words, WordKind::Action, parse::ACTIONS);
    put(&mut words, WordKind::Role, BUILTIN_ROLES);
    put(
        &mut words,
        WordKind::Value,
        ["True", "true", "False", "false"],
    );
    words
}

fn of_braces() -> Vec<Word> {
    let mut words = Vec::new();
    let gate = braces::GATE_KEYS.into_iter();
    put(&mut words, WordKind::Keyword, braces::TOP);
    put(&mut words, WordKind::Keyword, braces::STATEMENTS);
    put(&mut words, WordKind::Keyword, braces::PIPELINE);
    put(&mut words, WordKind::Keyword, braces::SHARD_KEYS);
    put(&mut words, WordKind::Keyword, gate);
    put(&mut words, WordKind::Connector, braces::CONNECTORS);
    for keys in [
        &braces::KEYS[..],
        &braces::HEADER_KEYS,
        &braces::STEP_KEYS,
        &braces::TYPED_KEYS,
        &braces::BUDGET_KEYS,
        &braces::PART_KEYS,
    ] {
        put(&mut words, WordKind::Key, keys.iter().copied());
    }
    put(&mut words, WordKind::Event, braces::EVENTS);
    put(&mut words, WordKind::Action, parse::ACTIONS);
    put(&mut words, WordKind::Role, BUILTIN_ROLES);
    put(&mut words, WordKind::Selector, token::SELECTORS);
    closed_lists(&mut words);
    words
}

fn closed_lists(words: &mut Vec<Word>) {
    macro_rules! list {
        ($($kind:ident $list:ident),+) => {
            $(put(words, WordKind::$kind, $list::ALL.iter().map(|one| one.word()));)+
        };
    }
    list!(Effect Effect, GateType GateType, Reducer Reducer, Value Emit, Value IoType);
    list!(Value Backoff, Value Pool, Value Risk, Value Stakes, Value Quiet);
    let others = ["true", "false", "True", "False", "ALL", "first"];
    put(words, WordKind::Value, others);
}
