//! The functions of `wasi:filesystem`: opening and reading here, changing in `changes`.
//!
//! INVARIANT: opening is recorded with what pins every byte behind it; reading is charged for the bytes that cross.

mod changes;

use std::sync::Arc;

use aim_core::{
    access::{Capability, Mode},
    admission::Binding,
    transcript::{CallVerdict, Fields},
};
use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource, ResourceType},
};
use wasmtime_wasi_io::streams::DynInputStream;

use super::{
    state::{self, Listing, Mount, Node, Place},
    streams::{self, FileReader, READ_BYTES_MAX, Source},
    types::{
        self, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode,
        MetadataHash, OpenFlags, PathFlags,
    },
};
use crate::{
    adapter::{self, Fixed, table_error},
    door::{self, Class},
    folder::Found,
    guest::Guest,
    stage::How,
};

const PREOPENS: &str = "wasi:filesystem/preopens.get-directories";
const OPEN_AT: &str = "wasi:filesystem/types.[method]descriptor.open-at";
const READ: &str = "wasi:filesystem/types.[method]descriptor.read";
const READ_DIRECTORY: &str = "wasi:filesystem/types.[method]descriptor.read-directory";
const READ_MODE: Option<Mode> = Some(Mode::Read);

type Cx<'a> = StoreContextMut<'a, Guest>;
type Answer<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;

pub(super) fn link_preopens(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("get-directories", |mut cx: Cx<'_>, (): ()| {
        door::begin(&mut cx, Class::Read, 0)?;
        let guest = cx.data_mut();
        let mut nodes = Vec::new();
        let mut response = Fields::new();
        for (name, stage) in &guest.held.stages {
            response = response.text(name).bytes(stage.base_digest().as_bytes());
            nodes.push(Node::root(name, Place::StagedFolder(stage.clone())));
        }
        for (name, snapshot) in guest.folders.iter() {
            response = response.text(name).bytes(snapshot.digest().as_bytes());
            let place = Place::Given(snapshot.clone(), Found::Folder);
            nodes.push(Node::root(name, place));
        }
        door::record(guest, PREOPENS, CallVerdict::Ok, Fields::new(), response)?;
        let mut directories = Vec::with_capacity(nodes.len());
        for node in nodes {
            let path = format!("/{}", node.mount);
            let node: Resource<Node> = guest.table.push(node).map_err(table_error)?;
            directories.push((node, path));
        }
        Ok((directories,))
    })
}

pub(super) fn link_types(
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
    link_reading(instance)?;
    changes::link(instance)?;
    for function in &binding.import.functions {
        let fixed = match function.as_str() {
            "[method]descriptor.advise"
            | "[method]descriptor.sync"
            | "[method]descriptor.sync-data"
            | "filesystem-error-code" => Fixed::Empty,
            "[method]descriptor.readlink-at" => Fixed::Error("invalid"),
            _ => continue,
        };
        adapter::link_fixed(instance, function, fixed, None)?;
    }
    Ok(())
}

fn link_reading(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("[method]descriptor.open-at", open_at)?;
    instance.func_wrap("[method]descriptor.read-via-stream", read_via_stream)?;
    instance.func_wrap("[method]descriptor.read", read)?;
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
    )
}

/// Takes fuel and gives the open node.
pub(super) fn node<'a>(
    cx: &'a mut Cx<'_>,
    this: &Resource<Node>,
    bytes: usize,
) -> wasmtime::Result<&'a Node> {
    door::charge(cx, Class::Adapted, bytes)?;
    cx.data().table.get(this).map_err(table_error)
}

/// Pays for what an unrecorded call reads; recorded only when it is refused.
fn paid(
    cx: &mut Cx<'_>,
    function: &'static str,
    mount: &Mount,
    bytes: usize,
) -> wasmtime::Result<bool> {
    let wanted = (Capability::Filesystem, READ_MODE, &**mount);
    door::draw(cx.data_mut(), function, wanted, bytes)
}

type OpenAt = (
    Resource<Node>,
    PathFlags,
    String,
    OpenFlags,
    DescriptorFlags,
);

fn open_at(mut cx: Cx<'_>, (handle, _, path, open, flags): OpenAt) -> Answer<Resource<Node>> {
    door::begin(&mut cx, Class::Read, path.len())?;
    let guest = cx.data_mut();
    let this = guest.table.get(&handle).map_err(table_error)?;
    let has = |flag: OpenFlags| open & flag != OpenFlags::default();
    let how = How {
        creates: has(OpenFlags::CREATE),
        is_exclusive: has(OpenFlags::EXCLUSIVE),
        truncates: has(OpenFlags::TRUNCATE),
        wants_folder: has(OpenFlags::DIRECTORY),
    };
    let changes = DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY;
    let writes = flags & changes != DescriptorFlags::default();
    let marks = [how.creates, how.is_exclusive, how.truncates, writes];
    let request = Fields::new().text(&this.mount).text(&this.path).text(&path);
    let request = request.bytes(&marks.map(u8::from));
    let mode = if this.is_staged() && (writes || how.creates || how.truncates) {
        Mode::Write
    } else {
        Mode::Read
    };
    let mount = Mount::clone(&this.mount);
    let cut = this.cut(&path, how);
    door::charge(&mut cx, Class::Adapted, cut)?;
    let guest = cx.data_mut();
    let wanted = (Capability::Filesystem, Some(mode), &*mount);
    // Nothing is opened, made or cut that is not paid for.
    let opened = if door::take(guest, wanted, path.len()) {
        let this = guest.table.get(&handle).map_err(table_error)?;
        this.open(&path, how, writes)
    } else {
        Err(ErrorCode::NotPermitted)
    };
    let (verdict, response) = match &opened {
        Ok(node) => (CallVerdict::Ok, node.pinned()),
        Err(_) if guest.uncovered.is_some() => {
            guest.denials = guest.denials.saturating_add(1);
            let why = door::uncovered(guest, OPEN_AT).unwrap_or_default();
            (CallVerdict::Denied, why)
        }
        Err(code) => (CallVerdict::Error, Fields::new().text(&format!("{code:?}"))),
    };
    // What was read of a folder that others may change lies nowhere else.
    if let Ok(Node {
        place: Place::StagedFile(file),
        ..
    }) = &opened
        && let Some((digest, bytes)) = file.base()
    {
        guest.held.kept.insert(digest, bytes);
    }
    let answer = match opened {
        Ok(node) => Ok(guest.table.push(node).map_err(table_error)?),
        Err(code) => Err(code),
    };
    door::record(guest, OPEN_AT, verdict, request, response)?;
    Ok((answer,))
}

