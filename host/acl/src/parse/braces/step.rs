//! `step name: Role { ... }`.
//!
//! INVARIANT: what a step may say once is refused when it is said twice, so no statement wins over another in silence.

use super::{Broken, Parsed, Parser};
use crate::{
    ast::{Assign, Breaker, Effect, Moment, Require, Retries, Spanned, Stakes, Step},
    codes,
    diagnostic::Diagnostic,
    token::{Token, TokenKind},
};
use alloc::{format, string::String};

/// What a step may say.
pub(crate) const STEP: [&str; 19] = [
    "does",
    "inputs",
    "slice",
    "time",
    "model",
    "tools",
    "budget",
    "pins",
    "policy",
    "effects",
    "depends",
    "retries",
    "fallback",
    "kappa",
    "breaker",
    "criticality",
    "idempotent",
    "question",
    "gate",
];
const ONCE: [&str; 17] = [
    "does",
    "inputs",
    "slice",
    "time",
    "model",
    "tools",
    "budget",
    "pins",
    "policy",
    "effects",
    "retries",
    "fallback",
    "kappa",
    "breaker",
    "criticality",
    "idempotent",
    "question",
];

impl<'s> Parser<'s, '_> {
    /// `step name: Role { ... }`
    pub(super) fn step(&mut self, word: &Token<'s>) -> Parsed<Step> {
        let name = self.name("step")?;
        self.colon("step")?;
        let role = self.name("step")?;
        let span = word.span.start..role.span.end;
        let mut step = Step {
            name: Some(name),
            span: span.clone(),
            assign: Some(Assign {
                role: Some(role),
                description: None,
                span: span.clone(),
            }),
            ..Step::default()
        };
        let block = self.block("step", &ONCE, |parser, key| {
            parser.step_statement(&key, &mut step)
        })?;
        step.extent = span.start..block.end;
        Ok(step)
    }

    fn step_statement(&mut self, key: &Token<'s>, step: &mut Step) -> Parsed<()> {
        match key.text {
            "gate" => {
                let gate = self.gate(key)?;
                step.gates.push(gate);
            }
            "depends" => {
                self.stream.eat(":");
                let mut requires = self.list("depends", Self::require)?;
                step.requires.append(&mut requires);
            }
            "effects" => {
                self.stream.eat(":");
                step.effects = self.list("effects", Self::effect)?;
            }
            "budget" => step.budget = Some(self.budget(key)?),
            "pins" => step.pins = Some(self.pins(key)?),
            "retries" => step.retries = Some(self.retries(key)?),
            "breaker" => step.breaker = Some(self.breaker(key)?),
            "inputs" => {
                let time = &mut step.time;
                let mut inputs = self.inputs_and(|parser, key| parser.time(key, time))?;
                step.inputs.append(&mut inputs);
            }
            known if STEP.contains(&known) => {
                self.colon("step")?;
                self.step_value(known, step)?;
            }
            _ => return Err(self.unknown(key, "a step", &STEP)),
        }
        Ok(())
    }

    fn step_value(&mut self, key: &str, step: &mut Step) -> Parsed<()> {
        match key {
            "does" => {
                let text = self.text("does")?;
                if let Some(assign) = &mut step.assign {
                    assign.description = Some(text);
                }
            }
            "slice" => step.slice = Some(self.selector()?),
            "time" => step.time = Some(self.moment()?),
            "model" => step.model = Some(self.text("model")?),
            "tools" => step.tools = self.list("tools", |parser| parser.text("tools"))?,
            "policy" => step.policy = self.name_in_quotes("policy")?,
            "fallback" => step.fallback = Some(self.name("fallback")?),
            "kappa" => step.kappa = Some(self.share("kappa")?),
            "criticality" => {
                step.criticality = Some(self.listed("criticality", Stakes::ALL, Stakes::word)?)
            }
            "idempotent" => step.idempotent = Some(self.boolean("idempotent")?),
            _ => step.question = Some(self.text("question")?),
        }
        Ok(())
    }

    /// The time that memory is read at may stand among the inputs as well.
    fn time(&mut self, key: &Token<'s>, time: &mut Option<Spanned<Moment>>) -> Parsed<bool> {
        let value = self.stream.peek(0);
        let is_time = key.text == "time"
            && value.kind == TokenKind::Selector
            && matches!(value.text.split(':').next(), Some("ASOF" | "WINDOW"));
        if !is_time {
            return Ok(false);
        }
        let moment = self.moment()?;
        if let Some(first) = time.replace(moment) {
            let fault = Diagnostic::error(codes::REPEATED, key.span.clone(), "time is repeated");
            let label = first.span.clone();
            self.faults
                .push(fault.help("keep one of the two").label(label, "first here"));
        }
        Ok(true)
    }

    fn require(&mut self) -> Parsed<Require> {
        let step = self.name("depends")?;
        let is_optional = self.stream.eat("?");
        Ok(Require { step, is_optional })
    }

    /// `net.read`
    pub(super) fn effect(&mut self) -> Parsed<Spanned<Effect>> {
        let first = self.stream.next();
        let mut span = first.span.clone();
        while self.stream.eat(".") {
            span.end = self.stream.next().span.end;
        }
        let text = self.source.get(span.clone()).unwrap_or_default();
        if let Some(value) = Effect::find(text).filter(|_| first.kind == TokenKind::Word) {
            return Ok(Spanned { value, span });
        }
        let words = Effect::ALL.iter().map(|effect| effect.word());
        let help = self.faults.suggest(text, words.clone());
        let words: alloc::vec::Vec<&str> = words.collect();
        let help = help.unwrap_or_else(|| format!("the effects are {}", words.join(", ")));
        let shown: String = text.chars().take(40).collect();
        self.faults.error(
            codes::UNKNOWN_EFFECT,
            span,
            format!("unknown effect `{shown}`"),
            help,
        );
        Err(Broken)
    }

    fn retries(&mut self, word: &Token<'s>) -> Parsed<Retries> {
        let mut retries = Retries::default();
        let span = self.map("retries", &["max_attempts", "backoff_ms"], |parser, key| {
            match key.text {
                "max_attempts" => retries.max_attempts = Some(parser.positive("max_attempts")?),
                _ => retries.backoff_ms = Some(parser.whole("backoff_ms")?),
            }
            Ok(())
        })?;
        retries.span = word.span.start..span.end;
        Ok(retries)
    }

    fn breaker(&mut self, word: &Token<'s>) -> Parsed<Breaker> {
        let mut breaker = Breaker::default();
        let span = self.map("breaker", &["failures", "cooldown_ms"], |parser, key| {
            let number = Some(parser.positive(key.text)?);
            match key.text {
                "failures" => breaker.failures = number,
                _ => breaker.cooldown_ms = number,
            }
            Ok(())
        })?;
        breaker.span = word.span.start..span.end;
        Ok(breaker)
    }
}
