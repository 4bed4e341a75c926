//! What the host and the compile worker say to each other.
//!
//! INVARIANT: an answer carries its signature; the host takes nothing from it that the signature does not cover but a
//! refusal's text.

use aim_hardening::fields::{FieldReader, FieldWriter, read_error, write_error};
use aim_ports::PortError;

use crate::WorkerLimits;

const READY: u8 = 0;
const COMPILE: u8 = 1;
const ERROR: u8 = 255;

/// What the host asks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) profile: &'a str,
    pub(crate) memory_bytes: u64,
    pub(crate) cpu_s: u64,
    pub(crate) component: &'a [u8],
}

impl<'a> Request<'a> {
    pub(crate) fn new(profile: &'a str, component: &'a [u8], limits: &WorkerLimits) -> Self {
        Self {
            profile,
            memory_bytes: limits.memory_bytes(component.len()),
            cpu_s: limits.cpu_s(component.len()),
            component,
        }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut fields = FieldWriter::new(COMPILE);
        fields
            .bytes(self.profile.as_bytes())
            .number(self.memory_bytes)
            .number(self.cpu_s)
            .raw(self.component);
        fields.finish()
    }

    pub(crate) fn read(message: &'a [u8]) -> Option<Self> {
        let (tag, mut fields) = FieldReader::new(message)?;
        (tag == COMPILE).then_some(())?;
        Some(Self {
            profile: fields.text()?,
            memory_bytes: fields.number()?,
            cpu_s: fields.number()?,
            component: fields.rest(),
        })
    }
}

/// What the worker says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has its key.
    Ready,
    /// It compiled.
    Code { signature: [u8; 64], code: Vec<u8> },
    /// It could not.
    Error(PortError),
}

impl Answer {
    pub(crate) fn write(&self) -> Vec<u8> {
        match self {
            Self::Ready => vec![READY],
            Self::Code { signature, code } => {
                let mut fields = FieldWriter::new(COMPILE);
                fields.raw(signature).raw(code);
                fields.finish()
            }
            Self::Error(error) => write_error(ERROR, error),
        }
    }

    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        let (tag, mut fields) = FieldReader::new(message)?;
        match tag {
            READY => fields.end().map(|()| Self::Ready),
            COMPILE => Some(Self::Code {
                signature: fields.array()?,
                code: fields.rest().to_vec(),
            }),
            ERROR => read_error(fields).map(Self::Error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aim_ports::PortFault;

    #[test]
    fn what_is_written_is_read_back_and_nothing_else() {
        let request = Request::new("profile", b"component", &WorkerLimits::DEFAULT);
        assert_eq!(Request::read(&request.write()), Some(request));
        for answer in [
            Answer::Ready,
            Answer::Code {
                signature: [3; 64],
                code: b"code".to_vec(),
            },
            Answer::Error(PortError::new(PortFault::Corrupt, "a", "b")),
        ] {
            assert_eq!(Answer::read(&answer.write()), Some(answer));
        }
        for bad in [&b""[..], b"\x00x", b"\x01short", b"\x02", b"\xff"] {
            assert_eq!(Answer::read(bad), None, "{bad:?}");
            assert_eq!(Request::read(bad), None, "{bad:?}");
        }
    }
}
