//! `keys init` and `keys show`.

use std::{fs, os::unix::fs::PermissionsExt as _};

use aim_trust::key::{KeyRole, KeySet};

use crate::support::Place;

#[test]
fn keys_are_made_once_with_nobody_else_let_in() {
    let place = Place::new();
    let made = place.run(&["keys", "init"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let mode = |name: &str| fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("keys"), 0o700);
    for role in ["step", "log", "cache"] {
        assert_eq!(mode(&format!("keys/{role}.key")), 0o600);
    }
    let before = place.run(&["keys", "show"]).stdout;
    assert_eq!(place.run(&["keys", "init"]).code, 0);
    assert_eq!(place.run(&["keys", "show"]).stdout, before);
}

#[test]
fn what_is_shown_is_what_verify_reads_and_holds_no_secret() {
    let place = Place::new();
    place.run(&["keys", "init"]);
    let shown = place.run(&["keys", "show"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let keys = KeySet::parse(&shown.text()).unwrap();
    for role in [KeyRole::Step, KeyRole::Log, KeyRole::Cache] {
        assert_eq!(keys.of_role(role).count(), 1);
        let file = place.path(&format!("keys/{}.key", role.name()));
        let secret = fs::read_to_string(file).unwrap();
        let secret = secret.lines().nth(1).unwrap();
        assert!(!shown.text().contains(secret) && !shown.stderr.contains(secret));
    }
    let json = place.run(&["keys", "show", "-ojson"]).documents();
    assert_eq!(json[0]["keys"].as_array().unwrap().len(), 3);
}

#[test]
fn without_keys_there_is_nothing_to_show_and_nothing_is_made() {
    let place = Place::new();
    place.run(&["keys", "show"]).assert_refused(6, "AIM-K004");
    assert!(!place.path("keys").exists());
}

#[test]
fn refuses_a_key_folder_that_others_can_read() {
    let place = Place::new();
    place.run(&["keys", "init"]);
    fs::set_permissions(place.path("keys"), fs::Permissions::from_mode(0o755)).unwrap();
    place.run(&["keys", "init"]).assert_refused(2, "AIM-K002");
    place.run(&["keys", "show"]).assert_refused(2, "AIM-K002");
}
