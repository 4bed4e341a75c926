//! F1 to F10: attacks on granted folders, each ending as the catalogue states.
//!
//! INVARIANT: after each attack the read-only folder and everything that others see are as they were.

use std::collections::BTreeMap;

use aim_core::{
    access::{Ask, Capability, Mode},
    limits::Limits,
    outcome::{LimitKind, Outcome},
    staged::PathChangeKind,
};
use aim_engine::{Resources, Snapshot, StagedFolder, StepEnd, StepReport};
use serde_json::json;

use crate::support::{Try, answer, ask, step};

fn asks() -> Vec<Ask> {
    vec![
        ask(
            Capability::Filesystem,
            &[Mode::Read, Mode::Write],
            &["data"],
        ),
        ask(Capability::Filesystem, &[Mode::Read], &["given"]),
        Ask::plain(Capability::Cli),
        ask(Capability::Clocks, &[Mode::Virtual], &[]),
        ask(Capability::Random, &[Mode::Virtual], &[]),
    ]
}

fn folder(files: &[(&str, &str)]) -> Snapshot {
    let files = files.iter();
    Snapshot::new(files.map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())))
}

async fn attack(name: &str, change: impl FnOnce(&mut Limits)) -> StepReport {
    attack_on("inside", name, change).await
}

/// An attack on a folder whose one file holds `content`.
async fn attack_on(content: &str, name: &str, change: impl FnOnce(&mut Limits)) -> StepReport {
    let step = step("hostile-files", &asks());
    let mut attempt = Try::new(name, &json!({ "root": "data" })).with_limits(change);
    attempt.asks = asks();
    attempt.resources = Resources {
        writable: BTreeMap::from([("data".to_owned(), folder(&[("a/b", content)]))]),
        ..Resources::default()
    };
    attempt.folders = BTreeMap::from([("given".to_owned(), folder(&[("kept", "kept")]))]);
    attempt.on(&step).await
}

/// What came back, by what was tried.
fn seen(report: &StepReport) -> BTreeMap<String, String> {
    serde_json::from_value(answer(report)).map_or_else(
        |error| panic!("{error}: {:?}", report.end),
        |list: Vec<(String, String)>| list.into_iter().collect(),
    )
}

fn paths(report: &StepReport) -> Vec<(PathChangeKind, String)> {
    let folders = report.effects.folders.iter();
    let changes = folders.flat_map(|StagedFolder { changes, .. }| changes);
    changes.map(|one| (one.kind, one.path.clone())).collect()
}

/// Negative control: with `..` at the root let pass in `Stage::find` this fails (seen).
#[tokio::test]
async fn f1_no_path_leads_out() {
    let report = attack("f1", |_| {}).await;
    for (tried, result) in seen(&report) {
        assert_ne!(result, "ok", "{tried}");
    }
    assert_eq!(paths(&report), [], "nothing was changed");
}

/// Negative control: with a name that is not there answered as a folder elsewhere, this fails.
#[tokio::test]
async fn f2_there_are_no_links_to_follow() {
    let report = attack("f2", |_| {}).await;
    for (tried, result) in seen(&report) {
        assert!(
            ["no-entry", "invalid"].contains(&&*result),
            "{tried}: {result}"
        );
    }
}

/// Negative control: without the case for a file that is written as a folder in `Stage::open` this fails (seen).
#[tokio::test]
async fn f3_a_slash_at_the_end_never_reaches_a_file() {
    let report = attack("f3", |_| {}).await;
    let seen = seen(&report);
    for (tried, result) in &seen {
        let is_kept = tried == "the file is still there";
        assert_eq!(result == "ok", is_kept, "{tried}: {result}");
    }
    assert_eq!(paths(&report), []);
}

/// Negative control: with `refuse_link` answering ok this fails (seen).
#[tokio::test]
async fn f4_links_are_never_made_and_nothing_moves_out_of_a_folder_that_is_only_read() {
    let report = attack("f4", |_| {}).await;
    let seen = seen(&report);
    assert_eq!(seen["symlink to the outside"], "not-permitted");
    assert_eq!(seen["symlink inside"], "not-permitted");
    assert_eq!(seen["hard link"], "not-permitted");
    assert_eq!(seen["hard link out of a read-only folder"], "read-only");
    assert_eq!(seen["move out of a read-only folder"], "read-only");
    assert_eq!(seen["move into a read-only folder"], "read-only");
    assert_eq!(seen["the kept file"], "ok");
    assert_eq!(seen["no link came out"], "no-entry");
    assert_eq!(paths(&report), []);
    assert!(report.denials >= 3, "each refusal is a denial");
}

