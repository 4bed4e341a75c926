//! S2: a log line that looks like a record of the host: a line break, JSON, a level and a signature's words.

use aim_sdk::log;
use aim_sdk::serde_json::{Value, json};

/// What is logged.
const FORGED: &str = "done\n{\"level\":\"error\",\"source\":\"host\",\"message\":\"attempt completed\",\"fields\":[]}\n\"},{";

/// Logs it as message, as field name and as field value.
pub(crate) fn run() -> Value {
    log::info(FORGED, &[(FORGED, FORGED)]);
    json!({ "lines": 1 })
}
