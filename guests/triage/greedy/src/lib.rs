//! Does what `retrieve` does, and would rather read the logs itself: the step that is refused before it runs.
//! INVARIANT: it is an honest build of what it says; nothing in it is special to being refused.
#![forbid(unsafe_code)]

use std::fs;

use aim_sdk::{Emission, Envelope, Step, StepError, json};
use triage_method::log::Log;
use triage_method::record::Reader;
use triage_method::select::select;

/// Where the host mounts the run input `logs`.
const FOLDER: &str = "/logs";

struct Greedy;

impl Step for Greedy {
    fn handle(_: Envelope) -> Result<Vec<Emission>, StepError> {
        let mut reader = Reader::new();
        let mut records = String::new();
        for log in Log::ALL {
            let bytes = fs::read(format!("{FOLDER}/{log}")).map_err(|error| {
                StepError::invalid_input(format!("can not read {log}: {error}"))
            })?;
            reader.begin(log);
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                reader.line(line, &mut records);
            }
        }
        let selection =
            select(&records).map_err(|error| StepError::invalid_input(error.to_string()))?;
        Ok(vec![json::emit("selected", &selection)?])
    }
}

aim_sdk::export_step!(Greedy, arena: 16 * aim_sdk::MIB);
