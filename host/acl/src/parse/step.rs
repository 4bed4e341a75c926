//! The statements that speak of a step, and the gates and budgets that a plan may have as well.
//!
//! INVARIANT: a statement inside a step that could not be named still belongs to that step, so one bad line makes no
//! second one bad.

use alloc::{format, vec::Vec};

use aim_core::{
    condition::{Condition, ConditionErrorKind},
    plan::{Action, INTEGER_MAX},
};

use super::Parser;
use crate::{
    ast::{Assign, Budget, Check, Gate, Require, Spanned, Step},
    codes,
    cursor::{Cursor, without_tabs},
    diagnostic::Diagnostic,
};

/// Actions that exist elsewhere in the language, but not for conditions of this version.
const ABSENT_ACTIONS: [&str; 7] = [
    "retry",
    "fallback",
    "repair",
    "quarantine",
    "rollback",
    "log",
    "degrade",
];
const ACTIONS: [Action; 3] = [Action::Abort, Action::Warn, Action::Escalate];

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
            assign: None,
            requires: Vec::new(),
            budget: None,
            gates: Vec::new(),
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
        let Some(step) = self.ast.steps.last_mut() else {
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
        if let Some(step) = self.ast.steps.last_mut() {
            step.requires.extend(requires);
        }
    }

    /// `BUDGET tokens=N, time=Ns, tools=N`, of the open step or of the plan.
    pub(super) fn budget(&mut self, mut line: Cursor<'_>) {
        let mut budget = Budget {
            span: line.line_span(),
            tokens: None,
            time_ms: None,
            tools: None,
            is_faulty: false,
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
        let slot = match self.ast.steps.last_mut() {
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
        const KEYS: [&str; 3] = ["tokens", "time", "tools"];
        let slot = match key.value {
            "tokens" => &mut budget.tokens,
            "time" => &mut budget.time_ms,
            "tools" => &mut budget.tools,
            unknown => {
                let message = format!("unknown budget part `{unknown}`");
                let help = self.faults.suggest(unknown, KEYS);
                let help = help.unwrap_or_else(|| "the parts are tokens, time and tools".into());
                self.error(codes::BAD_BUDGET, key.span.clone(), message, help);
                return false;
            }
        };
        if slot.is_some() {
            let message = format!("`{}` is given twice", key.value);
            self.error(
                codes::BAD_BUDGET,
                key.span.clone(),
                message,
                "keep one of the two",
            );
            return false;
        }
        match amount(key.value, value.value) {
            Ok(amount) => *slot = Some(amount),
            Err((message, help)) => {
                self.error(codes::BAD_BUDGET, value.span.clone(), message, help);
                return false;
            }
        }
        true
    }

    /// `GATE name: condition`, or `GATE name:` with `CHECK` below it.
    pub(super) fn gate(&mut self, mut line: Cursor<'_>) {
        let name = line.name(self.faults);
        let mut gate = Gate {
            name: None,
            span: line.line_span(),
            check: None,
            has_check: false,
            on_fail: None,
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
                    gate.check = self.condition(&mut line);
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
            gate.check = check;
        }
    }

    /// `ON_FAIL action`
    pub(super) fn on_fail(&mut self, line: Cursor<'_>) {
        let Some(first) = self
            .open_gate("ON_FAIL", &line)
            .map(|gate| gate.on_fail.clone())
        else {
            return;
        };
        if let Some(first) = first {
            return self.repeated("ON_FAIL", line.line_span(), first.span);
        }
        let (written, span) = (line.rest(), line.rest_span());
        let value = ACTIONS.into_iter().find(|action| action.word() == written);
        if value.is_none() {
            self.bad_action(written, span.clone());
        }
        if let Some(gate) = self.open_gates().last_mut() {
            gate.on_fail = Some(Spanned { value, span });
        }
    }

    fn bad_action(&mut self, written: &str, span: core::ops::Range<usize>) {
        if written.is_empty() {
            return self.malformed("ON_FAIL", span, "expected an action");
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let word = written.split(|c| !is_word(c)).next().unwrap_or_default();
        let shown: alloc::string::String = written.chars().take(40).collect();
        let (message, help) = if ABSENT_ACTIONS.contains(&word) {
            let message =
                format!("action `{shown}` is not available for a condition in this version");
            (message, "use abort, warn or escalate".into())
        } else {
            let help = self.faults.suggest(word, ACTIONS.map(Action::word));
            let help = help.unwrap_or_else(|| "the actions are abort, warn and escalate".into());
            (format!("unknown action `{shown}`"), help)
        };
        self.error(codes::BAD_ACTION, span, message, help);
    }

    fn open_gate(&mut self, keyword: &str, line: &Cursor<'_>) -> Option<&Gate> {
        if !self.is_gate_open {
            let message = format!("{keyword} stands outside a gate");
            let help = "begin a gate with `GATE <name>:` above it";
            self.error(codes::OUT_OF_PLACE, line.line_span(), message, help);
            return None;
        }
        self.open_gates().last()
    }

    fn condition(&mut self, line: &mut Cursor<'_>) -> Option<Spanned<Check>> {
        line.skip_blanks();
        let (source, span) = (without_tabs(line.rest()), line.rest_span());
        match Condition::parse(&source) {
            Ok(condition) => Some(Spanned {
                value: Check { condition, source },
                span,
            }),
            Err(error) => {
                let place = span.start + error.span.start..span.start + error.span.end;
                let code = match error.kind {
                    ConditionErrorKind::Order => codes::TYPE_MISMATCH,
                    _ => codes::BAD_CONDITION,
                };
                let help = "write `output.<field>`, alone or with an operator and a literal, such as `output.confidence >= 0.85`";
                self.error(code, place, format!("{error}"), help);
                None
            }
        }
    }
}

/// Reads a positive amount; time in milliseconds.
fn amount(key: &str, text: &str) -> Result<u64, (alloc::string::String, &'static str)> {
    let (digits, factor) = match key {
        "time" => {
            let end = text
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(text.len());
            let (digits, unit) = text.split_at_checked(end).unwrap_or((text, ""));
            let factor = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                _ => 0,
            };
            (digits, factor)
        }
        _ => (text, 1),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number || factor == 0 {
        let shown: alloc::string::String = text.chars().take(40).collect();
        let help = if key == "time" {
            "write a whole number and a unit: `500ms`, `30s` or `5m`"
        } else {
            "write a whole number without signs, such as `1000`"
        };
        return Err((format!("`{shown}` is no amount of {key}"), help));
    }
    let amount = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor));
    match amount {
        Some(0) => Err((
            format!("{key} must be more than zero"),
            "a step with nothing to spend can not run; leave the part out or give it an amount",
        )),
        Some(amount) if amount <= INTEGER_MAX => Ok(amount),
        _ => Err((
            format!("{key} is larger than a plan can hold"),
            "write a smaller amount",
        )),
    }
}
