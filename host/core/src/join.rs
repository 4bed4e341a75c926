//! What a step is given: the envelope made from what its predecessors released, or from the run's inputs.
//!
//! A step gets exactly one envelope. With one requirement that released one emission, the envelope is that emission. In every
//! other case the body is a JSON object keyed by step, in the order of the requirements, and the artifacts of all emissions
//! stand in that same order. A step without requirements gets the root envelope: a JSON object keyed by input. A step that
//! names inputs of the run gets those and no others, beside what it requires, by the names that it gives them.
//!
//! INVARIANT: equal releases give byte-equal envelopes; nothing here depends on when a predecessor ended.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

use serde::{Serialize, de::IgnoredAny};

use crate::{
    digest::{Digest, encode_hex},
    envelope::{ArtifactRef, Emission, Envelope},
    id::{EnvelopeId, RunId},
    name::StepName,
};

/// Media type of a joined or root body.
pub const JOIN_MEDIA_TYPE: &str = "application/json";
/// Media type of a folder input: a manifest of files by digest.
pub const FOLDER_MEDIA_TYPE: &str = "application/vnd.aim.folder+json";
/// Operation of the root envelope.
pub const ROOT_OPERATION: &str = "run";
/// Inputs up to this size stand in the root body themselves; larger ones are read as artifacts.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;

/// What one predecessor released.
#[derive(Debug, Clone)]
pub struct Delivery<'a> {
    /// The predecessor, for the key in a joined body.
    pub step: &'a StepName,
    /// Where its node stands: what the ids of its emissions are derived from.
    pub path: &'a str,
    /// The envelope it handled.
    pub handled: EnvelopeId,
    /// What it released; empty when it did not complete and is required optionally.
    pub emissions: &'a [Emission],
}

/// Which run and step an envelope is made for.
#[derive(Debug, Clone, Copy)]
pub struct Consumer<'a> {
    /// The run.
    pub run: RunId,
    /// The root envelope's id.
    pub correlation: EnvelopeId,
    /// Where the node stands that is given the envelope.
    pub path: &'a str,
}

/// Makes the envelope of a step with requirements; `inputs` are those of the run that it names.
#[must_use]
pub fn join(
    consumer: Consumer<'_>,
    deliveries: &[Delivery<'_>],
    inputs: &BTreeMap<StepName, Input>,
) -> Envelope {
    if let [
        Delivery {
            path,
            handled,
            emissions: [emission],
            ..
        },
    ] = deliveries
        && inputs.is_empty()
    {
        return Envelope {
            id: EnvelopeId::emitted(consumer.run, path, 0),
            correlation: consumer.correlation,
            causation: Some(*handled),
            operation: emission.operation.clone(),
            media_type: emission.media_type.clone(),
            artifacts: emission.artifacts.clone(),
            body: emission.body.clone(),
        };
    }
    let emissions = deliveries.iter().flat_map(|delivery| delivery.emissions);
    let mut artifacts: Vec<ArtifactRef> = emissions
        .flat_map(|emission| emission.artifacts.iter().cloned())
        .collect();
    let mut body: Vec<(&StepName, Vec<u8>)> = deliveries
        .iter()
        .map(|delivery| (delivery.step, emissions_json(delivery.emissions)))
        .collect();
    body.extend(input_fields(inputs, artifacts.len()));
    artifacts.extend(input_artifacts(inputs));
    let mut path = consumer.path.to_string();
    path.push_str("#join");
    Envelope {
        id: EnvelopeId::emitted(consumer.run, &path, 0),
        correlation: consumer.correlation,
        causation: deliveries.first().map(|delivery| delivery.handled),
        operation: "join".to_string(),
        media_type: JOIN_MEDIA_TYPE.to_string(),
        artifacts,
        body: ordered_object(&body),
    }
}

/// Makes the envelope of a step without requirements that names inputs of the run.
#[must_use]
pub fn chosen(consumer: Consumer<'_>, inputs: &BTreeMap<StepName, Input>) -> Envelope {
    let mut path = consumer.path.to_string();
    path.push_str("#inputs");
    Envelope {
        id: EnvelopeId::emitted(consumer.run, &path, 0),
        correlation: consumer.correlation,
        ..of_inputs(consumer.correlation, inputs)
    }
}

/// `null` for nothing, the JSON of the only emission, or a list of them.
///
/// Bytes are put together as they are, never through a map, whose order depends on how a build is configured.
fn emissions_json(emissions: &[Emission]) -> Vec<u8> {
    match emissions {
        [] => b"null".to_vec(),
        [only] => body_json(&only.media_type, &only.body),
        many => {
            let bodies: Vec<Vec<u8>> = many
                .iter()
                .map(|one| body_json(&one.media_type, &one.body))
                .collect();
            let mut out = b"[".to_vec();
            out.extend(bodies.join(&b','));
            out.push(b']');
            out
        }
    }
}

/// JSON byte for byte, other text as a string, anything else as an object with its hex.
fn body_json(media_type: &str, body: &[u8]) -> Vec<u8> {
    if is_json(media_type) && serde_json::from_slice::<IgnoredAny>(body).is_ok() {
        return body.trim_ascii().to_vec();
    }
    // Strings and a struct of strings always serialise.
    match core::str::from_utf8(body) {
        Ok(text) => serde_json::to_vec(text),
        Err(_) => serde_json::to_vec(&OpaqueBody {
            hex: &encode_hex(body),
            media_type,
        }),
    }
    .unwrap_or_default()
}

#[derive(Serialize)]
struct OpaqueBody<'a> {
    hex: &'a str,
    media_type: &'a str,
}

