//! `wasi:io` is never free: every poll and every stream call costs fuel, and so do the bytes that cross.
//!
//! INVARIANT: each case is a component that does one call over and over; what is asserted is fuel, never time.

use std::path::Path;

use aim_core::{
    access::{Ask, Capability, Mode},
    outcome::{LimitKind, Outcome},
};
use aim_engine::{StepEnd, StepReport};
use serde_json::json;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::support::{Try, ask, step_of};

/// Fuel that a call costs before it does anything.
const CALL_FUEL: u64 = 200;
/// Fuel for each byte that crosses.
const BYTE_FUEL: u64 = 4;
/// Calls of one case.
const CALLS: u64 = 400;

const WORLD: &str = "
package guest:plumbing;
world guest {
  import wasi:io/poll@0.2.12;
  import wasi:io/streams@0.2.12;
  import wasi:clocks/monotonic-clock@0.2.12;
  import wasi:cli/stdin@0.2.12;
  import wasi:cli/stdout@0.2.12;
  export aim:step/handler@0.1.0;
}";

/// One function of `wasi:io`, its core type, how it is called, and the bytes that each call moves.
struct Case {
    name: &'static str,
    shape: &'static str,
    call: &'static str,
    bytes: u64,
}

impl Case {
    fn interface(&self) -> &'static str {
        if self.name.contains("stream") {
            "wasi:io/streams@0.2.12"
        } else {
            "wasi:io/poll@0.2.12"
        }
    }
}

const ONE: &str = "(param i32) (result i32)";
const NONE: &str = "(param i32)";
const LIST: &str = "(param i32 i32 i32)";
const TOLD: &str = "(param i32 i32)";
const LONG: &str = "(param i32 i64 i32)";
const BYTES: &str = "(param i32 i32 i32 i32)";
const TWO: &str = "(param i32 i32 i64 i32)";

const READY: &str = "(drop (call $f (local.get $poll)))";
const BLOCK: &str = "(call $f (local.get $poll))";
const POLL: &str = "(i32.store (i32.const 512) (local.get $poll)) (call $f (i32.const 512) (i32.const 1) (i32.const 2048))";
/// A read gives 8 bytes as long as there are any.
const READ: &str = "(call $f (local.get $in) (i64.const 8) (i32.const 2048))";
const SOON_IN: &str = "(call $drop_poll (call $f (local.get $in)))";
const SOON_OUT: &str = "(call $drop_poll (call $f (local.get $out)))";
const ZEROES: &str = "(call $f (local.get $out) (i64.const 8) (i32.const 2048))";
const WRITE: &str = "(call $f (local.get $out) (i32.const 1024) (i32.const 8) (i32.const 2048))";
const FLUSH: &str = "(call $f (local.get $out) (i32.const 2048))";
const SPLICE: &str = "(call $f (local.get $out) (local.get $in) (i64.const 8) (i32.const 2048))";

/// Every function that a guest can call over and over.
const ROWS: [(&str, &str, &str, u64); 18] = [
    ("[method]pollable.ready", ONE, READY, 0),
    ("[method]pollable.block", NONE, BLOCK, 0),
    ("poll", LIST, POLL, 0),
    ("[method]input-stream.read", LONG, READ, 8),
    ("[method]input-stream.blocking-read", LONG, READ, 8),
    ("[method]input-stream.skip", LONG, READ, 8),
    ("[method]input-stream.blocking-skip", LONG, READ, 8),
    ("[method]input-stream.subscribe", ONE, SOON_IN, 0),
    ("[method]output-stream.check-write", TOLD, FLUSH, 0),
    ("[method]output-stream.write", BYTES, WRITE, 8),
    (
        "[method]output-stream.blocking-write-and-flush",
        BYTES,
        WRITE,
        8,
    ),
    ("[method]output-stream.flush", TOLD, FLUSH, 0),
    ("[method]output-stream.blocking-flush", TOLD, FLUSH, 0),
    ("[method]output-stream.subscribe", ONE, SOON_OUT, 0),
    ("[method]output-stream.write-zeroes", LONG, ZEROES, 8),
    (
        "[method]output-stream.blocking-write-zeroes-and-flush",
        LONG,
        ZEROES,
        8,
    ),
    ("[method]output-stream.splice", TWO, SPLICE, 8),
    ("[method]output-stream.blocking-splice", TWO, SPLICE, 8),
];

fn cases() -> impl Iterator<Item = Case> {
    ROWS.into_iter().map(|(name, shape, call, bytes)| Case {
        name,
        shape,
        call,
        bytes,
    })
}

