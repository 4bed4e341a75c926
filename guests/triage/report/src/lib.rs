//! Puts the report for people and for programs, and says where they are.
//! INVARIANT: it reads nothing but its body.
#![forbid(unsafe_code)]

use aim_sdk::serde_json::{self, Map, Value, json};
use aim_sdk::{Emission, Envelope, Step, StepError, artifact};
use triage_method::evidence::Evidence;
use triage_method::forecast::Forecast;
use triage_method::report::{JSON, MARKDOWN, Report, markdown};
use triage_method::time::shown;

/// The optional step whose output is no evidence.
const FORECAST: &str = "forecast";

struct Write;

impl Step for Write {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let mut body: Map<String, Value> = aim_sdk::json::read(&envelope)?;
        let forecast: Option<Forecast> =
            serde_json::from_value(body.remove(FORECAST).unwrap_or_default())?;
        let evidence = body
            .into_iter()
            .next()
            .map(|(_, value)| value)
            .unwrap_or_default();
        let evidence: Evidence = serde_json::from_value(evidence)?;
        let report = Report::of(&evidence, forecast);
        let text = artifact::put(MARKDOWN.1, markdown(&evidence, &report).as_bytes())?;
        let document = artifact::put(JSON.1, &serde_json::to_vec(&report)?)?;
        let body = json!({
            "cause": report.cause,
            "component": report.component,
            "onset": shown(report.onset),
            "confidence_ppm": report.confidence_ppm,
            "methods": report.agreeing,
            "cited": report.cited.iter().map(|one| format!("{}:{}", one.citation.file, one.citation.line))
                .collect::<Vec<_>>(),
            "first": report.cited.first().map(|one| one.text.as_str()),
            "files": { (MARKDOWN.0): text.digest.as_str(), (JSON.0): document.digest.as_str() },
        });
        Ok(vec![
            aim_sdk::json::emit("reported", &body)?
                .with_artifact(text)
                .with_artifact(document),
        ])
    }
}

aim_sdk::export_step!(Write, arena: 2 * aim_sdk::MIB);