fn read_via_stream(
    mut cx: Cx<'_>,
    (this, at): (Resource<Node>, u64),
) -> Answer<Resource<DynInputStream>> {
    let node = node(&mut cx, &this, 0)?;
    let mount = Mount::clone(&node.mount);
    let source = match &node.place {
        Place::Given(_, Found::File(file)) => Source::Given(Arc::clone(&file.bytes)),
        Place::StagedFile(file) => Source::Staged(file.another()),
        Place::Given(..) | Place::StagedFolder(_) => return Ok((Err(ErrorCode::IsDirectory),)),
    };
    let tap = door::Tap::new(cx.data(), (Capability::Filesystem, READ_MODE, &mount));
    let stream: DynInputStream = Box::new(FileReader { source, at, tap });
    let stream = cx.data_mut().table.push(stream).map_err(table_error)?;
    Ok((Ok(stream),))
}

fn read(
    mut cx: Cx<'_>,
    (this, length, offset): (Resource<Node>, u64, u64),
) -> Answer<(Vec<u8>, bool)> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let node = node(&mut cx, &this, 0)?;
    let mount = Mount::clone(&node.mount);
    let read = node.read(offset, length.min(READ_BYTES_MAX));
    if let Ok((piece, _)) = &read {
        door::charge(&mut cx, Class::Adapted, piece.len())?;
        if !paid(&mut cx, READ, &mount, piece.len())? {
            return Ok((Err(ErrorCode::NotPermitted),));
        }
    }
    Ok((read,))
}

fn get_flags(mut cx: Cx<'_>, (this,): (Resource<Node>,)) -> Answer<DescriptorFlags> {
    let node = node(&mut cx, &this, 0)?;
    let more = match (&node.place, node.can_write) {
        (_, false) => DescriptorFlags::default(),
        (Place::StagedFolder(_), true) => DescriptorFlags::MUTATE_DIRECTORY,
        (_, true) => DescriptorFlags::WRITE,
    };
    Ok((Ok(DescriptorFlags::READ | more),))
}

fn get_type(mut cx: Cx<'_>, (this,): (Resource<Node>,)) -> Answer<DescriptorType> {
    Ok((Ok(node(&mut cx, &this, 0)?.kind()),))
}

fn stat(mut cx: Cx<'_>, (this,): (Resource<Node>,)) -> Answer<DescriptorStat> {
    Ok((Ok(node(&mut cx, &this, 0)?.stat()),))
}

type PathCall = (Resource<Node>, PathFlags, String);

fn stat_at(mut cx: Cx<'_>, (this, _, path): PathCall) -> Answer<DescriptorStat> {
    Ok((node(&mut cx, &this, path.len())?.stat_at(&path),))
}

fn read_directory(mut cx: Cx<'_>, (this,): (Resource<Node>,)) -> Answer<Resource<Listing>> {
    let node = node(&mut cx, &this, 0)?;
    let mount = Mount::clone(&node.mount);
    let (mut names, listing) = match (node.listing(), node.listing()) {
        (Ok(names), Ok(listing)) => (names, listing),
        (Err(code), _) | (_, Err(code)) => return Ok((Err(code),)),
    };
    let (mut count, mut bytes) = (0_usize, 0_usize);
    // BOUND: a folder has as many entries as its quota lets it.
    while let Some((name, _)) = names.next() {
        count = count.saturating_add(1);
        bytes = bytes.saturating_add(name.len());
    }
    let work = door::elements(count).saturating_add(bytes);
    door::charge(&mut cx, Class::Adapted, work)?;
    if !paid(&mut cx, READ_DIRECTORY, &mount, bytes)? {
        return Ok((Err(ErrorCode::NotPermitted),));
    }
    let listing = cx.data_mut().table.push(listing).map_err(table_error)?;
    Ok((Ok(listing),))
}

fn next_entry(mut cx: Cx<'_>, (this,): (Resource<Listing>,)) -> Answer<Option<DirectoryEntry>> {
    door::charge(&mut cx, Class::Adapted, 0)?;
    let listing = cx.data_mut().table.get_mut(&this).map_err(table_error)?;
    let entry = listing.next().map(|(name, is_folder)| DirectoryEntry {
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
    let this = table.get(&this).map_err(table_error)?;
    Ok((this.is_same(table.get(&other).map_err(table_error)?),))
}

fn metadata_hash(mut cx: Cx<'_>, (this,): (Resource<Node>,)) -> Answer<MetadataHash> {
    Ok((Ok(node(&mut cx, &this, 0)?.hash()),))
}

fn metadata_hash_at(mut cx: Cx<'_>, (this, _, path): PathCall) -> Answer<MetadataHash> {
    Ok((node(&mut cx, &this, path.len())?.hash_at(&path),))
}
