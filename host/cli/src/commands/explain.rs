//! `explain deny`: which rule refused a call or a load, and the smallest grant that would allow it; from the log alone.
//!
//! INVARIANT: nothing is asked but the evidence; what is printed as a rule to add is no wider than what was refused.

use std::collections::BTreeSet;

use aim_core::{
    access::{
        ADDRESS, AccessRequest, Ask, Asker, Capability, Fact, Mode, RefusedDial, Resource,
        ResourceKind, Use, WrittenRequest, smallest_permit, smallest_unless,
    },
    contract::Autonomy,
    name::StepName,
    outcome::Exit,
    witness::{AttemptPredicate, DeniedCall, DeniedLoadPredicate},
};
use aim_runtime::ledger::{EntryBody, Ledger};
use serde::Serialize;

use crate::{
    args::{Cli, ExplainDenyArgs, Output},
    error::CliError,
    evidence,
    render::{lines::Lines, out},
};

/// One refusal, explained.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    node: String,
    /// What was refused: an action on a thing.
    request: String,
    /// The rules that refused it; empty when none permits it.
    rules: Vec<String>,
    /// What to do about it.
    change: String,
    /// The ask that the contract needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<String>,
    /// The rule that the policy needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    permit: Option<String>,
}

/// `aimctl explain deny`.
pub(crate) fn deny(cli: &Cli, args: &ExplainDenyArgs) -> Result<Exit, CliError> {
    let (_, ledger) = evidence::read(&args.data.data_dir)?;
    let (step, number) = match args.place.as_slice() {
        [number] => (None, number),
        [step, number, ..] => (Some(step.as_str()), number),
        [] => return Err(no_refusal("")),
    };
    let number: u64 = number.parse().map_err(|_| no_refusal(number))?;
    let explained = if args.run == "load" {
        of_load(&ledger, number)
    } else {
        of_call(&ledger, &args.run, step, number)?
    };
    if explained.is_empty() {
        return Err(no_refusal(&number.to_string()));
    }
    for one in &explained {
        match cli.output {
            Output::Json => out::json_line("aim.explain-deny/v1", one)?,
            Output::Text => out::text(&text(one))?,
        }
    }
    Ok(Exit::Ok)
}

fn no_refusal(number: &str) -> CliError {
    CliError::not_found(
        "AIM-P014",
        format!("nothing was refused at `{number}`"),
        "name a denied host call by `<run> [step] <call>`, or a refused load by `load <index>`; `aimctl witness show` has both",
    )
}

/// The refused host call of that number, in the last attempt of the step that has one.
fn of_call(
    ledger: &Ledger,
    run: &str,
    step: Option<&str>,
    number: u64,
) -> Result<Vec<Explained>, CliError> {
    let execution = evidence::execution(ledger, run)?;
    let plan = &execution.start.plan_name;
    let mut found = Vec::new();
    for (_, attempt) in ledger.attempts_of(execution) {
        if step.is_some_and(|step| attempt.step.as_str() != step) {
            continue;
        }
        let denied = attempt.host_calls.denials.iter();
        let denied = denied.filter(|denied| u64::from(denied.call) == number);
        found.extend(denied.map(|denied| call(plan, attempt, denied)));
    }
    Ok(found.pop().into_iter().collect())
}

