//! What the host and the signer say to each other. `docs/formats` has no page for it: both ends are one program.
//!
//! INVARIANT: every message that can be read was written here, byte for byte; anything else is malformed.

use aim_hardening::fields::{FieldReader, FieldWriter, read_error, write_error};
use aim_ports::{
    PortError,
    signer::{CheckpointRequest, PublicKeys, SignedTree},
};

const HELLO: u8 = 0;
const STATEMENTS: u8 = 1;
const CHECKPOINT: u8 = 2;
const TREE: u8 = 3;
const ERROR: u8 = 255;

/// What the host asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request<'a> {
    Statements(Vec<&'a [u8]>),
    Checkpoint(CheckpointRequest),
    Tree(&'a str),
}

impl<'a> Request<'a> {
    #[cfg(test)]
    fn write(&self) -> Vec<u8> {
        match self {
            Self::Statements(payloads) => write_statements(payloads),
            Self::Checkpoint(request) => {
                write_checkpoint(&request.origin, request.first_index, &request.leaf_hashes)
            }
            Self::Tree(origin) => write_tree(origin),
        }
    }

    pub(crate) fn read(message: &'a [u8]) -> Option<Self> {
        let (tag, mut fields) = FieldReader::new(message)?;
        let request = match tag {
            STATEMENTS => {
                let count = fields.count(8)?;
                let payloads: Option<Vec<&[u8]>> = (0..count).map(|_| fields.bytes()).collect();
                Self::Statements(payloads?)
            }
            CHECKPOINT => {
                let origin = fields.text()?.to_owned();
                let first_index = fields.number()?;
                let count = fields.count(32)?;
                let leaf_hashes: Option<Vec<[u8; 32]>> =
                    (0..count).map(|_| fields.array()).collect();
                Self::Checkpoint(CheckpointRequest {
                    origin,
                    first_index,
                    leaf_hashes: leaf_hashes?,
                })
            }
            TREE => Self::Tree(fields.text()?),
            _ => return None,
        };
        fields.end()?;
        Some(request)
    }
}

/// Writes [`Request::Statements`] without building one.
pub(crate) fn write_statements(payloads: &[&[u8]]) -> Vec<u8> {
    let mut fields = FieldWriter::new(STATEMENTS);
    fields.number(payloads.len() as u64);
    for payload in payloads {
        fields.bytes(payload);
    }
    fields.finish()
}

/// Writes [`Request::Checkpoint`] without building one.
pub(crate) fn write_checkpoint(origin: &str, first_index: u64, leaves: &[[u8; 32]]) -> Vec<u8> {
    let mut fields = FieldWriter::new(CHECKPOINT);
    fields
        .bytes(origin.as_bytes())
        .number(first_index)
        .number(leaves.len() as u64)
        .raw(leaves.as_flattened());
    fields.finish()
}

/// Writes [`Request::Tree`].
pub(crate) fn write_tree(origin: &str) -> Vec<u8> {
    let mut fields = FieldWriter::new(TREE);
    fields.bytes(origin.as_bytes());
    fields.finish()
}

/// What the signer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Hello(PublicKeys),
    Signatures(Vec<[u8; 64]>),
    Note(Vec<u8>),
    Tree(Option<SignedTree>),
    Error(PortError),
}

impl Answer {
    pub(crate) fn write(&self) -> Vec<u8> {
        match self {
            Self::Hello(keys) => {
                let mut fields = FieldWriter::new(HELLO);
                fields.raw(&keys.step).raw(&keys.log);
                fields.finish()
            }
            Self::Signatures(signatures) => {
                let mut fields = FieldWriter::new(STATEMENTS);
                fields
                    .number(signatures.len() as u64)
                    .raw(signatures.as_flattened());
                fields.finish()
            }
            Self::Note(note) => {
                let mut fields = FieldWriter::new(CHECKPOINT);
                fields.bytes(note);
                fields.finish()
            }
            Self::Tree(tree) => {
                let mut fields = FieldWriter::new(TREE);
                fields.number(u64::from(tree.is_some()));
                if let Some(tree) = tree {
                    fields.number(tree.size).raw(&tree.root);
                }
                fields.finish()
            }
            Self::Error(error) => write_error(ERROR, error),
        }
    }

    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        let (tag, mut fields) = FieldReader::new(message)?;
        let answer = match tag {
            HELLO => Self::Hello(PublicKeys {
                step: fields.array()?,
                log: fields.array()?,
            }),
            STATEMENTS => {
                let count = fields.count(64)?;
                let signatures: Option<Vec<[u8; 64]>> =
                    (0..count).map(|_| fields.array()).collect();
                Self::Signatures(signatures?)
            }
            CHECKPOINT => Self::Note(fields.bytes()?.to_vec()),
            TREE => Self::Tree(match fields.number()? {
                0 => None,
                1 => Some(SignedTree {
                    size: fields.number()?,
                    root: fields.array()?,
                }),
                _ => return None,
            }),
            ERROR => return read_error(fields).map(Self::Error),
            _ => return None,
        };
        fields.end()?;
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aim_ports::PortFault;

    fn requests() -> Vec<Request<'static>> {
        vec![
            Request::Statements(vec![]),
            Request::Statements(vec![b"one", b"", b"three"]),
            Request::Checkpoint(CheckpointRequest {
                origin: "host/log".to_owned(),
                first_index: 7,
                leaf_hashes: vec![[1; 32], [2; 32]],
            }),
            Request::Tree("host/log"),
        ]
    }

    fn answers() -> Vec<Answer> {
        vec![
            Answer::Hello(PublicKeys {
                step: [1; 32],
                log: [2; 32],
            }),
            Answer::Signatures(vec![[3; 64], [4; 64]]),
            Answer::Note(b"note".to_vec()),
            Answer::Tree(None),
            Answer::Tree(Some(SignedTree {
                size: 9,
                root: [5; 32],
            })),
            Answer::Error(PortError::new(PortFault::Corrupt, "a", "b")),
        ]
    }

    #[test]
    fn what_is_written_is_read_back() {
        for request in requests() {
            assert_eq!(Request::read(&request.write()), Some(request.clone()));
        }
        for answer in answers() {
            assert_eq!(Answer::read(&answer.write()), Some(answer.clone()));
        }
    }

    #[test]
    fn cut_lengthened_and_unknown_messages_are_refused() {
        for good in requests().iter().map(Request::write) {
            for length in 0..good.len() {
                assert_eq!(Request::read(&good[..length]), None);
            }
            assert_eq!(Request::read(&[good.as_slice(), b"x"].concat()), None);
        }
        for good in answers().iter().map(Answer::write) {
            for length in 0..good.len() {
                assert_eq!(Answer::read(&good[..length]), None);
            }
            assert_eq!(Answer::read(&[good.as_slice(), b"x"].concat()), None);
        }
        for tag in 4..255 {
            assert_eq!(Request::read(&[tag]), None);
            assert_eq!(Answer::read(&[tag]), None);
        }
    }
}
