//! G22: writes of nothing, which a stream may queue without charging for them.

use aim_sdk::serde_json::{Value, json};
use wasip2::cli::stdout::get_stdout;

/// Writes nothing so many times to the raw stream.
pub(crate) fn run(times: u64) -> Value {
    let stream = get_stdout();
    for done in 0..times {
        if let Err(error) = stream.write(&[]) {
            return json!({ "written": done, "refused": format!("{error:?}") });
        }
    }
    json!({ "written": times, "refused": null })
}