fn call(plan: &StepName, attempt: &AttemptPredicate, denied: &DeniedCall) -> Explained {
    let mut explained = Explained {
        step: Some(attempt.step.to_string()),
        node: attempt.node.to_string(),
        request: format!("{} on {}", denied.action, denied.target),
        rules: vec![denied.rule.clone()],
        change: String::new(),
        ask: None,
        permit: None,
    };
    let asker = Asker {
        component: attempt.component,
        node: attempt.node.clone(),
        plan: plan.clone(),
        step: attempt.step.clone(),
        tenant: attempt.tenant.clone(),
        autonomy: Autonomy::default(),
    };
    if let Some(request) = dialled(attempt, denied, &asker) {
        explain_address(&mut explained, &request);
    } else if let Some(wanted) = wanted(denied) {
        if let Err(must) = wanted.resource.kind.check(&wanted.resource.name) {
            explained.change = format!("none: no contract can ask for that name; one {must}");
            return explained;
        }
        "ask for it in the contract, and permit it in the policy".clone_into(&mut explained.change);
        let ask = widened(attempt, &wanted);
        let granted: BTreeSet<Use> = attempt.grant.uses().collect();
        let requests = asker.requests(std::slice::from_ref(&ask)).into_iter();
        let lacking = requests.filter(|request| {
            !granted.contains(&Use {
                capability: request.capability,
                mode: request.mode,
                resource: request.resource.clone(),
            })
        });
        let permits: Vec<String> = lacking
            .map(|request| smallest_permit(&request, false))
            .collect();
        explained.ask = Some(ask.to_string());
        explained.permit = Some(permits.join("\n"));
    } else {
        explained.change = match denied.rule.as_str() {
            "token.calls" => "give the ask more calls: `calls_max`",
            "token.bytes" => "give the ask more bytes: `bytes_max`",
            "token.expired" => "give the ask more time: `time_ms_max`",
            "artifact.inputs" => "send the artifact along with the envelope; no grant is about it",
            _ => "none by a grant: the rule is not the policy's",
        }
        .to_owned();
    }
    explained
}

/// The question that policy refused when the address was known; `None` for every other denial.
fn dialled(
    attempt: &AttemptPredicate,
    denied: &DeniedCall,
    asker: &Asker,
) -> Option<AccessRequest> {
    let mut effects = attempt.effects.iter();
    let effect = effects.find(|effect| effect.call == denied.call)?;
    let reasons = effect.gates.iter().flat_map(|gate| &gate.reasons);
    let (action, endpoint, address) = reasons
        .filter_map(|reason| RefusedDial::parse_shown(reason))
        .next()?;
    let mode = if action == "http.special" {
        Mode::Special
    } else {
        Mode::Request
    };
    let mut request = asker.request(&Use {
        capability: Capability::Http,
        mode: Some(mode),
        resource: Resource::new(ResourceKind::Endpoint, endpoint),
    });
    request.facts.push((ADDRESS, Fact::address(address)));
    Some(request)
}

fn explain_address(explained: &mut Explained, request: &AccessRequest) {
    let address = request.facts.iter().find_map(|(_, fact)| match fact {
        Fact::Address(address) => Some(address.to_string()),
        _ => None,
    });
    explained.request = format!(
        "{} on {} to {}",
        request.action(),
        request.resource.name,
        address.unwrap_or_default()
    );
    if explained.rules.iter().any(|rule| rule == "http.address") {
        explained.rules.clear();
        "permit the address in the policy".clone_into(&mut explained.change);
        explained.permit = Some(smallest_permit(request, false));
    } else {
        let clause = smallest_unless(request);
        explained.change = format!("make an exception in each rule that forbids it: {clause}");
    }
}

/// The use that a grant would have to hold; `None` when the rule is of another kind.
fn wanted(denied: &DeniedCall) -> Option<Use> {
    let (name, mode) = match denied.rule.split_once('.') {
        None => (denied.rule.as_str(), None),
        Some((name, mode)) => (name, Some(mode)),
    };
    let capability = Capability::parse(name)?;
    let known = || capability.modes().iter().copied();
    let mode = match mode {
        None => None,
        Some(word) => Some(known().find(|mode| mode.word() == word)?),
    };
    let kind = capability.resource_kind();
    let resource = if kind == ResourceKind::Host {
        Resource::host()
    } else {
        // The door says `requires <action> on <name in backticks>`; other targets are the name itself, as the guest gave it.
        let said = denied.target.strip_prefix("requires ");
        let quoted = said.and_then(|said| said.split('`').nth(1));
        Resource::new(kind, quoted.unwrap_or(&denied.target))
    };
    Some(Use {
        capability,
        mode,
        resource,
    })
}

/// The contract's ask with the use added to it: a contract has one ask for each capability.
fn widened(attempt: &AttemptPredicate, wanted: &Use) -> Ask {
    let granted = attempt.grant.asks_for(wanted.capability).next().cloned();
    let mut ask = granted.unwrap_or_else(|| Ask::plain(wanted.capability));
    ask.modes.extend(wanted.mode);
    if wanted.resource.kind.is_scoped() {
        ask.scope.insert(wanted.resource.name.clone());
    }
    ask
}

