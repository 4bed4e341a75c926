//! `aim:artifact/store`, its writer included. A handle can not travel as JSON, so the writer's functions are called from
//! its creation on: `writer.create` makes one and drops it, `writer.append` appends `chunks` and drops it unfinished,
//! `writer.finish` does all three.
//! INVARIANT: no writer outlives its call.

use aim_sdk::artifact::{self, Writer};
use aim_sdk::serde_json::{Value, json};
use aim_sdk::{HostError, StepError};

use crate::answer::{self, result};
use crate::arguments::{bytes, chunks, number, number32, text};

/// Calls one function.
pub(crate) fn store(function: &str, with: &Value) -> Result<Option<Value>, StepError> {
    Ok(Some(match function {
        "read" => {
            let (offset, length) = (number(with, "offset-bytes")?, number32(with, "len-bytes")?);
            result(artifact::read(&text(with, "digest")?, offset, length).map(shown))
        }
        "put" => {
            let put = artifact::put(&text(with, "media-type")?, &bytes(with, "body")?);
            result(put.map(|made| answer::artifact(&made)))
        }
        "writer.create" => result(Writer::create(&text(with, "media-type")?).map(|_| Value::Null)),
        "writer.append" => {
            let appended = write(&text(with, "media-type")?, &chunks(with, "chunks")?);
            result(appended.map(|_| Value::Null))
        }
        "writer.finish" => {
            let written = write(&text(with, "media-type")?, &chunks(with, "chunks")?);
            result(
                written
                    .and_then(Writer::finish)
                    .map(|made| answer::artifact(&made)),
            )
        }
        _ => return Ok(None),
    }))
}

fn write(media_type: &str, chunks: &[Vec<u8>]) -> Result<Writer, HostError> {
    let writer = Writer::create(media_type)?;
    for chunk in chunks {
        writer.append(chunk)?;
    }
    Ok(writer)
}

/// Bytes as text where they are, else as a list of numbers.
fn shown(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(error) => json!(error.into_bytes()),
    }
}
