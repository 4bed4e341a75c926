//! P18: the driver and the reference model, asked the same random questions about the same random rules.
//!
//! 50,000 at every change, ten million in `cargo xtask soak`. Each set of rules follows from its number, and a disagreement names it.
//!
//! INVARIANT: a seed gives the same rules and questions on every machine.

use aim_core::{
    access::{AccessRequest, Ask, Capability, GrantMatcher, Mode, Resource, ResourceKind, grant},
    contract::Autonomy,
    digest::Digest,
    name::{NodeId, StepName, TenantId},
};
use aim_policy_cedar::{CedarPolicy, Change, PolicySource};
use aim_ports::policy::Policy as _;
use aim_testkit::soak::Cases;

use crate::reference::{About, Condition, Flaw, Rule, Verdict, decide};

const PLANS: [&str; 4] = ["triage", "Triage", "triag", "other"];
const STEPS: [&str; 3] = ["ingest", "ingest2", "report"];
const NODES: [&str; 3] = ["triage.ingest", "triage-ingest", "other"];
const TENANTS: [&str; 3] = ["global", "acme", "acme2"];
const NAMES: [&str; 6] = ["any", "logs", "Logs", "logs2", "log", "keys"];
const ENDPOINTS: [&str; 4] = [
    "GET https://api.example:443/v1/",
    "GET https://api.example:443/v10/",
    "POST https://api.example:443/v1/",
    "GET http://api.example:80/v1/ via 10.0.0.0/8",
];

/// A name of `kind`, as contracts write it.
fn name(chance: &mut Chance, kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Endpoint => chance.of(&ENDPOINTS),
        _ => chance.of(&NAMES),
    }
}
const LEVELS: [Autonomy; 3] = [Autonomy::ReadOnly, Autonomy::Recommend, Autonomy::Propose];
/// Questions for each set of rules.
const ASKED_OF_EACH: usize = 100;

/// The numbers of one seed (splitmix64).
struct Chance(u64);

