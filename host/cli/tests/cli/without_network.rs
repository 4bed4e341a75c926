//! Evidence is checked, and a run is run again, on a machine that has no network.
//!
//! INVARIANT: the machine without a network is one of the kernel's own: a network namespace with nothing in it, in which a request
//! that a step sends does not arrive; where the kernel lets nobody have one, the test says that it was not tried, and why.

use std::process::{Command, Stdio};

use crate::{
    http,
    support::{Came, Place},
};

/// A new user, who may have a new and empty network.
const APART: [&str; 4] = ["--user", "--map-current-user", "--net", "--"];

fn apart(place: &Place, command: &Command) -> Came {
    let mut inside = Command::new("unshare");
    inside
        .args(APART)
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(place.path("."))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            inside.env(name, value);
        }
    }
    inside.output().unwrap().into()
}

/// The interfaces of a network apart, or why nobody may have one here.
fn interfaces(place: &Place) -> Result<Vec<String>, String> {
    let mut list = Command::new("cat");
    list.arg("/proc/self/net/dev");
    let came = apart(place, &list);
    if came.code != 0 {
        return Err(came.stderr);
    }
    let lines = came.text();
    let names = lines.lines().filter_map(|line| line.split_once(':'));
    Ok(names.map(|(name, _)| name.trim().to_owned()).collect())
}

/// The recorded run has sent two requests, so a replay that asked anybody would be noticed, and answered nowhere.
///
/// Whether the namespace holds anything back is shown at the end: the same requests are sent again from it, and do not arrive.
/// Negative control: with the network left out of `APART`, they do, and this fails (seen).
#[test]
fn evidence_is_verified_and_a_run_replayed_where_there_is_no_network() {
    let (place, seen) = http::paid();
    match interfaces(&place) {
        Ok(names) => assert_eq!(names, ["lo"], "and that one is down"),
        Err(why) => {
            // Anything else than the kernel's refusal is a fault of this test.
            let is_refused = ["ermitted", "denied", "No space left"];
            assert!(is_refused.iter().any(|one| why.contains(one)), "{why}");
            eprintln!("NOT TRIED without a network: this machine gives nobody a namespace: {why}");
            return;
        }
    }
    place.write("aim.pub", place.run(&["keys", "show"]).stdout);
    let made = ["witness", "export", "--replayable", "-f", "run.json"];
    assert_eq!(place.run(&made).code, 0);
    let before = seen();
    for words in [
        &["verify", ".aim", "--key=aim.pub"][..],
        &["verify", "run.json", "--key=aim.pub", "-o", "json"],
        &["replay", "run.json", "--key=aim.pub", "-o", "json"],
        &["replay", "last", "-o", "json"],
    ] {
        let inside = apart(&place, &place.command(words));
        assert_eq!(
            inside.code,
            0,
            "{words:?}: {}{}",
            inside.text(),
            inside.stderr
        );
        let outside = place.run(words);
        assert_eq!(outside.code, 0, "{words:?}: {}", outside.stderr);
        assert_eq!(inside.text(), outside.text(), "{words:?}: word for word");
    }
    assert_eq!(seen(), before, "a replay asks nobody");
    let again = ["run", "plan.acl", "--again", "-i", "request=@sent.json"];
    let inside = apart(&place, &place.command(&again));
    assert_eq!(
        seen(),
        before,
        "nothing gets out of there: {}",
        inside.stderr
    );
    let outside = place.run(&again);
    assert_eq!(outside.code, 0, "{}", outside.stderr);
    assert!(seen() > before, "and it does from here");
}
