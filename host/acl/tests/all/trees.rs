//! Trees that an author could have written, for what holds of all of them.
//!
//! INVARIANT: a generated tree has no places and no comments, and every part of it is one that its form can write.

use aim_acl::ast::{
    Action, Amount, Assign, Ast, Backoff, Bounds, Breaker, Budget, Caps, Check, Clause, Effect,
    Emit, FanOut, Flow, Form, Gate, GatePlace, GateType, Header, Import, Input, IoType, Moment,
    Opt, Pins, Pool, Quiet, Reaction, Reduce, Reducer, Require, Retries, Risk, Role, Rule,
    RuleEvent, Rules, Selector, Settings, Shard, Source, Spanned, Stakes, Step, Subject,
};
use aim_core::{
    condition::{Condition, Decimal},
    name::StepName,
    plan::{BUILTIN_ROLES, LanguageVersion},
};
use proptest::{option, prelude::*, sample::select, strategy::Union};

fn at<T>(value: T) -> Spanned<T> {
    Spanned::new(value, 0..0)
}

fn spanned<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Spanned<T>> {
    of.prop_map(at)
}

fn name() -> impl Strategy<Value = StepName> {
    "[a-d][a-z0-9_]{0,2}x".prop_map(|text| StepName::parse(&text).unwrap())
}

fn names() -> impl Strategy<Value = Spanned<StepName>> {
    spanned(name())
}

/// Any text without what a plan refuses, quotes and backslashes included.
fn text() -> impl Strategy<Value = String> {
    "[ -~äß→]{0,12}"
}

fn texts() -> impl Strategy<Value = Spanned<String>> {
    spanned(text())
}

fn decimal() -> impl Strategy<Value = Decimal> {
    "(0|[1-9][0-9]{0,3})(\\.[0-9]{0,2}[1-9])?".prop_map(|text| Decimal::parse(&text).unwrap())
}

fn share() -> impl Strategy<Value = Spanned<Decimal>> {
    spanned("0\\.[0-9]{0,5}[1-9]".prop_map(|text| Decimal::parse(&text).unwrap()))
}

fn number() -> impl Strategy<Value = Spanned<u64>> {
    spanned(prop_oneof![
        1_u64..100,
        Just(10_000),
        Just(120_000),
        1..1_000_000_u64
    ])
}

fn small() -> impl Strategy<Value = Spanned<u64>> {
    spanned(1_u64..10)
}

fn check(root: &'static str) -> impl Strategy<Value = Spanned<Check>> {
    let tail = prop_oneof![
        Just(String::new()),
        "(>=|<=|>|<|==|!=) -?[0-9]{1,3}(\\.[0-9])?",
        "(==|!=) (true|false)",
        "(==|!=) \"[ !#-\\[\\]-~]{0,6}\"",
    ];
    ("[a-z]{1,4}(\\.[a-z]{1,3}){0,2}", tail).prop_map(move |(path, tail)| {
        let source = format!("{root}.{path} {tail}").trim().to_owned();
        at(Check {
            condition: Condition::parse(&source).unwrap(),
            source,
        })
    })
}

fn action() -> impl Strategy<Value = Spanned<Option<Action>>> {
    let options = prop::collection::vec((name(), text()), 0..3);
    let action = prop_oneof![
        option::of(text()).prop_map(Action::Abort),
        option::of(text()).prop_map(Action::Escalate),
        option::of(text()).prop_map(Action::Abstain),
        Just(Action::Warn),
        option::of(1_u64..10).prop_map(Action::Retry),
        name().prop_map(Action::Fallback),
        name().prop_map(Action::Reroute),
        options.prop_map(Action::Degrade),
        Just(Action::Repair),
        Just(Action::Quarantine),
    ];
    spanned(action.prop_map(Some))
}

fn line_budget() -> impl Strategy<Value = Budget> {
    let part = || option::of((1_u64..500_000).prop_map(Amount::hard));
    (part(), part(), part(), part()).prop_filter_map(
        "a budget says something",
        |(tokens, time_ms, tools, cost_micros)| {
            let has_part = [tokens, time_ms, tools, cost_micros]
                .iter()
                .any(Option::is_some);
            has_part.then(|| Budget {
                tokens,
                time_ms,
                tools,
                cost_micros,
                ..Budget::default()
            })
        },
    )
}

fn line_gate() -> impl Strategy<Value = Gate> {
    (names(), check("output"), option::of(action())).prop_map(|(name, check, action)| Gate {
        name: Some(name),
        clauses: vec![Clause {
            is_forbid: false,
            check,
        }],
        has_check: true,
        on_fail: action
            .into_iter()
            .map(|action| Reaction { when: None, action })
            .collect(),
        ..Gate::default()
    })
}

