//! The functions of `aim:artifact/store`.
//!
//! INVARIANT: bytes are reserved before they are kept, and given back when they are not.

use std::sync::Arc;

use aim_core::{
    access::{Capability, Mode},
    digest::Digest,
    envelope::ArtifactRef,
    transcript::Fields,
};
use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource, ResourceType},
};

use super::state::Writer;
use crate::{
    adapter::table_error,
    call::StagedArtifact,
    convert,
    door::{self, Class},
    guest::Guest,
    wit,
};

const READ: &str = "aim:artifact/store.read";
const PUT: &str = "aim:artifact/store.put";
const CREATE: &str = "aim:artifact/store.[static]writer.create";
const APPEND: &str = "aim:artifact/store.[method]writer.append";
const FINISH: &str = "aim:artifact/store.[static]writer.finish";

const CAN_READ: (Capability, Option<Mode>, &str) = (Capability::Artifact, Some(Mode::Read), "any");
const CAN_PUT: (Capability, Option<Mode>, &str) = (Capability::Artifact, Some(Mode::Put), "any");

type Cx<'a> = StoreContextMut<'a, Guest>;
type Answer<T> = wasmtime::Result<(Result<T, wit::HostError>,)>;

pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.resource("writer", ResourceType::host::<Writer>(), |mut cx, rep| {
        let guest = cx.data_mut();
        let writer = guest.table.delete(Resource::<Writer>::new_own(rep))?;
        refund(guest, &writer);
        Ok(())
    })?;
    instance.func_wrap_async(
        "read",
        |cx: Cx<'_>, (digest, offset, len): (String, u64, u32)| {
            Box::new(read(cx, digest, offset, len))
        },
    )?;
    instance.func_wrap("put", put)?;
    instance.func_wrap("[static]writer.create", create)?;
    instance.func_wrap("[method]writer.append", append)?;
    instance.func_wrap("[static]writer.finish", finish)
}

async fn read(mut cx: Cx<'_>, digest: String, offset: u64, len: u32) -> Answer<Vec<u8>> {
    door::begin(&mut cx, Class::Wait, digest.len())?;
    let request = Fields::new()
        .text(&digest)
        .number(offset)
        .number(u64::from(len));
    let result = match open(&mut cx, &digest).await {
        Ok(bytes) => {
            let piece = slice(cx.data(), &bytes, offset, len);
            door::spend(cx.data_mut(), CAN_READ, piece.len(), READ).map(|()| piece)
        }
        Err(error) => Err(error),
    };
    if let Ok(piece) = &result {
        door::charge(&mut cx, Class::Read, piece.len())?;
    }
    // The piece follows from digest, offset and length; its length is enough to replay it.
    door::conclude(cx.data_mut(), READ, request, result, |piece| {
        Fields::new().number(piece.len() as u64)
    })
}

fn slice(guest: &Guest, bytes: &[u8], offset: u64, len: u32) -> Vec<u8> {
    let start = usize::try_from(offset)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let len = len.min(guest.limits.host_call_bytes_max);
    let end = start
        .saturating_add(usize::try_from(len).unwrap_or(usize::MAX))
        .min(bytes.len());
    bytes.get(start..end).unwrap_or_default().to_vec()
}

async fn open(cx: &mut Cx<'_>, digest: &str) -> Result<Arc<[u8]>, wit::HostError> {
    let guest = cx.data();
    let Ok(parsed) = digest.parse::<Digest>() else {
        let what = "digest must be `blake3:` and 64 hex digits";
        return Err(wit::HostError::InvalidArgument(what.to_owned()));
    };
    let subject = parsed.to_string();
    if !guest.permits.artifact_read {
        return Err(door::denied(guest, "artifact.read", READ, &subject));
    }
    if let Some(staged) = guest.staged.iter().find(|s| s.reference.digest == parsed) {
        return Ok(Arc::clone(&staged.bytes));
    }
    if let Some(bytes) = guest.opened.get(&parsed) {
        return Ok(Arc::clone(bytes));
    }
    if !guest.inputs.iter().any(|input| input.digest == parsed) {
        return Err(door::denied(guest, "artifact.inputs", READ, &subject));
    }
    let Some(services) = guest.services.as_ref().map(Arc::clone) else {
        return Err(wit::HostError::Unavailable(subject));
    };
    let bytes = services
        .read_artifact(parsed)
        .await
        .map_err(|error| door::port_error(&error, &subject))?;
    cx.data_mut().opened.insert(parsed, Arc::clone(&bytes));
    Ok(bytes)
}

fn put(mut cx: Cx<'_>, (media_type, body): (String, Vec<u8>)) -> Answer<wit::ArtifactRef> {
    door::begin(&mut cx, Class::Write, media_type.len() + body.len())?;
    let guest = cx.data_mut();
    let digest = Digest::of(&body);
    let request = Fields::new().text(&media_type).text(&digest.to_string());
    let result = permit_put(guest, PUT, &media_type)
        .and_then(|()| door::spend(guest, CAN_PUT, body.len(), PUT))
        .and_then(|()| reserve(guest, body.len()))
        .and_then(|()| stage(guest, digest, media_type, body));
    door::conclude(guest, PUT, request, result, show_ref)
}

