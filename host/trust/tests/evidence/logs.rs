//! Logs for the tests: made as a host makes them, and taken apart and put together again as an attacker would.

use aim_core::{
    digest::Digest,
    effect::{EffectIntent, EffectKind},
    frame::{BlockBuilder, ChainPosition, FrameBody, FrameKind, scan},
    id::{AttemptId, EffectKey, ExecutionId},
    leaf::{Leaf, LeafKind, SigningMode},
};
use aim_ports::signer::{CheckpointRequest, PublicKeys, SigningCore};
use aim_trust::{
    genesis::Genesis,
    key::{KeyRole, KeySet, SecretKey, key_id},
    sequence::{NewFrame, Sequencer, Signing},
    signing::KeysSigningCore,
    tree::{Hash, Tree, hash_record},
    verify::{Report, SliceLog, VerifyOptions, verify_log},
};

pub(crate) const ORIGIN: &str = "aim.test/laptop/1";

pub(crate) struct Signer {
    pub(crate) core: KeysSigningCore,
    seed: u8,
}

impl Signer {
    pub(crate) fn new(seed: u8) -> Self {
        let step = SecretKey::from_bytes(KeyRole::Step, &[seed; 32]);
        let log = SecretKey::from_bytes(KeyRole::Log, &[seed + 1; 32]);
        let core = KeysSigningCore::new(step, log).unwrap();
        Self { core, seed }
    }

    pub(crate) fn log_key(&self) -> SecretKey {
        SecretKey::from_bytes(KeyRole::Log, &[self.seed + 1; 32])
    }

    pub(crate) fn public(&self) -> PublicKeys {
        self.core.public_keys()
    }

    pub(crate) fn keys(&self) -> KeySet {
        KeySet::of(&self.public()).unwrap()
    }
}

/// A log with what a reader may have beside it.
pub(crate) struct Log {
    pub(crate) bytes: Vec<u8>,
    pub(crate) checkpoint: String,
    pub(crate) tree: Tree,
    pub(crate) signer: Signer,
}

impl Log {
    pub(crate) fn verify(&self, bytes: &[u8]) -> Report {
        let keys = self.signer.keys();
        verify_with(bytes, Some(&keys), Some(&self.checkpoint))
    }
}

pub(crate) fn verify_with(bytes: &[u8], keys: Option<&KeySet>, checkpoint: Option<&str>) -> Report {
    let options = VerifyOptions {
        keys,
        checkpoint: checkpoint.map(str::as_bytes),
        ..VerifyOptions::default()
    };
    verify_log(&SliceLog(bytes), &options).unwrap()
}

pub(crate) fn payload_of(number: u64) -> Vec<u8> {
    format!("payload {number} of a step").into_bytes()
}

pub(crate) fn statement(origin: &str, kind: LeafKind, number: u64) -> Vec<u8> {
    let subject = Digest::of(&payload_of(number)).hex();
    format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","predicate":{{"host":{{"isolation":"landlock"}},"number":{number},"origin":"{origin}"}},"predicateType":"{}","subject":[{{"digest":{{"blake3":"{subject}"}},"name":"input"}}]}}"#,
        kind.predicate_type()
    )
    .into_bytes()
}

/// A log of `entries` witnesses in blocks of 1 to 4, each with its payload and an intent, and a checkpoint now and then.
pub(crate) fn build(origin: &str, mode: SigningMode, entries: u64, signer: Signer) -> Log {
    let mut log = Writer {
        origin,
        mode,
        log: Log {
            bytes: Vec::new(),
            checkpoint: String::new(),
            tree: Tree::new(),
            signer,
        },
        sequencer: Sequencer::start(),
        state: None,
    };
    let genesis = Genesis {
        origin: origin.into(),
        keys: log.log.signer.public(),
        created_at: "2026-01-01T00:00:00Z".into(),
        host_version: "0.1.0".into(),
    };
    log.commit(vec![NewFrame::Note {
        kind: FrameKind::Genesis,
        body: &genesis.to_json(),
    }]);
    let mut first = 0;
    while first < entries {
        let last = entries.min(first + 1 + first % 4);
        log.entries(first, last);
        first = last;
    }
    log.log
}

/// An intent of an attempt that never got a witness.
pub(crate) fn intent(number: u64) -> Vec<u8> {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    let attempt = AttemptId::from_bytes(bytes);
    EffectIntent {
        action: "wasi:http/outgoing-handler.handle".into(),
        attempt,
        call: 0,
        execution: ExecutionId::from_bytes(bytes),
        key: EffectKey::of(attempt, 0),
        kind: EffectKind::Http,
        request: Digest::of(b"about to call somebody"),
        target: "GET https://api.example:443/".into(),
    }
    .to_frame()
}

struct Writer<'a> {
    origin: &'a str,
    mode: SigningMode,
    log: Log,
    sequencer: Sequencer,
    state: Option<Vec<u8>>,
}

