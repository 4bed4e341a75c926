//! `wasi:filesystem` over granted folders: our own read-only implementation on snapshots.
//!
//! Opening a file is recorded with its digest; everything that reads follows from it. Everything that would write answers
//! `read-only`. See `docs/design/0003-read-only-folders-are-snapshots.md`.
//!
//! INVARIANT: no call in this file touches the machine's file system.

pub(crate) mod types;

use std::sync::Arc;

use aim_core::{
    admission::Binding,
    outcome::LimitKind,
    transcript::{CallVerdict, Fields},
};
use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource, ResourceTableError, ResourceType},
};
use wasmtime_wasi_io::{
    async_trait,
    bytes::Bytes,
    poll::Pollable,
    streams::{DynInputStream, InputStream, StreamError, StreamResult},
};

use crate::{
    adapter::{self, Fixed},
    door::{self, Class},
    folder::{Found, PathFault, Snapshot},
    guest::{Guest, Stop},
};
use types::{
    DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, MetadataHash,
    OpenFlags, PathFlags,
};

const OPEN_AT: &str = "wasi:filesystem/types.[method]descriptor.open-at";
/// Bytes that one read gives at most.
const READ_BYTES_MAX: usize = 1024 * 1024;

type Cx<'a> = StoreContextMut<'a, Guest>;
type Answer<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;

/// An open file or folder.
pub(crate) struct Node {
    mount: Arc<str>,
    snapshot: Snapshot,
    path: String,
    found: Found,
}

/// A folder that is being listed.
pub(crate) struct Listing(std::vec::IntoIter<(String, bool)>);

/// Links `wasi:filesystem/preopens`: one folder for each granted one, at `/<name>`.
pub(crate) fn link_preopens(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("get-directories", |mut cx: Cx<'_>, (): ()| {
        door::charge(&mut cx, Class::Adapted, 0)?;
        let guest = cx.data_mut();
        let folders = Arc::clone(&guest.folders);
        let mut directories = Vec::with_capacity(folders.len());
        for (name, snapshot) in folders.iter() {
            let node = Node {
                mount: name.as_str().into(),
                snapshot: snapshot.clone(),
                path: String::new(),
                found: Found::Folder,
            };
            let node = guest.table.push(node).map_err(table_error)?;
            directories.push((node, format!("/{name}")));
        }
        Ok((directories,))
    })
}

/// Links `wasi:filesystem/types`.
pub(crate) fn link_types(
    instance: &mut LinkerInstance<'_, Guest>,
    binding: &Binding,
) -> wasmtime::Result<()> {
    instance.resource("descriptor", ResourceType::host::<Node>(), |mut cx, rep| {
        cx.data_mut().table.delete(Resource::<Node>::new_own(rep))?;
        Ok(())
    })?;
    let listing = ResourceType::host::<Listing>();
    instance.resource("directory-entry-stream", listing, |mut cx, rep| {
        cx.data_mut()
            .table
            .delete(Resource::<Listing>::new_own(rep))?;
        Ok(())
    })?;
    instance.func_wrap("[method]descriptor.open-at", open_at)?;
    instance.func_wrap("[method]descriptor.read-via-stream", read_via_stream)?;
    instance.func_wrap("[method]descriptor.read", read)?;
    instance.func_wrap("[method]descriptor.write", write)?;
    instance.func_wrap("[method]descriptor.get-flags", get_flags)?;
    instance.func_wrap("[method]descriptor.get-type", get_type)?;
    instance.func_wrap("[method]descriptor.stat", stat)?;
    instance.func_wrap("[method]descriptor.stat-at", stat_at)?;
    instance.func_wrap("[method]descriptor.read-directory", read_directory)?;
    instance.func_wrap("[method]descriptor.is-same-object", is_same_object)?;
    instance.func_wrap("[method]descriptor.metadata-hash", metadata_hash)?;
    instance.func_wrap("[method]descriptor.metadata-hash-at", metadata_hash_at)?;
    instance.func_wrap(
        "[method]directory-entry-stream.read-directory-entry",
        next_entry,
    )?;
    for function in &binding.import.functions {
        let fixed = match function.as_str() {
            name if SERVED.contains(&name) => continue,
            "[method]descriptor.advise"
            | "[method]descriptor.sync"
            | "[method]descriptor.sync-data"
            | "filesystem-error-code" => Fixed::Empty,
            "[method]descriptor.readlink-at" => Fixed::Error("invalid"),
            _ => Fixed::Error("read-only"),
        };
        adapter::link_fixed(instance, function, fixed, None)?;
    }
    Ok(())
}

/// What is linked above.
const SERVED: [&str; 13] = [
    "[method]descriptor.open-at",
    "[method]descriptor.read-via-stream",
    "[method]descriptor.read",
    "[method]descriptor.write",
    "[method]descriptor.get-flags",
    "[method]descriptor.get-type",
    "[method]descriptor.stat",
    "[method]descriptor.stat-at",
    "[method]descriptor.read-directory",
    "[method]descriptor.is-same-object",
    "[method]descriptor.metadata-hash",
    "[method]descriptor.metadata-hash-at",
    "[method]directory-entry-stream.read-directory-entry",
];

