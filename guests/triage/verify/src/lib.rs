//! Concludes what at least two methods agree on, and checks every line that they cite against the records.
//! INVARIANT: without agreement the answer is an abstention, and with a citation that is not borne out a failure.
#![forbid(unsafe_code)]

use aim_sdk::attest::{self, Relation};
use aim_sdk::serde_json::{self, Map, Value};
use aim_sdk::types::Confidence;
use aim_sdk::{Emission, Envelope, Step, StepError, artifact, json};
use triage_method::agree::{agree, citations, locate};
use triage_method::finding::Finding;
use triage_method::record::MEDIA_TYPE;

/// The step whose artifacts are the input; all others are methods.
const INPUT: &str = "ingest";
/// How the conclusion comes about.
const METHOD: &str = "agreement of methods";

struct Verify;

impl Step for Verify {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let findings = findings(json::read(&envelope)?)?;
        let mut conclusion = agree(&findings).map_err(|abstains| {
            let score = f64::from(abstains.confidence_ppm) / 1e6;
            StepError::abstain(abstains.reason, score, METHOD)
        })?;
        let records = envelope
            .artifacts
            .iter()
            .find(|artifact| artifact.media_type == MEDIA_TYPE);
        let records = records
            .ok_or_else(|| StepError::invalid_input("there are no records among the artifacts"))?;
        let text = String::from_utf8(artifact::read_all(records)?)
            .map_err(|_| StepError::invalid_input("the records are no text"))?;
        conclusion.cited = citations(&findings, conclusion.cause);
        // Where the lines are is not passed on: it would change with every line before them.
        locate(&conclusion.cited, &text)
            .map_err(|error| StepError::permanent("TRIAGE-P001", error.to_string()))?;
        attest::cite(records, Relation::Supports)?;
        attest::confidence_exact(&Confidence {
            score: conclusion.confidence_ppm,
            method: METHOD.into(),
        })?;
        Ok(vec![json::emit("verified", &conclusion)?])
    }
}

/// What the methods found; those that abstained are `null`.
fn findings(body: Map<String, Value>) -> Result<Vec<Finding>, StepError> {
    let said = body
        .into_iter()
        .filter(|(step, value)| step != INPUT && !value.is_null());
    said.map(|(_, value)| Ok(serde_json::from_value(value)?))
        .collect()
}

aim_sdk::export_step!(Verify, arena: 8 * aim_sdk::MIB);