impl Writer<'_> {
    fn entries(&mut self, first: u64, last: u64) {
        let checkpoint = self.log.checkpoint.clone();
        let contents: Vec<_> = (first..last)
            .map(|number| {
                let statement = statement(self.origin, LeafKind::Attempt, number);
                (statement, payload_of(number))
            })
            .collect();
        let intent = intent(first);
        let mut frames = vec![NewFrame::Note {
            kind: FrameKind::Intent,
            body: &intent,
        }];
        if !checkpoint.is_empty() && first.is_multiple_of(3) {
            frames.push(NewFrame::Note {
                kind: FrameKind::Checkpoint,
                body: checkpoint.as_bytes(),
            });
        }
        for (statement, payload) in &contents {
            frames.push(NewFrame::Witness {
                kind: LeafKind::Attempt,
                statement,
            });
            frames.push(NewFrame::Blob {
                digest: Digest::of(payload),
                bytes: payload,
            });
        }
        self.commit(frames);
    }

    fn commit(&mut self, frames: Vec<NewFrame<'_>>) {
        let core = &self.log.signer.core;
        let public = core.public_keys();
        let prepared = self.sequencer.prepare(frames).unwrap();
        let signatures = core.sign_statements(&prepared.statements()).unwrap();
        let signing = match self.mode {
            SigningMode::Each => Signing::Each {
                key: key_id(KeyRole::Step, &public.step),
                signatures: &signatures,
            },
            SigningMode::Batch => Signing::Batch {
                key: key_id(KeyRole::Log, &public.log),
            },
        };
        let finished = self.sequencer.finish(&prepared, &signing).unwrap();
        let request = CheckpointRequest {
            origin: self.origin.into(),
            first_index: finished.first_leaf(),
            leaf_hashes: finished.leaf_hashes.clone(),
        };
        let (note, state) = core
            .sign_checkpoint(self.state.as_deref(), &request)
            .unwrap();
        self.state = Some(state);
        self.log.checkpoint = String::from_utf8(note).unwrap();
        self.log.tree.extend(finished.leaf_hashes.iter().copied());
        self.log.bytes.extend_from_slice(&finished.bytes);
        self.sequencer.advance(&finished).unwrap();
        assert_eq!(
            self.sequencer.position().offset,
            self.log.bytes.len() as u64
        );
    }
}

/// A frame in the hands of an attacker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Loose {
    Note(FrameKind, Vec<u8>),
    Witness(Leaf, Vec<u8>),
    Blob(Digest, Vec<u8>),
}

pub(crate) fn take_apart(bytes: &[u8]) -> Vec<Vec<Loose>> {
    scan(bytes, ChainPosition::START)
        .map(|block| {
            block
                .unwrap()
                .frames()
                .map(|frame| loosen(&frame.body))
                .collect()
        })
        .collect()
}

fn loosen(body: &FrameBody<'_>) -> Loose {
    match body {
        FrameBody::Genesis(body) => Loose::Note(FrameKind::Genesis, body.to_vec()),
        FrameBody::ExecutionStart(body) => Loose::Note(FrameKind::ExecutionStart, body.to_vec()),
        FrameBody::Intent(body) => Loose::Note(FrameKind::Intent, body.to_vec()),
        FrameBody::EffectOutcome(body) => Loose::Note(FrameKind::EffectOutcome, body.to_vec()),
        FrameBody::Checkpoint(body) => Loose::Note(FrameKind::Checkpoint, body.to_vec()),
        FrameBody::EventNote(body) => Loose::Note(FrameKind::EventNote, body.to_vec()),
        FrameBody::Witness(witness) => Loose::Witness(witness.leaf, witness.statement.to_vec()),
        FrameBody::Blob(blob) => Loose::Blob(blob.digest, blob.bytes.to_vec()),
    }
}

/// Puts frames together again, with every sequence, leaf index, mark and hash made right.
pub(crate) fn put_together(blocks: &[Vec<Loose>]) -> (Vec<u8>, Tree) {
    let mut bytes = Vec::new();
    let mut tree = Tree::new();
    let mut previous: Hash = [0; 32];
    let mut sequence = 0;
    for frames in blocks.iter().filter(|frames| !frames.is_empty()) {
        let mut block = BlockBuilder::default();
        for frame in frames {
            match frame {
                Loose::Note(kind, body) => block.push(*kind, body).unwrap(),
                Loose::Blob(digest, body) => block.push_blob(*digest, body).unwrap(),
                Loose::Witness(leaf, statement) => {
                    let leaf = Leaf {
                        index: tree.size(),
                        ..*leaf
                    }
                    .encode();
                    tree.append(hash_record(&leaf, &previous));
                    block.push_witness(&leaf, statement).unwrap();
                }
            }
        }
        let block = block.finish(previous, sequence);
        bytes.extend_from_slice(&block.bytes);
        previous = block.hash;
        sequence += u64::from(block.frame_count);
    }
    (bytes, tree)
}