/// True for `application/json` and the `+json` types, parameters ignored.
#[must_use]
pub fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json") || essence.ends_with("+json")
}

/// Writes an object in the given order; the values are JSON already.
fn ordered_object(fields: &[(&StepName, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::from(*b"{");
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        // A name always serialises.
        out.extend(serde_json::to_vec(name).unwrap_or_default());
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.push(b'}');
    out
}

/// One named input of a run, as the root envelope shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The bytes by digest; a folder's manifest.
    pub artifact: ArtifactRef,
    /// The content, where it is text of at most [`INLINE_BYTES_MAX`] and not a folder.
    pub inline: Option<String>,
}

/// Makes the root envelope: the run's inputs by name, and their artifacts in name order.
#[must_use]
pub fn root(run: RunId, tenant: &str, actor: &str, inputs: &BTreeMap<StepName, Input>) -> Envelope {
    let id = EnvelopeId::ingress(tenant, actor, "run", &run.to_string());
    of_inputs(id, inputs)
}

fn of_inputs(id: EnvelopeId, inputs: &BTreeMap<StepName, Input>) -> Envelope {
    let fields: Vec<(&StepName, Vec<u8>)> = input_fields(inputs, 0).collect();
    Envelope {
        id,
        correlation: id,
        causation: None,
        operation: ROOT_OPERATION.to_string(),
        media_type: JOIN_MEDIA_TYPE.to_string(),
        artifacts: input_artifacts(inputs).collect(),
        body: ordered_object(&fields),
    }
}

fn input_artifacts(inputs: &BTreeMap<StepName, Input>) -> impl Iterator<Item = ArtifactRef> {
    inputs.values().map(|input| input.artifact.clone())
}

/// The body's member of each input, whose artifacts stand behind `before` others.
fn input_fields(
    inputs: &BTreeMap<StepName, Input>,
    before: usize,
) -> impl Iterator<Item = (&StepName, Vec<u8>)> {
    let numbered = inputs.iter().zip(before..);
    numbered.map(|((name, input), index)| (name, root_field(index, input)))
}

/// What the root body says about one input.
#[derive(Serialize)]
struct RootField<'a> {
    artifact: usize,
    media_type: &'a str,
    size_bytes: u64,
}

fn root_field(index: usize, input: &Input) -> Vec<u8> {
    let media_type = input.artifact.media_type.as_str();
    let field = RootField {
        artifact: index,
        media_type,
        size_bytes: input.artifact.size_bytes,
    };
    // A struct of a string and numbers always serialises.
    let mut out = serde_json::to_vec(&field).unwrap_or_default();
    if let Some(text) = &input.inline {
        out.pop();
        out.extend_from_slice(b",\"value\":");
        out.extend(body_json(media_type, text.as_bytes()));
        out.push(b'}');
    }
    out
}

