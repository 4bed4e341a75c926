//! The three pictures of one plan that has everything a picture can show.
//!
//! INVARIANT: what is compared is whole text, so that no part of a picture changes unseen.

use alloc::{string::ToString, vec::Vec};

use super::*;
use crate::plan::{Fanout, PlanParts, Probe, Reduce, ReduceMethod, Role, StepId, Tie};

fn name(text: &str) -> StepName {
    StepName::parse(text).unwrap()
}

fn step(number: u32, text: &str, requires: &[&str]) -> Step {
    let id = StepId::new(number);
    let mut step = Step::new(id, name(text), name("reasoner"), text);
    step.requires = requires.iter().map(|one| Require::on(name(one))).collect();
    step
}

fn plan() -> Plan {
    let mut parts = PlanParts::new(name("end"));
    let kind = name("reasoner");
    let params = BTreeMap::new();
    parts.roles = [(kind.clone(), Role { kind, params })].into();
    parts.shards = [(name("main"), Default::default())].into();
    let mut spread = step(1, "spread", &[]);
    spread.shard = Some(name("main"));
    spread.fanout = Some(Fanout {
        first: 1,
        last: 3,
        options: BTreeMap::new(),
    });
    let mut standby = step(2, "standby", &[]);
    (standby.is_standby, standby.is_required) = (true, false);
    standby.shard = Some(name("main"));
    let mut vote = step(3, "vote", &["spread"]);
    vote.shard = Some(name("main"));
    vote.requires[0].reduce = Some(Reduce {
        method: ReduceMethod::Vote,
        quorum: None,
        tie: Tie::First,
    });
    vote.fallback = Some(name("standby"));
    let mut probe = step(4, "watch", &["vote"]);
    probe.shard = Some(name("main"));
    probe.is_required = false;
    probe.probe = Some(Probe {
        id: "probe.vif.chain_complete".to_string(),
        observes: [name("vote")].into(),
    });
    parts.steps = Vec::from([spread, standby, vote, probe]);
    Plan::check(parts).unwrap()
}

#[test]
fn dot_quotes_every_name_and_draws_every_kind() {
    let expected = r#"digraph "end" {
  rankdir=LR;
  node [shape=box];
  subgraph cluster_0 {
    label="main";
    "spread" [label="spread\nreasoner ×3"];
    "standby" [label="standby\nreasoner", style=dashed];
    "vote" [label="vote\nreasoner"];
    "watch" [label="watch\nreasoner", shape=ellipse, style=dotted];
  }
  "spread" -> "vote" [label="vote"];
  "vote" -> "standby" [style=dashed, color=gray, label="fallback"];
  "vote" -> "watch" [style=dotted];
}
"#;
    assert_eq!(Graph::of(&plan()).to_dot(), expected);
}

#[test]
fn mermaid_never_uses_a_name_as_syntax() {
    let expected = r#"flowchart LR
  subgraph shard0["main"]
    n0["spread<br/>reasoner ×3"]
    n1[/"standby<br/>reasoner"/]
    n2["vote<br/>reasoner"]
    n3(["watch<br/>reasoner"])
  end
  n0 -->|vote| n2
  n2 -.->|fallback| n1
  n2 -.-> n3
"#;
    assert_eq!(Graph::of(&plan()).to_mermaid(), expected);
}

#[test]
fn svg_puts_later_steps_into_later_columns_and_fetches_nothing() {
    let plan = plan();
    let svg = Graph::of(&plan).to_svg();
    let x = |step: &str| -> usize {
        let text = svg
            .lines()
            .find(|line| line.starts_with("<rect") && line.contains(&format!(">{step}</text>")));
        let (_, x) = text.unwrap().split_once(" x=\"").unwrap();
        x.split('"').next().unwrap().parse().unwrap()
    };
    assert!(x("spread") < x("vote") && x("vote") < x("watch"));
    assert_eq!(x("vote"), x("standby"), "below the step that it stands by");
    assert_eq!(svg.matches("<rect").count(), 4);
    assert_eq!(svg.matches("marker-end").count(), 3);
    assert!(!svg.contains("href") && !svg.contains("<script"));
    let links: Vec<&str> = svg.match_indices("http").map(|(_, found)| found).collect();
    assert_eq!(links.len(), 1, "the name space and nothing else");
}
