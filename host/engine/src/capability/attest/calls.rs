//! The functions of `aim:witness/attest`.
//!
//! INVARIANT: a claim is checked before it is kept; what is refused leaves nothing behind.

use aim_core::{
    access::Capability,
    claims::{
        CLAIM_BYTES_MAX, CLAIM_TEXT_BYTES_MAX, CLAIMS_MAX, Citation, Claim, Confidence, RATIO_ONE,
        Relation, has_integers_only,
    },
    gate::Doubt,
    json,
    transcript::Fields,
};
use wasmtime::{StoreContextMut, component::LinkerInstance};

use crate::{
    convert,
    door::{self, Class},
    guest::Guest,
    text::neutralise,
    wit,
};

type Cx<'a> = StoreContextMut<'a, Guest>;
type Answer<T> = wasmtime::Result<(Result<T, wit::HostError>,)>;

pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("claim", claim)?;
    instance.func_wrap("cite", cite)?;
    instance.func_wrap("set-confidence", set_confidence)?;
    instance.func_wrap("set-doubt", set_doubt)?;
    instance.func_wrap("declare-impact", |cx: Cx<'_>, (text,): (String,)| {
        set_text(
            cx,
            "aim:witness/attest.declare-impact",
            text,
            |claims, text| {
                claims.impact = Some(text);
            },
        )
    })?;
    instance.func_wrap("set-quip", |cx: Cx<'_>, (text,): (String,)| {
        set_text(cx, "aim:witness/attest.set-quip", text, |claims, text| {
            claims.quip = Some(text);
        })
    })
}

const CLAIM: &str = "aim:witness/attest.claim";
const CITE: &str = "aim:witness/attest.cite";

fn spend(guest: &Guest, bytes: usize, function: &str) -> Result<(), wit::HostError> {
    door::spend(guest, (Capability::Attest, None, "any"), bytes, function)
}

fn invalid(what: &str) -> wit::HostError {
    wit::HostError::InvalidArgument(what.to_owned())
}

fn next_number(guest: &Guest) -> Result<u32, wit::HostError> {
    let count = guest.claims.claims.len() + guest.claims.citations.len();
    match u32::try_from(count) {
        Ok(number) if count < CLAIMS_MAX => Ok(number),
        _ => Err(wit::HostError::Exhausted("claims".to_owned())),
    }
}

fn number(value: &u32) -> Fields {
    Fields::new().number(u64::from(*value))
}

fn claim(mut cx: Cx<'_>, (kind, body): (String, String)) -> Answer<u32> {
    door::begin(&mut cx, Class::Write, kind.len() + body.len())?;
    let guest = cx.data_mut();
    let request = Fields::new().text(&kind).text(&body);
    let spent = spend(guest, kind.len() + body.len(), CLAIM);
    let result = spent
        .and_then(|()| parse_claim(guest, kind, &body))
        .map(|(number, claim)| {
            guest.claims.claims.push(claim);
            number
        });
    door::conclude(guest, CLAIM, request, result, number)
}

fn parse_claim(guest: &Guest, kind: String, body: &str) -> Result<(u32, Claim), wit::HostError> {
    let is_plain = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain || kind.len() > CLAIM_TEXT_BYTES_MAX {
        return Err(invalid("kind must be 1 to 512 printable ASCII characters"));
    }
    if body.len() > CLAIM_BYTES_MAX {
        return Err(invalid("body must be at most 4096 bytes"));
    }
    let body = json::parse(body.as_bytes())
        .map_err(|_| invalid("body must be JSON in which no key stands twice"))?;
    if !has_integers_only(&body) {
        return Err(invalid("numbers must be integers of at most 2^53"));
    }
    Ok((next_number(guest)?, Claim { body, kind }))
}