/// Digest over the named inputs of a run.
#[must_use]
pub fn inputs_digest(inputs: &BTreeMap<StepName, Input>) -> Digest {
    let parts: Vec<&[u8]> = inputs
        .iter()
        .flat_map(|(name, input)| {
            [
                name.as_str().as_bytes(),
                input.artifact.media_type.as_bytes(),
                input.artifact.digest.as_bytes(),
            ]
        })
        .collect();
    Digest::derive("inputs", &parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{envelope::Target, id::RunPins};
    use alloc::vec;

    fn run() -> RunId {
        let digest = Digest::of(b"x");
        RunId::of(&RunPins {
            plan: digest,
            lock: digest,
            inputs: digest,
            tenant: "t",
            seed: 0,
        })
    }

    fn emission(media_type: &str, body: &[u8]) -> Emission {
        Emission {
            target: Target::Next,
            operation: "said".to_string(),
            media_type: media_type.to_string(),
            artifacts: vec![ArtifactRef {
                digest: Digest::of(body),
                media_type: media_type.to_string(),
                size_bytes: body.len() as u64,
            }],
            body: body.to_vec(),
        }
    }

    fn consumer() -> Consumer<'static> {
        Consumer {
            run: run(),
            correlation: EnvelopeId::ingress("t", "a", "s", "1"),
            path: "sink",
        }
    }

    fn joined(deliveries: &[Delivery<'_>]) -> Envelope {
        join(consumer(), deliveries, &BTreeMap::new())
    }

    fn inputs(values: &[(&str, &str)]) -> BTreeMap<StepName, Input> {
        let inputs = values.iter().map(|(name, text)| {
            let artifact = emission("text/plain", text.as_bytes()).artifacts.remove(0);
            let inline = Some((*text).to_string());
            (StepName::parse(name).unwrap(), Input { artifact, inline })
        });
        inputs.collect()
    }

    #[test]
    fn inputs_of_the_run_that_a_step_names_stand_behind_what_it_requires() {
        let handled = EnvelopeId::ingress("t", "a", "s", "2");
        let step = StepName::parse("a").unwrap();
        let emissions = [emission("text/plain", b"hello")];
        let delivery = Delivery {
            step: &step,
            path: step.as_str(),
            handled,
            emissions: &emissions,
        };
        let named = inputs(&[("note", "hi")]);
        let envelope = join(consumer(), &[delivery], &named);
        let expected = r#"{"a":"hello","note":{"artifact":1,"media_type":"text/plain","size_bytes":2,"value":"hi"}}"#;
        assert_eq!(core::str::from_utf8(&envelope.body).unwrap(), expected);
        let digests: Vec<Digest> = envelope.artifacts.iter().map(|one| one.digest).collect();
        assert_eq!(digests, [Digest::of(b"hello"), Digest::of(b"hi")]);
    }

    #[test]
    fn a_step_that_names_inputs_has_an_envelope_of_its_own() {
        let (all, some) = (inputs(&[("a", "1"), ("b", "2")]), inputs(&[("b", "2")]));
        let (root, chosen) = (root(run(), "t", "a", &all), chosen(consumer(), &some));
        assert_eq!((chosen.artifacts.len(), root.artifacts.len()), (1, 2));
        assert_ne!(chosen.id, root.id);
        assert_eq!(chosen.correlation, consumer().correlation);
    }

    #[test]
    fn a_single_emission_is_passed_on_as_it_is() {
        let handled = EnvelopeId::ingress("t", "a", "s", "2");
        let step = StepName::parse("a").unwrap();
        let emissions = [emission("text/plain", b"hello")];
        let envelope = joined(&[Delivery {
            step: &step,
            path: step.as_str(),
            handled,
            emissions: &emissions,
        }]);
        assert_eq!(envelope.body, b"hello");
        assert_eq!(envelope.operation, "said");
        assert_eq!(envelope.causation, Some(handled));
    }

    #[test]
    fn several_requirements_are_keyed_by_step_in_their_order() {
        let handled = EnvelopeId::ingress("t", "a", "s", "2");
        let [z, a, gone] = ["z", "a", "gone"].map(|name| StepName::parse(name).unwrap());
        let (json, text) = (
            [emission("application/json", b"{\"k\":1,\"a\": 2}\n")],
            [emission("text/plain", b"hi")],
        );
        let envelope = joined(&[
            Delivery {
                step: &z,
                path: z.as_str(),
                handled,
                emissions: &json,
            },
            Delivery {
                step: &a,
                path: a.as_str(),
                handled,
                emissions: &text,
            },
            Delivery {
                step: &gone,
                path: gone.as_str(),
                handled,
                emissions: &[],
            },
        ]);
        let body = core::str::from_utf8(&envelope.body).unwrap();
        assert_eq!(body, r#"{"z":{"k":1,"a": 2},"a":"hi","gone":null}"#);
        let digests: Vec<Digest> = envelope.artifacts.iter().map(|one| one.digest).collect();
        assert_eq!(
            digests,
            [Digest::of(b"{\"k\":1,\"a\": 2}\n"), Digest::of(b"hi")]
        );
    }

    #[test]
    fn the_root_envelope_names_every_input() {
        let input = |text: &str| Input {
            artifact: ArtifactRef {
                digest: Digest::of(text.as_bytes()),
                media_type: "text/plain".to_string(),
                size_bytes: text.len() as u64,
            },
            inline: Some(text.to_string()),
        };
        let inputs = BTreeMap::from([(StepName::parse("who").unwrap(), input("world"))]);
        let envelope = root(run(), "t", "a", &inputs);
        let expected =
            r#"{"who":{"artifact":0,"media_type":"text/plain","size_bytes":5,"value":"world"}}"#;
        assert_eq!(core::str::from_utf8(&envelope.body).unwrap(), expected);
        assert_eq!(envelope.correlation, envelope.id);
        let other = BTreeMap::from([(StepName::parse("who").unwrap(), input("mars"))]);
        assert_ne!(inputs_digest(&inputs), inputs_digest(&other));
    }
}
