//! From what a source says to what it means: names resolved, defaults written out, steps in their one order.
//!
//! INVARIANT: a plan leaves here only when no error was found, and it has then passed `aim_core`'s own checks as well.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};
use core::ops::Range;

use aim_core::{
    condition::Decimal,
    name::StepName,
    plan::{self, LanguageVersion, Plan, PlanParts, SchemaVersion, StepId},
};

use crate::{
    Context,
    ast::{self, Ast, Caps, Shard, Spanned, Step},
    check, codes,
    diagnostic::{Diagnostic, Faults},
};

pub(crate) use gates::Gates;
pub(crate) use graph::Graph;
pub(crate) use recovery::check_names as check_rule_names;
pub(crate) use splice::order_steps;

mod budget;
mod core_faults;
mod expand;
mod gates;
mod graph;
mod implied;
mod imported;
mod recovery;
mod roles;
mod splice;
mod step;
mod topology;

/// Every step of a tree with its shard, in source order.
pub(crate) struct Steps<'a> {
    pub(crate) all: Vec<(&'a Shard, &'a Step)>,
    /// The first step of each name.
    pub(crate) places: BTreeMap<&'a StepName, usize>,
}

impl<'a> Steps<'a> {
    fn of(ast: &'a Ast, faults: &mut Faults) -> Self {
        let shards = ast.shards.iter();
        let all: Vec<(&Shard, &Step)> = shards
            .flat_map(|shard| shard.steps.iter().map(move |step| (shard, step)))
            .collect();
        let mut places = BTreeMap::new();
        for (index, (_, step)) in all.iter().enumerate() {
            let Some(name) = &step.name else { continue };
            if let Some(first) = places.get(&name.value).copied() {
                faults.push(duplicate("step", name, &name_span(&all, first)));
            } else {
                places.insert(&name.value, index);
            }
        }
        Self { all, places }
    }

    /// Finds a step by name, or reports that there is none.
    fn find(&self, name: &StepName, span: &Range<usize>, faults: &mut Faults) -> Option<usize> {
        if let Some(index) = self.places.get(name) {
            return Some(*index);
        }
        let help = faults.suggest(name.as_str(), self.places.keys().map(|name| name.as_str()));
        let help = help.unwrap_or_else(|| "a plan has no other steps than its own".into());
        let message = format!("there is no step `{name}`");
        faults.push(Diagnostic::error(codes::UNKNOWN_REFERENCE, span.clone(), message).help(help));
        None
    }

    /// Where a step of the plan is written; for one of an imported flow, where the flow is called.
    pub(crate) fn place_of(&self, name: &str) -> Option<Range<usize>> {
        let own = StepName::parse(name).ok();
        let called = |known: &StepName| {
            let rest = name.strip_prefix(known.as_str());
            rest.is_some_and(|rest| rest.starts_with('_'))
        };
        let found = own.and_then(|own| self.places.get(&own));
        let calls = || self.places.iter().find(|(known, _)| called(known));
        let found = found.or_else(|| calls().map(|(_, index)| index));
        let (_, step) = self.all.get(*found?)?;
        Some(step.span.clone())
    }

    pub(crate) fn name_of(&self, index: usize) -> &str {
        let name = self.all.get(index).and_then(|(_, step)| step.name.as_ref());
        name.map_or("", |name| name.value.as_str())
    }
}

fn name_span(all: &[(&Shard, &Step)], index: usize) -> Range<usize> {
    let name = all.get(index).and_then(|(_, step)| step.name.as_ref());
    name.map_or(0..0, |name| name.span.clone())
}

/// Turns a tree into a plan; `None` when the source has errors, found here or before.
pub(crate) fn lower(ast: &Ast, context: &Context<'_>, faults: &mut Faults) -> Option<Plan> {
    lower_within(ast, context, &[], faults)
}

