//! What a plan was resolved to: every pin counts, and what drifts is named.

use super::*;

fn wit() -> WitVersions {
    BTreeMap::from([("aim:log".into(), BTreeSet::from(["0.1.0".into()]))])
}

fn lock(plan: &Plan) -> Lock {
    let pin = |step: &Step| StepPin {
        approvals: BTreeSet::new(),
        adapt: None,
        class: Class::Standard,
        component: Digest::of(b"component"),
        config: None,
        contract: Digest::of(b"contract"),
        model: Some("m".into()),
        node: NodeId::parse(step.role.as_str()).unwrap(),
        pins: Pins {
            index: Some("i".into()),
            model: Some("m-1".into()),
            seed: Some(7),
            tool: Some("t".into()),
        },
        tools: vec!["search".into()],
        version: "1.0.0".to_owned(),
        wit: wit(),
    };
    let ethical = GatePin {
        adapt: None,
        approvals: BTreeSet::new(),
        codex: Some(Digest::of(b"codex")),
        component: Digest::of(b"gate"),
        contract: Digest::of(b"gate contract"),
        version: "1.0.0".to_owned(),
        wit: wit(),
    };
    Lock {
        compiler: CompilerPin {
            language: LanguageVersion::CURRENT,
            schema: SchemaVersion::CURRENT,
            version: "0.1.0".into(),
        },
        imports: BTreeMap::from([(name("rules"), Digest::of(b"rules"))]),
        engine_profile: Digest::of(b"engine"),
        gate_rules: None,
        gates: BTreeMap::from([(NodeId::parse("ethical").unwrap(), ethical)]),
        lock_version: LOCK_VERSION,
        plan: plan.digest(),
        policy: Digest::of(b"policy"),
        probes: ProbeSwitch::all(&NodeId::parse("probe").unwrap()).pin(),
        steps: plan
            .steps()
            .iter()
            .map(|step| (step.name.clone(), pin(step)))
            .collect(),
    }
}

/// Control: with the plan's digest left out of the comparison, this fails.
#[test]
fn a_lock_round_trips_and_fits_its_own_plan_only() {
    let plan = Plan::check(parts()).unwrap();
    let lock = lock(&plan);
    assert_eq!(Lock::from_json(&lock.to_json()), Ok(lock.clone()));
    assert_eq!(lock.check_fits(&plan), Ok(()));

    let mut other = parts();
    other.steps[0].description = "do another thing".into();
    let other = Plan::check(other).unwrap();
    assert!(matches!(
        lock.check_fits(&other),
        Err(LockError::OtherPlan { .. })
    ));

    let mut short = lock.clone();
    short.steps.remove(&name("b"));
    assert_eq!(short.check_fits(&plan), Err(LockError::Steps(name("b"))));
    assert_eq!(short.check_fits(&plan).unwrap_err().code(), "ACL-E037");
    let mut long = lock.clone();
    long.steps
        .insert(name("zz"), lock.steps.values().next().unwrap().clone());
    assert_eq!(long.check_fits(&plan), Err(LockError::Steps(name("zz"))));
}

#[test]
fn every_pin_of_a_lock_changes_its_digest_and_its_bytes_have_one_spelling() {
    let plan = Plan::check(parts()).unwrap();
    let base = lock(&plan);
    let other = Digest::of(b"other");
    let mut digests = vec![base.digest()];
    let changes: [fn(&mut Lock, Digest); 7] = [
        |lock, other| lock.engine_profile = other,
        |lock, other| lock.plan = other,
        |lock, other| lock.policy = other,
        |lock, other| {
            lock.steps
                .values_mut()
                .for_each(|pin| pin.component = other)
        },
        |lock, other| lock.steps.values_mut().for_each(|pin| pin.contract = other),
        |lock, other| {
            lock.gates
                .values_mut()
                .for_each(|pin| pin.component = other)
        },
        |lock, other| {
            lock.gates
                .values_mut()
                .for_each(|pin| pin.codex = Some(other))
        },
    ];
    for change in changes {
        let mut changed = base.clone();
        change(&mut changed, other);
        assert!(!digests.contains(&changed.digest()));
        digests.push(changed.digest());
    }
    let value: serde_json::Value = serde_json::from_slice(&base.to_json()).unwrap();
    assert_eq!(serde_json::to_vec(&value).unwrap(), base.to_json());
    let pretty = serde_json::to_vec_pretty(&value).unwrap();
    assert!(matches!(
        Lock::from_json(&pretty),
        Err(LockError::Malformed(_))
    ));
    let mut newer = base;
    newer.lock_version = LOCK_VERSION + 1;
    assert_eq!(
        Lock::from_json(&newer.to_json()),
        Err(LockError::Version(LOCK_VERSION + 1))
    );
}

/// Every leaf of `value` with its path, and the document with that leaf changed.
fn changed_leaves(value: &serde_json::Value) -> Vec<(String, serde_json::Value)> {
    let Some(fields) = value.as_object() else {
        let other = match value {
            serde_json::Value::String(text) if text.starts_with("blake3:") => {
                Digest::of(b"other").to_string().into()
            }
            serde_json::Value::String(text) if text.contains('.') => "1.0.1".into(),
            serde_json::Value::String(_) => "other".into(),
            serde_json::Value::Number(number) => (number.as_u64().unwrap() + 1).into(),
            _ => serde_json::json!(["other"]),
        };
        return vec![(String::new(), other)];
    };
    let below = |(name, inner): (&String, &serde_json::Value)| {
        let name = name.clone();
        let leaves = changed_leaves(inner).into_iter();
        let leaves = leaves.map(move |(path, changed)| {
            let mut whole = value.clone();
            whole[&name] = changed;
            let dot = if path.is_empty() { "" } else { "." };
            (format!("{name}{dot}{path}"), whole)
        });
        leaves.collect::<Vec<_>>()
    };
    fields.iter().flat_map(below).collect()
}

/// Control: with `leaves` leaving out one member, every field below it is missed and this fails (seen).
#[test]
fn every_field_of_a_lock_that_drifts_is_named_with_both_values_and_no_other() {
    let plan = Plan::check(parts()).unwrap();
    let pinned = lock(&plan);
    assert_eq!(pinned.check_present(&pinned), Ok(()));
    let value: serde_json::Value = serde_json::from_slice(&pinned.to_json()).unwrap();
    let mut tried = 0;
    for (field, changed) in changed_leaves(&value) {
        let Ok(present) = serde_json::from_value::<Lock>(changed) else {
            // A word of a closed list that has no other spelling here.
            assert!(field.ends_with("language"), "{field}");
            continue;
        };
        let Err(LockError::Drift(found)) = pinned.check_present(&present) else {
            panic!("`{field}` drifted unnoticed");
        };
        let [one] = found.as_slice() else {
            panic!("{field}: {found:?}");
        };
        assert_eq!(one.field, field);
        assert_ne!(one.pinned, one.present);
        tried += 1;
    }
    assert!(tried > 30, "{tried}");
    let mut short = pinned.clone();
    short.steps.remove(&name("b"));
    let Err(LockError::Drift(found)) = pinned.check_present(&short) else {
        panic!("a step is gone unnoticed");
    };
    assert!(
        found
            .iter()
            .all(|one| one.field.starts_with("steps.b.") && one.present.is_none())
    );
    let error = pinned.check_present(&short).unwrap_err();
    assert_eq!(error.code(), "ACL-E060");
    assert!(error.help().contains("--lock"));
}
