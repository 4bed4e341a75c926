//! The statements that speak of a step, and the gates and budgets that a plan may have as well.
//!
//! INVARIANT: a statement inside a step that could not be named still belongs to that step, so one bad line makes no
//! second one bad.

use alloc::{format, string::String, vec::Vec};
use core::ops::Range;

use aim_core::condition::{Condition, ConditionErrorKind};

use super::Parser;
use crate::{
    ast::{Amount, Assign, Budget, Check, Clause, Gate, Reaction, Require, Spanned, Step},
    codes,
    cursor::{Cursor, without_tabs},
    diagnostic::{Diagnostic, Faults},
    parse::{
        action::{Stream, action},
        amount::{Unit, amount},
    },
    token::lex,
};

/// The parts of a budget.
pub(crate) const BUDGET: [&str; 4] = ["tokens", "time", "tools", "cost"];

impl Parser<'_> {
    /// `STEP name:`
    pub(super) fn step(&mut self, mut line: Cursor<'_>) {
        let name = line.name(self.faults);
        match &name {
            None => self.malformed("STEP", line.rest_span(), "expected a name"),
            Some(_) => {
                if self.expect("STEP", &mut line, ':', "the name") {
                    self.expect_end("STEP", &mut line);
                }
            }
        }
        self.push_step(Step {
            name: name.flatten(),
            span: line.line_span(),
            extent: line.line_span(),
            ..Step::default()
        });
    }

    /// `ASSIGN role: "description"`
    pub(super) fn assign(&mut self, mut line: Cursor<'_>) {
        if self.open_step("ASSIGN", &line).is_none() {
            return;
        }
        let span = line.line_span();
        let role = line.name(self.faults);
        let mut description = None;
        if role.is_none() {
            self.malformed("ASSIGN", line.rest_span(), "expected a role");
        } else if self.expect("ASSIGN", &mut line, ':', "the role") {
            match line.quoted() {
                Ok(text) => {
                    self.expect_end("ASSIGN", &mut line);
                    description = Some(text);
                }
                Err((what, span)) => self.malformed("ASSIGN", span, what),
            }
        }
        let Some(step) = self.last_step() else {
            return;
        };
        match &step.assign {
            Some(first) => {
                let first = first.span.clone();
                self.repeated("ASSIGN", span, first);
            }
            None => {
                step.assign = Some(Assign {
                    role: role.flatten(),
                    description,
                    span,
                });
            }
        }
    }

    /// `REQUIRES a, b?`; several lines add up.
    pub(super) fn requires(&mut self, mut line: Cursor<'_>) {
        if self.open_step("REQUIRES", &line).is_none() {
            return;
        }
        let mut requires = Vec::new();
        // BOUND: every turn takes a name or ends.
        loop {
            let Some(name) = line.name(self.faults) else {
                self.malformed("REQUIRES", line.rest_span(), "expected a step's name");
                break;
            };
            let is_optional = line.eat('?');
            requires.extend(name.map(|step| Require { step, is_optional }));
            if !line.eat(',') {
                self.expect_end("REQUIRES", &mut line);
                break;
            }
        }
        if let Some(step) = self.last_step() {
            step.requires.extend(requires);
        }
    }

    /// `BUDGET tokens=N, time=Ns, tools=N`, of the open step or of the plan.
    pub(super) fn budget(&mut self, mut line: Cursor<'_>) {
        let mut budget = Budget {
            span: line.line_span(),
            ..Budget::default()
        };
        // BOUND: every turn takes at least one character or ends.
        loop {
            let key = line.run(&['=', ',']);
            if !line.eat('=') {
                let what = "expected `key=value`";
                self.malformed("BUDGET", key.span.start..line.rest_span().end, what);
                budget.is_faulty = true;
                break;
            }
            let value = line.field(&[',']);
            if !self.budget_part(&mut budget, &key, &value) {
                budget.is_faulty = true;
            }
            if !line.eat(',') {
                break;
            }
        }
        let span = budget.span.clone();
        let steps = self.ast.shards.last_mut().map(|shard| &mut shard.steps);
        let slot = match steps.and_then(|steps| steps.last_mut()) {
            Some(step) => &mut step.budget,
            None => &mut self.ast.budget,
        };
        match slot {
            Some(first) => {
                let first = first.span.clone();
                self.repeated("BUDGET", span, first);
            }
            None => *slot = Some(budget),
        }
    }

    fn budget_part(
        &mut self,
        budget: &mut Budget,
        key: &Spanned<&str>,
        value: &Spanned<&str>,
    ) -> bool {
        let (slot, unit) = match key.value {
            "tokens" => (&mut budget.tokens, Unit::Count),
            "time" => (&mut budget.time_ms, Unit::Time),
            "tools" => (&mut budget.tools, Unit::Count),
            "cost" => (&mut budget.cost_micros, Unit::Money),
            unknown => {
                let message = format!("unknown budget part `{unknown}`");
                let help = self.faults.suggest(unknown, BUDGET);
                let help =
                    help.unwrap_or_else(|| "the parts are tokens, time, tools and cost".into());
                self.faults
                    .error(codes::BAD_BUDGET, key.span.clone(), message, help);
                return false;
            }
        };
        if slot.is_some() {
            let message = format!("`{}` is given twice", key.value);
            self.faults.error(
                codes::BAD_BUDGET,
                key.span.clone(),
                message,
                "keep one of the two",
            );
            return false;
        }
        match amount(key.value, value.value, unit) {
            Ok(amount) => *slot = Some(Amount::hard(amount)),
            Err((message, help)) => {
                self.faults
                    .error(codes::BAD_BUDGET, value.span.clone(), message, help);
                return false;
            }
        }
        true
    }

    /// `GATE name: condition`, or `GATE name:` with `CHECK` below it.
    pub(super) fn gate(&mut self, mut line: Cursor<'_>) {
        let name = line.name(self.faults);
        let mut gate = Gate {
            span: line.line_span(),
            ..Gate::default()
        };
        match name {
            None => {
                self.malformed("GATE", line.rest_span(), "expected a name");
                gate.has_check = true;
            }
            Some(name) => {
                gate.name = name;
                if !self.expect("GATE", &mut line, ':', "the name") {
                    gate.has_check = true;
                } else if !line.is_at_end() {
                    gate.has_check = true;
                    gate.clauses = self.condition(&mut line).into_iter().collect();
                }
            }
        }
        self.open_gates().push(gate);
        self.is_gate_open = true;
    }

    /// `CHECK condition`
    pub(super) fn check(&mut self, mut line: Cursor<'_>) {
        let span = line.line_span();
        let Some(first) = self
            .open_gate("CHECK", &line)
            .map(|gate| (gate.has_check, gate.span.clone()))
        else {
            return;
        };
        if let (true, gate) = first {
            let message = "the gate already has a condition";
            let fault = Diagnostic::error(codes::REPEATED, span, message);
            let help = "write a second GATE: a step passes only when all its gates pass";
            self.faults.push(fault.help(help).label(gate, "the gate"));
            return;
        }
        let check = self.condition(&mut line);
        if let Some(gate) = self.open_gates().last_mut() {
            gate.has_check = true;
            gate.clauses = check.into_iter().collect();
        }
    }

    /// `ON_FAIL action`
    pub(super) fn on_fail(&mut self, line: Cursor<'_>) {
        let Some(first) = self
            .open_gate("ON_FAIL", &line)
            .map(|gate| gate.on_fail.first().map(|first| first.action.span.clone()))
        else {
            return;
        };
        if let Some(first) = first {
            return self.repeated("ON_FAIL", line.line_span(), first);
        }
        let span = line.rest_span();
        if line.is_at_end() {
            return self.malformed("ON_FAIL", span, "expected an action");
        }
        let mut stream = Stream::new(lex(line.rest()).tokens, span.start);
        let value = action(&mut stream, self.faults);
        if value.is_some() && !stream.is_at_end() {
            let rest = stream.peek(0).span.start..span.end;
            self.malformed("ON_FAIL", rest, "unexpected text at the end");
        }
        if let Some(gate) = self.open_gates().last_mut() {
            gate.span.end = span.end;
            gate.on_fail.push(Reaction {
                when: None,
                action: Spanned { value, span },
            });
        }
    }

    fn open_gate(&mut self, keyword: &str, line: &Cursor<'_>) -> Option<&Gate> {
        if !self.is_gate_open {
            let message = format!("{keyword} stands outside a gate");
            let help = "begin a gate with `GATE <name>:` above it";
            self.faults
                .error(codes::OUT_OF_PLACE, line.line_span(), message, help);
            return None;
        }
        self.open_gates().last()
    }

    fn condition(&mut self, line: &mut Cursor<'_>) -> Option<Clause> {
        line.skip_blanks();
        let (source, span) = (without_tabs(line.rest()), line.rest_span());
        let check = checked(source, span, self.faults)?;
        Some(Clause {
            is_forbid: false,
            check,
        })
    }
}

