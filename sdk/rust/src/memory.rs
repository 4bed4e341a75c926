//! Where a guest's allocations live: an arena inside the initial memory first, the ordinary allocator after it.
//!
//! Growing memory costs a guest more than everything else it does in a short call: the engine changes page protections,
//! and a change that all threads must see stops the others. A fresh instance serves each call, so nothing allocated
//! outlives it and giving memory back is hardly worth the code. A step that stays inside its arena therefore never
//! executes `memory.grow`. A step that needs more goes on with the platform's allocator, which grows as usual: big
//! inputs cost time, never correctness.
//!
//! The arena is a static array in zeroed data. It is part of the memory the module asks for at its start and takes no
//! bytes in the file.
//! INVARIANT: a block lies wholly inside the arena or wholly outside, and is given back to where it came from.
#![expect(
    unsafe_code,
    reason = "an allocator can not be written without it; this is the only file of the crate that has any"
)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::System;

/// Bytes in a mebibyte, for `memory!(4 * MIB)`.
pub const MIB: usize = 1 << 20;

/// The arena of a guest that does not choose a size, in bytes.
pub const ARENA_BYTES_DEFAULT: usize = MIB;

/// An allocator with `BYTES` of arena. Made by [`memory!`](crate::memory!), one in a guest.
#[repr(C, align(16))]
pub struct Arena<const BYTES: usize> {
    bytes: UnsafeCell<[u8; BYTES]>,
    used: AtomicUsize,
}

// SAFETY: `bytes` is reached only through blocks handed out by `take`, and two blocks never overlap: `used` moves
// by compare-and-swap.
unsafe impl<const BYTES: usize> Sync for Arena<BYTES> {}

impl<const BYTES: usize> core::fmt::Debug for Arena<BYTES> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            out,
            "Arena {{ {} of {BYTES} bytes used }}",
            self.used_bytes()
        )
    }
}

