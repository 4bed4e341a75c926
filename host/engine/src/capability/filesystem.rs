//! `wasi:filesystem` over granted folders: our own implementation, on snapshots and on staged changes above them.
//!
//! A folder that is read is a snapshot that was pinned before the run; a folder that is written is a snapshot with the
//! attempt's own changes above, which are published once the witness is durable. Opening a file is recorded with its digest;
//! everything that reads follows from it. Every change is recorded; what comes through a stream is in the changes' document.
//! See `docs/design/0003-read-only-folders-are-snapshots.md`.
//!
//! INVARIANT: no call in this folder touches the machine's file system.

mod calls;
mod changes;
mod node;
mod streams;
pub(crate) mod types;

use std::sync::Arc;

use aim_core::{
    admission::Binding,
    transcript::{CallVerdict, Fields},
};
use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource, ResourceType},
};

use crate::{
    adapter::{self, Fixed, table_error},
    door::{self, Class},
    folder::Found,
    guest::Guest,
};
use node::{Listing, Node, Place};

type Cx<'a> = StoreContextMut<'a, Guest>;

const PREOPENS: &str = "wasi:filesystem/preopens.get-directories";

/// Links `wasi:filesystem/preopens`: one folder for each granted one, at `/<name>`.
pub(crate) fn link_preopens(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
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
    calls::link(instance)?;
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

/// The name of a mount, for as many descriptors as there are.
pub(crate) type Mount = Arc<str>;