/// Reads a condition that stands at `span`, or reports what is wrong with it.
pub(in crate::parse) fn checked(
    source: String,
    span: Range<usize>,
    faults: &mut Faults,
) -> Option<Spanned<Check>> {
    read(source, span, true, faults)
}

/// Reads a condition whose bytes differ from those at `span`, or reports what is wrong with it.
pub(in crate::parse) fn checked_at(
    source: String,
    span: Range<usize>,
    faults: &mut Faults,
) -> Option<Spanned<Check>> {
    read(source, span, false, faults)
}

fn read(
    source: String,
    span: Range<usize>,
    is_verbatim: bool,
    faults: &mut Faults,
) -> Option<Spanned<Check>> {
    match Condition::parse(&source) {
        Ok(condition) => Some(Spanned {
            value: Check { condition, source },
            span,
        }),
        Err(error) => {
            let place = if is_verbatim {
                span.start + error.span.start..span.start + error.span.end
            } else {
                span
            };
            let code = match error.kind {
                ConditionErrorKind::Order => codes::TYPE_MISMATCH,
                _ => codes::BAD_CONDITION,
            };
            let help = "write `output.<field>`, alone or with an operator and a literal, such as `output.confidence >= 0.85`";
            faults.push(Diagnostic::error(code, place, format!("{error}")).help(help));
            None
        }
    }
}
