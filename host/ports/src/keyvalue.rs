//! The committed content of one bucket, as one attempt sees it.

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::fmt::Debug;

use async_trait::async_trait;

use crate::PortError;

/// A bucket at one moment; what is committed later does not show.
#[async_trait]
pub trait BucketView: Debug + Send + Sync {
    /// Every key with the size of its value in bytes, sorted.
    fn keys(&self) -> Vec<(String, u64)>;

    /// The value of a key.
    ///
    /// # Errors
    /// [`crate::PortFault::NotFound`] when the value was erased; [`crate::PortFault::Corrupt`],
    /// [`crate::PortFault::Unavailable`].
    async fn get(&self, key: &str) -> Result<Option<Arc<[u8]>>, PortError>;
}
