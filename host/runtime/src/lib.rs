//! The order of events from envelope to receipt.