/// Negative control: without the condition on `truncates` in `Node::open` the file is cut (seen).
#[tokio::test]
async fn f5_a_file_that_is_opened_to_read_is_not_cut() {
    let report = attack("f5", |_| {}).await;
    let seen = seen(&report);
    assert_eq!(seen["truncate"], "not-permitted");
    assert_eq!(seen["content"], "inside");
    for tried in ["set size", "write", "stream"] {
        assert_eq!(seen[tried], "not-permitted", "{tried}");
    }
    assert_eq!(seen["truncate in a read-only folder"], "read-only");
    assert_eq!(seen["its content"], "kept");
    assert_eq!(paths(&report), []);
}

/// The two folders hold different content: each attempt finds its own in every reading. Negative control: with one stage for
/// all attempts, the second one finds what is the first one's.
#[tokio::test]
async fn f6_two_attempts_that_race_see_their_own_folder_only() {
    let all_strange = seen(&attack_on("other", "f6", |_| {}).await);
    assert_ne!(all_strange["strange content"], "0");
    let (one, two) = tokio::join!(attack("f6", |_| {}), attack_on("other", "f6", |_| {}));
    let (one, two) = (seen(&one), seen(&two));
    assert_eq!(one["last move"], "ok");
    assert_eq!(one["strange content"], "0");
    assert_eq!(two, all_strange);
}

/// Negative control: with `check_times` letting a time pass this fails (seen).
#[tokio::test]
async fn f7_a_time_is_an_error_whatever_it_is() {
    let report = attack("f7", |_| {}).await;
    let seen = seen(&report);
    assert_eq!(seen.len(), 10);
    for (tried, result) in seen {
        assert_eq!(result, "unsupported", "{tried}");
    }
}

/// Negative control: with a larger file quota in `Stage::resize` the numbers differ; without the folder's quota the unit test
/// of held bytes in `stage` fails (both seen).
#[tokio::test]
async fn f8_every_way_of_filling_the_folder_ends_at_its_quota() {
    let report = attack("f8", |limits| {
        limits.file_bytes_max = 64 * 1024;
        limits.folder_bytes_max = 96 * 1024;
        limits.files_max = 20;
    })
    .await;
    let seen = seen(&report);
    assert_eq!(seen["a sparse terabyte"], "quota");
    assert_eq!(seen["one byte at a terabyte"], "quota");
    assert_eq!(seen["one byte at the end of all"], "quota");
    assert_eq!(seen["pieces until refused"], "16 quota");
    assert_eq!(seen["the file is what was taken"], "65536");
    assert_eq!(seen["a stream"], "refused");
    assert_eq!(seen["a name of 4096"], "name-too-long");
    assert_eq!(seen["a name of 256"], "name-too-long");
    assert!(seen["files until refused"].ends_with(" quota"), "{seen:?}");
    assert_eq!(seen["a folder more"], "quota");
    assert_ne!(seen["a name of the host's own"], "ok");
    assert!(paths(&report).len() <= 20, "{:?}", paths(&report));
}

/// 200 MiB are filled and dropped by calls that bring a byte at most.
/// Negative control: with nothing charged in `charge_file` and for what opening cuts off, this fails (seen).
#[tokio::test]
async fn f8_bytes_that_the_host_fills_and_drops_are_paid_for() {
    for how in ["size", "gap", "stream", "anew"] {
        let report = attack(&format!("f8-{how}"), |limits| {
            limits.fuel_max = 400_000_000;
        })
        .await;
        assert!(
            matches!(
                report.end,
                StepEnd::Ended(Outcome::Limit(LimitKind::Fuel), _)
            ),
            "{how}: {:?}",
            report.end
        );
    }
}

/// Negative control: with the machine's own paths looked at, this fails.
#[tokio::test]
async fn f9_nothing_of_the_kernel_is_below_a_granted_folder() {
    let report = attack("f9", |_| {}).await;
    for (tried, result) in seen(&report) {
        assert_eq!(result, "no-entry", "{tried}");
    }
}

#[tokio::test]
async fn f10_what_is_read_is_what_was_there_when_the_attempt_began() {
    let report = attack("f10", |_| {}).await;
    assert_eq!(seen(&report)["content"], "inside");
}
