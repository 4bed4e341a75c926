//! G12: names where a host expects a word: an operation, a media type, an output's name, each as long or as odd as asked.

use aim_sdk::{Emission, Target};

/// One emission with `text` in place of the `part` that is named.
pub(crate) fn run(part: &str, text: String) -> Emission {
    let mut emission = Emission::next("named", "application/json", b"{}".to_vec());
    match part {
        "operation" => emission.operation = text,
        "media-type" => emission.media_type = text,
        "port" => emission.target = Target::Port(text),
        _ => emission.target = Target::Node(text),
    }
    emission
}
