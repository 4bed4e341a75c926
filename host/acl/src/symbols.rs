//! Where names are defined and used, and what can be written at a place: for editors.
//!
//! INVARIANT: every place lies in the source, and a completion never offers what the compiler would refuse as unknown.

use alloc::{
    borrow::ToOwned,
    collections::BTreeMap,
    string::{String, ToString as _},
    vec::Vec,
};
use core::ops::Range;

use aim_core::{name::StepName, plan::BUILTIN_ROLES};

use crate::{
    ast::{
        Action, Ast, Effect, Form, Gate, GateType, Reducer, Rule, RuleEvent, Source, Spanned,
        Subject,
    },
    diagnostic::Faults,
    parse,
};

/// What a name is a name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SymbolKind {
    /// A step.
    Step,
    /// A role.
    Role,
    /// A gate.
    Gate,
    /// A shard.
    Shard,
    /// An imported document.
    Import,
    /// A flow.
    Flow,
}

/// One place of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// What it is a name of.
    pub kind: SymbolKind,
    /// The name.
    pub name: String,
    /// The bytes of the name.
    pub span: Range<usize>,
    /// The bytes of everything that belongs to the definition; those of the name for a use.
    pub extent: Range<usize>,
    /// True where it is defined.
    pub is_definition: bool,
}

/// Every name of a tree with its places, in source order. Built-in roles have uses and no definition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Symbols {
    /// Definitions and uses.
    pub all: Vec<Symbol>,
}

impl Symbols {
    /// Finds the name at a byte.
    #[must_use]
    pub fn at(&self, offset: usize) -> Option<&Symbol> {
        self.all
            .iter()
            .find(|symbol| symbol.span.start <= offset && offset <= symbol.span.end)
    }

    /// Finds where the name at a byte is defined.
    #[must_use]
    pub fn definition(&self, offset: usize) -> Option<&Symbol> {
        let used = self.at(offset)?;
        let is_it = |symbol: &&Symbol| {
            symbol.is_definition && symbol.kind == used.kind && symbol.name == used.name
        };
        self.all.iter().find(is_it)
    }

    /// Finds every place of the name at a byte, the definition included.
    pub fn references(&self, offset: usize) -> impl Iterator<Item = &Symbol> {
        let used = self.at(offset);
        let is_it = move |symbol: &&Symbol| {
            used.is_some_and(|used| used.kind == symbol.kind && used.name == symbol.name)
        };
        self.all.iter().filter(is_it)
    }
}

/// Lists every name of a tree.
#[must_use]
pub fn symbols(ast: &Ast) -> Symbols {
    let mut table = Symbols::default();
    for import in &ast.imports {
        table.define(SymbolKind::Import, &import.name, &import.span);
    }
    for role in &ast.roles {
        table.define(SymbolKind::Role, &role.name, &role.span);
    }
    for gate in &ast.gates {
        table.gate(gate);
    }
    table.uses(SymbolKind::Import, ast.settings.policy.as_ref());
    for shard in &ast.shards {
        if let Some(name) = &shard.name {
            table.define(SymbolKind::Shard, name, &shard.span);
        }
        for step in &shard.steps {
            table.step(step);
        }
        for gate in &shard.gates {
            table.gate(gate);
        }
        table.between(shard);
    }
    table
        .all
        .sort_by_key(|symbol| (symbol.span.start, symbol.span.end));
    table
}

impl Symbols {
    fn define(&mut self, kind: SymbolKind, name: &Spanned<StepName>, extent: &Range<usize>) {
        self.all.push(Symbol {
            kind,
            name: name.value.to_string(),
            span: name.span.clone(),
            extent: extent.clone(),
            is_definition: true,
        });
    }

