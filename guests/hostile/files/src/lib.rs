//! Attacks on granted folders: `envelope.operation` picks one, the member `root` of the JSON body the mount. In a whole run the
//! operation is the host's, so there the input `attack` picks.
//! INVARIANT: files are named after the entry in the catalogue of the security model that they belong to; each attack answers with a list of
//! `[what was tried, what came back]`.

mod f10_root_replaced;
mod f1_paths;
mod f2_links;
mod f3_trailing_slashes;
mod f4_own_links;
mod f5_truncate;
mod f6_rename_race;
mod f7_times;
mod f8_quotas;
mod f8_sizes;
mod f9_kernel;
mod walk;

use aim_sdk::serde_json::{Value, json};
use aim_sdk::{Emission, Envelope, Step, StepError};

struct Files;

impl Step for Files {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let body: Value = aim_sdk::json::read(&envelope)?;
        let name = body.get("root").and_then(Value::as_str).unwrap_or("data");
        let root = walk::root(name)
            .ok_or_else(|| StepError::invalid_input(format!("there is no folder `{name}`")))?;
        let named = body.pointer("/attack/value").and_then(Value::as_str);
        let attack = named.unwrap_or(&envelope.operation);
        let seen = match attack {
            "f1" => f1_paths::run(&root),
            "f2" => f2_links::run(&root),
            "f3" => f3_trailing_slashes::run(&root),
            "f4" => f4_own_links::run(&root),
            "f5" => f5_truncate::run(&root),
            "f6" => f6_rename_race::run(&root),
            "f7" => f7_times::run(&root),
            "f8" => f8_quotas::run(&root),
            "f8-size" => f8_sizes::run(&root, "size"),
            "f8-gap" => f8_sizes::run(&root, "gap"),
            "f8-stream" => f8_sizes::run(&root, "stream"),
            "f8-anew" => f8_sizes::run(&root, "anew"),
            "f9" => f9_kernel::run(&root),
            "f10" => f10_root_replaced::run(&root),
            other => {
                let message = format!("there is no attack `{other}`");
                return Err(StepError::invalid_input(message));
            }
        };
        Ok(vec![aim_sdk::json::emit(attack, &json!(seen))?])
    }
}

aim_sdk::export_step!(Files);
