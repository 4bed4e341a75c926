//! Adds the text of the cited lines as they are: the step that the gate must stop.
//! INVARIANT: it differs from `redact` in one word.
#![forbid(unsafe_code)]

use aim_sdk::serde_json::{self, Map, Value};
use aim_sdk::{Emission, Envelope, Step, StepError, artifact, json};
use triage_method::agree::Conclusion;
use triage_method::evidence::{Credentials, quote};
use triage_method::record::RAW_MEDIA_TYPE;

/// The step whose output is quoted from.
const CONCLUSION: &str = "verify";

struct Quote;

impl Step for Quote {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let mut body: Map<String, Value> = json::read(&envelope)?;
        let conclusion: Conclusion =
            serde_json::from_value(body.remove(CONCLUSION).unwrap_or_default())?;
        let raw = envelope
            .artifacts
            .iter()
            .find(|artifact| artifact.media_type == RAW_MEDIA_TYPE);
        let raw = raw.ok_or_else(|| {
            StepError::invalid_input("there are no raw lines among the artifacts")
        })?;
        let evidence = quote(
            conclusion,
            Credentials::Raw,
            |line| Ok(artifact::read(&raw.digest, line.offset, line.length)?),
            |citation| {
                let message = format!(
                    "{}:{} is not the line that is cited",
                    citation.file, citation.line
                );
                StepError::permanent("TRIAGE-P002", message)
            },
        )?;
        Ok(vec![json::emit("quoted", &evidence)?])
    }
}

aim_sdk::export_step!(Quote);