fn requires() -> impl Strategy<Value = Vec<Require>> {
    let require =
        (names(), any::<bool>()).prop_map(|(step, is_optional)| Require { step, is_optional });
    prop::collection::vec(require, 0..3)
}

fn line_step() -> impl Strategy<Value = Step> {
    let roles: Vec<&str> = BUILTIN_ROLES.into_iter().chain(["ax"]).collect();
    let role = select(roles).prop_map(|role| at(StepName::parse(role).unwrap()));
    (
        names(),
        role,
        text(),
        requires(),
        option::of(line_budget()),
        prop::collection::vec(line_gate(), 0..3),
    )
        .prop_map(|(name, role, description, requires, budget, gates)| Step {
            name: Some(name),
            assign: Some(Assign {
                role: Some(role),
                description: Some(at(description)),
                span: 0..0,
            }),
            requires,
            budget,
            gates,
            ..Step::default()
        })
}

fn role() -> impl Strategy<Value = Role> {
    let param = prop_oneof![text(), "[1-9][0-9]{0,2}", "true|false"];
    let params = prop::collection::vec((names(), spanned(param)), 0..3);
    (names(), names(), params).prop_map(|(name, kind, params)| Role {
        name,
        kind: Some(kind),
        params,
        span: 0..0,
    })
}

fn header() -> impl Strategy<Value = Option<Header>> {
    let version = option::of(Just(at(LanguageVersion::CURRENT)));
    (names(), version).prop_map(|(name, version)| {
        Some(Header {
            name: Some(name),
            version,
            span: 0..0,
            extent: 0..0,
        })
    })
}

/// A tree that line form can write.
pub(crate) fn lines() -> impl Strategy<Value = Ast> {
    let roles = prop::collection::vec(role(), 0..2);
    let gates = prop::collection::vec(line_gate(), 0..2);
    let steps = prop::collection::vec(line_step(), 1..5);
    (
        header(),
        option::of(texts()),
        option::of(line_budget()),
        roles,
        gates,
        steps,
    )
        .prop_map(|(header, quip, budget, roles, gates, steps)| Ast {
            form: Form::Lines,
            header,
            quip,
            budget,
            roles,
            gates,
            shards: vec![Shard {
                steps,
                ..Shard::default()
            }],
            ..Ast::default()
        })
}

fn word<T: Copy + std::fmt::Debug + 'static>(
    all: &'static [T],
) -> impl Strategy<Value = Spanned<T>> {
    spanned(select(all))
}

fn selector() -> impl Strategy<Value = Selector> {
    let plain = "[a-z]{1,3}(/[a-z0-9._-]{1,3}x){0,2}";
    let named = "[a-z]{1,3}(->[a-z]{1,3}(\\(\"[a-z, .-]{0,4}x\"\\))?(#[0-9]{1,2})?){1,2}";
    (any::<bool>(), prop_oneof![plain, named])
        .prop_map(|(is_graph, path)| Selector { is_graph, path })
}

fn source() -> impl Strategy<Value = Spanned<Source>> {
    spanned(prop_oneof![
        text().prop_map(Source::Text),
        decimal().prop_map(Source::Number),
        any::<bool>().prop_map(Source::Boolean),
        name().prop_map(Source::Step),
        name().prop_map(Source::Run),
        Just(Source::Trace),
        selector().prop_map(Source::Memory),
    ])
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let input = (names(), source()).prop_map(|(name, value)| Input { name, value });
    prop::collection::vec(input, 0..3)
}

fn pins() -> impl Strategy<Value = Pins> {
    let seed = spanned(0_u64..9);
    (
        option::of(texts()),
        option::of(texts()),
        option::of(texts()),
        option::of(seed),
    )
        .prop_map(|(model, index, tool, seed)| Pins {
            span: 0..0,
            model,
            index,
            tool,
            seed,
        })
}

fn amount() -> impl Strategy<Value = Option<Amount>> {
    option::of(
        (1_u64..200_000, option::of(1_u64..200_000)).prop_map(|(a, b)| Amount {
            max: a.max(b.unwrap_or(0)),
            soft: b.map(|b| a.min(b)),
        }),
    )
}

fn budget() -> impl Strategy<Value = Budget> {
    let factor = spanned("[1-9]\\.[0-9]{0,2}[1-9]".prop_map(|text| Decimal::parse(&text).unwrap()));
    (
        amount(),
        amount(),
        amount(),
        amount(),
        option::of(word(Backoff::ALL)),
        option::of(word(Pool::ALL)),
        option::of(factor),
    )
        .prop_map(
            |(tokens, time_ms, tools, cost_micros, backoff, pool, headroom)| Budget {
                tokens,
                time_ms,
                tools,
                cost_micros,
                backoff,
                pool,
                headroom,
                ..Budget::default()
            },
        )
}