fn cite(mut cx: Cx<'_>, (source, relation): (wit::ArtifactRef, wit::Relation)) -> Answer<u32> {
    let bytes = source.digest.len() + source.media_type.len();
    door::begin(&mut cx, Class::Write, bytes)?;
    let guest = cx.data_mut();
    let relation = match relation {
        wit::Relation::DerivesFrom => Relation::DerivesFrom,
        wit::Relation::Supports => Relation::Supports,
        wit::Relation::Contradicts => Relation::Contradicts,
        wit::Relation::Cites => Relation::Cites,
    };
    let request = Fields::new()
        .text(&source.digest)
        .text(&format!("{relation:?}"));
    let spent = spend(guest, bytes, CITE).and_then(|()| known_source(guest, source));
    let result = spent.and_then(|source| {
        let number = next_number(guest)?;
        guest.claims.citations.push(Citation { relation, source });
        Ok(number)
    });
    door::conclude(guest, CITE, request, result, number)
}

/// The source as the host knows it, when the step received it, read it or put it.
fn known_source(
    guest: &Guest,
    source: wit::ArtifactRef,
) -> Result<aim_core::envelope::ArtifactRef, wit::HostError> {
    let source = convert::artifact_from_guest(source)
        .ok_or_else(|| invalid("digest must be `blake3:` and 64 hex digits"))?;
    let staged = guest.staged.iter().map(|staged| &staged.reference);
    let known = guest
        .inputs
        .iter()
        .chain(staged)
        .find(|known| known.digest == source.digest);
    known
        .cloned()
        .ok_or_else(|| wit::HostError::NotFound(source.digest.to_string()))
}

fn set_confidence(mut cx: Cx<'_>, (confidence,): (wit::Confidence,)) -> Answer<()> {
    door::begin(&mut cx, Class::Write, confidence.method.len())?;
    let guest = cx.data_mut();
    let request = Fields::new()
        .number(u64::from(confidence.score))
        .text(&confidence.method);
    let function = "aim:witness/attest.set-confidence";
    let spent = spend(guest, confidence.method.len(), function);
    let result = if spent.is_err() {
        spent
    } else if confidence.score > RATIO_ONE {
        Err(invalid("score must be at most 1000000"))
    } else {
        guest.claims.confidence = Some(Confidence {
            method: neutralise(&confidence.method, CLAIM_TEXT_BYTES_MAX),
            score: confidence.score,
        });
        Ok(())
    };
    door::conclude(guest, function, request, result, |()| Fields::new())
}

fn set_doubt(mut cx: Cx<'_>, (doubt,): (wit::Doubt,)) -> Answer<()> {
    door::begin(&mut cx, Class::Write, 16)?;
    let guest = cx.data_mut();
    let doubt = Doubt {
        epistemic: doubt.epistemic,
        moral: doubt.moral,
        distributional: doubt.distributional,
        unknown_unknown: doubt.unknown_unknown,
    };
    let parts = [
        doubt.epistemic,
        doubt.moral,
        doubt.distributional,
        doubt.unknown_unknown,
    ];
    let request = parts.iter().fold(Fields::new(), |fields, part| {
        fields.number(u64::from(*part))
    });
    let function = "aim:witness/attest.set-doubt";
    let spent = spend(guest, 16, function);
    let result = if spent.is_err() {
        spent
    } else if parts.iter().any(|part| *part > RATIO_ONE) {
        Err(invalid("every doubt must be at most 1000000"))
    } else {
        guest.claims.doubt = Some(doubt);
        Ok(())
    };
    door::conclude(guest, function, request, result, |()| Fields::new())
}

fn set_text(
    mut cx: Cx<'_>,
    function: &'static str,
    text: String,
    set: fn(&mut aim_core::claims::GuestClaims, String),
) -> Answer<()> {
    door::begin(&mut cx, Class::Write, text.len())?;
    let guest = cx.data_mut();
    let request = Fields::new().text(&text);
    let spent = spend(guest, text.len(), function);
    let result = if spent.is_err() {
        spent
    } else if text.len() > CLAIM_TEXT_BYTES_MAX {
        Err(invalid("text must be at most 512 bytes"))
    } else {
        set(&mut guest.claims, neutralise(&text, CLAIM_TEXT_BYTES_MAX));
        Ok(())
    };
    door::conclude(guest, function, request, result, |()| Fields::new())
}
