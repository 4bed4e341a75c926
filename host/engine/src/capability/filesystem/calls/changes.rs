//! Everything that would change a folder: staged in a writable one, `read-only` in a snapshot.
//!
//! INVARIANT: every change is recorded with what came of it; links are never made, and times are never kept.

use aim_core::{
    access::{Capability, Mode},
    digest::Digest,
    transcript::{CallVerdict, Fields},
};
use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource},
};
use wasmtime_wasi_io::streams::DynOutputStream;

use super::{
    state::{Mount, Node, Place, stage_error},
    streams::FileWriter,
    types::{ErrorCode, NewTimestamp, PathFlags},
};
use crate::{
    adapter::table_error,
    door::{self, Class},
    guest::Guest,
    stage::{FileHandle, SharedStage, StageFault},
};

type Cx<'a> = StoreContextMut<'a, Guest>;
type Answer<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;
type PathCall = (Resource<Node>, String);

macro_rules! function {
    ($name:literal) => {
        concat!("wasi:filesystem/types.[method]descriptor.", $name)
    };
}

pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap("[method]descriptor.write", write)?;
    instance.func_wrap(
        "[method]descriptor.write-via-stream",
        |cx: Cx<'_>, (this, at): (Resource<Node>, u64)| {
            stream(cx, function!("write-via-stream"), &this, Some(at))
        },
    )?;
    instance.func_wrap(
        "[method]descriptor.append-via-stream",
        |cx: Cx<'_>, (this,): (Resource<Node>,)| {
            stream(cx, function!("append-via-stream"), &this, None)
        },
    )?;
    instance.func_wrap("[method]descriptor.set-size", set_size)?;
    instance.func_wrap("[method]descriptor.set-times", set_times)?;
    instance.func_wrap("[method]descriptor.set-times-at", set_times_at)?;
    instance.func_wrap(
        "[method]descriptor.create-directory-at",
        |cx: Cx<'_>, call: PathCall| {
            change(
                cx,
                function!("create-directory-at"),
                &call,
                SharedStage::create_folder,
            )
        },
    )?;
    instance.func_wrap(
        "[method]descriptor.remove-directory-at",
        |cx: Cx<'_>, call: PathCall| {
            change(
                cx,
                function!("remove-directory-at"),
                &call,
                SharedStage::remove_folder,
            )
        },
    )?;
    instance.func_wrap(
        "[method]descriptor.unlink-file-at",
        |cx: Cx<'_>, call: PathCall| {
            change(
                cx,
                function!("unlink-file-at"),
                &call,
                SharedStage::remove_file,
            )
        },
    )?;
    instance.func_wrap("[method]descriptor.rename-at", rename_at)?;
    instance.func_wrap(
        "[method]descriptor.symlink-at",
        |cx: Cx<'_>, (this, old, new): SymlinkAt| {
            refuse_link(cx, function!("symlink-at"), &this, &old, &new)
        },
    )?;
    instance.func_wrap(
        "[method]descriptor.link-at",
        |cx: Cx<'_>, (this, _, old, _, new): LinkAt| {
            refuse_link(cx, function!("link-at"), &this, &old, &new)
        },
    )
}

type SymlinkAt = (Resource<Node>, String, String);
type LinkAt = (Resource<Node>, PathFlags, String, Resource<Node>, String);

/// Writes a change down with what came of it.
fn conclude<T>(
    guest: &mut Guest,
    function: &'static str,
    request: Fields,
    result: Result<T, ErrorCode>,
) -> Answer<T> {
    let (verdict, response) = match &result {
        Ok(_) => (CallVerdict::Ok, Fields::new()),
        Err(code @ ErrorCode::NotPermitted) => {
            guest.denials = guest.denials.saturating_add(1);
            let why = door::uncovered(guest, function);
            let why = why.unwrap_or_else(|| Fields::new().text(&format!("{code:?}")));
            (CallVerdict::Denied, why)
        }
        Err(code) => (CallVerdict::Error, Fields::new().text(&format!("{code:?}"))),
    };
    door::record(guest, function, verdict, request, response)?;
    Ok((result,))
}

