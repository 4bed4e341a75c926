//! A graph as SVG: a column for each distance from the start, boxes one below the other in plan order.
//!
//! Sizes are in pixels. Text is measured by its number of characters, which a fixed-width font makes exact.
//!
//! INVARIANT: every name is escaped as XML text; nothing in the picture refers to anything outside of it.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use super::{EdgeKind, Graph, Node, NodeKind};

const MARGIN: usize = 24;
const BOX_HEIGHT: usize = 44;
const ROW_GAP: usize = 26;
const COLUMN_GAP: usize = 72;
const CHARACTER_WIDTH: usize = 8;
const BOX_PADDING: usize = 24;
const STYLE: &str = "text{font:13px monospace;text-anchor:middle;fill:#1b1f24}\
.c{font-size:11px;fill:#57606a}.e{font-size:10px;fill:#57606a}\
rect{fill:#f6f8fa;stroke:#57606a}.optional{rx:12}.standby{stroke-dasharray:6 4}.probe{rx:22;stroke-dasharray:2 3}\
path{fill:none;stroke:#57606a}.may,.falls{stroke-dasharray:6 4}.watches{stroke-dasharray:2 3}";

/// Where a box stands.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    x: usize,
    y: usize,
    width: usize,
}

pub(super) fn write(graph: &Graph<'_>) -> String {
    let places = lay_out(&graph.nodes);
    let right = places.iter().map(|place| place.x + place.width).max();
    let bottom = places.iter().map(|place| place.y + BOX_HEIGHT).max();
    let (width, height) = (
        right.unwrap_or_default() + MARGIN,
        bottom.unwrap_or_default() + MARGIN,
    );
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n\
         <marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8\"/></marker>\n",
        escaped(graph.name)
    );
    for edge in &graph.edges {
        if let (Some(from), Some(to)) = (places.get(edge.from), places.get(edge.to)) {
            text.push_str(&line(*from, *to, edge.kind, &edge.label));
        }
    }
    for (node, place) in graph.nodes.iter().zip(&places) {
        text.push_str(&boxed(node, *place));
    }
    text.push_str("</svg>\n");
    text
}

/// Columns as wide as their widest box, one after the other.
fn lay_out(nodes: &[Node<'_>]) -> Vec<Place> {
    let width = |node: &Node<'_>| {
        let characters = node.name.chars().count().max(node.caption.chars().count());
        characters * CHARACTER_WIDTH + BOX_PADDING
    };
    let mut widths: BTreeMap<usize, usize> = BTreeMap::new();
    for node in nodes {
        let widest = widths.entry(node.column).or_default();
        *widest = (*widest).max(width(node));
    }
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    let place = |node: &Node<'_>| {
        let before = widths.range(..node.column);
        let x: usize = MARGIN + before.map(|(_, width)| width + COLUMN_GAP).sum::<usize>();
        let row = rows.entry(node.column).or_default();
        let y = MARGIN + *row * (BOX_HEIGHT + ROW_GAP);
        *row += 1;
        let width = widths.get(&node.column).copied().unwrap_or_default();
        Place { x, y, width }
    };
    nodes.iter().map(place).collect()
}

fn boxed(node: &Node<'_>, at: Place) -> String {
    let class = match node.kind {
        NodeKind::Required => "required",
        NodeKind::Optional => "optional",
        NodeKind::Standby => "standby",
        NodeKind::Probe => "probe",
    };
    let Place { x, y, width } = at;
    let middle = x + width / 2;
    format!(
        "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX_HEIGHT}\"/>\
         <text x=\"{middle}\" y=\"{}\">{}</text><text class=\"c\" x=\"{middle}\" y=\"{}\">{}</text>\n",
        y + 18,
        escaped(node.name),
        y + 35,
        escaped(&node.caption)
    )
}

/// A curve from the right side of one box to the left side of another; within a column, from below to above.
fn line(from: Place, to: Place, kind: EdgeKind, label: &str) -> String {
    let class = match kind {
        EdgeKind::Needs => "needs",
        EdgeKind::MayUse => "may",
        EdgeKind::Watches => "watches",
        EdgeKind::FallsBack => "falls",
    };
    let (x1, y1) = (from.x + from.width, from.y + BOX_HEIGHT / 2);
    let (x2, y2) = (to.x, to.y + BOX_HEIGHT / 2);
    let middle = usize::midpoint(x1, x2);
    let curve = format!("M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}");
    let label = match label {
        "" => String::new(),
        label => format!(
            "<text class=\"e\" x=\"{middle}\" y=\"{}\">{}</text>",
            usize::midpoint(y1, y2).saturating_sub(4),
            escaped(label)
        ),
    };
    format!("<path class=\"{class}\" d=\"{curve}\" marker-end=\"url(#a)\"/>{label}\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