/// The refused asks of the denied load with that index in the log.
fn of_load(ledger: &Ledger, index: u64) -> Vec<Explained> {
    let entry = ledger
        .entries()
        .iter()
        .find(|entry| entry.leaf.index == index);
    match entry.map(|entry| &entry.body) {
        Some(EntryBody::DeniedLoad(denied)) => load(denied),
        _ => Vec::new(),
    }
}

fn load(denied: &DeniedLoadPredicate) -> Vec<Explained> {
    let asker = (denied.plan.clone())
        .zip(denied.step.clone())
        .zip(denied.component)
        .map(|((plan, step), component)| Asker {
            component,
            node: denied.node.clone(),
            plan,
            step,
            tenant: denied.tenant.clone(),
            autonomy: Autonomy::default(),
        });
    let of_ask = |refused: &aim_core::access::RefusedAsk| {
        let asks = std::slice::from_ref(&refused.ask);
        let permits = asker.as_ref().map(|asker| {
            let rules = asker.requests(asks);
            let rules = rules.iter().map(|request| smallest_permit(request, false));
            rules.collect::<Vec<_>>().join("\n")
        });
        let waits = denied.reasons.iter().any(|reason| {
            let is_about = reason.message.contains(refused.ask.capability.name());
            is_about && ("AIM-P030"..="AIM-P036").contains(&reason.code.as_str())
        });
        let change = if waits {
            "let a person approve it: `aimctl policy approve --plan <plan> --as <name> --key-dir <folder>`; no other rule permits it"
        } else if refused.rules.is_empty() {
            "permit it in the policy, or take the ask out of the contract"
        } else {
            "make an exception in each rule that forbids it (`aimctl policy explain` words it), or take the ask out"
        };
        Explained {
            step: denied.step.as_ref().map(ToString::to_string),
            node: denied.node.to_string(),
            request: refused.ask.to_string(),
            rules: refused.rules.clone(),
            change: change.to_owned(),
            ask: None,
            permit: permits.filter(|_| refused.rules.is_empty()),
        }
    };
    denied.refused_asks.iter().map(of_ask).collect()
}

fn text(explained: &Explained) -> String {
    let mut lines = Lines::new(7);
    let step = explained.step.as_deref().unwrap_or("-");
    lines.add("step", format!("{step} (node {})", explained.node));
    lines.add("asked", &explained.request);
    match explained.rules.as_slice() {
        [] => lines.add("denied", "no rule permits it"),
        rules => lines.add("denied", format!("by {}", rules.join(", "))),
    }
    lines.add("change", &explained.change);
    if let Some(ask) = &explained.ask {
        lines.add("ask", ask);
    }
    for line in explained.permit.iter().flat_map(|rule| rule.lines()) {
        lines.add("permit", line);
    }
    lines.into_text()
}

/// The requests that a run's policy on trial would have refused.
pub(crate) fn would_deny(ledger: &Ledger, run: &str) -> Result<Vec<AccessRequest>, CliError> {
    let execution = evidence::execution(ledger, run)?;
    let mut requests = Vec::new();
    for (_, attempt) in ledger.attempts_of(execution) {
        let found = attempt.monitor.iter().flat_map(|record| &record.would_deny);
        for one in found {
            let (kind, name) = one.resource.split_once('/').unwrap_or(("", ""));
            let written = WrittenRequest {
                action: Some(one.action.clone()),
                address: None,
                autonomy: None,
                component: Some(attempt.component.to_string()),
                kind: Some(kind.to_owned()),
                node: Some(attempt.node.to_string()),
                plan: Some(execution.start.plan_name.to_string()),
                resource: Some(name.to_owned()),
                step: Some(attempt.step.to_string()),
                tenant: Some(attempt.tenant.to_string()),
            };
            // What an old log calls something that is gone can't be permitted any more.
            requests.extend(written.request());
        }
    }
    Ok(requests)
}
