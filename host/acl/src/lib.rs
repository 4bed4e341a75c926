//! The .acl plan language: text to plan IR.
