//! A bucket's committed content, and one attempt's look at it.
//!
//! INVARIANT: a look never changes, whatever is committed while it is used.

use std::{collections::BTreeMap, sync::Arc};

use aim_core::{digest::Digest, staged::ContentRef};
use aim_ports::{PortError, PortFault, artifact::ArtifactStore, keyvalue::BucketView};
use async_trait::async_trait;

use crate::record::LOG_BLOB_BYTES_MAX;

/// Where a committed value is.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// At hand. BOUND: at most 64 KiB each, and a bucket's quota together.
    Held(Arc<[u8]>),
    /// In the artifact store.
    Stored(ContentRef),
    /// Erased on order; its size is still known.
    Erased(u64),
}

impl Value {
    /// A value that was just committed.
    pub(crate) fn of(bytes: &Arc<[u8]>) -> Self {
        if bytes.len() <= LOG_BLOB_BYTES_MAX {
            Self::Held(Arc::clone(bytes))
        } else {
            Self::Stored(ContentRef::of(bytes))
        }
    }

    fn size_bytes(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::Stored(content) => content.size_bytes,
            Self::Erased(size) => *size,
        }
    }
}

/// A bucket's content.
#[derive(Debug, Clone, Default)]
pub(crate) struct BucketState {
    values: BTreeMap<String, Value>,
    /// True when changes of it can not be read any more, so that nobody knows what it holds.
    pub(crate) is_lost: bool,
}

impl BucketState {
    /// Sets or removes a key.
    pub(crate) fn set(&mut self, key: &str, value: Option<Value>) {
        match value {
            Some(value) => self.values.insert(key.to_owned(), value),
            None => self.values.remove(key),
        };
    }
}

/// What one attempt sees.
#[derive(Debug)]
pub(crate) struct View {
    state: Arc<BucketState>,
    store: Arc<dyn ArtifactStore>,
}

impl View {
    pub(crate) fn new(state: Arc<BucketState>, store: Arc<dyn ArtifactStore>) -> Self {
        Self { state, store }
    }
}

#[async_trait]
impl BucketView for View {
    fn keys(&self) -> Vec<(String, u64)> {
        let values = self.state.values.iter();
        values
            .map(|(key, value)| (key.clone(), value.size_bytes()))
            .collect()
    }

    async fn get(&self, key: &str) -> Result<Option<Arc<[u8]>>, PortError> {
        if self.state.is_lost {
            let detail = "changes of the bucket were erased";
            return Err(PortError::new(
                PortFault::Corrupt,
                "reading a value",
                detail,
            ));
        }
        let digest: Digest = match self.state.values.get(key) {
            None => return Ok(None),
            Some(Value::Held(bytes)) => return Ok(Some(Arc::clone(bytes))),
            Some(Value::Erased(_)) => {
                let detail = "the value was erased";
                return Err(PortError::new(
                    PortFault::NotFound,
                    "reading a value",
                    detail,
                ));
            }
            Some(Value::Stored(content)) => content.digest,
        };
        let store = Arc::clone(&self.store);
        let bytes = super::blocking(move || store.read(digest)).await?;
        Ok(Some(bytes.into()))
    }
}
