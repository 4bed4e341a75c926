//! What a plan's own gate says about a step, and what the host then does.
//!
//! INVARIANT: doubt never passes: what nobody can judge is an error, and an error ends the run whatever the plan answers.

use alloc::{format, string::String, vec::Vec};

use serde_json::Value;

use super::{Check, Clause, Emit, Gate, JudgeCheck, JudgeKind, OnFail, Rules};
use crate::{
    condition::{self, Root},
    verdict::{Disposition, Verdict},
};

/// What a gate is asked about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// The JSON body of the step's envelope; `None` when it has none.
    pub input: Option<&'a Value>,
    /// The JSON body of the step's only emission; `None` when there is no such body.
    pub output: Option<&'a Value>,
    /// What the step claims, in parts per million.
    pub confidence_ppm: Option<u32>,
    /// True when the contract has a schema for the side on which the gate stands; the host has held it then.
    pub has_schema: bool,
}

/// What a gate said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateAnswer<'a> {
    /// Before severity.
    pub verdict: Verdict,
    /// What the host does; `Release` when the gate holds or only warns.
    pub disposition: Disposition,
    /// Sentences for people and evidence.
    pub reasons: Vec<String>,
    /// The answer of the plan that was taken, when the gate does not hold.
    pub answer: Option<&'a OnFail>,
}

/// Asks one gate. `None` when the gate is not asked because its `when` does not hold.
#[must_use]
pub fn judge<'a>(gate: &'a Gate, subject: &Subject<'_>) -> Option<GateAnswer<'a>> {
    if let Some(when) = &gate.when
        && clause(when, subject).0 == Verdict::Fail
    {
        return None;
    }
    let (verdict, mut reasons) = match &gate.check {
        Check::Condition(only) => {
            let (verdict, reason) = clause(only, subject);
            (verdict, Vec::from([reason]))
        }
        Check::Rules(rules) => rule_set(rules, subject),
        Check::Judge(check) => known(check, subject),
    };
    if verdict != Verdict::Fail {
        let disposition = match verdict {
            Verdict::Error => Disposition::Abort,
            _ => Disposition::Release,
        };
        return Some(GateAnswer {
            verdict,
            disposition,
            reasons,
            answer: None,
        });
    }
    // The last answer has no condition; a gate without any would be refused by `Plan::check`, and ends the run here.
    let answer = (gate.on_fail.iter()).find(|one| match &one.condition {
        Some(condition) => clause(condition, subject).0 != Verdict::Fail,
        None => true,
    });
    reasons.extend(answer.and_then(|one| one.message.clone()));
    let (verdict, disposition) = answer.map_or((Verdict::Fail, Disposition::Abort), |one| {
        one.action.effect()
    });
    Some(GateAnswer {
        verdict,
        disposition,
        reasons,
        answer,
    })
}

fn clause(clause: &Clause, subject: &Subject<'_>) -> (Verdict, String) {
    let value = match clause.condition.root() {
        Root::Input => subject.input,
        Root::Output => subject.output,
    };
    let judgement = condition::evaluate(&clause.condition, value);
    (judgement.verdict, judgement.reason)
}

/// All of `require`, none of `forbid`, everything of `emit`; the reasons are those of the worst.
fn rule_set(rules: &Rules, subject: &Subject<'_>) -> (Verdict, Vec<String>) {
    let required = rules.require.iter().map(|one| clause(one, subject));
    let forbidden = rules.forbid.iter().map(|one| {
        let (verdict, reason) = clause(one, subject);
        match verdict {
            Verdict::Pass => (Verdict::Fail, format!("{reason}, and it must not")),
            Verdict::Fail => (Verdict::Pass, format!("{reason}, as it must not")),
            other => (other, reason),
        }
    });
    let emitted = rules.emit.iter().map(|one| emitted(*one, subject));
    let all: Vec<(Verdict, String)> = required.chain(forbidden).chain(emitted).collect();
    let worst = Verdict::worst(all.iter().map(|(verdict, _)| *verdict));
    let reasons = all.into_iter().filter(|(verdict, _)| *verdict == worst);
    (worst, reasons.map(|(_, reason)| reason).collect())
}

fn emitted(emit: Emit, subject: &Subject<'_>) -> (Verdict, String) {
    let (is_there, what) = match emit {
        // The host writes one for every attempt, or nothing is released.
        Emit::Vif => (true, "a witness"),
        Emit::Uq => (subject.confidence_ppm.is_some(), "a confidence"),
        Emit::Rs => {
            let score = subject.output.and_then(|output| output.get("rs"));
            (
                score.is_some_and(Value::is_number),
                "a retrieval score `rs`",
            )
        }
    };
    if is_there {
        (Verdict::Pass, format!("{what} is there"))
    } else {
        (Verdict::Fail, format!("{what} is missing"))
    }
}

/// The kinds that are judged without asking anybody else.
fn known(check: &JudgeCheck, subject: &Subject<'_>) -> (Verdict, Vec<String>) {
    let (verdict, reason) = match (check.kind, check.threshold_ppm) {
        (JudgeKind::Uq, Some(threshold)) => uq(subject.confidence_ppm, threshold, check.is_strict),
        (JudgeKind::Schema, _) if subject.has_schema => (
            Verdict::Pass,
            String::from("the contract's schema was held"),
        ),
        (JudgeKind::Schema, _) => (
            Verdict::Fail,
            String::from("the contract has no schema to hold against"),
        ),
        (kind, _) => (
            Verdict::Error,
            format!("nothing here judges `{}`", kind.word()),
        ),
    };
    (verdict, Vec::from([reason]))
}

