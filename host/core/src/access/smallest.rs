//! The smallest change to a policy that would allow one request, as text that can be pasted.
//!
//! INVARIANT: the rule that comes out permits the request it was made for and, of everything else, only requests that are
//! equal to it in plan, step, node, tenant, action and resource.

use alloc::{format, string::String};

use super::{AccessRequest, Fact};

/// A text inside a quoted string of Cedar.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_default())
}

/// The condition that holds for the facts of this request and no others; empty at admission, where there are none.
fn of_facts(request: &AccessRequest) -> String {
    let facts = request.facts.iter();
    facts.fold(String::new(), |text, (name, fact)| {
        let value = match fact {
            Fact::Text(text) => quoted(text),
            Fact::Number(number) => format!("{number}"),
            Fact::Flag(flag) => format!("{flag}"),
            Fact::Address(address) => format!("ip(\"{address}\")"),
        };
        format!("{text} && context has {name} && context.{name} == {value}")
    })
}

/// A rule that permits this request and no wider one. `is_pinned` holds it to the component's exact bytes too.
#[must_use]
pub fn smallest_permit(request: &AccessRequest, is_pinned: bool) -> String {
    let (plan, step, action) = (&request.plan, &request.step, request.action());
    let resource = &request.resource;
    let scoped = if resource.kind.is_scoped() {
        format!("-{}", resource.name)
    } else {
        String::new()
    };
    let id = quoted(&format!("{plan}.{step}-{action}{scoped}"));
    let principal = quoted(&format!("{plan}.{step}"));
    let facts = of_facts(request);
    let entity = resource.kind.entity();
    let name = quoted(&resource.name);
    let (node, tenant) = (
        quoted(request.node.as_str()),
        quoted(request.tenant.as_str()),
    );
    let pin = if is_pinned {
        format!(" && principal.component == \"{}\"", request.component)
    } else {
        String::new()
    };
    format!(
        "@id({id})\npermit (\n  principal == Aim::Step::{principal},\n  action == Aim::Action::\"{action}\",\n  \
         resource == Aim::{entity}::{name}\n)\nwhen {{ principal.node == {node} && context.tenant == {tenant}{pin}{facts} }};\n"
    )
}

/// The clause that takes this request, and no wider one, out of a forbidding rule.
#[must_use]
pub fn smallest_unless(request: &AccessRequest) -> String {
    let principal = quoted(&format!("{}.{}", request.plan, request.step));
    let entity = request.resource.kind.entity();
    let name = quoted(&request.resource.name);
    let action = request.action();
    let tenant = quoted(request.tenant.as_str());
    let facts = of_facts(request);
    format!(
        "unless {{ principal == Aim::Step::{principal} && action == Aim::Action::\"{action}\" && \
         resource == Aim::{entity}::{name} && context.tenant == {tenant}{facts} }}"
    )
}
