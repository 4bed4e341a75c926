//! What `aimctl --help` says.

use crate::support::Place;

#[test]
fn help_names_every_command_and_every_exit_code() {
    let came = Place::new().run(&["--help"]);
    assert_eq!(came.code, 0);
    let text = came.text();
    for command in [
        "run", "compile", "lint", "lsp", "logs", "witness", "verify", "inspect", "keys",
    ] {
        assert!(
            text.lines()
                .any(|line| line.trim_start().starts_with(command)),
            "{command}\n{text}"
        );
    }
    for code in [
        "0 ok",
        "1 step failed",
        "2 usage",
        "3 denied",
        "4 evidence",
        "5 limit",
        "6 not found",
        "7 replay",
        "8 abstained",
        "9 waiting",
        "70 bug",
        "130 interrupted",
    ] {
        assert!(text.contains(code), "{code}\n{text}");
    }
    assert!(
        !text.contains("compile-worker") && !text.contains("signer"),
        "{text}"
    );
}

#[test]
fn a_flag_that_does_not_exist_exits_as_usage() {
    let place = Place::new();
    let came = place.run(&["run", "plan.acl", "--ungated"]);
    came.assert_refused(2, "error AIM-C049: unexpected argument '--ungated' found");
    assert!(came.stderr.contains("Usage: aimctl run"), "{}", came.stderr);
    let came = place.run(&["rum", "plan.acl"]);
    came.assert_refused(2, "AIM-C049");
    assert!(
        came.stderr.contains("'run'"),
        "what was meant: {}",
        came.stderr
    );
    let came = place.run(&["-o", "json", "witness", "show"]);
    let error: serde_json::Value = serde_json::from_str(came.stderr.trim()).unwrap();
    assert_eq!(
        (&error["$type"], &error["code"], &error["exit"]),
        (&"aim.error/v1".into(), &"AIM-C049".into(), &2.into())
    );
}

#[test]
fn help_of_a_command_ends_with_examples_and_goes_to_stdout() {
    let came = Place::new().run(&["explain", "deny", "--help"]);
    assert_eq!((came.code, came.stderr.as_str()), (0, ""));
    assert!(
        came.text()
            .contains("Examples:\n  aimctl explain deny last fetch 14"),
        "{}",
        came.text()
    );
}