fn begin<'a>(
    cx: &'a mut Cx<'_>,
    this: &Resource<Node>,
    bytes: usize,
) -> wasmtime::Result<(&'a Node, Fields, Paid)> {
    door::begin(cx, Class::Write, bytes)?;
    let node = cx.data().table.get(this).map_err(table_error)?;
    let mount = Mount::clone(&node.mount);
    // A snapshot is never changed: its own answer is the right one.
    let is_paid = !node.is_staged() || door::take(cx.data_mut(), wanted(&mount), bytes);
    let node = cx.data().table.get(this).map_err(table_error)?;
    let request = Fields::new().text(&node.mount).text(&node.path);
    Ok((
        node,
        request,
        is_paid.then_some(()).ok_or(ErrorCode::NotPermitted),
    ))
}

/// Takes fuel for the bytes of a file that a change makes or drops without bringing them. What a stream fills up later was paid
/// for when it was opened, or when the file was made shorter.
fn charge_file(
    cx: &mut Cx<'_>,
    this: &Resource<Node>,
    bytes: impl FnOnce(&FileHandle) -> u64,
) -> wasmtime::Result<()> {
    let node = cx.data().table.get(this).map_err(table_error)?;
    let bytes = node.file().map_or(0, bytes);
    door::charge(
        cx,
        Class::Adapted,
        usize::try_from(bytes).unwrap_or(usize::MAX),
    )
}

/// Whether a token covers a change.
type Paid = Result<(), ErrorCode>;

fn wanted(mount: &Mount) -> door::Wanted<'_> {
    (Capability::Filesystem, Some(Mode::Write), mount)
}

fn write(mut cx: Cx<'_>, (this, buffer, offset): (Resource<Node>, Vec<u8>, u64)) -> Answer<u64> {
    let gap = |file: &FileHandle| file.gap(offset, buffer.len() as u64);
    charge_file(&mut cx, &this, gap)?;
    let (node, request, paid) = begin(&mut cx, &this, buffer.len())?;
    let request = request
        .number(offset)
        .number(buffer.len() as u64)
        .bytes(Digest::of(&buffer).as_bytes());
    let result = paid.and_then(|()| node.file()).and_then(|file| {
        let written = file.write(Some(offset), &buffer);
        written.map_err(stage_error).map(|()| buffer.len() as u64)
    });
    conclude(cx.data_mut(), function!("write"), request, result)
}

fn stream(
    mut cx: Cx<'_>,
    function: &'static str,
    this: &Resource<Node>,
    at: Option<u64>,
) -> Answer<Resource<DynOutputStream>> {
    charge_file(&mut cx, this, |file| at.map_or(0, |at| file.gap(at, 0)))?;
    let (node, request, paid) = begin(&mut cx, this, 0)?;
    let request = request.number(at.unwrap_or(u64::MAX));
    let file = paid.and_then(|()| node.file()).map(FileHandle::another);
    let mount = Mount::clone(&node.mount);
    let tap = door::Tap::new(cx.data(), wanted(&mount));
    let guest = cx.data_mut();
    let result = match file {
        Ok(file) => {
            let stream: DynOutputStream = Box::new(FileWriter { file, at, tap });
            Ok(guest.table.push(stream).map_err(table_error)?)
        }
        Err(code) => Err(code),
    };
    conclude(guest, function, request, result)
}

fn set_size(mut cx: Cx<'_>, (this, size): (Resource<Node>, u64)) -> Answer<()> {
    charge_file(&mut cx, &this, |file| file.distance(size))?;
    let (node, request, paid) = begin(&mut cx, &this, 0)?;
    let result = paid
        .and_then(|()| node.file())
        .and_then(|file| file.resize(size).map_err(stage_error));
    let request = request.number(size);
    conclude(cx.data_mut(), function!("set-size"), request, result)
}

