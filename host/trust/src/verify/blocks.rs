//! Getting one block's bytes from a reader.
//!
//! INVARIANT: never more than one block is asked for, and a block is at most as large as the format allows.

use alloc::vec::Vec;

use aim_core::frame::{BLOCK_HEADER_BYTES, ChainPosition};
use aim_ports::{PortError, log::LogReader};

pub(super) enum ReadBlock {
    /// Nothing is left.
    End,
    /// The block, or as much of it as there is.
    Bytes(Vec<u8>),
}

pub(super) fn read_block(
    log: &dyn LogReader,
    position: &ChainPosition,
) -> Result<ReadBlock, PortError> {
    let mut bytes = Vec::new();
    read_up_to(log, position.offset, BLOCK_HEADER_BYTES, &mut bytes)?;
    if bytes.is_empty() {
        return Ok(ReadBlock::End);
    }
    let header = position.header(&bytes).ok();
    if let Some(length) = header.and_then(|header| header.block_bytes()) {
        read_up_to(log, position.offset, length, &mut bytes)?;
    }
    Ok(ReadBlock::Bytes(bytes))
}

/// Reads until `bytes` holds `length` bytes from `offset` on, or the log ends.
fn read_up_to(
    log: &dyn LogReader,
    offset: u64,
    length: usize,
    bytes: &mut Vec<u8>,
) -> Result<(), PortError> {
    while let Some(wanted) = length.checked_sub(bytes.len()).filter(|wanted| *wanted > 0) {
        let here = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let more = log.read(here, wanted)?;
        if more.is_empty() {
            break;
        }
        bytes.extend_from_slice(more.get(..wanted).unwrap_or(&more));
    }
    Ok(())
}

/// A log that lies in memory.
#[derive(Debug, Clone, Copy)]
pub struct SliceLog<'a>(pub &'a [u8]);

impl LogReader for SliceLog<'_> {
    fn read(&self, offset_bytes: u64, length_bytes_max: usize) -> Result<Vec<u8>, PortError> {
        let start = usize::try_from(offset_bytes).unwrap_or(usize::MAX);
        let rest = self.0.get(start..).unwrap_or_default();
        Ok(rest.get(..length_bytes_max).unwrap_or(rest).to_vec())
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, PortError> {
        Ok(None)
    }
}
