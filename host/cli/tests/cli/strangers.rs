//! Files and folders that somebody else made: pipes, links and devices where files should be, texts that go on for ever.
//!
//! INVARIANT: each case ends by itself, with a code and an exit that are documented, and leaves what is not its own alone.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::{
    runs::{assert_verified, deployment},
    support::{Came, Place},
};

/// Puts a pipe that nobody writes to where a file should be.
fn pipe(path: &Path) {
    drop(fs::remove_file(path));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Runs `aimctl` behind a shell's `line`, which ends with `"$@"`. One that hangs is ended and has no exit code of ours.
fn behind(place: &Place, line: &str, arguments: &[&str]) -> Came {
    let aimctl = env!("CARGO_BIN_EXE_aimctl");
    let mut command = Command::new("sh");
    command
        .args(["-c", line, "sh", "timeout", "300", aimctl])
        .args(arguments)
        .current_dir(place.path("."))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", place.path("home"))
        .env("AIM_KEYS_DIR", place.path("keys"))
        .env("AIM_CACHE_DIR", place.path("cache"));
    command.output().unwrap().into()
}

fn ends(place: &Place, arguments: &[&str]) -> Came {
    behind(place, "exec \"$@\"", arguments)
}

fn run(place: &Place, more: &[&str]) -> Came {
    let mut arguments = vec!["run", "plan.acl", "-i", "word=hello"];
    arguments.extend(more);
    ends(place, &arguments)
}

// Negative control: with a plain open in `FileLogReader`, every command waits for the pipe's writer for ever.
#[test]
fn a_data_folder_with_a_pipe_for_a_log_keeps_nobody_waiting() {
    let place = Place::new();
    pipe(&place.path("given/log/evidence.log"));
    for arguments in [
        &["verify", "given"][..],
        &["logs", "--data-dir", "given"],
        &["runs", "--data-dir", "given"],
        &["witness", "show", "last", "--data-dir", "given"],
        &["replay", "--data-dir", "given"],
        &["explain", "deny", "last", "0", "--data-dir", "given"],
    ] {
        ends(&place, arguments).assert_refused(2, "AIM-D002");
    }
    let place = deployment();
    assert_eq!(run(&place, &[]).code, 0);
    pipe(&place.path(".aim/log/checkpoint"));
    let came = ends(&place, &["verify", ".aim"]);
    assert_eq!(came.code, 4, "nothing is published: {}", came.text());
}

// Negative control: with `open_found` a plain open, each of these waits for the pipe's writer for ever; with the
// component read by the length that its file claims, the last one reads without end.
#[test]
fn a_pipe_or_a_device_where_a_file_should_be_is_refused() {
    let place = deployment();
    assert_eq!(run(&place, &[]).code, 0);
    pipe(&place.path("codex.json.dsse"));
    let verify = ["codex", "verify", "codex.json", "--key", "publisher.pub"];
    ends(&place, &verify).assert_refused(4, "AIM-G010");
    pipe(&place.path("given/one.wasm"));
    let replay = ["replay", "--components", "given"];
    ends(&place, &replay).assert_refused(2, "AIM-C045");
    pipe(&place.path("part.acl"));
    place.write(
        "whole.acl",
        "import flow \"part.acl\" as f\npipeline \"whole\" { step one: a { } }\n",
    );
    let came = ends(&place, &["lint", "whole.acl"]);
    assert_eq!(came.code, 2, "{}", came.stderr);
    assert!(came.text().contains("no regular file"), "{}", came.text());
    let replay = ["replay", "--step", "one", "--against", "/dev/zero"];
    ends(&place, &replay).assert_refused(2, "AIM-C045");
}

// Negative control: with the folders made and the files written by their paths, the output is in the other folder.
#[test]
fn outputs_are_written_into_the_data_folder_and_through_no_link_in_it() {
    let place = deployment();
    assert_eq!(run(&place, &[]).code, 0);
    // Inside of the data folder, which is all that the host can still write to: what is kept there must not be hit either.
    let elsewhere = place.path(".aim/elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::remove_dir_all(place.path(".aim/runs")).unwrap();
    symlink(&elsewhere, place.path(".aim/runs")).unwrap();
    run(&place, &[]).assert_refused(2, "AIM-D022");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    fs::remove_file(place.path(".aim/runs")).unwrap();
    let came = run(&place, &[]);
    assert_eq!(came.code, 0, "the stored result is there: {}", came.stderr);
    assert!(place.path(came.text().lines().next().unwrap()).is_file());
}

// Negative control: without a handler of the signal about it, each of these ends by that signal.
#[test]
fn a_limit_on_the_size_of_files_is_told_with_a_code_wherever_it_strikes() {
    let place = deployment();
    assert_eq!(place.run(&["keys", "init"]).code, 0);
    // Large enough for what a run says of itself before it ends, and never for its first witness.
    for blocks in [0, 1, 4] {
        let line = format!("ulimit -f {blocks}; exec \"$@\"");
        let came = behind(&place, &line, &["run", "plan.acl", "-i", "word=hello"]);
        assert_eq!(came.code, 70, "{blocks} blocks: {}", came.stderr);
        assert!(came.stderr.contains("error AIM-"), "{}", came.stderr);
        assert!(!came.stderr.contains("panicked"), "{}", came.stderr);
    }
    assert_eq!(run(&place, &[]).code, 0, "with room again");
    assert_verified(&place);
}

// Negative control: without the look at `too_deep`, the library's parser ends the process with a full stack.
#[test]
fn a_policy_that_goes_too_deep_is_refused_by_every_command_that_reads_one() {
    let place = deployment();
    let deep = format!("{}true{}", "(".repeat(10_000), ")".repeat(10_000));
    let rule = format!("permit (principal, action, resource) when {{ {deep} }};");
    place.write("deep.cedar", rule);
    ends(&place, &["policy", "check", "deep.cedar"]).assert_refused(2, "AIM-P007");
    run(&place, &["--policy", "deep.cedar"]).assert_refused(2, "AIM-P007");
}

// Negative control: with relative folders taken as they are, keys are made below the folder that one stands in.
#[test]
fn keys_are_never_made_below_the_folder_that_one_happens_to_stand_in() {
    let place = Place::new();
    for (variable, value) in [
        ("HOME", "home"),
        ("XDG_CONFIG_HOME", "config"),
        ("HOME", ""),
    ] {
        let mut command = place.command(&["keys", "init"]);
        command.env_remove("AIM_KEYS_DIR").env_remove("HOME");
        let came = Came::from(command.env(variable, value).output().unwrap());
        came.assert_refused(2, "AIM-C040");
    }
    assert_eq!(fs::read_dir(place.path(".")).unwrap().count(), 0);
}

// Negative control: with `!!binary` decoded, the first contract means `compute` and loads.
#[test]
fn a_contract_means_what_a_reader_of_it_sees() {
    let place = deployment();
    let contract = place.read("contracts/echo.yaml");
    for (from, to, code) in [
        ("kind: compute", "kind: !!binary Y29tcHV0ZQ==", "AIM-C007"),
        ("kind: compute", "kind: &a compute\nlabels: *a", "AIM-C004"),
        (
            "kind: compute",
            "kind: compute\n<<: { kind: effect }",
            "AIM-C004",
        ),
        ("kind: compute", "kind: compute\nkind: effect", "AIM-C020"),
        ("kind: compute", "kind: !mine compute", "AIM-C004"),
        ("node_id: echo", "node_id: \"ech\u{43e}\"", "AIM-C008"),
        ("node_id: echo", "node_id: \"../echo\"", "AIM-C008"),
    ] {
        place.write("contracts/echo.yaml", contract.replace(from, to));
        run(&place, &[]).assert_refused(2, code);
    }
}