fn reactions(root: &'static str) -> impl Strategy<Value = Vec<Reaction>> {
    let reaction =
        (option::of(check(root)), action()).prop_map(|(when, action)| Reaction { when, action });
    prop::collection::vec(reaction, 0..3)
}

fn side_gate() -> impl Strategy<Value = Gate> {
    let clause =
        (any::<bool>(), check("output")).prop_map(|(is_forbid, check)| Clause { is_forbid, check });
    let clauses = prop::collection::vec(clause, 1..3);
    let emits = prop::collection::vec(word(Emit::ALL), 0..3);
    (
        option::of(names()),
        any::<bool>(),
        option::of(check("input")),
        clauses,
        emits,
        reactions("output"),
    )
        .prop_map(|(name, is_ingress, when, clauses, emits, on_fail)| Gate {
            name,
            place: if is_ingress {
                GatePlace::Ingress
            } else {
                GatePlace::Egress
            },
            when,
            clauses,
            has_check: true,
            emits,
            on_fail,
            ..Gate::default()
        })
}

fn typed_gate() -> impl Strategy<Value = Gate> {
    let parts = (
        option::of(names()),
        option::of(spanned(any::<bool>())),
        option::of(share()),
    );
    (
        names(),
        word(GateType::ALL),
        inputs(),
        parts,
        reactions("output"),
    )
        .prop_map(
            |(name, kind, inputs, (policy, strict, min), on_fail)| Gate {
                name: Some(name),
                place: GatePlace::Typed(kind),
                inputs,
                policy,
                strict,
                min,
                on_fail,
                ..Gate::default()
            },
        )
}

fn retries() -> impl Strategy<Value = Retries> {
    (option::of(small()), option::of(number())).prop_map(|(max_attempts, backoff_ms)| Retries {
        span: 0..0,
        max_attempts,
        backoff_ms,
    })
}

