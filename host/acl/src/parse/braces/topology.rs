//! `fanout`, `reduce`, `flow` and `policy rewrite`.
//!
//! INVARIANT: a range or a repetition without a written end is refused here, so no later stage sees one.

use alloc::{format, string::String, vec::Vec};

use aim_core::name::StepName;

use super::{Broken, Parsed, Parser};
use crate::{
    ast::{
        Bounds, Effect, FanOut, Flow, Reduce, Reducer, Rule, RuleEvent, Rules, Spanned, Subject,
    },
    codes,
    parse::action,
    token::{Token, TokenKind},
};

/// The most instances of one step.
const INSTANCES_MAX: u64 = 10_000;
const REDUCERS: &str = "merge=maxRS, vote=majority, score=mean or adjudicate=verifier";
pub(crate) const EVENTS: [&str; 5] = [
    "gate_fail",
    "over_budget",
    "step_fail",
    "low_confidence",
    "policy_violation",
];

impl<'s> Parser<'s, '_> {
    fn arrow(&mut self, what: &str) -> Parsed<()> {
        let next = self.stream.peek(0);
        if self.stream.eat("->") {
            Ok(())
        } else {
            Err(self.syntax(&next, what, "expected `->`"))
        }
    }

    /// `[1..n]`
    fn bounds(&mut self, what: &str) -> Parsed<Option<Spanned<Bounds>>> {
        let open = self.stream.peek(0);
        if !self.stream.eat("[") {
            return Ok(None);
        }
        let first = self.stream.next();
        let is_range = self.stream.eat("..");
        let last = if is_range {
            self.stream.next()
        } else {
            first.clone()
        };
        let number = |token: &Token<'_>| token.text.parse::<u64>().ok();
        let has_end = last.kind == TokenKind::Number;
        if !has_end || number(&first).is_none() || !is_range {
            let span = open.span.start..last.span.end;
            let help = "write both ends as numbers, such as `[1..4]`; refinement is a `flow` with `max_iter`";
            self.faults.error(
                codes::UNBOUNDED,
                span,
                format!("a {what} needs a range with two ends"),
                help,
            );
            if !has_end && last.text == "]" {
                return Ok(None);
            }
        }
        let close = self.stream.peek(0);
        if !self.stream.eat("]") && last.text != "]" {
            return Err(self.syntax(&close, what, "expected `]`"));
        }
        let span = open.span.start..self.stream.end_of_last();
        let (Some(first), Some(last)) = (number(&first), number(&last)) else {
            return Ok(None);
        };
        if first > last || last - first >= INSTANCES_MAX {
            let message = format!("a range goes up, to at most {INSTANCES_MAX} instances");
            self.faults.error(
                codes::BAD_VALUE,
                span,
                message,
                "write the smaller number first",
            );
            return Ok(None);
        }
        Ok(Some(Spanned::new(Bounds { first, last }, span)))
    }

    /// `fanout a -> b[1..n] with opt=val`
    pub(super) fn fanout(&mut self, word: &Token<'s>) -> Parsed<FanOut> {
        let from = self.name("fanout")?;
        let from_bounds = self.bounds("fanout")?;
        self.arrow("fanout")?;
        let to = self.name("fanout")?;
        let has_range = self.stream.is("[");
        let bounds = self.bounds("fanout")?;
        if !has_range {
            let help = "write how many times, such as `[1..4]`";
            self.faults.error(
                codes::UNBOUNDED,
                to.span.clone(),
                "a fanout needs a range with two ends",
                help,
            );
        }
        let options = if self.stream.eat("with") {
            self.options("fanout")?
        } else {
            Vec::new()
        };
        Ok(FanOut {
            from,
            from_bounds,
            to,
            bounds,
            options,
            span: word.span.start..self.stream.end_of_last(),
        })
    }

    /// `reduce b[1..n] -> c using vote=majority with quorum=2`
    pub(super) fn reduce(&mut self, word: &Token<'s>) -> Parsed<Reduce> {
        let from = self.name("reduce")?;
        let bounds = self.bounds("reduce")?;
        self.arrow("reduce")?;
        let to = self.name("reduce")?;
        let next = self.stream.peek(0);
        if !self.stream.eat("using") {
            return Err(self.syntax(
                &next,
                "reduce",
                "expected `using` and how several become one",
            ));
        }
        let method = self.stream.next();
        let mut span = method.span.clone();
        if self.stream.eat("=") {
            span.end = self.stream.next().span.end;
        }
        let text: String = self
            .source
            .get(span.clone())
            .unwrap_or_default()
            .chars()
            .filter(|c| !c.is_whitespace())
            .collect();
        let using = Reducer::find(&text).map(|value| Spanned::new(value, span.clone()));
        if using.is_none() {
            let shown: String = text.chars().take(40).collect();
            self.faults.error(
                codes::UNKNOWN_WORD,
                span,
                format!("`{shown}` is no way to reduce"),
                format!("write {REDUCERS}"),
            );
        }
        let options = if self.stream.eat("with") {
            self.options("reduce")?
        } else {
            Vec::new()
        };
        Ok(Reduce {
            from,
            bounds,
            to,
            using,
            options,
            span: word.span.start..self.stream.end_of_last(),
        })
    }

    /// `flow f(x, max_iter=N) until <condition> else release`
    pub(super) fn flow(&mut self, word: &Token<'s>) -> Parsed<Flow> {
        let name = self.name("flow")?;
        let open = self.stream.peek(0);
        if !self.stream.eat("(") {
            return Err(self.syntax(&open, "flow", "expected `(`"));
        }
        let (mut on, mut max_iter) = (Vec::new(), None);
        // BOUND: every turn takes a token or ends.
        while !self.stream.eat(")") {
            if self.stream.is("max_iter") {
                self.stream.next();
                let next = self.stream.peek(0);
                if !self.stream.eat("=") {
                    return Err(self.syntax(&next, "flow", "expected `=` after max_iter"));
                }
                max_iter = Some(self.positive("max_iter")?);
            } else {
                on.push(self.name("flow")?);
            }
            if !self.stream.eat(",") && !self.stream.is(")") {
                let next = self.stream.peek(0);
                return Err(self.syntax(&next, "flow", "expected `,` or `)`"));
            }
        }
        if max_iter.is_none() {
            let help = "write how often at most: `max_iter=3`";
            self.faults.error(
                codes::UNBOUNDED,
                name.span.clone(),
                "a flow needs `max_iter`",
                help,
            );
        }
        let until = if self.stream.eat("until") {
            Some(self.condition("")?)
        } else {
            None
        };
        let releases = self.stream.eat("else");
        if releases && !self.stream.eat("release") {
            let next = self.stream.peek(0);
            return Err(self.syntax(&next, "flow", "expected `release` after `else`"));
        }
        if self.stream.is("{") {
            return Err(self.flow_with_a_body(&name));
        }
        Ok(Flow {
            name,
            on,
            max_iter,
            until,
            releases,
            span: word.span.start..self.stream.end_of_last(),
        })
    }

    /// A flow names the steps that it repeats; a body would make names that nothing outside could say.
    fn flow_with_a_body(&mut self, name: &Spanned<StepName>) -> Broken {
        let message = format!(
            "flow `{}` has no body: it repeats steps that it names",
            name.value
        );
        let help = "put the steps beside it, before the flow, and name them: `flow refine(draft, criticise, max_iter=3)`; \
                    or put them into a plan of their own and `import flow`";
        self.faults
            .error(codes::SYNTAX, self.stream.peek(0).span, message, help);
        Broken
    }

    /// `policy rewrite { on <event> => <action>; require HITL for a, b }`
    pub(super) fn rules(&mut self, word: &Token<'s>) -> Parsed<Rules> {
        let next = self.stream.peek(0);
        if !self.stream.eat("rewrite") {
            return Err(self.syntax(&next, "policy", "expected `rewrite`"));
        }
        let mut rules = Vec::new();
        let span = self.block("policy", &[], |parser, key| {
            match key.text {
                "on" => rules.append(&mut parser.rule()?),
                "require" => rules.push(parser.hitl()?),
                _ => return Err(parser.unknown(&key, "policy rewrite", &["on", "require"])),
            }
            Ok(())
        })?;
        Ok(Rules {
            rules,
            span: word.span.start..span.end,
        })
    }

    /// `<event> => <action>`; for several names in the event, as in `gate_fail(a|b)`, a rule each.
    fn rule(&mut self) -> Parsed<Vec<Rule>> {
        let word = self.stream.next();
        let subjects = self.rule_subjects()?;
        let span = word.span.start..self.stream.end_of_last();
        let events: Option<Vec<RuleEvent>> = (subjects.into_iter())
            .map(|subject| event(word.text, subject))
            .collect();
        let Some(events) = events else {
            let shown: String = word.text.chars().take(40).collect();
            let help = self.faults.suggest(word.text, EVENTS);
            let help = help.unwrap_or_else(|| format!("the events are {}", EVENTS.join(", ")));
            self.faults.error(
                codes::UNKNOWN_WORD,
                word.span,
                format!("`{shown}` is no event of a rule"),
                help,
            );
            return Err(Broken);
        };
        let next = self.stream.peek(0);
        if !self.stream.eat("=>") {
            return Err(self.syntax(&next, "policy", "expected `=>` and an action"));
        }
        let start = self.stream.peek(0).span.start;
        let value = action::action(&mut self.stream, self.faults).ok_or(Broken)?;
        let action = Spanned::new(Some(value), start..self.stream.end_of_last());
        let rule = |event| Rule::On {
            event: Spanned::new(event, span.clone()),
            action: action.clone(),
        };
        Ok(events.into_iter().map(rule).collect())
    }

    /// `(a|b)`, `(*)`, `()` or nothing: the names that a rule is for; `None` is all of them.
    fn rule_subjects(&mut self) -> Parsed<Vec<Option<StepName>>> {
        if !self.stream.eat("(") {
            return Ok(alloc::vec![None]);
        }
        let mut subjects = Vec::new();
        if self.stream.is(")") || self.stream.eat("*") {
            subjects.push(None);
        } else {
            subjects.push(Some(self.name("policy")?.value));
            // BOUND: every turn takes a token or ends.
            while self.stream.eat("|") {
                subjects.push(Some(self.name("policy")?.value));
            }
        }
        let next = self.stream.peek(0);
        if !self.stream.eat(")") {
            return Err(self.syntax(&next, "policy", "expected `)` after the name"));
        }
        Ok(subjects)
    }

    fn hitl(&mut self) -> Parsed<Rule> {
        let next = self.stream.peek(0);
        if !(self.stream.eat("HITL") && self.stream.eat("for")) {
            return Err(self.syntax(&next, "policy", "expected `HITL for` and steps or effects"));
        }
        let subjects = self.list("policy", |parser| {
            if parser.stream.is("*") {
                return Ok(Spanned::new(Subject::All, parser.stream.next().span));
            }
            if parser.stream.peek(1).text == "." {
                let effect: Spanned<Effect> = parser.effect()?;
                return Ok(Spanned::new(Subject::Effect(effect.value), effect.span));
            }
            let step: Spanned<StepName> = parser.name("policy")?;
            Ok(Spanned::new(Subject::Step(step.value), step.span))
        })?;
        Ok(Rule::RequireHitl(subjects))
    }
}

fn event(word: &str, subject: Option<StepName>) -> Option<RuleEvent> {
    Some(match word {
        "gate_fail" => RuleEvent::GateFail(subject),
        "step_fail" => RuleEvent::StepFail(subject),
        "over_budget" => RuleEvent::OverBudget(subject),
        "low_confidence" => RuleEvent::LowConfidence(subject),
        "policy_violation" => RuleEvent::PolicyViolation(subject),
        _ => return None,
    })
}
