//! Files: `read-file`, `list-folder`, `write-file`, `remove-file`, each with `path`.
//! INVARIANT: paths go to the standard library as they come, so that escapes can be tried.

use std::fs;

use aim_sdk::serde_json::{Value, json};

use crate::shown;

/// Runs a file operation; `None` when it is not one.
pub(crate) fn run(operation: &str, body: &Value) -> Option<Value> {
    let path = body.get("path").and_then(Value::as_str).unwrap_or("/");
    let result = match operation {
        "read-file" => fs::read(path).map(|bytes| json!(String::from_utf8_lossy(&bytes))),
        "list-folder" => list(path),
        "write-file" => {
            let text = body
                .get("text")
                .and_then(Value::as_str)
                .unwrap_or("written by a guest");
            fs::write(path, text).map(|()| Value::Null)
        }
        "remove-file" => fs::remove_file(path).map(|()| Value::Null),
        _ => return None,
    };
    Some(shown(result))
}

fn list(path: &str) -> std::io::Result<Value> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(json!(names))
}
