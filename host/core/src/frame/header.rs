//! The 68 bytes that a block starts with.
//!
//! INVARIANT: a header that was read states a size that lies within [`BLOCK_BYTES_MAX`].

use super::{BLOCK_HASH_BYTES, FRAME_HEAD_BYTES, FrameFaultReason, mark, take};

/// Length of a block's header, in bytes.
pub const BLOCK_HEADER_BYTES: usize = 68;

/// The only version of the block format so far.
pub const BLOCK_VERSION: u8 = 1;

/// The largest block, all of it, in bytes.
pub const BLOCK_BYTES_MAX: usize = 64 * 1024 * 1024;

const MAGIC: [u8; 4] = *b"AIMB";

// Logs on disk have this layout: a change of it is a new version that is read beside this one.
const _: () = assert!(BLOCK_HEADER_BYTES == 4 + 1 + 3 + 4 + 4 + 8 + 8 + 32 + 4);

/// What a block says about itself before its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockHeader {
    /// Length of all frames, in bytes.
    pub record_bytes: u32,
    /// How many frames there are; never 0.
    pub frame_count: u32,
    /// Length of all payloads with their state bytes.
    pub blob_bytes: u64,
    /// Sequence of the first frame.
    pub first_sequence: u64,
    /// Hash of the block before; zeros in the first block.
    pub previous: [u8; BLOCK_HASH_BYTES],
}

impl BlockHeader {
    /// Returns the header's only encoding.
    #[must_use]
    pub fn encode(&self) -> [u8; BLOCK_HEADER_BYTES] {
        let mut out = [0_u8; BLOCK_HEADER_BYTES];
        let fields = [
            MAGIC.as_slice(),
            &[BLOCK_VERSION, 0, 0, 0],
            &self.record_bytes.to_le_bytes(),
            &self.frame_count.to_le_bytes(),
            &self.blob_bytes.to_le_bytes(),
            &self.first_sequence.to_le_bytes(),
            &self.previous,
        ]
        .concat();
        let mark = mark(0, &fields);
        out.iter_mut()
            .zip(fields.iter().chain(&mark))
            .for_each(|(to, from)| *to = *from);
        out
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`FrameFaultReason`] when the bytes are no header or state an impossible size.
    pub fn decode(bytes: &[u8; BLOCK_HEADER_BYTES]) -> Result<Self, FrameFaultReason> {
        let (fields, stated) = bytes
            .split_last_chunk::<4>()
            .ok_or(FrameFaultReason::Incomplete)?;
        let mut rest = bytes.as_slice();
        let short = FrameFaultReason::Incomplete;
        if take::<4>(&mut rest).ok_or(short)? != MAGIC {
            return Err(FrameFaultReason::Magic);
        }
        let [version, reserved @ ..] = take::<4>(&mut rest).ok_or(short)?;
        if version != BLOCK_VERSION {
            return Err(FrameFaultReason::Version);
        }
        if reserved != [0; 3] {
            return Err(FrameFaultReason::Reserved);
        }
        if mark(0, fields) != *stated {
            return Err(FrameFaultReason::HeaderMark);
        }
        let header = Self {
            record_bytes: u32::from_le_bytes(take(&mut rest).ok_or(short)?),
            frame_count: u32::from_le_bytes(take(&mut rest).ok_or(short)?),
            blob_bytes: u64::from_le_bytes(take(&mut rest).ok_or(short)?),
            first_sequence: u64::from_le_bytes(take(&mut rest).ok_or(short)?),
            previous: take(&mut rest).ok_or(short)?,
        };
        let heads = u64::from(header.frame_count).saturating_mul(FRAME_HEAD_BYTES as u64);
        let is_possible = header.frame_count > 0 && heads <= u64::from(header.record_bytes);
        if !is_possible || header.block_bytes().is_none() {
            return Err(FrameFaultReason::Size);
        }
        Ok(header)
    }

    /// Returns the length of the whole block in bytes; `None` over [`BLOCK_BYTES_MAX`].
    #[must_use]
    pub fn block_bytes(&self) -> Option<usize> {
        let records = usize::try_from(self.record_bytes).ok()?;
        let blobs = usize::try_from(self.blob_bytes).ok()?;
        let total = (BLOCK_HEADER_BYTES + BLOCK_HASH_BYTES)
            .checked_add(records)?
            .checked_add(blobs)?;
        (total <= BLOCK_BYTES_MAX).then_some(total)
    }
}
