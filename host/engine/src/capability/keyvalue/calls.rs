//! The functions of `store`, `atomics` and `batch`.
//!
//! INVARIANT: a value that a guest got is in the transcript by digest and size; its bytes are where the digest leads.

use std::sync::Arc;

use aim_core::{
    access::{Capability, Mode},
    digest::Digest,
    transcript::{CallVerdict, Fields},
};
use wasmtime::{
    StoreContextMut,
    component::{LinkerInstance, Resource, ResourceType},
};

use super::{
    state::{Bucket, Found},
    types::{Error, KeyResponse},
};
use crate::{
    adapter,
    door::{self, Class},
    guest::Guest,
};

type Cx<'a> = StoreContextMut<'a, Guest>;
type Answer<T> = wasmtime::Result<(Result<T, Error>,)>;
type Value = Option<Arc<[u8]>>;

const READ: Option<Mode> = Some(Mode::Read);
const WRITE: Option<Mode> = Some(Mode::Write);

const OPEN: &str = "wasi:keyvalue/store.open";
const GET: &str = "wasi:keyvalue/store.[method]bucket.get";
const SET: &str = "wasi:keyvalue/store.[method]bucket.set";
const DELETE: &str = "wasi:keyvalue/store.[method]bucket.delete";
const EXISTS: &str = "wasi:keyvalue/store.[method]bucket.exists";
const LIST: &str = "wasi:keyvalue/store.[method]bucket.list-keys";
const INCREMENT: &str = "wasi:keyvalue/atomics.increment";
const GET_MANY: &str = "wasi:keyvalue/batch.get-many";
const SET_MANY: &str = "wasi:keyvalue/batch.set-many";
const DELETE_MANY: &str = "wasi:keyvalue/batch.delete-many";

/// An open bucket, by name.
pub(super) struct Handle(Arc<str>);

pub(super) fn link_store(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.resource("bucket", ResourceType::host::<Handle>(), |mut cx, rep| {
        let table = &mut cx.data_mut().table;
        table.delete(Resource::<Handle>::new_own(rep))?;
        Ok(())
    })?;
    instance.func_wrap("open", open)?;
    instance.func_wrap_async("[method]bucket.get", |cx: Cx<'_>, (this, key): Keyed| {
        Box::new(get(cx, this, key))
    })?;
    instance.func_wrap("[method]bucket.set", set)?;
    instance.func_wrap("[method]bucket.delete", |cx: Cx<'_>, (this, key): Keyed| {
        delete(cx, DELETE, &this, vec![key])
    })?;
    instance.func_wrap("[method]bucket.exists", exists)?;
    instance.func_wrap("[method]bucket.list-keys", list_keys)
}

pub(super) fn link_atomics(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap_async(
        "increment",
        |cx: Cx<'_>, (this, key, delta): (Resource<Handle>, String, u64)| {
            Box::new(increment(cx, this, key, delta))
        },
    )
}

pub(super) fn link_batch(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.func_wrap_async("get-many", |cx: Cx<'_>, (this, keys): Listed| {
        Box::new(get_many(cx, this, keys))
    })?;
    instance.func_wrap("set-many", set_many)?;
    instance.func_wrap("delete-many", |cx: Cx<'_>, (this, keys): Listed| {
        delete(cx, DELETE_MANY, &this, keys)
    })
}

type Keyed = (Resource<Handle>, String);
type Listed = (Resource<Handle>, Vec<String>);

fn name(cx: &Cx<'_>, this: &Resource<Handle>) -> wasmtime::Result<Arc<str>> {
    let handle = cx.data().table.get(this).map_err(adapter::table_error)?;
    Ok(Arc::clone(&handle.0))
}

/// The bucket, when the grant allows this use of it.
fn permitted<'a>(
    guest: &'a mut Guest,
    name: &str,
    mode: Option<Mode>,
) -> Result<&'a mut Bucket, Error> {
    let allows = |bucket: &Bucket| match mode {
        None => true,
        Some(Mode::Read) => bucket.can_read,
        Some(Mode::Write) => bucket.can_write,
        Some(_) => false,
    };
    if !guest.held.buckets.get(name).is_some_and(allows) {
        let wanted = (Capability::Keyvalue, mode.or(READ), name);
        door::lack(guest, wanted);
    }
    let bucket = guest.held.buckets.get_mut(name);
    bucket
        .filter(|bucket| allows(bucket))
        .ok_or(Error::AccessDenied)
}

