//! Adds the text of the cited lines as they are: the step that the gate must stop.
//! INVARIANT: it differs from `redact` in one word.
#![forbid(unsafe_code)]

use aim_sdk::serde_json::{self, Map, Value};
use aim_sdk::{ArtifactRef, Emission, Envelope, Step, StepError, artifact, json};
use triage_method::agree::{Conclusion, locate};
use triage_method::evidence::{Credentials, quote};
use triage_method::record::{MEDIA_TYPE, RAW_MEDIA_TYPE};

/// The step whose output is quoted from.
const CONCLUSION: &str = "verify";

struct Quote;

impl Step for Quote {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let mut body: Map<String, Value> = json::read(&envelope)?;
        let conclusion: Conclusion =
            serde_json::from_value(body.remove(CONCLUSION).unwrap_or_default())?;
        let (records, raw) = (
            input(&envelope, MEDIA_TYPE)?,
            input(&envelope, RAW_MEDIA_TYPE)?,
        );
        let records = String::from_utf8(artifact::read_all(records)?)
            .map_err(|_| StepError::invalid_input("the records are no text"))?;
        let lines = locate(&conclusion.cited, &records)
            .map_err(|error| StepError::permanent("TRIAGE-P001", error.to_string()))?;
        let evidence = quote(
            conclusion,
            &lines,
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

fn input<'a>(envelope: &'a Envelope, media_type: &str) -> Result<&'a ArtifactRef, StepError> {
    let found = envelope
        .artifacts
        .iter()
        .find(|artifact| artifact.media_type == media_type);
    found.ok_or_else(|| {
        StepError::invalid_input(format!("there is no {media_type} among the artifacts"))
    })
}

aim_sdk::export_step!(Quote, arena: 8 * aim_sdk::MIB);
