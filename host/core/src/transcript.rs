//! The record of an attempt's host calls: small fixed facts in order, payloads apart by digest so that they can be redacted.
//!
//! The byte format is described in `docs/formats/transcript.md`.
//!
//! INVARIANT: bytes that decode are the only encoding of what they decode to; indexes are 0, 1, 2 without a gap.

use alloc::{
    borrow::{Cow, ToOwned},
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

use crate::digest::Digest;

/// The first bytes of an encoded transcript.
pub const MAGIC: &[u8; 8] = b"aim-tr1\n";

/// How one host call ended, as the guest saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallVerdict {
    /// It was answered.
    Ok,
    /// It was answered with a typed error.
    Error,
    /// It was refused by the grant, the policy or a gate.
    Denied,
}

impl CallVerdict {
    const fn byte(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Error => 1,
            Self::Denied => 2,
        }
    }

    /// The word for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Denied => "denied",
        }
    }

    const fn of_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Ok),
            1 => Some(Self::Error),
            2 => Some(Self::Denied),
            _ => None,
        }
    }
}

/// One payload by digest and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadRef {
    /// BLAKE3 of the payload.
    pub digest: Digest,
    /// How many bytes it has.
    pub len_bytes: u64,
}

impl PayloadRef {
    /// The reference of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            digest: Digest::of(bytes),
            len_bytes: bytes.len() as u64,
        }
    }
}

/// One host call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// Counts the host calls of the attempt from 0.
    pub index: u32,
    /// `package/interface.function`.
    pub function: Cow<'static, str>,
    /// How it ended.
    pub verdict: CallVerdict,
    /// The arguments, as fields.
    pub request: PayloadRef,
    /// The answer, as fields.
    pub response: PayloadRef,
}

/// All host calls of one attempt, and how often each adapted function was called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transcript {
    records: Vec<CallRecord>,
    adapter_calls: BTreeMap<String, u64>,
    payloads: BTreeMap<Digest, Vec<u8>>,
}

/// Why bytes are not a transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeTranscriptError {
    /// The first eight bytes are others.
    #[error("transcript does not start with its magic bytes")]
    Magic,
    /// The bytes end inside a field.
    #[error("transcript is cut off at byte {offset}")]
    Truncated {
        /// Where the missing field starts.
        offset: usize,
    },
    /// A field holds what no encoder writes.
    #[error("transcript has a field out of its range at byte {offset}")]
    Field {
        /// Where the field starts.
        offset: usize,
    },
    /// Bytes follow the end.
    #[error("transcript has bytes after its end, from byte {offset}")]
    Trailing {
        /// Where they start.
        offset: usize,
    },
}

impl Transcript {
    /// The index that the next record will have.
    #[must_use]
    pub fn next_index(&self) -> u32 {
        u32::try_from(self.records.len()).unwrap_or(u32::MAX)
    }

    /// Adds one call and keeps both payloads. Returns its index.
    pub fn push(
        &mut self,
        function: impl Into<Cow<'static, str>>,
        verdict: CallVerdict,
        request: Vec<u8>,
        response: Vec<u8>,
    ) -> u32 {
        let index = self.next_index();
        let record = CallRecord {
            index,
            function: function.into(),
            verdict,
            request: self.keep(request),
            response: self.keep(response),
        };
        self.records.push(record);
        index
    }

    fn keep(&mut self, payload: Vec<u8>) -> PayloadRef {
        let reference = PayloadRef::of(&payload);
        if !payload.is_empty() {
            self.payloads.entry(reference.digest).or_insert(payload);
        }
        reference
    }

    /// Counts `count` more calls of an adapted function.
    pub fn count_adapter_calls(&mut self, function: &str, count: u64) {
        if count == 0 {
            return;
        }
        match self.adapter_calls.get_mut(function) {
            Some(so_far) => *so_far = so_far.saturating_add(count),
            None => {
                self.adapter_calls.insert(function.to_owned(), count);
            }
        }
    }

    /// The calls in order.
    #[must_use]
    pub fn records(&self) -> &[CallRecord] {
        &self.records
    }

    /// How often each adapted function was called.
    #[must_use]
    pub const fn adapter_calls(&self) -> &BTreeMap<String, u64> {
        &self.adapter_calls
    }

    /// Payloads that are still there, by digest. The empty payload is never kept.
    #[must_use]
    pub const fn payloads(&self) -> &BTreeMap<Digest, Vec<u8>> {
        &self.payloads
    }

    /// Drops every payload; records, encoding and digest stay the same.
    pub fn redact(&mut self) {
        self.payloads.clear();
    }