impl Chance {
    /// The numbers of one set of rules, and of the questions about it.
    fn of_set(set: u64) -> Self {
        Self(Self(set).number())
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end as u64).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

fn actions(kind: Option<ResourceKind>) -> Vec<(Capability, Option<Mode>)> {
    let mut actions = Vec::new();
    for capability in Capability::ALL {
        if kind.is_some_and(|kind| kind != capability.resource_kind()) {
            continue;
        }
        match capability.modes() {
            [] => actions.push((capability, None)),
            modes => actions.extend(modes.iter().map(|mode| (capability, Some(*mode)))),
        }
    }
    actions
}

fn condition(chance: &mut Chance, depth: usize) -> Condition {
    let kinds = if depth == 0 { 6 } else { 9 };
    match chance.below(kinds) {
        0 => Condition::Tenant(chance.of(&TENANTS)),
        1 => Condition::Plan(chance.of(&PLANS)),
        2 => Condition::Node(chance.of(&NODES)),
        3 => Condition::NodeStartsWith(chance.of(&["triage", "triage.", "o"])),
        4 => Condition::Autonomy(chance.of(&["RO", "REC", "PROP"])),
        5 if chance.one_in(6) => Condition::FailsFor(chance.of(&PLANS)),
        5 => Condition::Tenant("global"),
        6 => Condition::Not(Box::new(condition(chance, depth - 1))),
        7 => Condition::Both(
            Box::new(condition(chance, depth - 1)),
            Box::new(condition(chance, depth - 1)),
        ),
        _ => Condition::Either(
            Box::new(condition(chance, depth - 1)),
            Box::new(condition(chance, depth - 1)),
        ),
    }
}

fn rule(chance: &mut Chance, number: usize) -> Rule {
    let kind = chance.one_in(2).then(|| chance.of(&ResourceKind::ALL));
    let known = actions(kind);
    let some = chance.below(4);
    let is_forbid = chance.one_in(3);
    let about = match kind {
        None => About::Anything,
        Some(kind) if chance.one_in(3) => About::Kind(kind),
        Some(kind) => About::One(kind, name(chance, kind)),
    };
    Rule {
        name: format!("r{number}"),
        is_forbid,
        wants_approval: !is_forbid && chance.one_in(5),
        step: chance
            .one_in(3)
            .then(|| (chance.of(&PLANS), chance.of(&STEPS))),
        actions: if known.is_empty() {
            Vec::new()
        } else {
            (0..some).map(|_| chance.of(&known)).collect()
        },
        about,
        when: chance.one_in(2).then(|| condition(chance, 2)),
        unless: chance.one_in(4).then(|| condition(chance, 1)),
    }
}

fn request(chance: &mut Chance) -> AccessRequest {
    let (capability, mode) = chance.of(&actions(None));
    let resource = match capability.resource_kind() {
        ResourceKind::Host => Resource::host(),
        kind => Resource::new(kind, name(chance, kind)),
    };
    AccessRequest {
        component: Digest::of(b"component"),
        node: NodeId::parse(chance.of(&NODES)).unwrap(),
        plan: StepName::parse(chance.of(&PLANS)).unwrap(),
        step: StepName::parse(chance.of(&STEPS)).unwrap(),
        tenant: TenantId::parse(chance.of(&TENANTS)).unwrap(),
        capability,
        mode,
        resource,
        autonomy: chance.of(&LEVELS),
        facts: Vec::new(),
    }
}

fn compile(rules: &[Rule]) -> CedarPolicy {
    let sources: Vec<PolicySource> = rules
        .iter()
        .map(|rule| PolicySource {
            name: format!("{}.cedar", rule.name),
            text: rule.to_cedar(),
        })
        .collect();
    CedarPolicy::compile(&sources).unwrap_or_else(|error| panic!("{error}\n{rules:?}"))
}

fn verdict(policy: &CedarPolicy, request: &AccessRequest) -> (Verdict, Vec<String>) {
    let decision = policy.decide(request);
    let verdict = match (decision.is_permitted, decision.is_approvable) {
        (true, _) => Verdict::Allow,
        (false, true) => Verdict::Approve,
        (false, false) => Verdict::Deny,
    };
    (verdict, decision.rules)
}

/// Asks a hundred questions about each of these sets of rules and gives the disagreements with a model that has this flaw.
fn disagreements(sets: impl Iterator<Item = u64>, flaw: Flaw) -> (usize, [usize; 3]) {
    let (mut found, mut seen) = (0, [0; 3]);
    for set in sets {
        let mut chance = Chance::of_set(set);
        let count = 1 + chance.below(7);
        let rules: Vec<Rule> = (0..count).map(|number| rule(&mut chance, number)).collect();
        let policy = compile(&rules);
        for _ in 0..ASKED_OF_EACH {
            let request = request(&mut chance);
            let (is, should) = (verdict(&policy, &request), decide(&rules, &request, flaw));
            seen[is.0 as usize] += 1;
            if is != should {
                assert_ne!(
                    flaw,
                    Flaw::None,
                    "set {set}: {request:?}\n{rules:#?}\nis {is:?}, should be {should:?}"
                );
                found += 1;
            }
        }
    }
    (found, seen)
}

/// Negative control: with rules that forbid ignored where one permits, this fails.
#[test]
fn p18_the_driver_and_the_model_agree_about_every_random_request() {
    let sets = Cases::of(100_000, 500);
    let questions = usize::try_from(sets.how_many()).unwrap() * ASKED_OF_EACH;
    let (found, seen) = disagreements(sets, Flaw::None);
    println!("{questions} asked, {seen:?} allowed, approvable and denied");
    assert_eq!(found, 0);
    assert_eq!(seen.iter().sum::<usize>(), questions);
    for count in seen {
        assert!(
            questions < 50_000 || count > questions / 100,
            "every verdict has to occur: {seen:?}"
        );
    }
}

/// The negative control: a model with one mistake in it is told apart from the driver, whichever mistake it is.
#[test]
fn a_wrong_rule_of_evaluation_is_found() {
    for flaw in [
        Flaw::PermitWins,
        Flaw::LastRuleWins,
        Flaw::FailedRuleIsSkipped,
        Flaw::NamesFoldCase,
        Flaw::UnlessIsWhen,
        Flaw::ApprovalIsNothing,
    ] {
        let (found, _) = disagreements(0..100, flaw);
        assert!(found > 0, "{flaw:?} was not found");
    }
}

/// P11: shuffled and doubled rules give the same verdicts; the doubles only have other names.
#[test]
fn order_and_duplicates_change_no_verdict() {
    let mut chance = Chance(11);
    for _ in 0..150 {
        let count = 1 + chance.below(6);
        let rules: Vec<Rule> = (0..count).map(|number| rule(&mut chance, number)).collect();
        let mut other = rules.clone();
        for _ in 0..chance.below(4) {
            let mut again = chance.of(&rules);
            again.name = format!("again{}", other.len());
            other.push(again);
        }
        for last in (1..other.len()).rev() {
            other.swap(last, chance.below(last + 1));
        }
        let (policy, shuffled) = (compile(&rules), compile(&other));
        for _ in 0..20 {
            let request = request(&mut chance);
            assert_eq!(verdict(&policy, &request).0, verdict(&shuffled, &request).0);
        }
    }
}

/// A grant is what the model allows, ask for ask, whole or not at all; its matcher permits exactly the uses in it.
#[test]
fn grants_and_their_matchers_hold_what_the_model_allows() {
    let mut chance = Chance(7);
    let (mut granted_asks, mut refused_asks) = (0, 0);
    for _ in 0..150 {
        let rules: Vec<Rule> = (0..4).map(|number| rule(&mut chance, number)).collect();
        let policy = compile(&rules);
        let base = request(&mut chance);
        let asks: Vec<Ask> = Capability::ALL
            .into_iter()
            .map(|capability| ask(&mut chance, capability))
            .collect();
        let of = |capability, mode, resource: &Resource| AccessRequest {
            capability,
            mode,
            resource: resource.clone(),
            ..base.clone()
        };
        let (granted, refused) = grant(&asks, Some(policy.digest()), |ask, mode, resource| {
            policy.decide(&of(ask.capability, mode, resource))
        });
        let matcher = GrantMatcher::compile(&granted);
        for ask in &asks {
            let is_allowed = |(mode, resource): &(Option<Mode>, Resource)| {
                decide(&rules, &of(ask.capability, *mode, resource), Flaw::None).0 == Verdict::Allow
            };
            let should = ask.uses().iter().all(is_allowed);
            assert_eq!(granted.asks.contains(ask), should, "{ask}\n{rules:#?}");
            assert_ne!(refused.iter().any(|one| one.ask == *ask), should);
            for (mode, resource) in ask.uses() {
                assert_eq!(
                    matcher.permits(ask.capability, mode, &resource.name),
                    should,
                    "{ask}"
                );
            }
        }
        granted_asks += granted.asks.len();
        refused_asks += refused.len();
    }
    assert!(
        granted_asks > 100 && refused_asks > 100,
        "{granted_asks} {refused_asks}"
    );
}

fn ask(chance: &mut Chance, capability: Capability) -> Ask {
    let modes: Vec<Mode> = capability.modes().to_vec();
    let scoped = capability.resource_kind().is_scoped();
    let names = usize::from(scoped) * (1 + chance.below(2));
    Ask {
        modes: match modes.as_slice() {
            [] => [].into(),
            known => (0..2).map(|_| chance.of(known)).collect(),
        },
        scope: (0..names)
            .map(|_| name(chance, capability.resource_kind()).to_owned())
            .collect(),
        ..Ask::plain(capability)
    }
}

/// The smallest change that an explanation names really allows the request, and nothing less is said to be needed.
#[test]
fn the_change_that_is_named_allows_the_request() {
    let mut chance = Chance(5);
    let mut added = 0;
    for _ in 0..200 {
        let count = 1 + chance.below(4);
        let rules: Vec<Rule> = (0..count).map(|number| rule(&mut chance, number)).collect();
        let policy = compile(&rules);
        let request = request(&mut chance);
        let explanation = policy.explain(&request);
        let is = verdict(&policy, &request).0;
        match explanation.change {
            Change::Nothing => assert_eq!(is, Verdict::Allow),
            Change::Approve => assert_eq!(is, Verdict::Approve),
            Change::Add(text) => {
                assert_eq!((is, explanation.permits.len()), (Verdict::Deny, 0));
                let mut sources: Vec<PolicySource> = rules.iter().map(source).collect();
                sources.push(PolicySource {
                    name: "added.cedar".to_owned(),
                    text,
                });
                let more = CedarPolicy::compile(&sources).unwrap();
                assert_eq!(verdict(&more, &request).0, Verdict::Allow);
                added += 1;
            }
            Change::Except {
                rules: forbidding,
                clause,
                add,
            } => {
                assert_eq!(is, Verdict::Deny);
                let excepted = |rule: &Rule| {
                    let text = rule.to_cedar();
                    let is_meant = forbidding.iter().any(|one| one.name == rule.name);
                    let text = if is_meant {
                        text.replace(";\n", &format!(" {clause};\n"))
                    } else {
                        text
                    };
                    PolicySource {
                        text,
                        ..source(rule)
                    }
                };
                let mut sources: Vec<PolicySource> = rules.iter().map(excepted).collect();
                sources.extend(add.map(|text| PolicySource {
                    name: "added.cedar".to_owned(),
                    text,
                }));
                let more = CedarPolicy::compile(&sources).unwrap();
                assert_eq!(verdict(&more, &request).0, Verdict::Allow, "{sources:#?}");
            }
            Change::Repair(failed) => assert!(!failed.is_empty()),
            Change::Impossible => panic!("{request:?}"),
        }
    }
    assert!(added > 20);
}

fn source(rule: &Rule) -> PolicySource {
    PolicySource {
        name: format!("{}.cedar", rule.name),
        text: rule.to_cedar(),
    }
}
