//! Outgoing HTTP as data: what a scope allows, how a target is read, which addresses may be dialled, what is recorded.
//!
//! INVARIANT: whatever two readers could understand differently is refused, so what was checked is what is sent.

mod address;
mod message;
mod scope;
mod target;

pub use address::{AddressRefused, Network, ParseNetworkError, check_address, special_range};
pub use message::{
    DecodeResponseError, HEADER_BYTES_MAX, HEADERS_MAX, HeaderFault, HttpRequest, HttpResponse,
    check_header, is_set_by_host,
};
pub use scope::{HttpScope, ScopeError, ScopeMiss};
pub use target::{Scheme, Target, TargetError, parse_authority, parse_path};
