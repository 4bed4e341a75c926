//! Bytes of a message between a process and its helper: numbers and length-prefixed fields, read strictly.
//!
//! INVARIANT: reading never trusts a length: a field that does not fit into the rest of the message is a refusal, and so
//! are bytes left over at the end.

use aim_ports::{PortError, PortFault};

/// Builds a message.
#[derive(Debug, Default)]
pub struct FieldWriter(Vec<u8>);

impl FieldWriter {
    /// Starts a message of kind `tag`.
    #[must_use]
    pub fn new(tag: u8) -> Self {
        Self(vec![tag])
    }

    /// Adds a number.
    pub fn number(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Adds a field with its length.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.raw(bytes)
    }

    /// Adds bytes whose number the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The message.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Takes a message apart. `None` means that the message is malformed.
#[derive(Debug)]
pub struct FieldReader<'a>(&'a [u8]);

impl<'a> FieldReader<'a> {
    /// Starts reading; returns the message's kind.
    #[must_use]
    pub fn new(message: &'a [u8]) -> Option<(u8, Self)> {
        let (tag, rest) = message.split_first()?;
        Some((*tag, Self(rest)))
    }

    /// Takes a number.
    pub fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Takes a number of items that need at least `bytes_each` bytes each, so that a false count can not ask for memory.
    pub fn count(&mut self, bytes_each: usize) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count.checked_mul(bytes_each)? <= self.0.len()).then_some(count)
    }

    /// Takes a field with its length.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.count(1)?;
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    /// Takes a field that is text.
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// Takes `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    /// Takes all that is left.
    pub const fn rest(&mut self) -> &'a [u8] {
        let rest = self.0;
        self.0 = &[];
        rest
    }

    /// Ends reading; `None` when something is left over.
    #[must_use]
    pub const fn end(self) -> Option<()> {
        if self.0.is_empty() { Some(()) } else { None }
    }
}

/// Codes that may cross the border; any other is dropped, since a code is a promise of a page.
const CODES: [&str; 10] = [
    "AIM-K001", "AIM-K002", "AIM-K003", "AIM-K004", "AIM-K005", "AIM-K006", "AIM-K007", "AIM-K008",
    "AIM-K009", "AIM-K010",
];

const FAULTS: [PortFault; 7] = [
    PortFault::NotFound,
    PortFault::Exhausted,
    PortFault::Unavailable,
    PortFault::Forbidden,
    PortFault::Corrupt,
    PortFault::Busy,
    PortFault::FailStop,
];

/// Writes an error as a message of kind `tag`.
#[must_use]
pub fn write_error(tag: u8, error: &PortError) -> Vec<u8> {
    let position = FAULTS.iter().position(|fault| *fault == error.fault);
    let mut fields = FieldWriter::new(tag);
    fields
        .number(position.unwrap_or(2) as u64)
        .bytes(error.subject.as_bytes())
        .bytes(error.detail.as_bytes())
        .bytes(error.code.unwrap_or_default().as_bytes());
    fields.finish()
}

/// Reads an error; `None` when it is malformed.
#[must_use]
pub fn read_error(mut fields: FieldReader<'_>) -> Option<PortError> {
    let fault = *FAULTS.get(usize::try_from(fields.number()?).ok()?)?;
    let error = PortError::new(fault, fields.text()?, fields.text()?);
    let code = fields.text()?;
    fields.end()?;
    Some(PortError {
        code: CODES.into_iter().find(|known| *known == code),
        ..error
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_cross_the_border_whole() {
        for fault in FAULTS {
            let error = PortError::new(fault, "sub ject", "").with_code("AIM-K006");
            let bytes = write_error(9, &error);
            let (tag, fields) = FieldReader::new(&bytes).unwrap();
            assert_eq!((tag, read_error(fields)), (9, Some(error)));
        }
    }

    #[test]
    fn a_cut_lengthened_or_lying_message_is_refused_without_asking_for_memory() {
        let error = PortError::new(PortFault::Busy, "a", "b").with_code("AIM-K001");
        let good = write_error(9, &error);
        let read =
            |bytes: &[u8]| FieldReader::new(bytes).and_then(|(_, fields)| read_error(fields));
        for length in 0..good.len() {
            assert_eq!(read(&good[..length]), None, "{length}");
        }
        assert_eq!(read(&[good.as_slice(), b"x"].concat()), None);
        for lie in [u64::MAX, u64::MAX / 2, 1 << 40] {
            let mut message = FieldWriter::new(0);
            message.number(lie);
            let message = message.finish();
            let (_, mut fields) = FieldReader::new(&message).unwrap();
            assert_eq!(fields.bytes(), None);
            let (_, mut fields) = FieldReader::new(&message).unwrap();
            assert_eq!(fields.count(32), None);
        }
    }
}
