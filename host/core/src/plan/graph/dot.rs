//! A graph for Graphviz.
//!
//! INVARIANT: names are quoted and escaped, so a name can not become syntax.

use alloc::{format, string::String};

use super::{Edge, EdgeKind, Graph, Node, NodeKind};

pub(super) fn write(graph: &Graph<'_>) -> String {
    let mut text = format!(
        "digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n",
        quoted(graph.name)
    );
    let (shards, free) = graph.shards();
    for (index, (name, places)) in shards.iter().enumerate() {
        text.push_str(&format!(
            "  subgraph cluster_{index} {{\n    label={};\n",
            quoted(name)
        ));
        for place in places {
            text.push_str(&format!("    {}", node(graph, *place)));
        }
        text.push_str("  }\n");
    }
    for place in free {
        text.push_str(&format!("  {}", node(graph, place)));
    }
    for edge in &graph.edges {
        text.push_str(&line(graph, edge));
    }
    text.push_str("}\n");
    text
}

fn node(graph: &Graph<'_>, place: usize) -> String {
    let Some(Node {
        name,
        caption,
        kind,
        ..
    }) = graph.nodes.get(place)
    else {
        return String::new();
    };
    let style = match kind {
        NodeKind::Required => "",
        NodeKind::Optional => ", style=rounded",
        NodeKind::Standby => ", style=dashed",
        NodeKind::Probe => ", shape=ellipse, style=dotted",
    };
    let label = quoted(&format!("{name}\n{caption}"));
    format!("{} [label={label}{style}];\n", quoted(name))
}

fn line(graph: &Graph<'_>, edge: &Edge) -> String {
    let name = |place: usize| graph.nodes.get(place).map_or("", |node| node.name);
    let style = match edge.kind {
        EdgeKind::Needs => "",
        EdgeKind::MayUse => "style=dashed",
        EdgeKind::Watches => "style=dotted",
        EdgeKind::FallsBack => "style=dashed, color=gray",
    };
    let label = match edge.label.as_str() {
        "" => String::new(),
        label => format!("label={}", quoted(label)),
    };
    let attributes = [style, label.as_str()];
    let attributes: alloc::vec::Vec<&str> = attributes
        .into_iter()
        .filter(|one| !one.is_empty())
        .collect();
    let attributes = match attributes.as_slice() {
        [] => String::new(),
        some => format!(" [{}]", some.join(", ")),
    };
    let (from, to) = (quoted(name(edge.from)), quoted(name(edge.to)));
    format!("  {from} -> {to}{attributes};\n")
}

/// A quoted string; a line feed becomes the escape that centres a new line.
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}