fn breaker() -> impl Strategy<Value = Breaker> {
    (option::of(small()), option::of(number())).prop_map(|(failures, cooldown_ms)| Breaker {
        span: 0..0,
        failures,
        cooldown_ms,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let moment = prop_oneof![
        Just(Moment::AsOf("2025-01-31T00:00:00Z".into())),
        Just(Moment::Window(
            "2025-01-01T00:00:00Z".into(),
            "2025-02-01T00:00:00Z".into()
        )),
    ];
    let role = prop_oneof![
        names(),
        select(&BUILTIN_ROLES[..]).prop_map(|role| at(StepName::parse(role).unwrap())),
    ];
    let who = (names(), role, option::of(texts()), requires(), inputs());
    let what = (
        option::of(spanned(selector())),
        option::of(spanned(moment)),
        option::of(texts()),
        prop::collection::vec(texts(), 0..3),
        option::of(budget()),
        option::of(pins()),
    );
    let after = (
        option::of(names()),
        prop::collection::vec(word(Effect::ALL), 0..3),
        option::of(retries()),
        option::of(names()),
        option::of(share()),
        option::of(breaker()),
    );
    let last = (
        option::of(word(Stakes::ALL)),
        option::of(spanned(any::<bool>())),
        option::of(texts()),
        prop::collection::vec(side_gate(), 0..3),
    );
    (who, what, after, last).prop_map(|(who, what, after, last)| Step {
        name: Some(who.0),
        assign: Some(Assign {
            role: Some(who.1),
            description: who.2,
            span: 0..0,
        }),
        requires: who.3,
        inputs: who.4,
        slice: what.0,
        time: what.1,
        model: what.2,
        tools: what.3,
        budget: what.4,
        pins: what.5,
        policy: after.0,
        effects: after.1,
        retries: after.2,
        fallback: after.3,
        kappa: after.4,
        breaker: after.5,
        criticality: last.0,
        idempotent: last.1,
        question: last.2,
        gates: last.3,
        ..Step::default()
    })
}

fn bounds() -> impl Strategy<Value = Spanned<Bounds>> {
    spanned((1_u64..5, 0_u64..5).prop_map(|(first, more)| Bounds {
        first,
        last: first + more,
    }))
}

fn options() -> impl Strategy<Value = Vec<Opt>> {
    let word = |text: &str| StepName::parse(text).unwrap();
    let option = prop_oneof![
        (names(), source()).prop_map(|(name, value)| Opt { name, value }),
        decimal().prop_map(move |number| Opt {
            name: at(word("quorum")),
            value: at(Source::Number(number)),
        }),
        select(vec!["first", "abstain"]).prop_map(move |tie| Opt {
            name: at(word("tie")),
            value: at(Source::Step(word(tie))),
        }),
    ];
    prop::collection::vec(option, 0..3)
}

fn rules() -> impl Strategy<Value = Rules> {
    let event = prop_oneof![
        option::of(name()).prop_map(RuleEvent::GateFail),
        option::of(name()).prop_map(RuleEvent::OverBudget),
        option::of(name()).prop_map(RuleEvent::StepFail),
        option::of(name()).prop_map(RuleEvent::LowConfidence),
        option::of(name()).prop_map(RuleEvent::PolicyViolation),
    ];
    let subject = prop_oneof![
        name().prop_map(Subject::Step),
        select(Effect::ALL).prop_map(Subject::Effect),
        Just(Subject::All),
    ];
    let rule = prop_oneof![
        (spanned(event), action()).prop_map(|(event, action)| Rule::On { event, action }),
        prop::collection::vec(spanned(subject), 1..3).prop_map(Rule::RequireHitl),
    ];
    prop::collection::vec(rule, 0..3).prop_map(|rules| Rules { rules, span: 0..0 })
}

fn caps() -> impl Strategy<Value = Caps> {
    (
        option::of(small()),
        option::of(number()),
        option::of(number()),
    )
        .prop_map(|(max_parallel, token_pool, wall_ms_pool)| Caps {
            span: 0..0,
            max_parallel,
            token_pool,
            wall_ms_pool,
        })
}

fn shard(name: Option<Spanned<StepName>>) -> impl Strategy<Value = Shard> {
    let fanout = (names(), option::of(bounds()), names(), bounds(), options()).prop_map(
        |(from, from_bounds, to, bounds, options)| FanOut {
            from,
            from_bounds,
            to,
            bounds: Some(bounds),
            options,
            span: 0..0,
        },
    );
    let reduce = (
        names(),
        option::of(bounds()),
        names(),
        word(Reducer::ALL),
        options(),
    )
        .prop_map(|(from, bounds, to, using, options)| Reduce {
            from,
            bounds,
            to,
            using: Some(using),
            options,
            span: 0..0,
        });
    let flow = (
        names(),
        prop::collection::vec(names(), 0..3),
        small(),
        option::of(check("output")),
        any::<bool>(),
    )
        .prop_map(|(name, on, max_iter, until, releases)| Flow {
            name,
            on,
            max_iter: Some(max_iter),
            until,
            releases,
            span: 0..0,
        });
    let between = (
        prop::collection::vec(fanout, 0..2),
        prop::collection::vec(reduce, 0..2),
        prop::collection::vec(flow, 0..2),
        prop::collection::vec(rules(), 0..2),
    );
    let steps = prop::collection::vec(step(), 1..3);
    let gates = prop::collection::vec(typed_gate(), 0..2);
    (option::of(caps()), steps, gates, between).prop_map(move |(caps, steps, gates, between)| {
        Shard {
            name: name.clone(),
            span: 0..0,
            caps,
            steps,
            gates,
            fanouts: between.0,
            reduces: between.1,
            flows: between.2,
            rules: between.3,
        }
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let input = (names(), word(IoType::ALL));
    let first = (
        option::of(texts()),
        option::of(spanned(0_u64..100)),
        option::of(texts()),
        option::of(spanned(any::<bool>())),
        prop::collection::vec(input, 0..3),
    );
    let second = (
        option::of(pins()),
        option::of(names()),
        option::of(share()),
        option::of(word(Risk::ALL)),
        option::of(word(Quiet::ALL)),
    );
    (first, second).prop_map(|(first, second)| Settings {
        span: Some(0..0),
        snapshot: first.0,
        seeds: first.1,
        schema_version: first.2,
        deterministic: first.3,
        inputs: first.4,
        pins: second.0,
        policy: second.1,
        kappa: second.2,
        risk: second.3,
        silence: second.4,
    })
}

/// A tree that brace form can write.
pub(crate) fn braces() -> impl Strategy<Value = Ast> {
    let import = (any::<bool>(), texts(), names()).prop_map(|(is_flow, path, name)| Import {
        is_flow,
        path,
        name,
        span: 0..0,
    });
    let shards = Union::new([
        prop::collection::vec(shard(None), 1..2).boxed(),
        prop::collection::vec(shard(StepName::parse("s1").ok().map(at)), 1..3).boxed(),
    ]);
    let parts = (
        prop::collection::vec(import, 0..2),
        header(),
        option::of(texts()),
        option::of(budget()),
        settings(),
    );
    let gate = side_gate().prop_map(|gate| Gate {
        place: GatePlace::Egress,
        ..gate
    });
    let rest = (
        prop::collection::vec(gate, 0..2),
        prop::collection::vec(role(), 0..2),
        shards,
    );
    (parts, rest).prop_map(|(parts, rest)| Ast {
        form: Form::Braces,
        comments: Vec::new(),
        imports: parts.0,
        header: parts.1,
        quip: parts.2,
        budget: parts.3,
        settings: parts.4,
        gates: rest.0,
        roles: rest.1,
        shards: rest.2,
    })
}
