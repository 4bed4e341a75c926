//! What an attempt has left of its random bytes, and the stream that they come from.
//!
//! INVARIANT: the seeded stream is a function of the run's seed, the step and the number of the attempt; bytes are counted
//! before they are made.

use aim_core::outcome::LimitKind;

use crate::{
    door,
    guest::{Guest, Stop},
};

/// Most bytes that one call gives.
pub(crate) const CALL_BYTES_MAX: u64 = 64 * 1024;

/// Takes `len` bytes off what the attempt may have.
pub(crate) fn take(guest: &mut Guest, len: u64) -> wasmtime::Result<usize> {
    let left = guest.random_left_bytes.checked_sub(len);
    match left.filter(|_| len <= CALL_BYTES_MAX) {
        Some(left) => {
            guest.random_left_bytes = left;
            Ok(usize::try_from(len)?)
        }
        None => Err(Stop::Limit(LimitKind::Random).error()),
    }
}

/// `len` bytes of the attempt's seeded stream.
pub(crate) fn seeded(guest: &mut Guest, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    stream(guest).fill(&mut bytes);
    bytes
}

fn stream(guest: &mut Guest) -> &mut blake3::OutputReader {
    let context = &guest.context;
    guest.random.get_or_insert_with(|| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"aim:random\0");
        hasher.update(&context.seed.to_le_bytes());
        hasher.update(&context.attempt.to_le_bytes());
        hasher.update(context.step.as_bytes());
        hasher.finalize_xof()
    })
}

/// `len` bytes from where the grant says.
pub(super) fn granted(guest: &mut Guest, function: &str, len: usize) -> wasmtime::Result<Vec<u8>> {
    if !guest.held.wants_real_random {
        return Ok(seeded(guest, len));
    }
    if guest.playback.is_some() {
        // What was drawn before is drawn again; past the record nothing is real any more.
        let recorded = match door::played(guest, function).as_deref() {
            Some([bytes]) if bytes.len() == len => Some(bytes.to_vec()),
            _ => None,
        };
        return Ok(recorded.unwrap_or_else(|| seeded(guest, len)));
    }
    let Some(entropy) = &guest.held.real_random else {
        wasmtime::bail!("the host has no randomness to grant");
    };
    let mut bytes = vec![0; len];
    entropy
        .fill(&mut bytes)
        .map_err(|error| wasmtime::format_err!("{error}"))?;
    Ok(bytes)
}

/// Eight bytes as a number.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .rev()
        .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}
