//! Gates: a block on one side of a step, a typed gate beside steps, a condition on the plan's result.
//!
//! INVARIANT: a gate whose parts can not all be read keeps `has_check`, so one fault makes no second one.

use alloc::{format, string::String};

use super::{Broken, Parsed, Parser};
use crate::{
    ast::{Clause, Emit, Gate, GatePlace, GateType, Reaction, Spanned},
    codes,
    parse::action,
    token::{Token, TokenKind},
};

pub(crate) const BLOCK: [&str; 4] = ["require", "forbid", "emit", "on_fail"];
pub(crate) const TYPED: [&str; 5] = ["inputs", "policy", "strict", "min", "on_fail"];

impl<'s> Parser<'s, '_> {
    /// `gate ingress|egress [name] [when <condition>] { ... }`, `gate name { ... }` or `gate name: Type { ... }`
    pub(super) fn gate(&mut self, word: &Token<'s>) -> Parsed<Gate> {
        let mut gate = Gate::default();
        let side = self.stream.peek(0);
        let is_side =
            matches!(side.text, "ingress" | "egress") && !matches!(self.stream.peek(1).text, ":");
        if is_side {
            self.stream.next();
            if side.text == "ingress" {
                gate.place = GatePlace::Ingress;
            }
        }
        let is_named =
            !is_side || (self.stream.peek(0).kind == TokenKind::Word && !self.stream.is("when"));
        if is_named {
            gate.name = Some(self.name("gate")?);
        }
        if !is_side && self.stream.eat(":") {
            gate.place = GatePlace::Typed(self.gate_type()?);
        }
        if self.stream.eat("when") {
            gate.when = Some(self.condition("")?);
        }
        let is_typed = matches!(gate.place, GatePlace::Typed(_));
        let known: &[&str] = if is_typed { &TYPED } else { &BLOCK };
        let span = self.block(
            "gate",
            &["inputs", "policy", "strict", "min", "emit", "on_fail"],
            |parser, key| {
                let read = parser.gate_statement(&key, &mut gate, known);
                gate.has_check |= read.is_err();
                read
            },
        )?;
        gate.span = word.span.start..span.end;
        Ok(gate)
    }

    fn gate_type(&mut self) -> Parsed<Spanned<GateType>> {
        let token = self.stream.next();
        if let Some(value) = GateType::find(token.text) {
            return Ok(Spanned::new(value, token.span));
        }
        let words = GateType::ALL.iter().map(|kind| kind.word());
        let help = self.faults.suggest(token.text, words.clone());
        let words: alloc::vec::Vec<&str> = words.collect();
        let help = help.unwrap_or_else(|| format!("the types are {}", words.join(", ")));
        let shown: String = token.text.chars().take(40).collect();
        self.faults.error(
            codes::UNKNOWN_GATE_TYPE,
            token.span,
            format!("unknown gate type `{shown}`"),
            help,
        );
        // The block is read all the same, for what else is wrong in it.
        if self.stream.is("{") {
            let _read = self.block("gate", &[], |parser, key| {
                let mut gate = Gate::default();
                parser.gate_statement(&key, &mut gate, &TYPED)
            });
        }
        Err(Broken)
    }

    fn gate_statement(&mut self, key: &Token<'s>, gate: &mut Gate, known: &[&str]) -> Parsed<()> {
        if !known.contains(&key.text) {
            return Err(self.unknown(key, "a gate", known));
        }
        match key.text {
            "require" | "forbid" => {
                gate.has_check = true;
                self.stream.eat(":");
                let check = self.condition("")?;
                let is_forbid = key.text == "forbid";
                gate.clauses.push(Clause { is_forbid, check });
            }
            "emit" => {
                gate.has_check = true;
                self.stream.eat(":");
                gate.emits = self.list("emit", |parser| {
                    parser.listed("emission", Emit::ALL, Emit::word)
                })?;
            }
            "on_fail" => self.reactions(gate)?,
            "inputs" => gate.inputs = self.inputs()?,
            "strict" => {
                self.colon("gate")?;
                gate.strict = Some(self.boolean("strict")?);
            }
            "min" => {
                self.colon("gate")?;
                gate.min = Some(self.share("min")?);
            }
            _ => {
                self.colon("gate")?;
                gate.policy = self.name_in_quotes("gate")?;
            }
        }
        Ok(())
    }

    /// `on_fail { if (<condition>) <action>; <action> }`, or one action.
    fn reactions(&mut self, gate: &mut Gate) -> Parsed<()> {
        self.stream.eat(":");
        if !self.stream.is("{") {
            let start = self.stream.peek(0).span.start;
            let value = action::action(&mut self.stream, self.faults);
            let is_broken = value.is_none();
            let action = Spanned::new(value, start..self.stream.end_of_last().max(start));
            gate.on_fail.push(Reaction { when: None, action });
            return if is_broken { Err(Broken) } else { Ok(()) };
        }
        self.block("on_fail", &[], |parser, word| {
            let when = if word.text == "if" {
                Some(parser.guard()?)
            } else {
                None
            };
            let start = if when.is_some() {
                parser.stream.peek(0).span.start
            } else {
                word.span.start
            };
            if when.is_none() {
                parser.stream.back();
            }
            let value = action::action(&mut parser.stream, parser.faults);
            let is_broken = value.is_none();
            let action = Spanned::new(value, start..parser.stream.end_of_last().max(start));
            gate.on_fail.push(Reaction { when, action });
            if is_broken { Err(Broken) } else { Ok(()) }
        })?;
        Ok(())
    }

    /// `(<condition>)`
    fn guard(&mut self) -> Parsed<Spanned<crate::ast::Check>> {
        let open = self.stream.peek(0);
        if !self.stream.eat("(") {
            return Err(self.syntax(&open, "on_fail", "expected `(` after `if`"));
        }
        let check = self.condition(")")?;
        let close = self.stream.peek(0);
        if !self.stream.eat(")") {
            return Err(self.syntax(&close, "on_fail", "expected `)` after the condition"));
        }
        Ok(check)
    }
}
