//! JSON bodies: most steps read one and write one.
//! INVARIANT: a body that does not parse is invalid input, never a trap.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::types::{Emission, Envelope, StepError};

/// The media type of JSON.
pub const MEDIA_TYPE: &str = "application/json";

/// Reads the body of an envelope.
///
/// # Errors
/// `invalid-input` with the place where the body stops being what `T` expects.
pub fn read<T: DeserializeOwned>(envelope: &Envelope) -> Result<T, StepError> {
    Ok(serde_json::from_slice(&envelope.body)?)
}

/// An emission to `next` with `value` as its body.
///
/// # Errors
/// Permanent `SDK-P004` for a value that JSON can not hold, such as a map with keys that are not text.
pub fn emit<T: Serialize + ?Sized>(operation: &str, value: &T) -> Result<Emission, StepError> {
    let body = serde_json::to_vec(value).map_err(|error| {
        StepError::permanent("SDK-P004", format!("the answer is not JSON: {error}"))
    })?;
    Ok(Emission::next(operation, MEDIA_TYPE, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(body: &[u8]) -> Envelope {
        Envelope {
            id: "e".into(),
            operation: "o".into(),
            media_type: MEDIA_TYPE.into(),
            artifacts: Vec::new(),
            body: body.to_vec(),
        }
    }

    #[test]
    fn a_broken_body_is_invalid_input() {
        let error = read::<Vec<u32>>(&envelope(b"[1, 2")).unwrap_err();
        assert!(matches!(error, StepError::InvalidInput(_)), "{error:?}");
    }

    #[test]
    fn what_is_emitted_can_be_read_back() {
        let emission = emit("sum", &vec![1_u32, 2]).unwrap();
        assert_eq!(emission.media_type, MEDIA_TYPE);
        assert_eq!(read::<Vec<u32>>(&envelope(&emission.body)).unwrap(), [1, 2]);
    }
}
