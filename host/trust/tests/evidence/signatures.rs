//! Envelopes and signatures.

use aim_ports::signer::SigningCore as _;
use aim_trust::{
    dsse::{Envelope, EnvelopeError, PAYLOAD_TYPE, SIGNATURES_MAX, pae},
    key::{KeyRole, PublicKey, SecretKey, key_id},
};
use proptest::prelude::*;

use crate::logs::Signer;

const STATEMENT: &[u8] = b"{\"_type\":\"\xc3\xbe>?\"}";

fn signed(signer: &Signer) -> Envelope {
    let signature = signer.core.sign_statements(&[STATEMENT]).unwrap()[0];
    let key = key_id(KeyRole::Step, &signer.public().step);
    Envelope::signed(STATEMENT.to_vec(), key, signature)
}

fn verify(json: &str, signer: &Signer, needed: usize) -> Result<(), EnvelopeError> {
    let envelope = Envelope::parse(json.as_bytes())?;
    let statement = envelope.verify(&signer.keys(), KeyRole::Step, needed)?;
    assert_eq!(statement.payload(), STATEMENT);
    Ok(())
}

#[test]
fn the_encoding_is_the_one_of_the_dsse_document() {
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
}

/// Negative control: with no comparison of the payload type, this fails.
#[test]
fn w18_both_base64_alphabets_say_the_same_and_other_types_do_not_pass() {
    let signer = Signer::new(1);
    let json = signed(&signer).to_json();
    assert_eq!(verify(&json, &signer, 1), Ok(()));
    assert!(json.contains('+') || json.contains('/'));
    let head = json.replace("application/vnd.in-toto+json", "TYPE");
    let url_safe = head
        .replace('+', "-")
        .replace('/', "_")
        .replace("TYPE", PAYLOAD_TYPE);
    assert_eq!(verify(&url_safe, &signer, 1), Ok(()));
    assert_eq!(verify(&url_safe.replace('=', ""), &signer, 1), Ok(()));
    let other = json.replace("application/vnd.in-toto+json", "text/plain");
    assert_eq!(verify(&other, &signer, 1), Err(EnvelopeError::PayloadType));
    let spaced = json.replace(':', " : ").replace(',', ",\n ");
    assert_eq!(verify(&spaced, &signer, 1), Ok(()));
    let inner = json.replace("\"payload\":\"", "\"payload\":\" ");
    assert_eq!(verify(&inner, &signer, 1), Err(EnvelopeError::Base64));
    let twice = json.replacen("\"payload\"", "\"payload\":\"e30=\",\"payload\"", 1);
    assert!(matches!(
        verify(&twice, &signer, 1),
        Err(EnvelopeError::Form { .. })
    ));
}

/// Negative control: with no bound on signatures, or with a vote for every signature, this fails.
#[test]
fn w18_many_signatures_by_one_key_are_one_vote_and_too_many_are_refused() {
    let signer = Signer::new(1);
    let json = signed(&signer).to_json();
    let (head, rest) = json.split_once('[').unwrap();
    let one = rest.strip_suffix("]}").unwrap();
    let with = |count: usize| format!("{head}[{}]}}", vec![one; count].join(","));
    assert_eq!(verify(&with(2), &signer, 1), Ok(()));
    let votes = EnvelopeError::Votes {
        found: 1,
        needed: 2,
    };
    assert_eq!(verify(&with(2), &signer, 2), Err(votes));
    assert_eq!(verify(&with(SIGNATURES_MAX), &signer, 1), Ok(()));
    for count in [0, SIGNATURES_MAX + 1, 1000] {
        assert_eq!(
            verify(&with(count), &signer, 1),
            Err(EnvelopeError::SignatureCount)
        );
    }
}

