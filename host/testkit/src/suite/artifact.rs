//! What every artifact store does.
//!
//! INVARIANT: no store ever hands out bytes that do not have the digest they were asked by.

use aim_core::digest::Digest;
use aim_ports::{PortFault, artifact::ArtifactStore};

/// Runs the suite. `damage` replaces what is stored under a digest behind the store's back.
pub fn artifact_store<S: ArtifactStore>(store: &S, damage: impl Fn(&S, Digest, &[u8])) {
    let absent = Digest::of(b"never written");
    let fault = store.read(absent).map_err(|error| error.fault);
    assert_eq!(
        fault,
        Err(PortFault::NotFound),
        "an absent artifact is not found"
    );
    assert!(!store.contains(absent), "an absent artifact is not there");

    for bytes in [&b""[..], b"one", &[7; 300_000]] {
        let digest = store.write(bytes);
        assert_eq!(digest, Ok(Digest::of(bytes)), "writing returns the digest");
        assert_eq!(store.write(bytes), digest, "writing again is no change");
        let digest = Digest::of(bytes);
        assert!(store.contains(digest), "a written artifact is there");
        assert_eq!(
            store.read(digest).as_deref(),
            Ok(bytes),
            "reading returns the bytes"
        );
    }

    let digest = Digest::of(b"one");
    for bad in [&b"two"[..], b"on", b"one ", b""] {
        damage(store, digest, bad);
        let fault = store.read(digest).map_err(|error| error.fault);
        assert_eq!(
            fault,
            Err(PortFault::Corrupt),
            "damaged bytes are not handed out"
        );
        let fault = store.write(b"one").map_err(|error| error.fault);
        assert_eq!(
            fault,
            Err(PortFault::Corrupt),
            "damaged bytes are not taken for a copy"
        );
    }
    let other = store.read(Digest::of(b""));
    assert_eq!(
        other.as_deref(),
        Ok(&b""[..]),
        "damage to one is not damage to another"
    );
}
