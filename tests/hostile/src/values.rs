//! G12 to G19: values that are not what they say: lengths, texts, discriminants, handles.
//!
//! INVARIANT: a value that breaks the component model's rules ends its own step and reaches no port.

use aim_core::outcome::{Failure, LimitKind, Outcome, Trap};
use wit_component::StringEncoding;

use crate::{
    case::Case,
    component::{edited, encoded, guest, replaced, variant},
};

const ABI: Outcome = Outcome::Trapped(Trap::Abi);
const BOUNDS: Outcome = Outcome::Trapped(Trap::OutOfBounds);
const BYTES: Outcome = Outcome::Limit(LimitKind::HostCallBytes);

/// Negative control: the bounds are the engine's own; the same guests with a length that is there complete (asserted here).
#[test]
fn g12_a_list_that_claims_more_than_there_is_costs_nothing() {
    let lengths = [
        (
            "hostile-g12-huge-list",
            "\\00\\00\\00\\04",
            "\\01\\00\\00\\00",
        ),
        (
            "hostile-g12-huge-body",
            "\\ff\\ff\\ff\\7f",
            "\\ff\\00\\00\\00",
        ),
    ];
    for (name, claimed, there) in lengths {
        Case::of(guest(name)).ends(&[ABI, BOUNDS, BYTES]);
        let honest = edited(name, |text| replaced(&text, claimed, there));
        Case::of(honest).ends(&[Outcome::Completed]);
    }
}

/// Names of an emission go into the host's part of the witness. Negative control: without `convert::odd_name` in
/// `invoke::answered` the attempt completes, and a megabyte of the guest's text is signed.
#[test]
fn g12_a_name_as_long_or_as_odd_as_a_guest_likes_is_no_answer() {
    let permanent = [Outcome::Failed(Failure::Permanent)];
    for part in ["operation", "media-type", "port", "node"] {
        for text in ["text=A times=300", "text=A times=900000", "text=\u{202e}A"] {
            let attempt =
                Case::hostile(&format!("g12-long-names part={part} {text}")).ends(&permanent);
            assert_eq!(attempt.fault.unwrap().code, "AIM-R016");
            assert!(attempt.outputs.is_empty());
        }
    }
    Case::hostile("g12-long-names part=operation text=A times=256").ends(&[Outcome::Completed]);
}

/// Negative control: with `set_hostcall_fuel` at its greatest value, the host makes room for a million of them.
#[test]
fn g13_a_million_elements_of_nothing_cost_what_the_host_would_spend_on_them() {
    for case in [0, 1] {
        Case::of(variant("hostile-g13-empty-elements", case)).ends(&[BYTES]);
    }
}

/// Few enough elements to pass by bytes are charged by number all the same. Negative control: without
/// `door::elements` in `log::write` the fuel does not change.
#[test]
fn g13_elements_are_charged_by_number() {
    let fuel = |count: u32| {
        let component = edited("hostile-g13-empty-elements", |text| {
            replaced(
                &text,
                "(i32.const 0) (i32.const 1048576) (i32.const 1048576))))",
                &format!(
                    "(i32.const 0) (i32.const 1048576) (i32.const {count})) (return (i32.const 16))))"
                ),
            )
        });
        let attempt = Case::of(component).ends(&[Outcome::Completed]);
        let fuel = attempt.budgets.iter().find(|budget| budget.name == "fuel");
        fuel.unwrap().used
    };
    assert_eq!(fuel(1_001) - fuel(1), 1_000 * 32 * 4);
}

fn text_at(address: i64, length: i64, encoding: StringEncoding) -> Case {
    let component = encoded("hostile-g14-text-bounds", encoding, |text| {
        let text = replaced(
            &text,
            "$address i32 (i32.const -16)",
            &format!("$address i32 (i32.const {address})"),
        );
        replaced(
            &text,
            "$length i32 (i32.const 0x7fffffff)",
            &format!("$length i32 (i32.const {length})"),
        )
    });
    Case::of(component)
}

/// Negative control: a text that ends where memory does is logged and the step completes (asserted here); the bounds are the
/// engine's own.
#[test]
fn g14_texts_past_the_end_of_memory_in_every_encoding_end_their_step() {
    let encodings = [
        StringEncoding::UTF8,
        StringEncoding::UTF16,
        StringEncoding::CompactUTF16,
    ];
    for encoding in encodings {
        for (address, length) in [
            (-16, 0x7fff_ffff),
            (0, 0x7fff_ffff),
            (-16, 32),
            (17 * 65_536 - 8, 64),
            (0x7fff_fff0, -1),
        ] {
            text_at(address, length, encoding).ends(&[ABI, BOUNDS, BYTES]);
        }
        text_at(17 * 65_536 - 16, 8, encoding).ends(&[Outcome::Completed]);
    }
}

/// Where an encoding takes every byte for a character, the text is logged with what a terminal obeys escaped.
#[test]
fn g15_broken_texts_end_their_step_in_every_encoding_or_are_read_as_they_are() {
    let broken = [ABI, BOUNDS];
    text_at(1024, 8, StringEncoding::UTF8).ends(&broken);
    text_at(1026, 2, StringEncoding::UTF8).ends(&broken);
    text_at(1028, 3, StringEncoding::UTF8).ends(&broken);
    text_at(1025, 2, StringEncoding::UTF16).ends(&broken);
    text_at(1032, 1, StringEncoding::UTF16).ends(&[ABI, BOUNDS, Outcome::Completed]);
    let is_wide: i64 = 0x8000_0000 - 0x1_0000_0000;
    text_at(1025, is_wide + 2, StringEncoding::CompactUTF16).ends(&broken);
    text_at(1024, 8, StringEncoding::CompactUTF16).ends(&[Outcome::Completed]);
}

/// Negative control: the same guest with none of its four numbers written completes (asserted here).
#[test]
fn g16_numbers_that_are_no_case_of_their_type_end_their_step() {
    for case in 0..4 {
        Case::of(variant("hostile-g16-discriminants", case)).ends(&[ABI]);
    }
    Case::of(variant("hostile-g16-discriminants", 4)).ends(&[Outcome::Completed]);
}

/// Negative control: with `set_max_capacity` and `set_max_component_handles` left out all 100 000 are made.
#[test]
fn g17_resource_handles_end_at_the_limit_and_dropping_gives_them_back() {
    let flood = |attack: &str| Case::hostile(attack).limit("handles_max", 100);
    flood("g17-resource-flood").ends(&[Outcome::Limit(LimitKind::Handles)]);
    flood("g17-resource-drop times=10000").ends(&[Outcome::Completed]);
}

/// Negative control: the fifth variant does the same calls in their order and completes. A borrow that outlives its call has
/// no place here: no function that a guest exports takes one.
#[test]
fn g18_a_handle_after_its_end_is_none() {
    for case in 0..4 {
        let attempt = Case::of(variant("hostile-g18-handles", case)).ends(&[ABI]);
        assert!(attempt.outputs.is_empty());
    }
    Case::of(variant("hostile-g18-handles", 4)).ends(&[Outcome::Completed]);
}

#[test]
fn g19_no_number_is_a_handle_that_was_never_given() {
    let forged = [
        0,
        1,
        2,
        3,
        7,
        8,
        255,
        256,
        65_535,
        65_536,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_fffe,
        0xffff_ffff,
    ];
    for number in forged {
        let attempt = Case::of(variant("hostile-g19-forged-handles", number)).ends(&[ABI]);
        assert_eq!(
            attempt.host_calls.calls, 0,
            "{number}: the host was never reached"
        );
    }
}