    /// Takes back a payload that was stored apart; false when no record refers to it.
    pub fn restore(&mut self, payload: Vec<u8>) -> bool {
        let digest = Digest::of(&payload);
        let is_known = self
            .records
            .iter()
            .any(|record| record.request.digest == digest || record.response.digest == digest);
        if is_known && !payload.is_empty() {
            self.payloads.insert(digest, payload);
        }
        is_known
    }

    /// Writes the records and counts, without payloads.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.records.len() * 128);
        out.extend_from_slice(MAGIC);
        put_len32(&mut out, self.records.len());
        for record in &self.records {
            out.extend_from_slice(&record.index.to_le_bytes());
            out.push(record.verdict.byte());
            put_name(&mut out, &record.function);
            for payload in [&record.request, &record.response] {
                out.extend_from_slice(payload.digest.as_bytes());
                out.extend_from_slice(&payload.len_bytes.to_le_bytes());
            }
        }
        put_len32(&mut out, self.adapter_calls.len());
        for (function, count) in &self.adapter_calls {
            put_name(&mut out, function);
            out.extend_from_slice(&count.to_le_bytes());
        }
        out
    }

    /// Reads what [`Transcript::encode`] wrote; payloads are absent until restored.
    ///
    /// # Errors
    /// [`DecodeTranscriptError`] for any bytes that no encoder writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeTranscriptError> {
        let mut reader = Reader { bytes, offset: 0 };
        if reader.array::<8>() != Ok(*MAGIC) {
            return Err(DecodeTranscriptError::Magic);
        }
        let mut transcript = Self::default();
        for index in 0..u32::from_le_bytes(reader.array()?) {
            transcript.records.push(reader.record(index)?);
        }
        for _ in 0..u32::from_le_bytes(reader.array()?) {
            let at = reader.offset;
            let function = reader.name()?;
            let count = u64::from_le_bytes(reader.array()?);
            let follows = transcript
                .adapter_calls
                .last_key_value()
                .is_none_or(|(last, _)| *last < function);
            if count == 0 || !follows {
                return Err(DecodeTranscriptError::Field { offset: at });
            }
            transcript.adapter_calls.insert(function, count);
        }
        if reader.offset != bytes.len() {
            return Err(DecodeTranscriptError::Trailing {
                offset: reader.offset,
            });
        }
        Ok(transcript)
    }

    /// The digest that evidence carries: over the encoding, so payloads take part by their digests.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }
}

