//! What an export carries beside its witnesses so that the run can be run again, held against what the witnesses vouch for.
//!
//! None of it is signed by itself. The run's id is derived from plan, lock, inputs, tenant and seed, and every statement names
//! the run; the lock names contracts and rules by digest; the plan's witness lists every attempt. So nothing here can be changed
//! without a witness speaking against it.
//!
//! INVARIANT: a part without a fault says nothing that a statement of the export does not vouch for.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec::Vec,
};

use aim_core::{
    access::{DOWNGRADE_KIND, USE_APPROVAL_KIND},
    contract::NodeContract,
    digest::Digest,
    event::ExecutionStart,
    gate::GateRules,
    id::{ExecutionId, RunId, RunPins, TraceId},
    join::{Input, inputs_digest},
    leaf::{Leaf, LeafKind},
    name::StepName,
    plan::{Lock, Plan},
    witness::{AttemptPredicate, PlanPredicate, Statement},
};
use serde::{Deserialize, Serialize};

/// The name that a policy's text has in [`ReplayPart::policy`] and in its digest.
pub type PolicyTexts = BTreeMap<String, String>;

/// What a run was made of, besides payloads, components and codexes, which are payloads by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplayPart {
    /// Contracts of steps and gates in their canonical form.
    pub contracts: Vec<String>,
    /// The operator's policy, by file: what granted is for people to read; a replay asks nobody. Empty where there was none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub policy: PolicyTexts,
    /// What the deployment wanted of gates.
    pub rules: GateRules,
    /// How the execution began: plan, lock, inputs, seed.
    pub start: ExecutionStart,
}

/// Holds `part` against the statements of its export, which are verified already.
///
/// # Errors
/// The first thing that nothing vouches for.
pub(super) fn hold(
    part: &ReplayPart,
    origin: &str,
    statements: &[(Leaf, Vec<u8>)],
    payloads: &BTreeMap<Digest, Vec<u8>>,
) -> Result<(), String> {
    let start = &part.start;
    for (name, artifact) in &start.inputs {
        let bytes = payloads.get(&artifact.digest);
        if bytes.is_some_and(|bytes| bytes.len() as u64 != artifact.size_bytes) {
            return Err(format!("input `{name}` has another size"));
        }
    }
    let plan = Plan::from_json(start.plan.as_bytes()).map_err(|error| error.to_string())?;
    let lock = Lock::from_json(start.lock.as_bytes()).map_err(|error| error.to_string())?;
    hold_start(start, origin, (&plan, &lock))?;
    hold_statements(start, &lock, statements)?;
    hold_approvals(start, &lock, statements)?;
    hold_contracts(&part.contracts, &lock)?;
    if part.rules.digest() == lock.gate_rules {
        Ok(())
    } else {
        Err("the rules about gates are not the ones that the lock pins".into())
    }
}

/// Everything in `start` that an id is derived from.
fn hold_start(
    start: &ExecutionStart,
    origin: &str,
    (plan, lock): (&Plan, &Lock),
) -> Result<(), String> {
    let mut inputs = BTreeMap::new();
    for (name, artifact) in &start.inputs {
        let name = StepName::parse(name).map_err(|error| error.to_string())?;
        let input = Input {
            artifact: artifact.clone(),
            inline: None,
        };
        inputs.insert(name, input);
    }
    let run = RunId::of(&RunPins {
        plan: plan.digest(),
        lock: lock.digest(),
        inputs: inputs_digest(&inputs),
        tenant: start.tenant.as_str(),
        seed: start.seed,
    });
    let execution = ExecutionId::of(origin, run, start.number);
    let is_derived = run == start.run
        && execution == start.execution
        && TraceId::of(execution) == start.trace
        && *plan.name() == start.plan_name;
    if is_derived {
        Ok(())
    } else {
        Err(
            "plan, lock, inputs, tenant, seed and number do not make the run and the execution"
                .into(),
        )
    }
}

