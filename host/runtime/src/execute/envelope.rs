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
use crate::{attempt::RunFacts, inputs::Inputs, resume::ReleasedStep};

/// What a node is given, or why it can not be.
pub(crate) struct Given {
    pub(crate) envelope: Envelope,
    pub(crate) parent_span: Option<SpanId>,
    /// The attempt ends before anything is asked.
    pub(crate) stop: Option<(Outcome, Fault)>,
}

/// One source, resolved.
struct Part {
    path: String,
    handled: EnvelopeId,
    emissions: Vec<Emission>,
}

/// What nodes have released, live or read back.
pub(crate) trait Outputs {
    /// What a node has released; a standby step's output counts as the output of the node that it stood in for.
    fn released(&self, node: usize) -> Option<&ReleasedStep>;

    /// The node whose output is a flow's.
    fn flow_end(&self, flow: usize) -> Option<usize>;
}

impl Outputs for Execution {
    fn released(&self, node: usize) -> Option<&ReleasedStep> {
        self.slots.get(node)?.released.as_ref()
    }

    fn flow_end(&self, flow: usize) -> Option<usize> {
        self.flow_ends.get(flow).copied().flatten()
    }
}

impl Execution {
    pub(super) fn given(&self, node: &Node) -> Given {
        let step = self.plan.steps().get(node.step);
        if let Some(probe) = step.and_then(|step| step.probe.as_ref()) {
            return self.observed(node, probe);
        }
        let sources = Sources {
            facts: &self.facts,
            inputs: &self.inputs,
            nodes: &self.nodes,
            outputs: self,
        };
        sources.given(node)
    }
}

/// Everything that envelopes are made from.
pub(crate) struct Sources<'a, O> {
    pub(crate) facts: &'a RunFacts,
    pub(crate) inputs: &'a Inputs,
    pub(crate) nodes: &'a [Node],
    pub(crate) outputs: &'a O,
}

impl<O: Outputs> Sources<'_, O> {
    /// What a node is given.
    pub(crate) fn given(&self, node: &Node) -> Given {
        let facts = self.facts;
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
    fn released<'b>(
        &'b self,
        source: &'b Source,
    ) -> impl Iterator<Item = (usize, &'b ReleasedStep)> {
        let of_flow = match source.kind {
            SourceKind::Flow(flow) => Some(self.outputs.flow_end(flow)),
            _ => None,
        };
        (source.nodes.iter())
            .filter(move |node| of_flow.is_none_or(|end| end == Some(**node)))
            .filter_map(|node| Some((*node, self.outputs.released(*node)?)))
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