fn put_len32(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

/// Function names are ours and far below the bound; a longer one would be cut, never overflow.
fn put_name(out: &mut Vec<u8>, name: &str) {
    let bytes = name.as_bytes();
    let kept = bytes
        .get(..bytes.len().min(NAME_BYTES_MAX))
        .unwrap_or(bytes);
    out.extend_from_slice(&u16::try_from(kept.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(kept);
}

/// Longest name of a function in a transcript.
const NAME_BYTES_MAX: usize = 256;

struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Reader<'_> {
    fn slice(&mut self, len: usize) -> Result<&[u8], DecodeTranscriptError> {
        let truncated = DecodeTranscriptError::Truncated {
            offset: self.offset,
        };
        let end = self.offset.checked_add(len).ok_or(truncated)?;
        let slice = self.bytes.get(self.offset..end).ok_or(truncated)?;
        self.offset = end;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeTranscriptError> {
        let offset = self.offset;
        self.slice(N)?
            .try_into()
            .map_err(|_| DecodeTranscriptError::Truncated { offset })
    }

    fn name(&mut self) -> Result<String, DecodeTranscriptError> {
        let fault = DecodeTranscriptError::Field {
            offset: self.offset,
        };
        let len = usize::from(u16::from_le_bytes(self.array()?));
        if len == 0 || len > NAME_BYTES_MAX {
            return Err(fault);
        }
        let bytes = self.slice(len)?;
        if !bytes.iter().all(u8::is_ascii_graphic) {
            return Err(fault);
        }
        core::str::from_utf8(bytes)
            .map(ToString::to_string)
            .map_err(|_| fault)
    }

    fn payload(&mut self) -> Result<PayloadRef, DecodeTranscriptError> {
        Ok(PayloadRef {
            digest: Digest::from_bytes(self.array()?),
            len_bytes: u64::from_le_bytes(self.array()?),
        })
    }

    fn record(&mut self, expected: u32) -> Result<CallRecord, DecodeTranscriptError> {
        let fault = DecodeTranscriptError::Field {
            offset: self.offset,
        };
        let index = u32::from_le_bytes(self.array()?);
        let [verdict] = self.array::<1>()?;
        let verdict = CallVerdict::of_byte(verdict).ok_or(fault)?;
        if index != expected {
            return Err(fault);
        }
        Ok(CallRecord {
            index,
            function: self.name()?.into(),
            verdict,
            request: self.payload()?,
            response: self.payload()?,
        })
    }
}

/// Writes the arguments or the answer of a call as length-prefixed fields: each is a 32-bit little-endian length and
/// that many bytes; a number is a field of eight little-endian bytes; absent is a field of no bytes after a 0 flag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(Vec<u8>);

impl Fields {
    /// No fields yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        put_len32(&mut self.0, bytes.len());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// Adds a flag and, when present, the text.
    #[must_use]
    pub fn option(self, text: Option<&str>) -> Self {
        match text {
            None => self.number(0),
            Some(text) => self.number(1).text(text),
        }
    }

    /// The encoded fields.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    /// Reads encoded fields; `None` when the bytes are not exactly a row of them.
    #[must_use]
    pub fn read(mut encoded: &[u8]) -> Option<Vec<&[u8]>> {
        let mut fields = Vec::new();
        // BOUND: every turn takes at least the four bytes of a length.
        while let Some((length, rest)) = encoded.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (field, rest) = rest.split_at_checked(length)?;
            fields.push(field);
            encoded = rest;
        }
        encoded.is_empty().then_some(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Transcript {
        let mut transcript = Transcript::default();
        transcript.push(
            "aim:host/context.run-id",
            CallVerdict::Ok,
            Vec::new(),
            Fields::new().text("run_1").finish(),
        );
        transcript.push(
            "aim:artifact/store.put",
            CallVerdict::Denied,
            Fields::new().text("text/plain").bytes(b"secret").finish(),
            Fields::new().text("denied").finish(),
        );
        transcript.count_adapter_calls("wasi:random/random.get-random-u64", 3);
        transcript.count_adapter_calls("wasi:cli/environment.get-environment", 1);
        transcript
    }

    #[test]
    fn round_trips_without_payloads_and_keeps_its_digest_when_redacted() {
        let mut transcript = sample();
        let digest = transcript.digest();
        let decoded = Transcript::decode(&transcript.encode()).unwrap();
        assert_eq!(decoded.records(), transcript.records());
        assert_eq!(decoded.adapter_calls(), transcript.adapter_calls());
        transcript.redact();
        assert!(transcript.payloads().is_empty());
        assert_eq!((transcript.digest(), decoded.digest()), (digest, digest));
        assert_eq!(decoded, transcript);
    }

    #[test]
    fn fields_are_read_as_they_were_written_and_nothing_else_is() {
        let written = Fields::new().text("denied").text("").number(7).finish();
        let read = Fields::read(&written).unwrap();
        assert_eq!(read, [b"denied".as_slice(), b"", &7u64.to_le_bytes()]);
        assert_eq!(Fields::read(&[]), Some(Vec::new()));
        for cut in 1..written.len() {
            let is_whole = Fields::read(&written[..cut]).is_some_and(|fields| fields.len() == 3);
            assert!(!is_whole, "{cut}");
        }
        assert!(Fields::read(&[255, 255, 255, 255, 1]).is_none());
    }

    #[test]
    fn the_digest_follows_order_verdict_payloads_and_counts() {
        let base = sample().digest();
        let mut counted = sample();
        counted.count_adapter_calls("wasi:random/random.get-random-u64", 1);
        assert_ne!(counted.digest(), base);
        let mut longer = sample();
        longer.push("aim:log/log.write", CallVerdict::Ok, Vec::new(), Vec::new());
        assert_ne!(longer.digest(), base);
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = sample().encode();
        for end in 0..bytes.len() {
            assert!(Transcript::decode(&bytes[..end]).is_err(), "{end}");
        }
        let mut long = bytes;
        long.push(0);
        assert!(matches!(
            Transcript::decode(&long),
            Err(DecodeTranscriptError::Trailing { .. })
        ));
    }

    #[test]
    fn every_flipped_bit_is_refused_or_changes_the_digest() {
        let transcript = sample();
        let bytes = transcript.encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(decoded) = Transcript::decode(&flipped) {
                assert_ne!(decoded.digest(), transcript.digest(), "bit {bit}");
                assert_eq!(decoded.encode(), flipped, "bit {bit}: two encodings");
            }
        }
    }

    #[test]
    fn a_payload_is_restored_only_where_a_record_refers_to_it() {
        let mut transcript = sample();
        let payload = Fields::new().text("run_1").finish();
        transcript.redact();
        assert!(!transcript.restore(b"other".to_vec()));
        assert!(transcript.restore(payload.clone()));
        assert_eq!(
            transcript.payloads().get(&Digest::of(&payload)),
            Some(&payload)
        );
    }

    #[test]
    fn fields_keep_borders_apart() {
        let one = Fields::new().text("ab").text("c").finish();
        assert_ne!(one, Fields::new().text("a").text("bc").finish());
        assert_ne!(
            Fields::new().option(None).finish(),
            Fields::new().option(Some("")).finish()
        );
    }
}