fn table_error(error: ResourceTableError) -> wasmtime::Error {
    match error {
        ResourceTableError::Full => Stop::Limit(LimitKind::Handles).error(),
        other => other.into(),
    }
}

const fn path_error(fault: PathFault) -> ErrorCode {
    match fault {
        PathFault::Missing => ErrorCode::NoEntry,
        PathFault::NotFolder => ErrorCode::NotDirectory,
        PathFault::Outside => ErrorCode::NotPermitted,
    }
}

/// Takes fuel and gives the open node.
fn node<'a>(cx: &'a mut Cx<'_>, this: &Resource<Node>, bytes: usize) -> wasmtime::Result<&'a Node> {
    door::charge(cx, Class::Adapted, bytes)?;
    cx.data().table.get(this).map_err(table_error)
}

fn at(this: &Node, path: &str) -> Result<(String, Found), ErrorCode> {
    match this.found {
        Found::File(_) => Err(ErrorCode::NotDirectory),
        Found::Folder => this.snapshot.resolve(&this.path, path).map_err(path_error),
    }
}

type OpenAt = (
    Resource<Node>,
    PathFlags,
    String,
    OpenFlags,
    DescriptorFlags,
);

fn open_at(mut cx: Cx<'_>, (this, _, path, open, flags): OpenAt) -> Answer<Resource<Node>> {
    door::begin(&mut cx, Class::Read, path.len())?;
    let guest = cx.data_mut();
    let this = guest.table.get(&this).map_err(table_error)?;
    let request = Fields::new().text(&this.mount).text(&this.path).text(&path);
    let opened = check_open(this, &path, &open, &flags).map(|(path, found)| Node {
        mount: Arc::clone(&this.mount),
        snapshot: this.snapshot.clone(),
        path,
        found,
    });
    let (verdict, response) = match &opened {
        Ok(node) => match &node.found {
            Found::File(file) => (CallVerdict::Ok, Fields::new().bytes(file.digest.as_bytes())),
            Found::Folder => {
                let digest = node.snapshot.digest();
                (CallVerdict::Ok, Fields::new().bytes(digest.as_bytes()))
            }
        },
        Err(code) => (CallVerdict::Error, Fields::new().text(&format!("{code:?}"))),
    };
    let answer = match opened {
        Ok(node) => Ok(guest.table.push(node).map_err(table_error)?),
        Err(code) => Err(code),
    };
    door::record(guest, OPEN_AT, verdict, request, response)?;
    Ok((answer,))
}

fn check_open(
    this: &Node,
    path: &str,
    open: &OpenFlags,
    flags: &DescriptorFlags,
) -> Result<(String, Found), ErrorCode> {
    let writes = *open & (OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE)
        != OpenFlags::default()
        || *flags & (DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY)
            != DescriptorFlags::default();
    let (whole, found) = at(this, path)?;
    if writes {
        return Err(ErrorCode::ReadOnly);
    }
    let wants_folder = *open & OpenFlags::DIRECTORY != OpenFlags::default();
    if wants_folder && matches!(found, Found::File(_)) {
        return Err(ErrorCode::NotDirectory);
    }
    Ok((whole, found))
}

fn read_via_stream(
    mut cx: Cx<'_>,
    (this, offset): (Resource<Node>, u64),
) -> Answer<Resource<DynInputStream>> {
    let bytes = match &node(&mut cx, &this, 0)?.found {
        Found::File(file) => Arc::clone(&file.bytes),
        Found::Folder => return Ok((Err(ErrorCode::IsDirectory),)),
    };
    let at = usize::try_from(offset)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let stream: DynInputStream = Box::new(FileStream { bytes, at });
    let stream = cx.data_mut().table.push(stream).map_err(table_error)?;
    Ok((Ok(stream),))
}

struct FileStream {
    bytes: Arc<[u8]>,
    at: usize,
}

#[async_trait]
impl Pollable for FileStream {
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for FileStream {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.at >= self.bytes.len() {
            return Err(StreamError::Closed);
        }
        let end = self
            .at
            .saturating_add(size.min(READ_BYTES_MAX))
            .min(self.bytes.len());
        let piece = self.bytes.get(self.at..end).unwrap_or_default();
        let piece = Bytes::copy_from_slice(piece);
        self.at = end;
        Ok(piece)
    }
}

fn read(
    mut cx: Cx<'_>,
    (this, length, offset): (Resource<Node>, u64, u64),
) -> Answer<(Vec<u8>, bool)> {
    let bytes = match &node(&mut cx, &this, 0)?.found {
        Found::File(file) => Arc::clone(&file.bytes),
        Found::Folder => return Ok((Err(ErrorCode::IsDirectory),)),
    };
    let start = usize::try_from(offset)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let length = usize::try_from(length)
        .unwrap_or(usize::MAX)
        .min(READ_BYTES_MAX);
    let end = start.saturating_add(length).min(bytes.len());
    let piece = bytes.get(start..end).unwrap_or_default().to_vec();
    door::charge(&mut cx, Class::Adapted, piece.len())?;
    Ok((Ok((piece, end == bytes.len())),))
}

