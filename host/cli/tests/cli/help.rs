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
    let came = Place::new().run(&["run", "plan.acl", "--ungated"]);
    assert_eq!(came.code, 2);
    assert!(came.stdout.is_empty());
}
