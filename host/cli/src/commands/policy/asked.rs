//! Everything that the contracts of a plan ask for, as requests to a policy.
//!
//! INVARIANT: these are the requests that admission would make, with the digest of the component's real bytes.

use aim_core::{
    access::{AccessRequest, Asker},
    digest::Digest,
    outcome::Exit,
    plan::bindings,
};
use aim_registry_dir::Registry;
use aim_schema_json::JsonSchemas;

use crate::{
    args::AskedArgs,
    commands::{compile::compile_plan, run::load_error},
    error::{CliError, Problem},
    paths,
};

/// Every request that admission of this plan would make, in the order of steps and asks.
pub(super) fn asked(args: &AskedArgs) -> Result<Vec<AccessRequest>, CliError> {
    let plan = compile_plan(&args.plan, false)?.plan;
    let beside = || paths::beside(&args.plan).join("aim.toml");
    let config = args.config.clone().unwrap_or_else(beside);
    let registry = Registry::load(&config, &JsonSchemas).map_err(|error| load_error(&error))?;
    let deployment = registry.deployment();
    let bound = bindings(&plan, &deployment.roles).map_err(|unbound| CliError {
        exit: Exit::Usage,
        problems: (unbound.iter())
            .map(|one| Problem::new(one.code(), one.to_string()).with_help(one.help()))
            .collect(),
    })?;
    let mut requests = Vec::new();
    for step in plan.steps() {
        let Some((id, node)) = bound
            .get(&step.name)
            .and_then(|id| Some((id, registry.node(id)?)))
        else {
            continue;
        };
        if node.contract.component().is_none() {
            continue;
        }
        let component = registry
            .read_component(id)
            .map_err(|error| load_error(&error))?;
        let asker = Asker {
            component: Digest::of(&component),
            node: id.clone(),
            plan: plan.name().clone(),
            step: step.name.clone(),
            tenant: deployment.tenant.clone(),
            autonomy: node.contract.autonomy,
        };
        requests.extend(asker.requests(&node.contract.asks));
    }
    Ok(requests)
}
