//! Reads the records and emits what is worth reasoning about.
//! INVARIANT: templates and numbers go on, never lines.
#![forbid(unsafe_code)]

use aim_sdk::{Emission, Envelope, Step, StepError, artifact, json};
use triage_method::record::MEDIA_TYPE;
use triage_method::select::select;

struct Retrieve;

impl Step for Retrieve {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let records = envelope
            .artifacts
            .iter()
            .find(|artifact| artifact.media_type == MEDIA_TYPE);
        let records = records
            .ok_or_else(|| StepError::invalid_input("there are no records among the artifacts"))?;
        let text = String::from_utf8(artifact::read_all(records)?)
            .map_err(|_| StepError::invalid_input("the records are no text"))?;
        let selection =
            select(&text).map_err(|error| StepError::invalid_input(error.to_string()))?;
        Ok(vec![
            json::emit("selected", &selection)?.with_artifact(records.clone()),
        ])
    }
}

aim_sdk::export_step!(Retrieve, arena: 8 * aim_sdk::MIB);
