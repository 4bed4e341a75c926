//! Where names are defined and used: for editors.
//!
//! INVARIANT: every place lies in the source, and a name has at most one kind at a place.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use core::ops::Range;

use aim_core::name::StepName;

use crate::ast::{Action, Ast, Gate, Rule, RuleEvent, Source, Spanned, Subject};

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

impl Symbol {
    /// Finds the bytes of the name alone inside of what is written, which may have quotes or an action around it.
    #[must_use]
    pub fn name_span(&self, source: &str) -> Range<usize> {
        let written = source.get(self.span.clone()).unwrap_or_default();
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let found = written
            .rmatch_indices(self.name.as_str())
            .find(|(at, name)| {
                let before = written.get(..*at).and_then(|text| text.chars().next_back());
                let after = written
                    .get(at + name.len()..)
                    .and_then(|text| text.chars().next());
                !before.is_some_and(is_part) && !after.is_some_and(is_part)
            });
        found.map_or_else(
            || self.span.clone(),
            |(at, name)| self.span.start + at..self.span.start + at + name.len(),
        )
    }
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
