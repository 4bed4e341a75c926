//! What is wrong with a plan, as the protocol has it.
//!
//! INVARIANT: what is said is what `aimctl lint` says of the same text under the same profile, all of it.

use aim_acl::{Diagnostic, Severity};
use serde_json::{Value, json};

use super::{documents::View, project::Project, rpc, session::Client};

const ERROR: u8 = 1;
const WARNING: u8 = 2;

/// Everything about one plan, as a notification.
pub(super) fn of(view: &View<'_>, project: &Project, client: &Client) -> Value {
    let found = aim_acl::lint(view.text(), &project.context(client.profile));
    let told = found.iter().map(|one| told(view, one, client)).collect();
    published(&view.document.uri, Some(view.document.version), told)
}

/// The notification that replaces what was said of a file before.
pub(super) fn published(uri: &str, version: Option<i64>, diagnostics: Vec<Value>) -> Value {
    let mut params = json!({ "uri": uri, "diagnostics": diagnostics });
    if let (Some(version), Some(fields)) = (version, params.as_object_mut()) {
        fields.insert("version".into(), version.into());
    }
    rpc::notification("textDocument/publishDiagnostics", params)
}

/// One diagnostic of a plan.
pub(super) fn told(view: &View<'_>, one: &Diagnostic, client: &Client) -> Value {
    let severity = match one.severity {
        Severity::Error => ERROR,
        Severity::Warning => WARNING,
    };
    let range = view.range(&visible(view.text(), &one.span));
    let mut told = written(
        one.code,
        severity,
        range,
        &one.message,
        one.help.as_deref(),
        client,
    );
    if client.has_related && !one.labels.is_empty() {
        let related = one
            .labels
            .iter()
            .map(|(span, text)| json!({ "location": view.location(span), "message": text }));
        let related: Vec<Value> = related.collect();
        if let Some(fields) = told.as_object_mut() {
            fields.insert("relatedInformation".into(), related.into());
        }
    }
    told
}

/// A diagnostic with its code, its page where one is known, and the remedy in the text.
pub(super) fn written(
    code: &str,
    severity: u8,
    range: Value,
    message: &str,
    help: Option<&str>,
    client: &Client,
) -> Value {
    let message = help.map_or_else(
        || message.to_owned(),
        |help| format!("{message}\nhelp: {help}"),
    );
    let mut told = json!({
        "range": range,
        "severity": severity,
        "code": code,
        "source": "aim",
        "message": message,
    });
    if let (Some(pages), Some(fields)) = (&client.pages, told.as_object_mut()) {
        let page = format!("{}/{code}.md", pages.trim_end_matches('/'));
        fields.insert("codeDescription".into(), json!({ "href": page }));
    }
    told
}

/// The bytes that are marked: a place without width gets the character that stands there, so that it can be seen.
fn visible(text: &str, span: &std::ops::Range<usize>) -> std::ops::Range<usize> {
    let next = text.get(span.start..).and_then(|rest| rest.chars().next());
    match next {
        Some(c) if span.is_empty() && c != '\n' && c != '\r' => {
            span.start..span.start + c.len_utf8()
        }
        _ => span.clone(),
    }
}