fn show_ref(reference: &wit::ArtifactRef) -> Fields {
    Fields::new()
        .text(&reference.digest)
        .number(reference.size_bytes)
}

fn permit_put(guest: &Guest, action: &str, media_type: &str) -> Result<(), wit::HostError> {
    if !guest.permits.artifact_put {
        return Err(door::denied(guest, "artifact.put", action, media_type));
    }
    let is_plain = media_type
        .bytes()
        .all(|b| b.is_ascii_graphic() || b == b' ');
    if media_type.is_empty() || media_type.len() > 128 || !is_plain {
        let what = "media type must be 1 to 128 printable ASCII characters";
        return Err(wit::HostError::InvalidArgument(what.to_owned()));
    }
    Ok(())
}

fn reserve(guest: &mut Guest, bytes: usize) -> Result<(), wit::HostError> {
    let total = guest.staged_bytes.saturating_add(bytes as u64);
    if total > guest.limits.artifact_bytes_max {
        return Err(wit::HostError::Exhausted("artifact-bytes".to_owned()));
    }
    guest.staged_bytes = total;
    Ok(())
}

fn refund(guest: &mut Guest, writer: &Writer) {
    guest.staged_bytes = guest.staged_bytes.saturating_sub(writer.bytes.len() as u64);
}

/// Keeps content whose bytes are already reserved.
fn stage(
    guest: &mut Guest,
    digest: Digest,
    media_type: String,
    bytes: Vec<u8>,
) -> Result<wit::ArtifactRef, wit::HostError> {
    let count = u32::try_from(guest.staged.len()).unwrap_or(u32::MAX);
    let size_bytes = bytes.len() as u64;
    let reference = ArtifactRef {
        digest,
        media_type,
        size_bytes,
    };
    let is_known = guest
        .staged
        .iter()
        .any(|staged| staged.reference == reference);
    if is_known || count >= guest.limits.artifacts_max {
        guest.staged_bytes = guest.staged_bytes.saturating_sub(size_bytes);
    }
    if is_known {
        return Ok(convert::artifact_to_guest(&reference));
    }
    if count >= guest.limits.artifacts_max {
        return Err(wit::HostError::Exhausted("artifacts".to_owned()));
    }
    let answer = convert::artifact_to_guest(&reference);
    guest.staged.push(StagedArtifact {
        reference,
        bytes: bytes.into(),
    });
    Ok(answer)
}

fn create(mut cx: Cx<'_>, (media_type,): (String,)) -> Answer<Resource<Writer>> {
    door::begin(&mut cx, Class::Write, media_type.len())?;
    let guest = cx.data_mut();
    let request = Fields::new().text(&media_type);
    let permitted = permit_put(guest, CREATE, &media_type)
        .and_then(|()| door::spend(guest, CAN_PUT, 0, CREATE));
    let result = match permitted {
        Ok(()) => Ok(guest
            .table
            .push(Writer {
                media_type,
                bytes: Vec::new(),
                is_exhausted: false,
            })
            .map_err(table_error)?),
        Err(error) => Err(error),
    };
    door::conclude(guest, CREATE, request, result, |_| Fields::new())
}

fn append(mut cx: Cx<'_>, (writer, chunk): (Resource<Writer>, Vec<u8>)) -> Answer<()> {
    door::begin(&mut cx, Class::Write, chunk.len())?;
    let guest = cx.data_mut();
    let request = Fields::new().text(&Digest::of(&chunk).to_string());
    // A piece that the token does not cover ends the writer, as one past the limit does.
    let spent = door::spend(guest, CAN_PUT, chunk.len(), APPEND);
    let reserved = match spent {
        Ok(()) => reserve(guest, chunk.len()),
        Err(denied) => Err(denied),
    };
    let open = guest.table.get_mut(&writer).map_err(table_error)?;
    let result = match reserved {
        Ok(()) if !open.is_exhausted => {
            open.bytes.extend_from_slice(&chunk);
            Ok(())
        }
        reserved => {
            let mut freed = std::mem::take(&mut open.bytes).len();
            open.is_exhausted = true;
            if reserved.is_ok() {
                freed += chunk.len();
            }
            guest.staged_bytes = guest.staged_bytes.saturating_sub(freed as u64);
            match reserved {
                Err(error @ wit::HostError::Denied(_)) => Err(error),
                _ => Err(wit::HostError::Exhausted("artifact-bytes".to_owned())),
            }
        }
    };
    door::conclude(guest, APPEND, request, result, |()| Fields::new())
}

fn finish(mut cx: Cx<'_>, (writer,): (Resource<Writer>,)) -> Answer<wit::ArtifactRef> {
    door::begin(&mut cx, Class::Write, 0)?;
    let guest = cx.data_mut();
    let writer = guest.table.delete(writer).map_err(table_error)?;
    let digest = Digest::of(&writer.bytes);
    let request = Fields::new().text(&digest.to_string());
    let result = if writer.is_exhausted {
        Err(wit::HostError::Exhausted("artifact-bytes".to_owned()))
    } else {
        stage(guest, digest, writer.media_type, writer.bytes)
    };
    door::conclude(guest, FINISH, request, result, show_ref)
}