/// As [`lower`], for a source that flows along `trail` have imported.
fn lower_within(
    ast: &Ast,
    context: &Context<'_>,
    trail: &[String],
    faults: &mut Faults,
) -> Option<Plan> {
    let calls = imported::calls(ast, context, trail, faults);
    let placed = imported::placed(ast, &calls);
    let written = placed.as_ref().unwrap_or(ast);
    let implied = implied::implied(written, context.profile, faults);
    let ast = implied.as_ref().unwrap_or(written);
    let imports = expand::imports(ast, context, faults);
    let language_version = language_version(ast, faults);
    let schema_version = schema_version(ast, faults);
    let (shards, steps) = (shards(ast, faults), Steps::of(ast, faults));
    let roles = roles::resolve(ast, &steps, faults);
    let ties = topology::resolve(ast, &steps, faults);
    let graph = graph::resolve(&steps, &ties, faults);
    let standby = recovery::standby(ast, &steps, faults);
    let budgets = budget::budgets(ast, &steps, &ties, context.profile, faults);
    let mut gates = gates::resolve(ast, &steps, &graph, faults);
    imported::cover(&calls, &steps, &mut gates);
    check::coverage::check(&steps, &graph, &gates, faults);
    check::references(written, &steps, faults);
    no_steps(ast, &steps, faults);
    roles.report_unused(ast, faults);
    let is_whole = !faults.has_errors();
    let mut slots: Vec<Option<plan::Step>> = Vec::with_capacity(steps.all.len());
    for (index, budget) in budgets.into_iter().enumerate() {
        let id = StepId::new(u32::try_from(index + 1).unwrap_or(u32::MAX));
        let mut lowered = step::lower(&steps, index, id, &roles, faults)?;
        step::pin(ast, &mut lowered);
        lowered.budget = budget;
        lowered.gates = gates.take(index);
        lowered.requires = graph.requires(index, &steps);
        lowered.is_standby = standby.contains(&index);
        lowered.is_required = !lowered.is_standby && graph.is_required(index);
        lowered.fanout = ties.fanout(index);
        let asked = gates.tries(index, !lowered.is_standby && graph.is_last(index));
        recovery::complete(ast, (&steps, index), &mut lowered, asked, faults);
        step::names(&steps, index, &lowered, faults);
        slots.push(Some(lowered));
    }
    let ordered: Vec<plan::Step> = (graph.order.iter())
        .filter_map(|index| slots.get_mut(*index)?.take())
        .collect();
    let mut parts = PlanParts {
        budget: ast.budget.as_ref().map(budget::of_plan),
        flows: topology::flows(ast, &ordered),
        gates: gates.of_plan,
        header: header(ast),
        imports,
        kappa_ppm: ast.settings.kappa.as_ref().map(|kappa| ppm(&kappa.value)),
        language_version,
        quip: ast.quip.as_ref().map(|quip| quip.value.clone()),
        roles: roles.used(&steps),
        rules: recovery::rules(ast),
        schema_version,
        shards,
        silence: silence(ast),
        steps: ordered,
        ..PlanParts::new(ast.header.as_ref()?.name.as_ref()?.value.clone())
    };
    if is_whole {
        imported::inline(&calls, &mut parts, faults);
    } else if !calls.is_empty() || steps.all.is_empty() {
        return None;
    }
    settled(parts, (ast, &steps), context, faults)
}

