//! Notes and checkpoints, strictly.

use aim_trust::{
    checkpoint::{Checkpoint, CheckpointError},
    key::{KeyRole, SecretKey},
    note::{Note, NoteError, parse_verifier_key, sign_note, to_verifier_key},
    tree::hash_leaf,
};
use proptest::prelude::*;

use crate::logs::Signer;

// The example of Go's sumdb/note package, which the C2SP document describes.
const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\
    \n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: "aim.test/laptop/1".into(),
        size: 7,
        root: hash_leaf(b"root"),
    }
}

#[test]
fn a_note_that_go_signed_verifies() {
    let (name, key) = parse_verifier_key(GO_KEY).unwrap();
    assert_eq!(name, "PeterNeumann");
    assert_eq!(to_verifier_key(name, key.as_bytes()), GO_KEY);
    let note = Note::parse(GO_NOTE.as_bytes()).unwrap();
    assert!(note.verify(name, &key).unwrap().starts_with("If you think"));
    assert_eq!(note.verify("PaulErdos", &key), Err(NoteError::Unsigned));
    let changed = GO_NOTE.replace("your problem is", "your problem was");
    let note = Note::parse(changed.as_bytes()).unwrap();
    assert_eq!(note.verify(name, &key), Err(NoteError::Signature));
}

#[test]
fn a_signed_checkpoint_reads_back() {
    let signer = Signer::new(1);
    let note = checkpoint().sign(&signer.log_key()).unwrap();
    assert_eq!(
        Checkpoint::verify(note.as_bytes(), &signer.keys()),
        Ok(checkpoint())
    );
    let other = Signer::new(9).keys();
    assert_eq!(
        Checkpoint::verify(note.as_bytes(), &other),
        Err(CheckpointError::Untrusted)
    );
}

// Negative control: with the rule about leading zeros taken out of `parse_size`, or control characters let pass by
// `Note::parse`, this fails.
#[test]
fn w20_notes_and_checkpoints_out_of_form_are_refused() {
    let signer = Signer::new(1);
    let keys = signer.keys();
    let good = checkpoint().sign(&signer.log_key()).unwrap();
    let (text, line) = good.split_once("\n\n").unwrap();
    let refused = |note: String| {
        let read = Checkpoint::verify(note.as_bytes(), &keys);
        assert!(read.is_err(), "{note:?} was accepted as {read:?}");
    };
    for hidden in [
        good.replace('\n', "\r\n"),
        good.replace("laptop", "lap\u{1}top"),
        good.replace("laptop", "lap\u{7f}top"),
    ] {
        assert_eq!(Note::parse(hidden.as_bytes()), Err(NoteError::Characters));
        refused(hidden);
    }
    refused(good.replace("\n\n", "\n"));
    refused(good.trim_end().to_string());
    refused(format!("{good}\n"));
    refused(format!("{good}text behind\n"));
    refused(format!("\n\n{line}"));
    refused(good.replace('\u{2014}', "--"));
    refused(good.replace("\u{2014} ", "\u{2014}  "));
    refused(format!("{text}\n\n{}", line.repeat(17)));
    refused(String::new());
    let key = signer.log_key();
    for text in [
        "aim.test/laptop/1\n007\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "aim.test/laptop/1\n+7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "aim.test/laptop/1\n9223372036854775808\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "aim.test/laptop/1\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
        "aim.test/laptop/1\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n",
        "aim.test/laptop/1\n7\nAAAA\n",
        "aim.test/laptop/1\n7\n",
        "aim.test/laptop/1\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nextension\n",
    ] {
        refused(sign_note(text, "aim.test/laptop/1", &key).unwrap());
    }
}

/// Negative control: with lines of other names and keys taken, this fails.
#[test]
fn a_note_may_carry_lines_of_other_signers() {
    let signer = Signer::new(1);
    let good = checkpoint().sign(&signer.log_key()).unwrap();
    let other = checkpoint().sign(&Signer::new(9).log_key()).unwrap();
    let line = other.split_once("\n\n").unwrap().1;
    let both = format!("{good}{line}");
    assert!(Checkpoint::verify(both.as_bytes(), &signer.keys()).is_ok());
}

/// Negative control: with lines of other names and keys taken, this fails.
#[test]
fn a_checkpoint_under_another_name_is_not_accepted() {
    let signer = Signer::new(1);
    let text = checkpoint().to_text();
    let note = sign_note(&text, "aim.test/other/1", &signer.log_key()).unwrap();
    let read = Checkpoint::verify(note.as_bytes(), &signer.keys());
    assert_eq!(read, Err(CheckpointError::Untrusted));
}

/// Negative control: with what is signed not read back, this fails.
#[test]
fn refuses_to_sign_what_would_not_be_a_note() {
    let key = SecretKey::from_bytes(KeyRole::Log, &[1; 32]);
    for (text, name) in [
        ("no line end", "a"),
        ("text\n", "two words"),
        ("text\n", "a+b"),
        ("text\n", ""),
        ("tab\t\n", "a"),
        ("", "a"),
    ] {
        assert!(sign_note(text, name, &key).is_err(), "{text:?} by {name:?}");
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Note::parse(&bytes);
        let _ = Checkpoint::parse_unchecked(&bytes);
        let _ = core::str::from_utf8(&bytes).map(parse_verifier_key);
    }

    /// Negative control: with signatures of notes not verified, this fails.
    #[test]
    fn any_change_of_a_signed_checkpoint_is_refused(at in 0_usize..400, byte in any::<u8>()) {
        let signer = Signer::new(1);
        let good = checkpoint().sign(&signer.log_key()).unwrap().into_bytes();
        let mut bad = good.clone();
        let at = at % bad.len();
        bad[at] = byte;
        let read = Checkpoint::verify(&bad, &signer.keys());
        prop_assert_eq!(read.is_ok(), bad == good);
    }
}
