//! One bucket as one attempt sees it: what was committed when it began, and its own changes above.
//!
//! INVARIANT: quotas count what the bucket would hold if the attempt committed now.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aim_core::{access::Mode, limits::Limits};
use aim_ports::keyvalue::BucketView;

use crate::resources::StagedBucket;

/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 1_024;
/// Keys that one listing gives at most.
const PAGE_KEYS_MAX: usize = 256;

/// Why a write is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) &'static str);

/// A granted bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    name: String,
    view: Option<Arc<dyn BucketView>>,
    pub(crate) can_read: bool,
    pub(crate) can_write: bool,
    /// Committed keys with sizes; read on first use.
    committed: Option<BTreeMap<String, u64>>,
    staged: BTreeMap<String, Option<Arc<[u8]>>>,
    keys_max: usize,
    value_bytes_max: usize,
    bytes_max: u64,
}

/// Where a value is to be had.
#[derive(Debug)]
pub(crate) enum Found {
    /// The attempt wrote or deleted it.
    Staged(Option<Arc<[u8]>>),
    /// It has to be read.
    Committed(Arc<dyn BucketView>),
    /// Nothing was ever committed.
    Empty,
}

impl Bucket {
    /// The bucket `name` over `view`; nothing is allowed yet.
    pub(crate) fn new(name: &str, view: Option<Arc<dyn BucketView>>, limits: &Limits) -> Self {
        let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        Self {
            name: name.to_owned(),
            view,
            can_read: false,
            can_write: false,
            committed: None,
            staged: BTreeMap::new(),
            keys_max: size(limits.kv_keys_max),
            value_bytes_max: size(limits.kv_value_bytes_max),
            bytes_max: limits.kv_bytes_max,
        }
    }

    /// Allows what `modes` say, besides what is allowed.
    pub(crate) fn allow(&mut self, modes: &BTreeSet<Mode>) {
        self.can_read |= modes.contains(&Mode::Read);
        self.can_write |= modes.contains(&Mode::Write);
    }

    /// Where the value of `key` is.
    pub(crate) fn find(&self, key: &str) -> Found {
        if let Some(staged) = self.staged.get(key) {
            return Found::Staged(staged.clone());
        }
        match &self.view {
            Some(view) => Found::Committed(Arc::clone(view)),
            None => Found::Empty,
        }
    }

    /// Every key there is, with the size of its value.
    pub(crate) fn sizes(&mut self) -> BTreeMap<String, u64> {
        let view = self.view.as_ref();
        let committed = self.committed.get_or_insert_with(|| {
            let keys = view.map(|view| view.keys()).unwrap_or_default();
            keys.into_iter().collect()
        });
        let mut sizes = committed.clone();
        for (key, value) in &self.staged {
            match value {
                Some(value) => sizes.insert(key.clone(), value.len() as u64),
                None => sizes.remove(key),
            };
        }
        sizes
    }

    /// A page of keys from the one at `cursor` on, and where the next page starts.
    pub(crate) fn page(&mut self, cursor: u64) -> (Vec<String>, Option<u64>) {
        let start = usize::try_from(cursor).unwrap_or(usize::MAX);
        let keys = self.sizes().into_keys();
        let mut page: Vec<String> = keys.skip(start).take(PAGE_KEYS_MAX + 1).collect();
        let more = page.len() > PAGE_KEYS_MAX;
        page.truncate(PAGE_KEYS_MAX);
        let next = more.then(|| cursor.saturating_add(PAGE_KEYS_MAX as u64));
        (page, next)
    }

    /// Stages new values, all or none.
    pub(crate) fn set(&mut self, values: Vec<(String, Arc<[u8]>)>) -> Result<(), Refused> {
        let mut sizes = self.sizes();
        for (key, value) in &values {
            if key.is_empty() || key.len() > KEY_BYTES_MAX {
                return Err(Refused("a key has 1 to 1024 bytes"));
            }
            if value.len() > self.value_bytes_max {
                return Err(Refused("quota: the value is too large"));
            }
            sizes.insert(key.clone(), value.len() as u64);
        }
        if sizes.len() > self.keys_max {
            return Err(Refused("quota: too many keys"));
        }
        let total = sizes.iter().fold(0_u64, |sum, (key, size)| {
            sum.saturating_add(key.len() as u64).saturating_add(*size)
        });
        if total > self.bytes_max {
            return Err(Refused("quota: the bucket is full"));
        }
        let staged = values.into_iter().map(|(key, value)| (key, Some(value)));
        self.staged.extend(staged);
        Ok(())
    }

    /// Stages the deletion of keys; those that are not there are nothing.
    pub(crate) fn delete(&mut self, keys: Vec<String>) {
        let sizes = self.sizes();
        for key in keys {
            if sizes.contains_key(&key) {
                self.staged.insert(key, None);
            }
        }
    }

    /// What is staged; `None` when nothing is.
    pub(crate) fn into_staged(self) -> Option<StagedBucket> {
        (!self.staged.is_empty()).then_some(StagedBucket {
            bucket: self.name,
            changes: self.staged,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(change: impl FnOnce(&mut Limits)) -> Bucket {
        let mut limits = Limits::DEFAULT;
        change(&mut limits);
        Bucket::new("state", None, &limits)
    }

    fn value(key: &str, bytes: &[u8]) -> Vec<(String, Arc<[u8]>)> {
        vec![(key.to_owned(), bytes.into())]
    }

    #[test]
    fn every_quota_is_counted_before_anything_is_staged() {
        let mut small = bucket(|limits| {
            limits.kv_keys_max = 2;
            limits.kv_value_bytes_max = 4;
            limits.kv_bytes_max = 10;
        });
        small.set(value("a", b"1234")).unwrap();
        assert_eq!(
            small.set(value("b", b"12345")),
            Err(Refused("quota: the value is too large"))
        );
        small.set(value("b", b"1")).unwrap();
        assert_eq!(
            small.set(value("c", b"")),
            Err(Refused("quota: too many keys"))
        );
        assert_eq!(
            small.set(value("b", b"12345678".get(..4).unwrap())),
            Ok(()),
            "ten bytes with the keys"
        );
        small.delete(vec!["a".to_owned()]);
        let long = "k".repeat(8);
        assert_eq!(
            small.set(value(&long, b"1")),
            Err(Refused("quota: the bucket is full"))
        );
        let two = vec![
            ("x".to_owned(), Arc::from(&b"1"[..])),
            ("y".to_owned(), Arc::from(&b"1"[..])),
        ];
        assert!(small.set(two).is_err(), "all or none");
        assert_eq!(small.sizes().into_keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_listing_is_cut_into_pages_that_meet() {
        let mut bucket = bucket(|_| {});
        for number in 0..600 {
            bucket.set(value(&format!("{number:04}"), b"")).unwrap();
        }
        let mut seen = Vec::new();
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let (page, next) = bucket.page(at);
            seen.extend(page);
            cursor = next;
        }
        assert_eq!(seen.len(), 600);
        assert!(seen.is_sorted());
        assert_eq!(bucket.page(u64::MAX), (vec![], None));
    }
}