/// Negative control: with signatures looked at only where the hint fits, this fails.
#[test]
fn w19_the_key_hint_changes_no_verdict() {
    let signer = Signer::new(1);
    let json = signed(&signer).to_json();
    let hint = key_id(KeyRole::Step, &signer.public().step).to_string();
    for other in ["", "0000000000000000", "somebody else"] {
        assert_eq!(verify(&json.replace(&hint, other), &signer, 1), Ok(()));
    }
    let thief = signed(&Signer::new(9)).to_json();
    let thief_hint = key_id(KeyRole::Step, &Signer::new(9).public().step).to_string();
    let dressed = thief.replace(&thief_hint, &hint);
    let votes = EnvelopeError::Votes {
        found: 0,
        needed: 1,
    };
    assert_eq!(verify(&dressed, &signer, 1), Err(votes));
}

/// Negative control: with keys of every role counted, this fails.
#[test]
fn w13_a_key_of_another_role_does_not_count() {
    let signer = Signer::new(1);
    let signature = signer.log_key().sign(&pae(PAYLOAD_TYPE, STATEMENT));
    let key = key_id(KeyRole::Log, &signer.public().log);
    let json = Envelope::signed(STATEMENT.to_vec(), key, signature).to_json();
    let votes = EnvelopeError::Votes {
        found: 0,
        needed: 1,
    };
    assert_eq!(verify(&json, &signer, 1), Err(votes));
}

/// The order of the group, little endian (RFC 8032, 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn w15_a_scalar_over_the_order_is_refused() {
    let secret = SecretKey::from_bytes(KeyRole::Step, &[1; 32]);
    let key = PublicKey::from_bytes(KeyRole::Step, &secret.public_bytes()).unwrap();
    let good = secret.sign(b"m");
    assert_eq!(key.verify(b"m", &good), Ok(()));
    let mut carry = 0_u16;
    let mut malleable = good;
    for (byte, add) in malleable[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        [*byte, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    assert_ne!(malleable, good);
    assert!(key.verify(b"m", &malleable).is_err());
}

/// Negative control: with the lenient rule for signatures, this fails.
#[test]
fn w15_a_commitment_of_small_order_is_refused() {
    let secret = SecretKey::from_bytes(KeyRole::Step, &[1; 32]);
    let key = PublicKey::from_bytes(KeyRole::Step, &secret.public_bytes()).unwrap();
    let mut signature = [0; 64];
    signature[0] = 1;
    assert!(key.verify(b"m", &signature).is_err());
    let mut not_canonical = [0xff; 64];
    not_canonical[0] = 0xee;
    not_canonical[31] = 0x7f;
    not_canonical[32..].fill(0);
    assert!(key.verify(b"m", &not_canonical).is_err());
    // The third row of the ed25519-speccheck vectors (Chalkias, Garillot, Nikolaenko: "Taming the many EdDSAs"): the equation
    // holds, and the commitment has order eight.
    let hex = |text: &str| -> Vec<u8> {
        let digits = text.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16);
        digits.map(|pair| byte(pair).unwrap()).collect()
    };
    let public = hex("f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43");
    let message = hex("aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab");
    let signature = hex(
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e",
    );
    let key = PublicKey::from_bytes(KeyRole::Step, &public.try_into().unwrap()).unwrap();
    assert!(
        key.verify(&message, &signature.try_into().unwrap())
            .is_err()
    );
}

// The first three vectors of RFC 8032, 7.1.
#[test]
fn signatures_are_those_of_the_rfc() {
    let vectors: [(&str, &str, &[u8], &str); 2] = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            b"",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &[0x72],
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ];
    for (secret, public, message, signature) in vectors {
        let bytes = |hex: &str| aim_core::digest::decode_hex::<32>(hex).unwrap();
        let key = SecretKey::from_bytes(KeyRole::Step, &bytes(secret));
        assert_eq!(key.public_bytes(), bytes(public));
        assert_eq!(aim_core::digest::encode_hex(&key.sign(message)), signature);
    }
}

proptest! {
    #[test]
    fn arbitrary_envelopes_never_panic(text in ".{0,200}") {
        let _ = Envelope::parse(text.as_bytes());
    }
}
