//! What compiling costs: plans of a thousand steps in both written forms, and formatting them.
//!
//! INVARIANT: what is measured is checked: each form gives the same plan, with all of its steps.

use std::{fmt::Write as _, hint::black_box, time::Instant};

use aim_acl::{Profile, ast::Form, compile, parse, print_as};

use crate::{Result, stats::Values};

/// Steps of the plan that is measured.
const STEPS: usize = 1_000;
/// Times that each is done in a round.
const TIMES: usize = 5;
/// What a plan of a thousand steps should compile in, in milliseconds.
const TARGET_MS: f64 = 50.0;

/// A plan in layers of ten: every step requires two of the layer before and has a gate.
fn plan() -> Result<String> {
    let mut source = String::from("PLAN large:\n");
    for step in 0..STEPS {
        writeln!(
            source,
            "STEP step_{step}:\n  ASSIGN builder: \"Do the part with number {step}\""
        )?;
        if let Some(first) = (step / 10).checked_sub(1).map(|layer| layer * 10) {
            writeln!(
                source,
                "  REQUIRES step_{}, step_{}?",
                first + step % 10,
                first + (step + 3) % 10
            )?;
        }
        writeln!(source, "  BUDGET tokens=1000, time=30s, tools=5")?;
        writeln!(
            source,
            "  GATE sure: output.confidence >= 0.85\n    ON_FAIL retry(2)"
        )?;
    }
    Ok(source)
}

/// Measures and says what was seen.
pub(crate) fn measure(rounds: usize) -> Result<String> {
    let lines = plan()?;
    let (tree, _) = parse(&lines);
    let braces = print_as(&tree, Form::Braces);
    let ir = |source: &str| compile(source, Profile::Strict).map(|compiled| compiled.plan);
    let wanted = ir(&lines).map_err(|faults| format!("{faults:?}"))?;
    let same = ir(&braces).map_err(|faults| format!("{faults:?}"))?;
    if wanted.steps().len() != STEPS || wanted.to_json() != same.to_json() {
        return Err("the two forms of the plan are not the same plan".into());
    }
    let mut text = format!(
        "\ncompiling a plan of {STEPS} steps, milliseconds: median (least..most); target {TARGET_MS} ms\n"
    );
    for (name, source) in [("lines", &lines), ("braces", &braces)] {
        let parsing = timed(rounds, || drop(black_box(parse(source))));
        let compiling = timed(rounds, || drop(black_box(ir(source))));
        let formatting = timed(rounds, || drop(black_box(aim_acl::format(source))));
        writeln!(
            text,
            "  {name:<7} {:>4} KiB   parse {}   compile {}   format {}",
            source.len() / 1024,
            parsing.shown(),
            compiling.shown(),
            formatting.shown(),
        )?;
    }
    Ok(text)
}

fn timed(rounds: usize, mut work: impl FnMut()) -> Values {
    let mut values = Vec::with_capacity(rounds * TIMES);
    for _ in 0..rounds * TIMES {
        let began = Instant::now();
        work();
        values.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Values::new(values)
}
