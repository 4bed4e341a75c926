//! Test doubles, port suites and a test host.
