//! Everything but files: stdio, arguments, environment, clocks, sleep, randomness, exit. Sockets are a guest of their
//! own, because a component that can open one imports `wasi:sockets` whether it does or not.
//! INVARIANT: each operation calls one facility, so that a denial of one is seen apart from the others.

use std::hash::{BuildHasher as _, RandomState};
use std::io::Read as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aim_sdk::serde_json::{Value, json};
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::io::poll::poll;

use crate::shown;

/// Runs an operation; `None` when there is none of that name.
pub(crate) fn run(operation: &str, body: &Value) -> Option<Value> {
    let text = body
        .get("text")
        .and_then(Value::as_str)
        .unwrap_or("printed by a guest\n");
    let result = match operation {
        "stdout" => write(&mut std::io::stdout(), text),
        "stderr" => write(&mut std::io::stderr(), text),
        "stdin" => read_stdin(),
        "args" => Ok(json!(std::env::args().collect::<Vec<_>>())),
        "vars" => Ok(json!(std::env::vars().collect::<Vec<_>>())),
        "current-dir" => std::env::current_dir().map(|path| json!(path.to_string_lossy())),
        "system-time" => Ok(system_time()),
        "instant" => Ok(instant()),
        "sleep" => Ok(sleep(body.get("ms").and_then(Value::as_u64).unwrap_or(5))),
        "race" => Ok(race()),
        "random" => Ok(json!([random(), random()])),
        "exit" => exit(body.get("code").and_then(Value::as_i64).unwrap_or(3)),
        _ => return None,
    };
    Some(shown(result))
}

fn write(to: &mut dyn std::io::Write, text: &str) -> std::io::Result<Value> {
    to.write_all(text.as_bytes())?;
    to.flush()?;
    Ok(Value::Null)
}

fn read_stdin() -> std::io::Result<Value> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(json!(text))
}

fn system_time() -> Value {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    json!({ "seconds": since.as_secs(), "nanoseconds": since.subsec_nanos() })
}

fn instant() -> Value {
    let first = Instant::now();
    let second = Instant::now();
    json!({ "goes-back": second < first, "nanoseconds": u64::try_from((second - first).as_nanos()).ok() })
}

/// Sleeps and says how long it took by the guest's own clock, in milliseconds.
fn sleep(ms: u64) -> Value {
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(ms));
    json!({ "slept-ms": u64::try_from(start.elapsed().as_millis()).ok() })
}

/// Waits for the first of two alarms, far apart, and says which were over and whether the later one is.
fn race() -> Value {
    let [soon, late] = [1, 5_000].map(|ms| subscribe_duration(ms * 1_000_000));
    let over = poll(&[&soon, &late]);
    json!({ "late": late.ready(), "over": over })
}

/// A number from the randomness that hash tables are seeded with.
fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}

fn exit(code: i64) -> std::io::Result<Value> {
    std::process::exit(i32::try_from(code).unwrap_or(1))
}
