//! The cases of the governed step: what is varied, and what each is called.
//!
//! INVARIANT: a case is five choices and nothing else; everything that is not in it is the same for all cases.

use std::fmt;

use aim_core::leaf::SigningMode;

/// Where evidence goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// A vector; signatures are made in this process.
    Memory,
    /// The file log with its syncs; signatures are made in the signer process.
    Durable,
}

/// Who judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gates {
    /// A judge that is part of the host, at the place of the ethical gate.
    BuiltIn,
    /// The shipped ethical gate with the shipped codex, on both sides of the step.
    Ethical,
}

/// One case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    /// Where evidence goes.
    pub(crate) storage: Storage,
    /// How it is signed.
    pub(crate) signing: SigningMode,
    /// Who judges.
    pub(crate) gates: Gates,
    /// Envelopes under way at the same time.
    pub(crate) in_flight: usize,
    /// Threads that run guests.
    pub(crate) workers: usize,
}

impl Case {
    /// Every combination.
    pub(crate) fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for storage in [Storage::Memory, Storage::Durable] {
            for signing in [SigningMode::Each, SigningMode::Batch] {
                for gates in [Gates::BuiltIn, Gates::Ethical] {
                    for in_flight in [1, 64] {
                        for workers in [1, 2] {
                            cases.push(Self {
                                storage,
                                signing,
                                gates,
                                in_flight,
                                workers,
                            });
                        }
                    }
                }
            }
        }
        cases
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let storage = match self.storage {
            Storage::Memory => "memory",
            Storage::Durable => "durable",
        };
        let signing = match self.signing {
            SigningMode::Each => "each",
            SigningMode::Batch => "batch",
        };
        let gates = match self.gates {
            Gates::BuiltIn => "built-in",
            Gates::Ethical => "ethical",
        };
        let (in_flight, workers) = (self.in_flight, self.workers);
        write!(
            f,
            "{storage} | {signing} | {gates} | {in_flight} | {workers}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_cases_have_one_name() {
        let names: BTreeSet<String> = Case::all().iter().map(Case::to_string).collect();
        assert_eq!(names.len(), 32);
    }
}
