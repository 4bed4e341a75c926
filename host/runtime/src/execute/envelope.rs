//! What a node is given: the run's inputs, what its requirements released, or what was made of their candidates.
//!
//! INVARIANT: an envelope depends on released outputs only, never on when they came.

use std::collections::BTreeMap;

use aim_core::{
    envelope::{Emission, Envelope},
    id::{EnvelopeId, SpanId},
    join::{Consumer, Delivery, Input, chosen, join, root},
    name::StepName,
    outcome::{Abstention, Fault, Outcome},
    plan::{InputSource, Node, Source, SourceKind, Step},
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
            steps: self.plan.steps(),
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
    pub(crate) steps: &'a [Step],
    pub(crate) nodes: &'a [Node],
    pub(crate) outputs: &'a O,
}

impl<O: Outputs> Sources<'_, O> {
    /// What a node is given.
    pub(crate) fn given(&self, node: &Node) -> Given {
        let consumer = Consumer {
            run: self.facts.run,
            correlation: self.facts.correlation,
            path: node.path.as_str(),
        };
        let named = self.named(node);
        if node.sources.is_empty() {
            return Given {
                envelope: self.at_root(consumer, &named),
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
        let mut released = node.sources.iter().flat_map(|source| self.released(source));
        Given {
            envelope: join(consumer, &deliveries, &named),
            parent_span: released.next().map(|(_, one)| one.span),
            stop,
        }
    }

    /// The inputs of the run that the node's step names, by the names that it gives them.
    fn named(&self, node: &Node) -> BTreeMap<StepName, Input> {
        let inputs = self.steps.get(node.step).map(|step| step.inputs.iter());
        let given = self.inputs.by_name();
        let named = inputs.into_iter().flatten().filter_map(|(name, source)| {
            let InputSource::Run(input) = source else {
                return None;
            };
            Some((name.clone(), given.get(input)?.clone()))
        });
        named.collect()
    }

    /// What a step without requirements is given: all inputs, or those that it names.
    fn at_root(&self, consumer: Consumer<'_>, named: &BTreeMap<StepName, Input>) -> Envelope {
        if !named.is_empty() {
            return chosen(consumer, named);
        }
        let facts = self.facts;
        let inputs = self.inputs.by_name();
        root(facts.run, facts.tenant.as_str(), &facts.actor, inputs)
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
