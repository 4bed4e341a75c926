//! The plan language from outside: a corpus of plans, the table of codes, and what holds for any text.

mod codes;
mod corpus;
mod limits;
mod properties;