/// Pays for a call of `bytes` on the bucket, when it is granted at all.
fn paid(guest: &mut Guest, bucket: &str, mode: Option<Mode>, bytes: usize) -> Result<(), Error> {
    permitted(guest, bucket, mode)?;
    if door::take(guest, (Capability::Keyvalue, mode, bucket), bytes) {
        Ok(())
    } else {
        Err(Error::AccessDenied)
    }
}

/// What came of reading, once it is paid for.
fn paid_read<T>(
    guest: &mut Guest,
    bucket: &str,
    bytes: usize,
    result: Result<T, Error>,
) -> Result<T, Error> {
    let value = result?;
    paid(guest, bucket, READ, bytes).map(|()| value)
}

/// Writes the call down and hands its result on.
fn conclude<T>(
    guest: &mut Guest,
    function: &'static str,
    request: Fields,
    result: Result<T, Error>,
    show: impl FnOnce(&T) -> Fields,
) -> Answer<T> {
    let (verdict, response) = match &result {
        Ok(value) => (CallVerdict::Ok, show(value)),
        Err(Error::Other(what)) => (CallVerdict::Error, Fields::new().text("other").text(what)),
        Err(Error::NoSuchStore) => (CallVerdict::Error, Fields::new().text("no-such-store")),
        Err(Error::AccessDenied) => {
            guest.denials = guest.denials.saturating_add(1);
            let why = door::uncovered(guest, function);
            let why = why.unwrap_or_else(|| Fields::new().text("access-denied"));
            (CallVerdict::Denied, why)
        }
    };
    door::record(guest, function, verdict, request, response)?;
    Ok((result,))
}

fn nothing<T>(_: &T) -> Fields {
    Fields::new()
}

/// A value by digest and size.
fn shown(fields: Fields, value: Option<&[u8]>) -> Fields {
    match value {
        None => fields.number(0),
        Some(value) => fields
            .number(1)
            .bytes(Digest::of(value).as_bytes())
            .number(value.len() as u64),
    }
}

fn open(mut cx: Cx<'_>, (identifier,): (String,)) -> Answer<Resource<Handle>> {
    door::begin(&mut cx, Class::Read, identifier.len())?;
    let guest = cx.data_mut();
    let result = match permitted(guest, &identifier, None) {
        Ok(_) => {
            let handle = Handle(identifier.as_str().into());
            Ok(guest.table.push(handle).map_err(adapter::table_error)?)
        }
        Err(error) => Err(error),
    };
    let request = Fields::new().text(&identifier);
    conclude(guest, OPEN, request, result, nothing)
}

/// Reads a value under a read grant.
async fn read(cx: &mut Cx<'_>, bucket: &str, key: &str) -> Result<Value, Error> {
    let view = match permitted(cx.data_mut(), bucket, READ)?.find(key) {
        Found::Staged(value) => return Ok(value),
        Found::Empty => return Ok(None),
        Found::Committed(view) => view,
    };
    view.get(key).await.map_err(|error| {
        let what = match door::port_error(&error, "the value") {
            crate::wit::HostError::NotFound(_) => "the value was erased",
            _ => "the value can not be read",
        };
        Error::Other(what.to_owned())
    })
}

async fn get(mut cx: Cx<'_>, this: Resource<Handle>, key: String) -> Answer<Option<Vec<u8>>> {
    door::begin(&mut cx, Class::Wait, key.len())?;
    let bucket = name(&cx, &this)?;
    let result = read(&mut cx, &bucket, &key).await;
    if let Ok(Some(value)) = &result {
        door::charge(&mut cx, Class::Read, value.len())?;
    }
    let request = Fields::new().text(&bucket).text(&key);
    let bytes = key.len()
        + result
            .iter()
            .flatten()
            .map(|value| value.len())
            .sum::<usize>();
    let result = paid_read(cx.data_mut(), &bucket, bytes, result);
    let result = result.map(|value| value.map(|value| value.to_vec()));
    conclude(cx.data_mut(), GET, request, result, |value| {
        shown(Fields::new(), value.as_deref())
    })
}

