//! Imports: read once through the context, pinned by the digest of their bytes.
//!
//! INVARIANT: an import that can not be read is an error; nothing is ever taken from a place that the plan does not name.

use alloc::{borrow::ToOwned, collections::BTreeMap, format};

use aim_core::{
    digest::Digest,
    name::StepName,
    plan::{Import, ImportKind},
};

use super::duplicate;
use crate::{
    Context,
    ast::{self, Ast},
    codes,
    diagnostic::{Diagnostic, Faults},
};

/// Every import with its digest.
pub(super) fn imports(
    ast: &Ast,
    context: &Context<'_>,
    faults: &mut Faults,
) -> BTreeMap<StepName, Import> {
    let mut imports = BTreeMap::new();
    for import in &ast.imports {
        let Some(lowered) = one(import, context, faults) else {
            continue;
        };
        if imports.insert(import.name.value.clone(), lowered).is_some() {
            let first = ast
                .imports
                .iter()
                .find(|first| first.name.value == import.name.value);
            let first = first.map_or(0..0, |first| first.name.span.clone());
            faults.push(duplicate("import", &import.name, &first));
        }
    }
    imports
}

fn one(import: &ast::Import, context: &Context<'_>, faults: &mut Faults) -> Option<Import> {
    let path = &import.path.value;
    let mut refuse = |message: alloc::string::String, help: &str| {
        faults.push(
            Diagnostic::error(codes::BAD_IMPORT, import.path.span.clone(), message).help(help),
        );
        None
    };
    let is_inside = !path.is_empty()
        && !path.starts_with('/')
        && !path.contains('\\')
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !is_inside {
        return refuse(
            format!(
                "`{}` is no path below the plan's folder",
                path.escape_default()
            ),
            "write a relative path without `.` and `..`",
        );
    }
    let ending = if import.is_flow { ".acl" } else { ".aclp" };
    if !path.ends_with(ending) {
        let what = if import.is_flow { "flow" } else { "policy" };
        return refuse(
            format!("an imported {what} is a `{ending}` file"),
            "rename the file, or import what it is",
        );
    }
    match context.resolver.import(path) {
        Ok(bytes) => Some(Import {
            digest: Digest::of(&bytes),
            kind: if import.is_flow {
                ImportKind::Flow
            } else {
                ImportKind::Policy
            },
            path: path.to_owned(),
        }),
        Err(why) => refuse(
            format!("import `{}` can not be read: {why}", path.escape_default()),
            "check the path; it is relative to the plan",
        ),
    }
}