impl<const BYTES: usize> Default for Arena<BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BYTES: usize> Arena<BYTES> {
    /// An empty arena.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: UnsafeCell::new([0; BYTES]),
            used: AtomicUsize::new(0),
        }
    }

    /// How much of the arena is handed out, in bytes.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn start(&self) -> usize {
        self.bytes.get().addr()
    }

    /// The offset of `block` when it lies in the arena.
    fn offset_of(&self, block: *mut u8) -> Option<usize> {
        block
            .addr()
            .checked_sub(self.start())
            .filter(|offset| *offset < BYTES)
    }

    /// Reserves room for `layout` and returns its offset; `None` when the arena is used up.
    fn reserve(&self, layout: Layout) -> Option<usize> {
        let mut used = self.used_bytes();
        // BOUND: a failed swap means that another thread moved `used`, which only `BYTES` bytes can pay for.
        loop {
            let address = self
                .start()
                .checked_add(used)?
                .checked_next_multiple_of(layout.align())?;
            let offset = address.checked_sub(self.start())?;
            let end = offset.checked_add(layout.size())?;
            if end > BYTES {
                return None;
            }
            match self
                .used
                .compare_exchange(used, end, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Some(offset),
                Err(now) => used = now,
            }
        }
    }

    /// Moves the end of the newest block; false when the block is not the newest or the arena has no room.
    fn move_end(&self, end: usize, end_new: usize) -> bool {
        end_new <= BYTES
            && self
                .used
                .compare_exchange(end, end_new, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

// SAFETY: blocks from `reserve` are aligned, inside `bytes`, and disjoint; all other blocks are `System`'s own.
unsafe impl<const BYTES: usize> GlobalAlloc for Arena<BYTES> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.reserve(layout) {
            Some(offset) => self.bytes.get().cast::<u8>().wrapping_add(offset),
            // SAFETY: the caller's promise about `layout` is passed on.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.offset_of(block) {
            // The newest block is taken back; an older one stays used until the instance ends.
            Some(offset) => drop(self.move_end(offset.saturating_add(layout.size()), offset)),
            // SAFETY: a block outside of the arena came from `System` with this layout.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size_new: usize) -> *mut u8 {
        let Some(offset) = self.offset_of(block) else {
            // SAFETY: a block outside of the arena came from `System` with this layout.
            return unsafe { System.realloc(block, layout, size_new) };
        };
        let end = offset.saturating_add(layout.size());
        if size_new <= layout.size() || self.move_end(end, offset.saturating_add(size_new)) {
            if size_new < layout.size() {
                self.move_end(end, offset.saturating_add(size_new));
            }
            return block;
        }
        // SAFETY: the alignment is that of a valid layout; the caller promises that the size does not overflow.
        let layout_new = unsafe { Layout::from_size_align_unchecked(size_new, layout.align()) };
        // SAFETY: `size_new` is not zero, by the caller's promise.
        let moved = unsafe { self.alloc(layout_new) };
        if !moved.is_null() {
            // SAFETY: both blocks are live, do not overlap, and hold at least `layout.size()` bytes.
            unsafe { core::ptr::copy_nonoverlapping(block, moved, layout.size()) };
        }
        moved
    }
}

/// Sets a guest's memory up: [`Arena`] with so many bytes becomes its allocator. The export macros call it.
///
/// A guest with WASI keeps the allocator of its libc: libc frees what the host hands to it through `cabi_realloc`, so both
/// have to be one allocator.
#[macro_export]
macro_rules! memory {
    ($bytes:expr) => {
        #[cfg(all(target_family = "wasm", not(target_os = "wasi")))]
        #[global_allocator]
        static AIM_MEMORY: $crate::memory::Arena<{ $bytes }> = $crate::memory::Arena::new();
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_are_aligned_inside_the_arena_and_apart() {
        let arena = Arena::<1024>::new();
        let mut end = 0;
        for (size, align) in [(1, 1), (8, 8), (3, 1), (16, 16), (5, 4)] {
            // SAFETY: the layout is valid and not empty.
            let block = unsafe { arena.alloc(layout(size, align)) };
            let offset = arena.offset_of(block).unwrap();
            assert_eq!(block.addr() % align, 0);
            assert!(offset >= end, "{offset} lies before {end}");
            end = offset + size;
        }
        assert_eq!(arena.used_bytes(), end);
    }

    #[test]
    fn the_newest_block_grows_shrinks_and_goes_in_place() {
        let arena = Arena::<1024>::new();
        // SAFETY: the layout is valid and not empty.
        let block = unsafe { arena.alloc(layout(16, 8)) };
        // SAFETY: the block came from this arena with this layout.
        let grown = unsafe { arena.realloc(block, layout(16, 8), 512) };
        assert_eq!((grown, arena.used_bytes()), (block, 512));
        // SAFETY: as before.
        let shrunk = unsafe { arena.realloc(block, layout(512, 8), 32) };
        assert_eq!((shrunk, arena.used_bytes()), (block, 32));
        // SAFETY: as before.
        unsafe { arena.dealloc(block, layout(32, 8)) };
        assert_eq!(arena.used_bytes(), 0);
    }

    #[test]
    fn an_older_block_moves_and_keeps_its_bytes() {
        let arena = Arena::<1024>::new();
        // SAFETY: the layout is valid and not empty.
        let old = unsafe { arena.alloc(layout(4, 1)) };
        // SAFETY: the block has four bytes.
        unsafe { old.copy_from_nonoverlapping(b"kept".as_ptr(), 4) };
        // SAFETY: the layout is valid and not empty.
        let newest = unsafe { arena.alloc(layout(4, 1)) };
        // SAFETY: the block came from this arena with this layout.
        let moved = unsafe { arena.realloc(old, layout(4, 1), 64) };
        assert!(moved != old && moved != newest);
        // SAFETY: the block has at least four bytes, all written.
        assert_eq!(unsafe { core::slice::from_raw_parts(moved, 4) }, b"kept");
    }

    #[test]
    fn a_full_arena_goes_on_with_the_platform_and_gives_back_where_it_took() {
        let arena = Arena::<64>::new();
        // SAFETY: the layout is valid and not empty.
        let inside = unsafe { arena.alloc(layout(48, 8)) };
        // SAFETY: as before.
        let outside = unsafe { arena.alloc(layout(48, 8)) };
        assert!(arena.offset_of(inside).is_some() && arena.offset_of(outside).is_none());
        // SAFETY: the block came from this arena with this layout.
        let moved = unsafe { arena.realloc(inside, layout(48, 8), 4096) };
        assert!(arena.offset_of(moved).is_none());
        // SAFETY: each block came from this arena with this layout.
        unsafe { arena.dealloc(moved, layout(4096, 8)) };
        // SAFETY: as before.
        unsafe { arena.dealloc(outside, layout(48, 8)) };
        assert_eq!(arena.used_bytes(), 48);
    }

    #[test]
    fn threads_never_share_a_block() {
        let arena = Arena::<65_536>::new();
        let taken: Vec<usize> = std::thread::scope(|scope| {
            let take = || {
                // SAFETY: the layout is valid and not empty.
                (0..100)
                    .map(|_| unsafe { arena.alloc(layout(32, 8)) }.addr())
                    .collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        let distinct: std::collections::BTreeSet<_> = taken.iter().collect();
        assert_eq!(distinct.len(), 400);
    }
}
