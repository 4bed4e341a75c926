//! G5: copies and fills all of its memory, over and over: few instructions, many bytes.

use aim_sdk::serde_json::Value;

/// Never returns.
pub(crate) fn run(bytes: u64) -> Value {
    let mut block = vec![1_u8; usize::try_from(bytes).unwrap_or(usize::MAX)];
    let middle = block.len() / 2;
    let mut value = 0_u8;
    loop {
        value = value.wrapping_add(1);
        block.fill(value);
        block.copy_within(..middle, middle);
        core::hint::black_box(&block);
    }
}
