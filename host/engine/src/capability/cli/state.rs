//! What a command line program is given, word for word as the contract has it.
//!
//! INVARIANT: everything in here is part of the grant, so it is in the witness.

use aim_core::access::Ask;

/// Arguments, environment and input.
#[derive(Debug, Default)]
pub(crate) struct Command {
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) stdin: Vec<u8>,
}

impl Command {
    /// Takes what an ask for `cli` writes.
    pub(crate) fn of(ask: &Ask) -> Self {
        let variables = ask.environment.iter();
        Self {
            arguments: ask.arguments.clone(),
            environment: variables
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            stdin: ask.stdin.clone().unwrap_or_default().into_bytes(),
        }
    }
}
