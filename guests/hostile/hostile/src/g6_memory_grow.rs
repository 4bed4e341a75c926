//! G6: asks for memory directly, past the allocator, and touches what it got.
//! INVARIANT: only pages that were just added are written to.
#![expect(
    unsafe_code,
    reason = "a page is only real once it was written to, and no safe code reaches it"
)]

use core::arch::wasm32::{memory_grow, memory_size};

use aim_sdk::serde_json::{Value, json};

/// Bytes of a page of linear memory.
const PAGE_BYTES: usize = 65_536;

/// One request for nearly the whole address space.
pub(crate) fn once(pages: u64) -> Value {
    let before = memory_size::<0>();
    let answer = memory_grow::<0>(usize::try_from(pages).unwrap_or(usize::MAX));
    json!({ "before": before, "refused": answer == usize::MAX, "after": memory_size::<0>() })
}

/// Page by page until it is refused; every page is written to, so that it becomes real.
pub(crate) fn page_by_page(times: u64) -> Value {
    let before = memory_size::<0>();
    let mut got = 0_u64;
    for _ in 0..times {
        let page = memory_grow::<0>(1);
        if page == usize::MAX {
            break;
        }
        touch(page.saturating_mul(PAGE_BYTES));
        got += 1;
    }
    json!({ "before": before, "got": got, "after": memory_size::<0>() })
}

fn touch(address: usize) {
    let byte = core::ptr::with_exposed_provenance_mut::<u8>(address);
    // SAFETY: the page at `address` was just added to this memory and belongs to nobody else.
    unsafe { byte.write_volatile(1) };
}