/// The statements of the execution: whose it is, and that none is left out.
fn hold_statements(
    start: &ExecutionStart,
    lock: &Lock,
    statements: &[(Leaf, Vec<u8>)],
) -> Result<(), String> {
    let mut attempts = BTreeSet::new();
    let mut first = None;
    let mut end = None;
    for (leaf, bytes) in statements {
        match leaf.kind {
            LeafKind::Attempt => {
                let read: AttemptPredicate = predicate(bytes)?;
                if read.execution != start.execution {
                    continue;
                }
                if (read.run, &read.actor) != (start.run, &start.actor) {
                    return Err(format!("witness {} is of another run or actor", leaf.index));
                }
                first = first.or(Some(read.started_at));
                attempts.insert(Digest::of(bytes));
            }
            LeafKind::Plan => {
                let read: PlanPredicate = predicate(bytes)?;
                // Earlier executions are here for what they put into the buckets of the same plan.
                if read.plan_name != start.plan_name || read.tenant != start.tenant {
                    return Err(format!(
                        "witness {} is of another plan or tenant",
                        leaf.index
                    ));
                }
                if read.execution == start.execution {
                    end = Some(read);
                }
            }
            _ => {}
        }
    }
    let first = first.ok_or("no witness of an attempt of the execution is here")?;
    if first != start.started_at {
        return Err("the execution began when its first attempt did".into());
    }
    end.map_or(Ok(()), |end| hold_end(start, lock, &end, &attempts))
}

/// The plan's witness says how it began, and which attempts there are.
fn hold_end(
    start: &ExecutionStart,
    lock: &Lock,
    end: &PlanPredicate,
    attempts: &BTreeSet<Digest>,
) -> Result<(), String> {
    let is_same = end.run == start.run && end.actor == start.actor && end.lock == lock.digest();
    if !is_same {
        return Err("the beginning of the execution is not the one that its end tells of".into());
    }
    let listed = end.steps.iter().flat_map(|step| &step.attempts).copied();
    let listed: BTreeSet<Digest> = listed.collect();
    match listed.symmetric_difference(attempts).next() {
        None => Ok(()),
        Some(digest) if attempts.contains(digest) => {
            Err(format!("the plan's witness does not list attempt {digest}"))
        }
        Some(digest) => Err(format!("attempt {digest} of the execution is not here")),
    }
}

/// What people let the execution do: judged with the other statements, and none is left out.
fn hold_approvals(
    start: &ExecutionStart,
    lock: &Lock,
    statements: &[(Leaf, Vec<u8>)],
) -> Result<(), String> {
    let answers = statements.iter();
    let answers = answers.filter(|(leaf, _)| leaf.kind == LeafKind::Answer);
    let here: BTreeSet<Digest> = answers
        .filter_map(|(_, bytes)| predicate::<Counting>(bytes).ok())
        .filter(|read| read.execution == start.execution)
        .filter(|read| matches!(read.kind.as_str(), USE_APPROVAL_KIND | DOWNGRADE_KIND))
        .map(|read| read.digest)
        .collect();
    match lock.approvals().find(|digest| !here.contains(digest)) {
        None => Ok(()),
        Some(digest) => Err(format!(
            "approval {digest}, which the lock names, is not here"
        )),
    }
}

/// An approval that counted for an execution.
#[derive(Deserialize)]
struct Counting {
    digest: Digest,
    execution: ExecutionId,
    kind: String,
}

fn hold_contracts(contracts: &[String], lock: &Lock) -> Result<(), String> {
    let steps = lock.steps.values().map(|pin| pin.contract);
    let gates = lock.gates.values().map(|pin| pin.contract);
    let mut pinned: BTreeSet<Digest> = steps.chain(gates).collect();
    for text in contracts {
        let contract = NodeContract::from_canonical(text.as_bytes());
        let contract = contract.ok_or("a contract is not in its canonical form")?;
        if !pinned.remove(&contract.digest()) {
            return Err(format!(
                "nothing pins contract `{}`, or it is here twice",
                contract.node_id
            ));
        }
    }
    Ok(())
}

fn predicate<P: serde::de::DeserializeOwned>(statement: &[u8]) -> Result<P, String> {
    let read: Statement<P> =
        serde_json::from_slice(statement).map_err(|error| error.to_string())?;
    Ok(read.predicate)
}
