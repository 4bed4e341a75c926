//! Invariants of judgement: what had to be asked was asked, and what was refused stayed inside.
//! INVARIANT: numbers are integers in parts per million; nothing here rounds in favour of a run.

use aim_sdk::serde_json::Value;

use crate::{
    Broken,
    record::{Attempt, Record},
};

/// Fewer claims than this say nothing about calibration.
const CLAIMS_MIN: u64 = 10;
/// The largest expected calibration error that still counts as good.
const ECE_PPM_MAX: u64 = 100_000;
/// Bins of the calibration error.
const BINS: u64 = 10;
/// One, in parts per million.
const ONE: u64 = 1_000_000;

/// Budgets and limits were charged, and never beyond their caps.
pub(crate) fn budget_honest(record: &Record) -> Result<(), Broken> {
    for attempt in &record.attempts {
        for budget in attempt.list("budgets") {
            let number = |field: &str| budget.get(field).and_then(Value::as_u64);
            let name = budget
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let (Some(used), Some(cap)) = (number("used"), number("cap")) else {
                return Err(format!(
                    "`{}` does not say what it used of `{name}`",
                    attempt.path()
                ));
            };
            // An attempt that ran into a cap says so itself; one that was released kept to it.
            if used > cap && attempt.is_released() {
                return Err(format!(
                    "`{}` was released and used {used} of {cap} `{name}`",
                    attempt.path()
                ));
            }
        }
    }
    Ok(())
}

/// Nothing left a step that was less sure than asked.
pub(crate) fn kappa_effective(record: &Record) -> Result<(), Broken> {
    for attempt in record.attempts.iter().filter(|one| one.is_released()) {
        let Some(kappa) = attempt.object("kappa") else {
            continue;
        };
        let number = |field: &str| kappa.get(field).and_then(Value::as_u64);
        let asked = number("thresholdPpm").ok_or("a threshold is missing")?;
        let sure = number("confidencePpm").unwrap_or(0);
        // A person may have let it go: then another gate record says so.
        if sure < asked && !has_warned(attempt) {
            return Err(format!(
                "`{}` was released with {sure} of {asked} ppm",
                attempt.path()
            ));
        }
    }
    Ok(())
}

fn has_warned(attempt: &Attempt) -> bool {
    let gates = attempt.list("gates").iter();
    gates
        .filter(|gate| is(gate, "kind", "kappa"))
        .any(|gate| is(gate, "verdict", "warn"))
}

fn is(value: &Value, field: &str, text: &str) -> bool {
    value.get(field).and_then(Value::as_str) == Some(text)
}

/// The ethical gate has judged what went in before anything ran, and what came out before anything was released.
pub(crate) fn gate_present(record: &Record) -> Result<(), Broken> {
    for attempt in &record.attempts {
        let asked = |phase: &str| {
            let mut gates = attempt.list("gates").iter();
            gates.any(|gate| is(gate, "gate", &record.ethical) && is(gate, "phase", phase))
        };
        if attempt.is_released() && !(asked("ingress") && asked("egress")) {
            return Err(format!(
                "`{}` passed without the ethical gate",
                attempt.path()
            ));
        }
    }
    Ok(())
}

/// Code, contract, checks and trace are there for every attempt that was released.
pub(crate) fn parity(record: &Record) -> Result<(), Broken> {
    for attempt in record.attempts.iter().filter(|one| one.is_released()) {
        let parts = [
            ("code", attempt.text("component").is_some()),
            ("contract", attempt.text("contract").is_some()),
            ("checks", !attempt.list("gates").is_empty()),
            ("trace", attempt.object("hostCalls").is_some()),
        ];
        if let Some((part, _)) = parts.iter().find(|(_, is_there)| !is_there) {
            return Err(format!("`{}` has no {part}", attempt.path()));
        }
    }
    Ok(())
}

/// Claimed confidence agrees with what came of it: the expected calibration error over ten bins.
pub(crate) fn ece_within(record: &Record) -> Result<(), Broken> {
    let mut bins: Vec<(u64, u64, u64)> = vec![(0, 0, 0); 10];
    let mut count: u64 = 0;
    for attempt in &record.attempts {
        let claims = attempt
            .object("guestClaims")
            .and_then(|claims| claims.get("confidence"));
        let Some(sure) = claims.and_then(|one| one.get("score")?.as_u64()) else {
            continue;
        };
        let index = usize::try_from((sure.min(ONE) * BINS / ONE).min(BINS - 1)).unwrap_or_default();
        if let Some((size, right, claimed)) = bins.get_mut(index) {
            *size += 1;
            *right += if attempt.is_released() { ONE } else { 0 };
            *claimed += sure.min(ONE);
            count += 1;
        }
    }
    if count < CLAIMS_MIN {
        return Ok(());
    }
    let error: u64 = bins
        .iter()
        .map(|(_, right, claimed)| right.abs_diff(*claimed))
        .sum::<u64>()
        / count;
    if error > ECE_PPM_MAX {
        return Err(format!(
            "the calibration error of {count} claims is {error} ppm"
        ));
    }
    Ok(())
}