    fn uses<'a>(
        &mut self,
        kind: SymbolKind,
        names: impl IntoIterator<Item = &'a Spanned<StepName>>,
    ) {
        for name in names {
            self.used(kind, &name.value, &name.span);
        }
    }

    fn used(&mut self, kind: SymbolKind, name: &StepName, span: &Range<usize>) {
        self.all.push(Symbol {
            kind,
            name: name.to_string(),
            span: span.clone(),
            extent: span.clone(),
            is_definition: false,
        });
    }

    fn step(&mut self, step: &crate::ast::Step) {
        if let Some(name) = &step.name {
            self.define(SymbolKind::Step, name, &step.extent);
        }
        self.uses(
            SymbolKind::Role,
            step.assign.as_ref().and_then(|assign| assign.role.as_ref()),
        );
        self.uses(
            SymbolKind::Step,
            step.requires.iter().map(|require| &require.step),
        );
        self.uses(SymbolKind::Step, step.fallback.as_ref());
        self.uses(SymbolKind::Import, step.policy.as_ref());
        for input in &step.inputs {
            if let Source::Step(name) = &input.value.value {
                self.used(SymbolKind::Step, name, &input.value.span);
            }
        }
        for gate in &step.gates {
            self.gate(gate);
        }
    }

    fn gate(&mut self, gate: &Gate) {
        if let Some(name) = &gate.name {
            self.define(SymbolKind::Gate, name, &gate.span);
        }
        self.uses(SymbolKind::Import, gate.policy.as_ref());
        for input in &gate.inputs {
            if let Source::Step(name) = &input.value.value {
                self.used(SymbolKind::Step, name, &input.value.span);
            }
        }
        for reaction in &gate.on_fail {
            self.action(&reaction.action);
        }
    }

    fn action(&mut self, action: &Spanned<Option<Action>>) {
        if let Some(Action::Fallback(step) | Action::Reroute(step)) = &action.value {
            self.used(SymbolKind::Step, step, &action.span);
        }
    }

    fn between(&mut self, shard: &crate::ast::Shard) {
        for fanout in &shard.fanouts {
            self.uses(SymbolKind::Step, [&fanout.from, &fanout.to]);
        }
        for reduce in &shard.reduces {
            self.uses(SymbolKind::Step, [&reduce.from, &reduce.to]);
        }
        for flow in &shard.flows {
            self.define(SymbolKind::Flow, &flow.name, &flow.span);
            self.uses(SymbolKind::Step, &flow.on);
        }
        for rule in shard.rules.iter().flat_map(|rules| &rules.rules) {
            match rule {
                Rule::On { event, action } => {
                    self.action(action);
                    match &event.value {
                        RuleEvent::GateFail(Some(name)) => {
                            self.used(SymbolKind::Gate, name, &event.span)
                        }
                        RuleEvent::StepFail(Some(name))
                        | RuleEvent::OverBudget(Some(name))
                        | RuleEvent::LowConfidence(Some(name))
                        | RuleEvent::PolicyViolation(Some(name)) => {
                            self.used(SymbolKind::Step, name, &event.span)
                        }
                        _ => {}
                    }
                }
                Rule::RequireHitl(subjects) => {
                    for subject in subjects {
                        if let Subject::Step(name) = &subject.value {
                            self.used(SymbolKind::Step, name, &subject.span);
                        }
                    }
                }
            }
        }
    }
}

/// What may be written at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CompletionKind {
    /// A keyword or a key.
    Keyword,
    /// The name of a role.
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
}

/// One thing that may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What it is.
    pub kind: CompletionKind,
    /// What is written.
    pub text: String,
}

const SHARD_KEYS: [&str; 8] = [
    "caps",
    "step",
    "gate",
    "fanout",
    "reduce",
    "flow",
    "policy rewrite",
    "role",
];

