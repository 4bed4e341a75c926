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
    /// What committed and staged keys come to, once the committed ones are read.
    held: Held,
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

/// What a bucket would hold if the attempt committed now; kept up to date, because counting anew costs as much as there is.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    keys: usize,
    bytes: u64,
}

impl Held {
    fn of(keys: &BTreeMap<String, u64>) -> Self {
        let mut held = Self::default();
        for (key, size) in keys {
            held.add(key, *size);
        }
        held
    }

    fn add(&mut self, key: &str, size: u64) {
        self.keys = self.keys.saturating_add(1);
        let more = size.saturating_add(key.len() as u64);
        self.bytes = self.bytes.saturating_add(more);
    }

    /// Takes away a key that has a value of that size; nothing without one.
    fn forget(&mut self, key: &str, size: Option<u64>) {
        let Some(size) = size else { return };
        self.keys = self.keys.saturating_sub(1);
        let less = size.saturating_add(key.len() as u64);
        self.bytes = self.bytes.saturating_sub(less);
    }
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
            held: Held::default(),
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

    /// Reads the committed keys, once.
    fn committed(&mut self) -> &BTreeMap<String, u64> {
        let (view, held) = (self.view.as_ref(), &mut self.held);
        self.committed.get_or_insert_with(|| {
            let keys = view.map(|view| view.keys()).unwrap_or_default();
            let keys: BTreeMap<String, u64> = keys.into_iter().collect();
            *held = Held::of(&keys);
            keys
        })
    }

    /// Size of the value of `key`; `None` for a key that is not there.
    pub(crate) fn size(&mut self, key: &str) -> Option<u64> {
        match self.staged.get(key) {
            Some(staged) => staged.as_ref().map(|value| value.len() as u64),
            None => self.committed().get(key).copied(),
        }
    }

    /// How many keys there are.
    pub(crate) fn count(&mut self) -> usize {
        self.committed();
        self.held.keys
    }

    /// Every key there is, sorted.
    fn keys(&mut self) -> impl Iterator<Item = &String> {
        self.committed();
        let is_own = |key: &&String| self.staged.contains_key(*key);
        let committed = self.committed.iter().flat_map(BTreeMap::keys);
        let mut committed = committed.filter(move |key| !is_own(key)).peekable();
        let staged = self.staged.iter().filter(|(_, value)| value.is_some());
        let mut staged = staged.map(|(key, _)| key).peekable();
        std::iter::from_fn(move || match (committed.peek(), staged.peek()) {
            (Some(one), Some(other)) if other < one => staged.next(),
            (None, _) => staged.next(),
            (Some(_), _) => committed.next(),
        })
    }

    /// A page of keys from the one at `cursor` on, and where the next page starts.
    pub(crate) fn page(&mut self, cursor: u64) -> (Vec<String>, Option<u64>) {
        let start = usize::try_from(cursor).unwrap_or(usize::MAX);
        let keys = self.keys().skip(start).take(PAGE_KEYS_MAX + 1);
        let mut page: Vec<String> = keys.cloned().collect();
        let more = page.len() > PAGE_KEYS_MAX;
        page.truncate(PAGE_KEYS_MAX);
        let next = more.then(|| cursor.saturating_add(PAGE_KEYS_MAX as u64));
        (page, next)
    }

    /// Stages new values, all or none.
    pub(crate) fn set(&mut self, values: Vec<(String, Arc<[u8]>)>) -> Result<(), Refused> {
        self.committed();
        let mut held = self.held;
        let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
        for (key, value) in &values {
            if key.is_empty() || key.len() > KEY_BYTES_MAX {
                return Err(Refused("a key has 1 to 1024 bytes"));
            }
            if value.len() > self.value_bytes_max {
                return Err(Refused("quota: the value is too large"));
            }
            let size = value.len() as u64;
            let old = match seen.insert(key, size) {
                None => self.size(key),
                earlier => earlier,
            };
            held.forget(key, old);
            held.add(key, size);
        }
        if held.keys > self.keys_max {
            return Err(Refused("quota: too many keys"));
        }
        if held.bytes > self.bytes_max {
            return Err(Refused("quota: the bucket is full"));
        }
        self.held = held;
        let staged = values.into_iter().map(|(key, value)| (key, Some(value)));
        self.staged.extend(staged);
        Ok(())
    }

    /// Stages the deletion of keys; those that are not there are nothing.
    pub(crate) fn delete(&mut self, keys: Vec<String>) {
        for key in keys {
            let size = self.size(&key);
            if size.is_some() {
                self.held.forget(&key, size);
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
        assert_eq!(small.page(0).0, ["b"]);
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

    /// What is kept up to date is what counting anew would find.
    #[test]
    fn the_sums_are_those_of_all_keys_whatever_is_done() {
        #[derive(Debug)]
        struct Past;
        #[async_trait::async_trait]
        impl BucketView for Past {
            fn keys(&self) -> Vec<(String, u64)> {
                vec![
                    ("a".to_owned(), 5),
                    ("b".to_owned(), 7),
                    ("d".to_owned(), 1),
                ]
            }
            async fn get(&self, _: &str) -> Result<Option<Arc<[u8]>>, aim_ports::PortError> {
                Ok(None)
            }
        }
        let mut bucket = Bucket::new("state", Some(Arc::new(Past)), &Limits::DEFAULT);
        bucket.set(value("b", b"123")).unwrap();
        bucket.set(value("c", b"12")).unwrap();
        let twice = [value("e", b"1"), value("e", b"1234")].concat();
        bucket.set(twice).unwrap();
        bucket.delete(["a", "a", "none", "c"].map(str::to_owned).into());
        bucket.set(value("a", b"")).unwrap();
        let (keys, next) = bucket.page(0);
        assert_eq!(
            (keys.as_slice(), next),
            (&["a", "b", "d", "e"].map(str::to_owned)[..], None)
        );
        let sizes: Vec<u64> = keys.iter().filter_map(|key| bucket.size(key)).collect();
        assert_eq!(sizes, [0, 3, 1, 4]);
        assert_eq!((bucket.count(), bucket.held.bytes), (4, 4 + 8));
        assert_eq!(bucket.size("c"), None);
    }
}
