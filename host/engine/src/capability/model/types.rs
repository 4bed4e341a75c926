//! The types of `aim:model/complete`.
//!
//! INVARIANT: shapes are checked against the component when it is loaded.

use aim_core::transcript::Fields;
use wasmtime::component::{ComponentType, Lift, Lower};

use crate::wit::ArtifactRef;

/// `aim:model/complete.speaker`.
#[derive(ComponentType, Lift, Debug, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "lifting makes the cases by their number")]
pub(super) enum Speaker {
    #[component(name = "system")]
    System,
    #[component(name = "user")]
    User,
    #[component(name = "assistant")]
    Assistant,
    #[component(name = "tool")]
    Tool,
}

/// `aim:model/complete.part`.
#[derive(ComponentType, Lift, Debug, Clone)]
#[component(variant)]
pub(super) enum Part {
    #[component(name = "text")]
    Text(String),
    #[component(name = "artifact")]
    Artifact(ArtifactRef),
}

/// `aim:model/complete.message`.
#[derive(ComponentType, Lift, Debug, Clone)]
#[component(record)]
pub(super) struct Message {
    pub(super) speaker: Speaker,
    pub(super) parts: Vec<Part>,
}

/// `aim:model/complete.request`.
#[derive(ComponentType, Lift, Debug, Clone)]
#[component(record)]
pub(super) struct Request {
    pub(super) layer: String,
    pub(super) task: String,
    pub(super) messages: Vec<Message>,
    #[component(name = "output-tokens-max")]
    pub(super) output_tokens_max: u32,
    #[component(name = "temperature-milli")]
    pub(super) temperature_milli: u32,
    #[component(name = "output-schema")]
    pub(super) output_schema: Option<String>,
}

/// `aim:model/complete.stop-reason`.
#[derive(ComponentType, Lower, Debug, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "no completion is ever made")]
pub(super) enum StopReason {
    #[component(name = "finished")]
    Finished,
    #[component(name = "length")]
    Length,
    #[component(name = "refused")]
    Refused,
}

/// `aim:model/complete.completion`.
#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Completion {
    pub(super) text: String,
    pub(super) stopped: StopReason,
    #[component(name = "model-id")]
    pub(super) model_id: String,
    #[component(name = "input-tokens")]
    pub(super) input_tokens: u32,
    #[component(name = "output-tokens")]
    pub(super) output_tokens: u32,
    #[component(name = "selection-reason")]
    pub(super) selection_reason: String,
    pub(super) transcript: String,
}

impl Request {
    /// Bytes that the guest brings.
    pub(super) fn bytes(&self) -> usize {
        let schema = self.output_schema.as_ref().map_or(0, String::len);
        let parts = self.messages.iter().flat_map(|message| &message.parts);
        let parts = parts.map(|part| match part {
            Part::Text(text) => text.len(),
            Part::Artifact(artifact) => artifact.digest.len() + artifact.media_type.len(),
        });
        parts.fold(
            self.layer.len() + self.task.len() + schema,
            usize::saturating_add,
        )
    }

    /// Everything, for the digest.
    pub(super) fn fields(&self) -> Fields {
        let mut fields = Fields::new()
            .text(&self.layer)
            .text(&self.task)
            .number(u64::from(self.output_tokens_max))
            .number(u64::from(self.temperature_milli))
            .option(self.output_schema.as_deref());
        for message in &self.messages {
            fields = fields.text(&format!("{:?}", message.speaker));
            for part in &message.parts {
                fields = match part {
                    Part::Text(text) => fields.text(text),
                    Part::Artifact(artifact) => fields.text(&artifact.digest),
                };
            }
        }
        fields
    }
}
