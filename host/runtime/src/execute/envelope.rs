//! What a node is given: the run's inputs, what its requirements released, or what was made of their candidates.
//!
//! INVARIANT: an envelope depends on released outputs only, never on when they came.

use aim_core::{
    envelope::{Emission, Envelope},
    id::{EnvelopeId, SpanId},
    join::{Consumer, Delivery, join, root},
    outcome::{Abstention, Fault, Outcome},
    plan::{Node, Source, SourceKind},
    reduce::reduce,
};

use super::Execution;
use crate::resume::ReleasedStep;

/// What a node is given, or why it can not be.
pub(super) struct Given {
    pub(super) envelope: Envelope,
    pub(super) parent_span: Option<SpanId>,
    /// The attempt ends before anything is asked.
    pub(super) stop: Option<(Outcome, Fault)>,
}

/// One source, resolved.
struct Part {
    path: String,
    handled: EnvelopeId,
    emissions: Vec<Emission>,
}

impl Execution {
    pub(super) fn given(&self, node: &Node) -> Given {
        let facts = &self.facts;
        if node.sources.is_empty() {
            let tenant = facts.tenant.as_str();
            return Given {
                envelope: root(facts.run, tenant, &facts.actor, self.inputs.by_name()),
                parent_span: None,
                stop: None,
            };
        }
        let mut stop = None;
        let mut parts = Vec::with_capacity(node.sources.len());
        for source in &node.sources {
            parts.push(self.part(node, source).unwrap_or_else(|fault| {
                stop = Some((Outcome::Abstained(Abstention::Evidence), fault));
                self.nothing()
            }));
        }
        let deliveries: Vec<Delivery<'_>> = (node.sources.iter().zip(&parts))
            .map(|(source, part)| Delivery {
                step: &source.step,
                path: &part.path,
                handled: part.handled,
                emissions: &part.emissions,
            })
            .collect();
        let consumer = Consumer {
            run: facts.run,
            correlation: facts.correlation,
            path: node.path.as_str(),
        };
        let mut released = node.sources.iter().flat_map(|source| self.released(source));
        Given {
            envelope: join(consumer, &deliveries),
            parent_span: released.next().map(|(_, one)| one.span),
            stop,
        }
    }

    fn nothing(&self) -> Part {
        Part {
            path: String::new(),
            handled: self.facts.correlation,
            emissions: Vec::new(),
        }
    }

    /// What the nodes of a source have released, in their order.
    fn released<'a>(
        &'a self,
        source: &'a Source,
    ) -> impl Iterator<Item = (usize, &'a ReleasedStep)> {
        let of_flow = match source.kind {
            SourceKind::Flow(flow) => Some(self.flow_ends.get(flow).copied().flatten()),
            _ => None,
        };
        (source.nodes.iter())
            .filter(move |node| of_flow.is_none_or(|end| end == Some(**node)))
            .filter_map(|node| Some((*node, self.slots.get(*node)?.released.as_ref()?)))
    }

    fn part(&self, node: &Node, source: &Source) -> Result<Part, Fault> {
        let released: Vec<(usize, &ReleasedStep)> = self.released(source).collect();
        let Some((first, one)) = released.first() else {
            return Ok(self.nothing());
        };
        if let SourceKind::Reduced(how) = source.kind {
            let candidates: Vec<&[Emission]> = (released.iter())
                .map(|(_, one)| one.emissions.as_slice())
                .collect();
            let reduced = reduce(how, &candidates).map_err(|error| Fault {
                code: error.code().to_owned(),
                message: format!("reducing `{}`: {error}", source.step),
            })?;
            return Ok(Part {
                path: format!("{}#reduce", node.path),
                handled: one.handled,
                emissions: vec![reduced],
            });
        }
        let path = self.nodes.get(*first).map(|node| node.path.to_string());
        Ok(Part {
            path: path.unwrap_or_default(),
            handled: one.handled,
            emissions: (released.iter())
                .flat_map(|(_, one)| one.emissions.iter().cloned())
                .collect(),
        })
    }
}
