//! `wasi:http/types.fields`: lists of headers.
//!
//! INVARIANT: a list never holds a header that a guest may not send, nor more of them than a request may have.

use aim_core::http::{HEADER_BYTES_MAX, HEADERS_MAX, HeaderFault, check_header, is_set_by_host};
use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource, ResourceType},
};

use super::{charged, delete, push, types::HeaderError};
use crate::guest::Guest;

type Cx<'a> = StoreContextMut<'a, Guest>;
type Entries = Vec<(String, Vec<u8>)>;

/// A list of headers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    /// Lower-case names and values, in order.
    pub(super) entries: Entries,
    /// True for a request's or an answer's own list.
    pub(super) is_immutable: bool,
}

impl Fields {
    pub(super) const fn immutable(entries: Entries) -> Self {
        Self {
            entries,
            is_immutable: true,
        }
    }

    fn add(&mut self, name: &str, value: Vec<u8>) -> Result<(), HeaderError> {
        check_header(name, &value).map_err(|fault| match fault {
            HeaderFault::Syntax => HeaderError::InvalidSyntax,
            HeaderFault::Forbidden => HeaderError::Forbidden,
        })?;
        let bytes = self.bytes().saturating_add(name.len() + value.len());
        if self.entries.len() >= HEADERS_MAX || bytes > HEADER_BYTES_MAX {
            return Err(HeaderError::Forbidden);
        }
        self.entries.push((name.to_ascii_lowercase(), value));
        Ok(())
    }

    fn bytes(&self) -> usize {
        let size = |(name, value): &(String, Vec<u8>)| name.len() + value.len();
        self.entries.iter().map(size).sum()
    }

    fn changeable(&mut self, name: &str) -> Result<&mut Self, HeaderError> {
        if self.is_immutable {
            return Err(HeaderError::Immutable);
        }
        if is_set_by_host(name) {
            return Err(HeaderError::Forbidden);
        }
        Ok(self)
    }

    fn remove(&mut self, name: &str) {
        self.entries
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }
}

fn sum<'a>(values: impl IntoIterator<Item = &'a Vec<u8>>) -> usize {
    values.into_iter().map(Vec::len).sum()
}

/// Links the resource and its functions.
pub(super) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.resource("fields", ResourceType::host::<Fields>(), |mut cx, rep| {
        delete(cx.data_mut(), Resource::<Fields>::new_own(rep)).map(drop)
    })?;
    instance.func_wrap("[constructor]fields", |mut cx: Cx<'_>, (): ()| {
        charged(&mut cx, 0)?;
        Ok((push(cx.data_mut(), Fields::default())?,))
    })?;
    instance.func_wrap("[static]fields.from-list", from_list)?;
    instance.func_wrap("[method]fields.get", get)?;
    instance.func_wrap("[method]fields.has", has)?;
    instance.func_wrap("[method]fields.set", set)?;
    instance.func_wrap("[method]fields.delete", remove)?;
    instance.func_wrap("[method]fields.append", append)?;
    instance.func_wrap("[method]fields.entries", entries)?;
    instance.func_wrap("[method]fields.clone", clone)
}

type Made = Result<Resource<Fields>, HeaderError>;

fn from_list(mut cx: Cx<'_>, (list,): (Entries,)) -> wasmtime::Result<(Made,)> {
    let bytes = list.iter().map(|(name, value)| name.len() + value.len());
    charged(&mut cx, bytes.sum())?;
    let mut fields = Fields::default();
    for (name, value) in list {
        if let Err(error) = fields.add(&name, value) {
            return Ok((Err(error),));
        }
    }
    Ok((Ok(push(cx.data_mut(), fields)?),))
}

fn get(
    mut cx: Cx<'_>,
    (this, name): (Resource<Fields>, String),
) -> wasmtime::Result<(Vec<Vec<u8>>,)> {
    charged(&mut cx, name.len())?;
    let fields = cx.data().table.get(&this)?;
    let of_name = fields
        .entries
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(&name));
    let values: Vec<Vec<u8>> = of_name.map(|(_, value)| value.clone()).collect();
    charged(&mut cx, sum(&values))?;
    Ok((values,))
}

fn has(mut cx: Cx<'_>, (this, name): (Resource<Fields>, String)) -> wasmtime::Result<(bool,)> {
    charged(&mut cx, name.len())?;
    let fields = cx.data().table.get(&this)?;
    let mut names = fields.entries.iter().map(|(known, _)| known);
    Ok((names.any(|known| known.eq_ignore_ascii_case(&name)),))
}

type Changed = wasmtime::Result<(Result<(), HeaderError>,)>;

fn set(mut cx: Cx<'_>, (this, name, values): (Resource<Fields>, String, Vec<Vec<u8>>)) -> Changed {
    charged(&mut cx, name.len() + sum(&values))?;
    let fields = cx.data_mut().table.get_mut(&this)?;
    let change = || {
        let fields = fields.changeable(&name)?;
        // Built apart, so that a bad value changes nothing.
        let mut next = fields.clone();
        next.remove(&name);
        for value in values {
            next.add(&name, value)?;
        }
        *fields = next;
        Ok(())
    };
    Ok((change(),))
}

fn remove(mut cx: Cx<'_>, (this, name): (Resource<Fields>, String)) -> Changed {
    charged(&mut cx, name.len())?;
    let fields = cx.data_mut().table.get_mut(&this)?;
    Ok((fields.changeable(&name).map(|fields| fields.remove(&name)),))
}

fn append(mut cx: Cx<'_>, (this, name, value): (Resource<Fields>, String, Vec<u8>)) -> Changed {
    charged(&mut cx, name.len() + value.len())?;
    let fields = cx.data_mut().table.get_mut(&this)?;
    let changed = match fields.changeable(&name) {
        Ok(fields) => fields.add(&name, value),
        Err(error) => Err(error),
    };
    Ok((changed,))
}

fn entries(mut cx: Cx<'_>, (this,): (Resource<Fields>,)) -> wasmtime::Result<(Entries,)> {
    let entries = cx.data().table.get(&this)?.entries.clone();
    let bytes = entries.iter().map(|(name, value)| name.len() + value.len());
    charged(&mut cx, bytes.sum())?;
    Ok((entries,))
}

fn clone(mut cx: Cx<'_>, (this,): (Resource<Fields>,)) -> wasmtime::Result<(Resource<Fields>,)> {
    let entries = cx.data().table.get(&this)?.entries.clone();
    let bytes = entries.iter().map(|(name, value)| name.len() + value.len());
    charged(&mut cx, bytes.sum())?;
    let copy = Fields {
        entries,
        is_immutable: false,
    };
    Ok((push(cx.data_mut(), copy)?,))
}