/// No file here has times. Leaving them alone or touching them is nothing; setting one is an error, whatever it is.
fn check_times(times: [NewTimestamp; 2]) -> Result<(), ErrorCode> {
    let sets = |time: &NewTimestamp| matches!(time, NewTimestamp::Timestamp(_));
    if times.iter().any(sets) {
        return Err(ErrorCode::Unsupported);
    }
    Ok(())
}

type Times = (Resource<Node>, NewTimestamp, NewTimestamp);

fn set_times(mut cx: Cx<'_>, (this, access, modification): Times) -> Answer<()> {
    let (node, request, paid) = begin(&mut cx, &this, 0)?;
    let allowed = match &node.place {
        Place::Given(..) => Err(ErrorCode::ReadOnly),
        _ if !node.can_write => Err(ErrorCode::NotPermitted),
        _ => Ok(()),
    };
    let result = paid
        .and(allowed)
        .and_then(|()| check_times([access, modification]));
    conclude(cx.data_mut(), function!("set-times"), request, result)
}

type TimesAt = (
    Resource<Node>,
    PathFlags,
    String,
    NewTimestamp,
    NewTimestamp,
);

fn set_times_at(mut cx: Cx<'_>, (this, _, path, access, modification): TimesAt) -> Answer<()> {
    let (node, request, paid) = begin(&mut cx, &this, path.len())?;
    let result = paid
        .and_then(|()| node.writable())
        .and_then(|stage| stage.about(&node.path, &path).map_err(stage_error))
        .and_then(|_| check_times([access, modification]));
    let request = request.text(&path);
    conclude(cx.data_mut(), function!("set-times-at"), request, result)
}

fn change(
    mut cx: Cx<'_>,
    function: &'static str,
    (this, path): &PathCall,
    make: fn(&SharedStage, &str, &str) -> Result<(), StageFault>,
) -> Answer<()> {
    let (node, request, paid) = begin(&mut cx, this, path.len())?;
    let result = paid
        .and_then(|()| node.writable())
        .and_then(|stage| make(stage, &node.path, path).map_err(stage_error));
    let request = request.text(path);
    conclude(cx.data_mut(), function, request, result)
}

type RenameAt = (Resource<Node>, String, Resource<Node>, String);

fn rename_at(mut cx: Cx<'_>, (this, old, other, new): RenameAt) -> Answer<()> {
    let (_, request, paid) = begin(&mut cx, &this, old.len() + new.len())?;
    let request = request.text(&old).text(&new);
    let table = &cx.data().table;
    let node = table.get(&this).map_err(table_error)?;
    let other = table.get(&other).map_err(table_error)?;
    let result = match (node.writable(), other.writable()) {
        _ if paid.is_err() => Err(ErrorCode::NotPermitted),
        (Err(code), _) | (_, Err(code)) => Err(code),
        _ if node.mount != other.mount => Err(ErrorCode::CrossDevice),
        (Ok(stage), Ok(_)) => stage
            .rename((&node.path, &old), (&other.path, &new))
            .map_err(stage_error),
    };
    conclude(cx.data_mut(), function!("rename-at"), request, result)
}

/// No link of any kind is ever made: neither in a snapshot nor in a writable folder.
fn refuse_link(
    mut cx: Cx<'_>,
    function: &'static str,
    this: &Resource<Node>,
    old: &str,
    new: &str,
) -> Answer<()> {
    let (node, request, _) = begin(&mut cx, this, old.len() + new.len())?;
    let code = match &node.place {
        Place::Given(..) => ErrorCode::ReadOnly,
        Place::StagedFile(_) | Place::StagedFolder(_) => ErrorCode::NotPermitted,
    };
    let request = request.text(old).text(new);
    conclude(cx.data_mut(), function, request, Err(code))
}
