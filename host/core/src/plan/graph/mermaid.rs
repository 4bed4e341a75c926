//! A graph as a Mermaid flowchart.
//!
//! INVARIANT: boxes are called by their place and names stand in quotes, so a name such as `end` can not become syntax.

use alloc::{format, string::String};

use super::{EdgeKind, Graph, NodeKind};

pub(super) fn write(graph: &Graph<'_>) -> String {
    let mut text = String::from("flowchart LR\n");
    let (shards, free) = graph.shards();
    for (index, (name, places)) in shards.iter().enumerate() {
        text.push_str(&format!("  subgraph shard{index}[\"{}\"]\n", escaped(name)));
        for place in places {
            text.push_str(&format!("    {}", node(graph, *place)));
        }
        text.push_str("  end\n");
    }
    for place in free {
        text.push_str(&format!("  {}", node(graph, place)));
    }
    for edge in &graph.edges {
        let arrow = match edge.kind {
            EdgeKind::Needs => "-->",
            EdgeKind::MayUse | EdgeKind::Watches | EdgeKind::FallsBack => "-.->",
        };
        let label = match edge.label.as_str() {
            "" => String::new(),
            label => format!("|{}|", escaped(label)),
        };
        text.push_str(&format!("  n{} {arrow}{label} n{}\n", edge.from, edge.to));
    }
    text
}

fn node(graph: &Graph<'_>, place: usize) -> String {
    let Some(node) = graph.nodes.get(place) else {
        return String::new();
    };
    let (open, close) = match node.kind {
        NodeKind::Required => ("[", "]"),
        NodeKind::Optional => ("(", ")"),
        NodeKind::Standby => ("[/", "/]"),
        NodeKind::Probe => ("([", "])"),
    };
    let (name, caption) = (escaped(node.name), escaped(&node.caption));
    format!("n{place}{open}\"{name}<br/>{caption}\"{close}\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