/// Takes fuel for each key of a batch after the first, which the call itself stands for: a key without a letter is looked up as
/// any other.
fn begin_each(cx: &mut Cx<'_>, keys: usize) -> wasmtime::Result<()> {
    for _ in 1..keys {
        door::charge(cx, Class::Read, 0)?;
    }
    Ok(())
}

fn set(mut cx: Cx<'_>, (this, key, value): (Resource<Handle>, String, Vec<u8>)) -> Answer<()> {
    store(&mut cx, SET, &this, vec![(key, value)])
}

fn set_many(
    mut cx: Cx<'_>,
    (this, values): (Resource<Handle>, Vec<(String, Vec<u8>)>),
) -> Answer<()> {
    store(&mut cx, SET_MANY, &this, values)
}

fn store(
    cx: &mut Cx<'_>,
    function: &'static str,
    this: &Resource<Handle>,
    values: Vec<(String, Vec<u8>)>,
) -> Answer<()> {
    let bytes = values.iter().map(|(key, value)| key.len() + value.len());
    let bytes = bytes.sum();
    begin_each(cx, values.len())?;
    door::begin(cx, Class::Write, bytes)?;
    let bucket = name(cx, this)?;
    let request = values
        .iter()
        .fold(Fields::new().text(&bucket), |fields, (key, value)| {
            shown(fields.text(key), Some(value))
        });
    let values = values.into_iter().map(|(key, value)| (key, value.into()));
    let guest = cx.data_mut();
    let result =
        paid(guest, &bucket, WRITE, bytes).and_then(|()| stage(guest, &bucket, values.collect()));
    conclude(guest, function, request, result, nothing)
}

fn stage(guest: &mut Guest, bucket: &str, values: Vec<(String, Arc<[u8]>)>) -> Result<(), Error> {
    permitted(guest, bucket, WRITE)?
        .set(values)
        .map_err(|refused| Error::Other(refused.0.to_owned()))
}

fn delete(
    mut cx: Cx<'_>,
    function: &'static str,
    this: &Resource<Handle>,
    keys: Vec<String>,
) -> Answer<()> {
    let bytes = keys.iter().map(String::len).sum();
    begin_each(&mut cx, keys.len())?;
    door::begin(&mut cx, Class::Write, bytes)?;
    let bucket = name(&cx, this)?;
    let start = Fields::new().text(&bucket);
    let request = keys.iter().fold(start, |fields, key| fields.text(key));
    let guest = cx.data_mut();
    let result = paid(guest, &bucket, WRITE, bytes)
        .and_then(|()| permitted(guest, &bucket, WRITE))
        .map(|bucket| bucket.delete(keys));
    conclude(guest, function, request, result, nothing)
}

fn exists(mut cx: Cx<'_>, (this, key): Keyed) -> Answer<bool> {
    door::begin(&mut cx, Class::Read, key.len())?;
    let bucket = name(&cx, &this)?;
    let guest = cx.data_mut();
    let result = paid(guest, &bucket, READ, key.len())
        .and_then(|()| permitted(guest, &bucket, READ))
        .map(|bucket| bucket.size(&key).is_some());
    let request = Fields::new().text(&bucket).text(&key);
    conclude(guest, EXISTS, request, result, |is| {
        Fields::new().number(u64::from(*is))
    })
}