/// Holds a plan against core and the contracts; it leaves only where nothing was found.
fn settled(
    parts: PlanParts,
    (ast, steps): (&Ast, &Steps<'_>),
    context: &Context<'_>,
    faults: &mut Faults,
) -> Option<Plan> {
    let is_whole = !faults.has_errors();
    let plan = core_faults::checked(parts, ast, steps, is_whole, faults)?;
    check::contracts::check(&plan, steps, context, !faults.has_errors(), faults);
    (!faults.has_errors()).then_some(plan)
}

fn silence(ast: &Ast) -> plan::Silence {
    let quiet = ast.settings.silence.as_ref();
    quiet.map_or_else(plan::Silence::default, |quiet| match quiet.value {
        ast::Quiet::Wait => plan::Silence::Wait,
        ast::Quiet::Abstain => plan::Silence::Abstain,
    })
}

fn no_steps(ast: &Ast, steps: &Steps<'_>, faults: &mut Faults) {
    let header = ast.header.as_ref().filter(|_| steps.all.is_empty());
    let Some(header) = header else { return };
    let fault = Diagnostic::error(
        codes::INCOMPLETE,
        header.span.clone(),
        "the plan has no step",
    );
    let help = match ast.form {
        ast::Form::Lines => "begin a step with `STEP <name>:`",
        ast::Form::Braces => "begin a step with `step <name>: <Role> {`",
        ast::Form::Yaml => "begin a step with `- id: <name>` under `steps:`",
    };
    faults.push(fault.help(help));
}

/// Millionths of a share or a factor. The parser takes none that has no whole number of them; the largest asks for most.
pub(crate) fn ppm(share: &Decimal) -> u32 {
    share.millionths().unwrap_or(u32::MAX)
}

fn header(ast: &Ast) -> plan::Header {
    let settings = &ast.settings;
    let inputs = settings.inputs.iter();
    plan::Header {
        inputs: inputs
            .map(|(name, kind)| (name.value.clone(), input_type(kind.value)))
            .collect(),
        is_deterministic: settings.deterministic.as_ref().is_some_and(|one| one.value),
        policy: settings.policy.as_ref().map(|policy| policy.value.clone()),
        risk: settings.risk.as_ref().map(|risk| match risk.value {
            ast::Risk::Low => plan::RiskClass::Low,
            ast::Risk::Medium => plan::RiskClass::Medium,
            ast::Risk::High => plan::RiskClass::High,
            ast::Risk::Critical => plan::RiskClass::Critical,
        }),
        seed: settings.seeds.as_ref().map(|seed| seed.value),
        snapshot: settings
            .snapshot
            .as_ref()
            .map(|snapshot| snapshot.value.clone()),
    }
}

const fn input_type(kind: ast::IoType) -> plan::InputType {
    match kind {
        ast::IoType::Text => plan::InputType::String,
        ast::IoType::Number => plan::InputType::Number,
        ast::IoType::Boolean => plan::InputType::Boolean,
        ast::IoType::Object => plan::InputType::Object,
        ast::IoType::Array => plan::InputType::Array,
        ast::IoType::Artifact => plan::InputType::Artifact,
        ast::IoType::Evidence => plan::InputType::Evidence,
        ast::IoType::Any => plan::InputType::Any,
    }
}

/// The caps of each shard. Two of one name would share the pools of the one that is written last.
fn shards(ast: &Ast, faults: &mut Faults) -> BTreeMap<StepName, plan::Caps> {
    let caps = |caps: &Caps| plan::Caps {
        max_parallel: (caps.max_parallel.as_ref())
            .map(|cap| u32::try_from(cap.value).unwrap_or(u32::MAX)),
        token_pool: caps.token_pool.as_ref().map(|cap| cap.value),
        wall_ms_pool: caps.wall_ms_pool.as_ref().map(|cap| cap.value),
    };
    let mut first = BTreeMap::new();
    let mut shards = BTreeMap::new();
    for shard in &ast.shards {
        let Some(name) = &shard.name else { continue };
        if let Some(known) = first.get(&name.value) {
            faults.push(duplicate("shard", name, known));
            continue;
        }
        first.insert(&name.value, name.span.clone());
        let caps = shard.caps.as_ref().map(caps).unwrap_or_default();
        shards.insert(name.value.clone(), caps);
    }
    shards
}

fn language_version(ast: &Ast, faults: &mut Faults) -> LanguageVersion {
    let written = ast
        .header
        .as_ref()
        .and_then(|header| header.version.as_ref());
    if let Some(Spanned { value, span }) = written
        && !value.is_known()
    {
        let message = format!("language version {value} is not known");
        let fault = Diagnostic::error(codes::UNKNOWN_VERSION, span.clone(), message);
        faults.push(fault.help(format!(
            "this compiler reads versions up to {}",
            LanguageVersion::CURRENT
        )));
    }
    written.map_or(LanguageVersion::CURRENT, |version| version.value)
}

/// The shape is written in the newest version of its major, whatever minor a source names: a newer one is refused.
fn schema_version(ast: &Ast, faults: &mut Faults) -> SchemaVersion {
    let current = SchemaVersion::CURRENT;
    let Some(Spanned { value, span }) = &ast.settings.schema_version else {
        return current;
    };
    let parsed = value.parse::<SchemaVersion>().ok();
    if !parsed.is_some_and(SchemaVersion::is_known) {
        let message = format!("schema version {} is not known", value.escape_default());
        let fault = Diagnostic::error(codes::UNKNOWN_SCHEMA, span.clone(), message);
        faults.push(fault.help(format!(
            "write \"{current}\", or leave it out: it is the version that this compiler writes"
        )));
    }
    current
}

pub(crate) fn duplicate(what: &str, name: &Spanned<StepName>, first: &Range<usize>) -> Diagnostic {
    let message = format!("{what} `{}` is declared twice", name.value);
    let fault = Diagnostic::error(codes::DUPLICATE, name.span.clone(), message);
    fault
        .help("give one of them another name")
        .label(first.clone(), "first here")
}

/// The names of steps that somebody waits for.
pub(crate) fn required_by_others(edges: &[Vec<graph::Edge>]) -> BTreeSet<usize> {
    edges.iter().flatten().map(|edge| edge.to).collect()
}