/// Lists what may be written at a byte of a source, which may be in the middle of a word and need not be free of faults.
#[must_use]
pub fn complete(source: &str, offset: usize) -> Vec<Completion> {
    let mut faults = Faults::default();
    let ast = parse::parse(source, &mut faults);
    let before = source.get(..offset).unwrap_or(source);
    let line = before.rsplit('\n').next().unwrap_or_default();
    // The word that is being written is left out: whoever shows the list filters by it.
    let line = line
        .trim_end_matches(|c: char| c.is_alphanumeric() || c == '_')
        .trim();
    let offered = match ast.form {
        Form::Braces => in_braces(&ast, line, offset),
        Form::Lines => in_lines(line),
        Form::Yaml => Offer::Nothing,
    };
    offered.listed(&ast)
}

enum Offer {
    Nothing,
    Words(CompletionKind, Vec<&'static str>),
    Steps,
    Roles,
}

fn in_lines(line: &str) -> Offer {
    let first = line.split([' ', '\t']).next().unwrap_or_default();
    match first {
        "" => Offer::Words(CompletionKind::Keyword, parse::LINE_KEYWORDS.to_vec()),
        "ASSIGN" if !line.contains(':') => Offer::Roles,
        "REQUIRES" => Offer::Steps,
        "ON_FAIL" => Offer::Words(CompletionKind::Action, parse::ACTIONS.to_vec()),
        "ROLE" if line.ends_with(':') => Offer::Words(CompletionKind::Role, BUILTIN_ROLES.to_vec()),
        _ => Offer::Nothing,
    }
}

fn in_braces(ast: &Ast, line: &str, offset: usize) -> Offer {
    let words: Vec<&str> = line
        .split([' ', '\t', ':', '{', '(', '[', ','])
        .filter(|word| !word.is_empty())
        .collect();
    let first = words.first().copied().unwrap_or_default();
    let last = words.last().copied().unwrap_or_default();
    let is_after_colon = line.ends_with(':');
    match first {
        "step" if is_after_colon => Offer::Roles,
        "gate" if is_after_colon => Offer::Words(
            CompletionKind::GateType,
            GateType::ALL.iter().map(|kind| kind.word()).collect(),
        ),
        "depends" | "fallback" | "fanout" | "flow" => Offer::Steps,
        "reduce" if last == "using" => Offer::Words(
            CompletionKind::Reducer,
            Reducer::ALL.iter().map(|way| way.word()).collect(),
        ),
        "reduce" => Offer::Steps,
        "effects" => Offer::Words(
            CompletionKind::Effect,
            Effect::ALL.iter().map(|effect| effect.word()).collect(),
        ),
        "on_fail" => Offer::Words(CompletionKind::Action, parse::ACTIONS.to_vec()),
        "" => {
            let is_in = |extent: &Range<usize>| extent.start < offset && offset < extent.end;
            if ast.steps().any(|step| is_in(&step.extent)) {
                Offer::Words(CompletionKind::Keyword, parse::STEP_KEYS.to_vec())
            } else {
                Offer::Words(CompletionKind::Keyword, SHARD_KEYS.to_vec())
            }
        }
        _ => Offer::Nothing,
    }
}

impl Offer {
    fn listed(self, ast: &Ast) -> Vec<Completion> {
        let (kind, words): (CompletionKind, Vec<String>) = match self {
            Self::Nothing => return Vec::new(),
            Self::Words(kind, words) => (kind, words.into_iter().map(ToOwned::to_owned).collect()),
            Self::Steps => {
                let names = ast.steps().filter_map(|step| step.name.as_ref());
                (
                    CompletionKind::Step,
                    names.map(|name| name.value.to_string()).collect(),
                )
            }
            Self::Roles => {
                let declared = ast.roles.iter().map(|role| role.name.value.to_string());
                let builtin = BUILTIN_ROLES.iter().map(|name| (*name).to_owned());
                (CompletionKind::Role, declared.chain(builtin).collect())
            }
        };
        let mut seen = BTreeMap::new();
        for word in words {
            seen.entry(word).or_insert(());
        }
        seen.into_keys()
            .map(|text| Completion { kind, text })
            .collect()
    }
}
