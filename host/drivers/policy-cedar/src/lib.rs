//! Operator policy in Cedar.