fn list_keys(
    mut cx: Cx<'_>,
    (this, cursor): (Resource<Handle>, Option<u64>),
) -> Answer<KeyResponse> {
    door::begin(&mut cx, Class::Read, 0)?;
    let bucket = name(&cx, &this)?;
    // Every key before the page is passed by.
    let passed = permitted(cx.data_mut(), &bucket, READ).map_or(0, Bucket::count);
    let passed = passed.min(usize::try_from(cursor.unwrap_or(0)).unwrap_or(usize::MAX));
    door::charge(&mut cx, Class::Adapted, door::elements(passed))?;
    let result = permitted(cx.data_mut(), &bucket, READ)
        .map(|bucket| bucket.page(cursor.unwrap_or(0)))
        .map(|(keys, cursor)| KeyResponse { keys, cursor });
    let keys = result.iter().flat_map(|page| &page.keys);
    let bytes = keys.map(String::len).sum();
    let result = paid_read(cx.data_mut(), &bucket, bytes, result);
    if let Ok(page) = &result {
        let bytes = page.keys.iter().map(String::len).sum();
        door::charge(&mut cx, Class::Read, bytes)?;
    }
    let request = Fields::new().text(&bucket).number(cursor.unwrap_or(0));
    conclude(cx.data_mut(), LIST, request, result, |page| {
        let keys = page.keys.iter();
        let fields = keys.fold(Fields::new(), |fields, key| fields.text(key));
        fields.number(page.cursor.unwrap_or(0))
    })
}

async fn increment(mut cx: Cx<'_>, this: Resource<Handle>, key: String, delta: u64) -> Answer<u64> {
    door::begin(&mut cx, Class::Wait, key.len())?;
    let bucket = name(&cx, &this)?;
    let result = match read(&mut cx, &bucket, &key).await {
        Ok(value) => added(value.as_deref(), delta),
        Err(error) => Err(error),
    };
    let guest = cx.data_mut();
    let result = paid_read(guest, &bucket, key.len(), result).and_then(|sum| {
        paid(guest, &bucket, WRITE, key.len())?;
        let value = Arc::from(sum.to_string().into_bytes());
        stage(guest, &bucket, vec![(key.clone(), value)]).map(|()| sum)
    });
    let request = Fields::new().text(&bucket).text(&key).number(delta);
    conclude(guest, INCREMENT, request, result, |sum| {
        Fields::new().number(*sum)
    })
}

/// Counters are decimal text, as other hosts keep them.
fn added(value: Option<&[u8]>, delta: u64) -> Result<u64, Error> {
    let text = std::str::from_utf8(value.unwrap_or(b"0")).ok();
    let number = text.and_then(|text| text.parse::<u64>().ok());
    let other = |what: &str| Error::Other(what.to_owned());
    number
        .ok_or_else(|| other("the value is no number"))?
        .checked_add(delta)
        .ok_or_else(|| other("the number is too large"))
}

type Pairs = Vec<Option<(String, Vec<u8>)>>;

async fn get_many(mut cx: Cx<'_>, this: Resource<Handle>, keys: Vec<String>) -> Answer<Pairs> {
    begin_each(&mut cx, keys.len())?;
    door::begin(&mut cx, Class::Wait, keys.iter().map(String::len).sum())?;
    let bucket = name(&cx, &this)?;
    let most = usize::try_from(cx.data().limits.host_call_bytes_max).unwrap_or(usize::MAX);
    let mut left = most;
    let mut result = Ok(Vec::with_capacity(keys.len().min(1_024)));
    for key in &keys {
        let read = read(&mut cx, &bucket, key).await.and_then(|value| {
            let taken = value.as_ref().map_or(0, |value| value.len());
            left = left
                .checked_sub(taken)
                .ok_or_else(|| Error::Other("the values are too large for one call".to_owned()))?;
            Ok(value.map(|value| (key.clone(), value.to_vec())))
        });
        result = match (result, read) {
            (Ok(mut pairs), Ok(pair)) => {
                pairs.push(pair);
                Ok(pairs)
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        if result.is_err() {
            break;
        }
    }
    door::charge(&mut cx, Class::Read, most - left)?;
    let bytes = keys.iter().map(String::len).sum::<usize>() + (most - left);
    let result = paid_read(cx.data_mut(), &bucket, bytes, result);
    let start = Fields::new().text(&bucket);
    let request = keys.iter().fold(start, |fields, key| fields.text(key));
    conclude(cx.data_mut(), GET_MANY, request, result, |pairs: &Pairs| {
        let values = pairs
            .iter()
            .map(|pair| pair.as_ref().map(|(_, value)| value.as_slice()));
        values.fold(Fields::new(), shown)
    })
}
