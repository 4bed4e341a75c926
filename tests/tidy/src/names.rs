//! Names that say nothing are not given: to crates, folders, files or modules.
//!
//! INVARIANT: a name is judged part by part, so that a suffix doesn't hide it.

use std::collections::BTreeSet;

use syn::{ItemMod, visit::Visit};

use crate::{
    finding::{Finding, assert_found, assert_none},
    metadata, source, tree,
};

const EMPTY_WORDS: [&str; 9] = [
    "util", "utils", "utility", "common", "helper", "helpers", "manager", "managers", "misc",
];

fn check_name(place: &str, name: &str) -> Option<Finding> {
    let mut parts = name.split(['-', '_', '.']);
    let word = parts.find(|part| EMPTY_WORDS.contains(&part.to_lowercase().as_str()))?;
    let says = format!("is called {word}: name the idea that it holds, or put it where it is used");
    Some(Finding::new(place, says))
}

fn check_path(path: &str) -> Vec<Finding> {
    if path.starts_with("wit/deps/") {
        return Vec::new();
    }
    path.split('/')
        .filter_map(|part| check_name(path, part))
        .collect()
}

fn check_modules(path: &str, text: &str) -> Vec<Finding> {
    struct Modules<'a>(&'a str, Vec<Finding>);
    impl<'ast> Visit<'ast> for Modules<'_> {
        fn visit_item_mod(&mut self, module: &'ast ItemMod) {
            self.1.extend(check_name(self.0, &module.ident.to_string()));
            syn::visit::visit_item_mod(self, module);
        }
    }
    let mut modules = Modules(path, Vec::new());
    if let Ok(file) = syn::parse_file(text) {
        modules.visit_file(&file);
    }
    modules.1
}

#[test]
fn no_crate_folder_file_or_module_has_an_empty_name() {
    let mut findings = BTreeSet::new();
    findings.extend(tree::files().iter().flat_map(|path| check_path(path)));
    findings.extend(
        source::sources()
            .iter()
            .flat_map(|(path, text)| check_modules(path, text)),
    );
    let graph = metadata::of("Cargo.toml");
    findings.extend(graph.members().filter_map(|p| check_name(&p.name, &p.name)));
    assert_none(findings.into_iter().collect());
}

#[test]
fn finds_empty_names_in_every_place() {
    assert_found(&check_path("host/core/src/utils.rs"), "utils.rs", "utils");
    assert_found(
        &check_path("host/common/src/lib.rs"),
        "host/common",
        "common",
    );
    assert_found(
        &check_path("host/core/src/plan_manager.rs"),
        "plan_manager",
        "manager",
    );
    assert_found(
        &check_modules("a.rs", "mod b { mod helpers {} }"),
        "a.rs",
        "helpers",
    );
    assert!(check_path("host/core/src/plan.rs").is_empty());
}