/// A component that does the call of `case` so many times; for ever with zero.
fn component(case: &Case, calls: u64) -> Vec<u8> {
    let Case {
        name, shape, call, ..
    } = case;
    let interface = case.interface();
    let text = format!(
        r#"(module
  (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $soon (param i64) (result i32)))
  (import "wasi:cli/stdin@0.2.12" "get-stdin" (func $stdin (result i32)))
  (import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop_poll (param i32)))
  (import "{interface}" "{name}" (func $f {shape}))
  (memory (export "memory") 17)
  (global $top (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $block i32)
    (local.set $block (global.get $top))
    (global.set $top
      (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))
    (local.get $block))
  (func (export "aim:step/handler@0.1.0#handle")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (local $poll i32) (local $in i32) (local $out i32) (local $left i64)
    (local.set $poll (call $soon (i64.const 0)))
    (local.set $in (call $stdin))
    (local.set $out (call $stdout))
    (local.set $left (i64.const {calls}))
    (loop $again
      {call}
      (local.set $left (i64.sub (local.get $left) (i64.const 1)))
      (br_if $again (i64.ne (local.get $left) (i64.const 0))))
    (i32.const 16)))"#
    );
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    for package in [
        "deps/wasi-io@0.2.12",
        "deps/wasi-clocks@0.2.12",
        "deps/wasi-filesystem@0.2.12",
        "deps/wasi-random@0.2.12",
        "deps/wasi-sockets@0.2.12",
        "deps/wasi-cli@0.2.12",
        "aim-types@0.1.0",
        "aim-host@0.1.0",
        "aim-witness@0.1.0",
        "aim-gate@0.1.0",
        "aim-artifact@0.1.0",
        "aim-log@0.1.0",
        "aim-step@0.1.0",
    ] {
        push(&mut resolve, &folder.join(package));
    }
    let package = resolve.push_str("guest.wit", WORLD).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let encoder = ComponentEncoder::default().module(&module).unwrap();
    encoder.validate(true).encode().unwrap()
}

fn push(resolve: &mut Resolve, folder: &Path) {
    if let Err(error) = resolve.push_dir(folder) {
        panic!("{}: {error:?}", folder.display());
    }
}

async fn run(case: &Case, calls: u64, fuel_max: u64) -> StepReport {
    let cli = Ask {
        stdin: Some("x".repeat(64 * 1024)),
        ..Ask::plain(Capability::Cli)
    };
    let asks = vec![ask(Capability::Clocks, &[Mode::Virtual], &[]), cli];
    let step = step_of(&component(case, calls), &asks);
    let mut one = Try::new("spin", &json!({})).with_limits(|limits| limits.fuel_max = fuel_max);
    one.asks = asks;
    one.on(&step).await
}

// Negative controls: with `charged` doing nothing, the first case costs a tenth of what it must; with what a read has moved
// left uncharged, the reads are found.
#[tokio::test]
async fn every_call_of_wasi_io_is_charged_and_so_are_the_bytes_that_cross() {
    for case in cases() {
        let name = case.name;
        let mut fuel = Vec::new();
        // What one call costs beside all else is in both.
        for calls in [1, CALLS + 1] {
            let report = run(&case, calls, 1_000_000_000).await;
            assert!(
                matches!(&report.end, StepEnd::Answered(emissions) if emissions.is_empty()),
                "{name}: {:?}",
                report.end
            );
            fuel.push(report.fuel_used);
        }
        let (spent, least) = (
            fuel[1] - fuel[0],
            CALLS * (CALL_FUEL + case.bytes * BYTE_FUEL),
        );
        assert!(
            spent >= least,
            "{name}: {spent} fuel for {CALLS} calls, at least {least}"
        );
    }
}

#[tokio::test]
async fn a_guest_that_spins_on_ready_ends_on_fuel_after_as_many_calls_as_it_can_pay() {
    let fuel_max = 2_000_000;
    let ready = cases().next().unwrap();
    let report = run(&ready, 0, fuel_max).await;
    assert!(
        matches!(
            report.end,
            StepEnd::Ended(Outcome::Limit(LimitKind::Fuel), _)
        ),
        "{:?}",
        report.end
    );
    assert_eq!(report.fuel_used, fuel_max);
    // One call more than it could pay is one too many.
    let calls = fuel_max / CALL_FUEL;
    let report = run(&ready, calls, fuel_max).await;
    assert!(
        matches!(
            report.end,
            StepEnd::Ended(Outcome::Limit(LimitKind::Fuel), _)
        ),
        "{:?}",
        report.end
    );
}
