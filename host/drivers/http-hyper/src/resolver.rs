//! The system's own way from a name to addresses.
//!
//! INVARIANT: it is asked once for each request; what it says is judged by whoever dials.

use std::net::IpAddr;

use aim_ports::{PortError, PortFault, http::Resolver};
use async_trait::async_trait;

/// Asks the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, PortError> {
        let subject = || format!("resolve {host}");
        let found = tokio::net::lookup_host((host, 0)).await.map_err(|error| {
            PortError::new(PortFault::Unavailable, subject(), error.to_string())
        })?;
        let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        addresses.dedup();
        if addresses.is_empty() {
            let detail = "the name has no address";
            return Err(PortError::new(PortFault::NotFound, subject(), detail));
        }
        Ok(addresses)
    }
}
