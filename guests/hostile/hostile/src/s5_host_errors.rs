//! S5: makes every host call fail that can, and answers with all that the host said about it.

use aim_sdk::serde_json::{Value, json};
use aim_sdk::{artifact, consult};

/// Texts of every error, as the guest sees them. `known` is the digest of an input that the store can not give.
pub(crate) fn run(known: &str) -> Value {
    let foreign = format!("blake3:{}", "7".repeat(64));
    let mut said = Vec::new();
    for digest in [known, foreign.as_str(), "blake3:none", "../../etc/passwd"] {
        said.push(format!("{:?}", artifact::read(digest, 0, 16)));
    }
    said.push(format!("{:?}", artifact::put("\u{1b}", b"x")));
    said.push(format!("{:?}", consult::check("break", "everything", b"")));
    json!({ "said": said })
}