fn write(mut cx: Cx<'_>, (this, buffer, _): (Resource<Node>, Vec<u8>, u64)) -> Answer<u64> {
    node(&mut cx, &this, buffer.len())?;
    Ok((Err(ErrorCode::ReadOnly),))
}

fn get_flags(mut cx: Cx<'_>, (this,): (Resource<Node>,)) -> Answer<DescriptorFlags> {
    node(&mut cx, &this, 0)?;
    Ok((Ok(DescriptorFlags::READ),))
}

const fn kind(found: &Found) -> DescriptorType {
    match found {
        Found::File(_) => DescriptorType::RegularFile,
        Found::Folder => DescriptorType::Directory,
    }
}

fn get_type(mut cx: Cx<'_>, (this,): (Resource<Node>,)) -> Answer<DescriptorType> {
    Ok((Ok(kind(&node(&mut cx, &this, 0)?.found)),))
}

/// Sizes are real; times are absent, because a snapshot has none.
fn stat_of(found: &Found) -> DescriptorStat {
    let size = match found {
        Found::File(file) => file.bytes.len() as u64,
        Found::Folder => 0,
    };
    DescriptorStat {
        kind: kind(found),
        link_count: 1,
        size,
        data_access_timestamp: None,
        data_modification_timestamp: None,
        status_change_timestamp: None,
    }
}

fn stat(mut cx: Cx<'_>, (this,): (Resource<Node>,)) -> Answer<DescriptorStat> {
    Ok((Ok(stat_of(&node(&mut cx, &this, 0)?.found)),))
}

type PathCall = (Resource<Node>, PathFlags, String);

fn stat_at(mut cx: Cx<'_>, (this, _, path): PathCall) -> Answer<DescriptorStat> {
    let this = node(&mut cx, &this, path.len())?;
    Ok((at(this, &path).map(|(_, found)| stat_of(&found)),))
}

fn read_directory(mut cx: Cx<'_>, (this,): (Resource<Node>,)) -> Answer<Resource<Listing>> {
    let this = node(&mut cx, &this, 0)?;
    if matches!(this.found, Found::File(_)) {
        return Ok((Err(ErrorCode::NotDirectory),));
    }
    let listing = Listing(this.snapshot.entries(&this.path).into_iter());
    let bytes = listing
        .0
        .as_slice()
        .iter()
        .map(|(name, _)| name.len())
        .sum();
    door::charge(&mut cx, Class::Adapted, bytes)?;
    let listing = cx.data_mut().table.push(listing).map_err(table_error)?;
    Ok((Ok(listing),))
}

fn next_entry(mut cx: Cx<'_>, (this,): (Resource<Listing>,)) -> Answer<Option<DirectoryEntry>> {
    door::charge(&mut cx, Class::Adapted, 0)?;
    let listing = cx.data_mut().table.get_mut(&this).map_err(table_error)?;
    let entry = listing.0.next().map(|(name, is_folder)| DirectoryEntry {
        kind: if is_folder {
            DescriptorType::Directory
        } else {
            DescriptorType::RegularFile
        },
        name,
    });
    Ok((Ok(entry),))
}

fn is_same_object(
    mut cx: Cx<'_>,
    (this, other): (Resource<Node>, Resource<Node>),
) -> wasmtime::Result<(bool,)> {
    door::charge(&mut cx, Class::Adapted, 0)?;
    let table = &cx.data().table;
    let (this, other) = (
        table.get(&this).map_err(table_error)?,
        table.get(&other).map_err(table_error)?,
    );
    Ok((this.mount == other.mount && this.path == other.path,))
}

fn hash_of(mount: &str, path: &str, found: &Found) -> MetadataHash {
    let content = match found {
        Found::File(file) => *file.digest.as_bytes(),
        Found::Folder => [0; 32],
    };
    let parts: [&[u8]; 3] = [mount.as_bytes(), path.as_bytes(), &content];
    let digest = aim_core::digest::Digest::derive("metadata", &parts);
    let half = |from: usize| {
        let bytes = digest.as_bytes().iter().skip(from).take(8);
        bytes.fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte))
    };
    MetadataHash {
        lower: half(0),
        upper: half(8),
    }
}

fn metadata_hash(mut cx: Cx<'_>, (this,): (Resource<Node>,)) -> Answer<MetadataHash> {
    let this = node(&mut cx, &this, 0)?;
    Ok((Ok(hash_of(&this.mount, &this.path, &this.found)),))
}

fn metadata_hash_at(mut cx: Cx<'_>, (this, _, path): PathCall) -> Answer<MetadataHash> {
    let this = node(&mut cx, &this, path.len())?;
    Ok((at(this, &path).map(|(path, found)| hash_of(&this.mount, &path, &found)),))
}