fn uq(confidence: Option<u32>, threshold: u32, is_strict: bool) -> (Verdict, String) {
    match confidence {
        Some(ppm) if ppm >= threshold => (
            Verdict::Pass,
            format!("confidence {ppm} ppm, {threshold} ppm are asked for"),
        ),
        Some(ppm) => (
            Verdict::Fail,
            format!("confidence {ppm} ppm is below the {threshold} ppm that are asked for"),
        ),
        None if is_strict => (
            Verdict::Fail,
            format!("no confidence claimed, {threshold} ppm are asked for"),
        ),
        None => (
            Verdict::Abstain,
            format!("no confidence claimed, {threshold} ppm are asked for"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::{
        name::StepName,
        plan::{Action, GatePhase},
        verdict::Severity,
    };

    fn gate(check: Check, on_fail: Vec<OnFail>) -> Gate {
        Gate {
            check,
            name: StepName::parse("g").unwrap(),
            on_fail,
            phase: GatePhase::Egress,
            severity: Severity::Block,
            when: None,
        }
    }

    fn parsed(source: &str) -> Clause {
        Clause::parse(source).unwrap()
    }

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    /// Control: with the answers' conditions ignored, the first answer is always taken and this fails.
    #[test]
    fn the_first_answer_whose_condition_holds_is_taken() {
        let mut soft = OnFail::always(Action::Retry);
        soft.condition = Some(parsed("output.score >= 0.5"));
        let gate = gate(
            Check::Condition(parsed("output.score >= 0.9")),
            vec![soft, OnFail::always(Action::Abort)],
        );
        for (score, disposition) in [
            ("0.6", Disposition::Retry),
            ("0.4", Disposition::Abort),
            ("0.9", Disposition::Release),
        ] {
            let output = json(&format!("{{\"score\":{score}}}"));
            let subject = Subject {
                output: Some(&output),
                ..Subject::default()
            };
            assert_eq!(judge(&gate, &subject).unwrap().disposition, disposition);
        }
    }

    #[test]
    fn what_nobody_can_judge_ends_the_run_whatever_the_plan_answers() {
        for action in Action::ALL {
            let gate = gate(
                Check::Condition(parsed("output.missing")),
                vec![OnFail::always(action)],
            );
            let output = json("{}");
            let subject = Subject {
                output: Some(&output),
                ..Subject::default()
            };
            let answer = judge(&gate, &subject).unwrap();
            assert_eq!(
                (answer.verdict, answer.disposition),
                (Verdict::Error, Disposition::Abort)
            );
        }
    }

    /// Control: with `forbid` judged as `require`, this fails.
    #[test]
    fn rules_require_forbid_and_want_claims() {
        let rules = Rules {
            emit: [Emit::Uq].into(),
            forbid: vec![parsed("output.secret")],
            require: vec![parsed("input.ok")],
        };
        let gate = gate(Check::Rules(rules), vec![OnFail::always(Action::Abort)]);
        let verdict = |input: &str, output: &str, confidence_ppm| {
            let (input, output) = (json(input), json(output));
            let subject = Subject {
                input: Some(&input),
                output: Some(&output),
                confidence_ppm,
                has_schema: false,
            };
            judge(&gate, &subject).unwrap().verdict
        };
        let fine = r#"{"secret":false}"#;
        assert_eq!(verdict(r#"{"ok":true}"#, fine, Some(1)), Verdict::Pass);
        assert_eq!(verdict(r#"{"ok":true}"#, fine, None), Verdict::Fail);
        assert_eq!(verdict(r#"{"ok":false}"#, fine, Some(1)), Verdict::Fail);
        let bad = r#"{"secret":true}"#;
        assert_eq!(verdict(r#"{"ok":true}"#, bad, Some(1)), Verdict::Fail);
        // A field that is not there can not be forbidden away.
        assert_eq!(verdict(r#"{"ok":true}"#, "{}", Some(1)), Verdict::Error);
    }

    #[test]
    fn a_gate_whose_occasion_does_not_arise_is_not_asked_and_a_doubtful_one_is() {
        let mut gate = gate(
            Check::Condition(parsed("output.safe")),
            vec![OnFail::always(Action::Abort)],
        );
        gate.when = Some(parsed("output.is_public"));
        let ask = |output: &str| {
            let output = json(output);
            let subject = Subject {
                output: Some(&output),
                ..Subject::default()
            };
            judge(&gate, &subject).map(|answer| answer.verdict)
        };
        assert_eq!(ask(r#"{"is_public":false,"safe":false}"#), None);
        assert_eq!(
            ask(r#"{"is_public":true,"safe":false}"#),
            Some(Verdict::Fail)
        );
        assert_eq!(ask(r#"{"safe":false}"#), Some(Verdict::Fail));
    }

    #[test]
    fn claimed_confidence_is_held_against_the_threshold() {
        let ask = |confidence_ppm, is_strict| {
            let check = JudgeCheck {
                inputs: [].into(),
                is_strict,
                kind: JudgeKind::Uq,
                policy: None,
                threshold_ppm: Some(850_000),
            };
            let subject = Subject {
                confidence_ppm,
                ..Subject::default()
            };
            known(&check, &subject).0
        };
        assert_eq!(ask(Some(850_000), false), Verdict::Pass);
        assert_eq!(ask(Some(849_999), false), Verdict::Fail);
        assert_eq!(ask(None, false), Verdict::Abstain);
        assert_eq!(ask(None, true), Verdict::Fail);
    }
}
