//! The closed word lists of the language: effects, gate types, reducers, emissions, input types.
//!
//! INVARIANT: a word is spelt in one place, and a list knows all of its words.

/// The surface form of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Form {
    /// Form A: one statement a line, `PLAN name:`.
    #[default]
    Lines,
    /// Form C: `pipeline "name" { ... }`.
    Braces,
    /// Form B: a YAML document; imported, never written.
    Yaml,
}

/// Makes an enum of words with `ALL`, `word` and `find`.
macro_rules! word_table {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
        }

        impl $name {
            /// Every word.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// As it is written.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// Finds what a word means.
            #[must_use]
            pub fn find(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.word() == word)
            }
        }
    };
}

word_table! {
    /// What a step does to the world; anything that is not declared is denied.
    Effect {
        /// Reads over the network.
        NetRead = "net.read",
        /// Writes over the network.
        NetWrite = "net.write",
        /// Reads files.
        FsRead = "fs.read",
        /// Writes files.
        FsWrite = "fs.write",
        /// Starts processes.
        ProcExec = "proc.exec",
        /// Reads secrets.
        SecretsRead = "secrets.read",
        /// Sends mail.
        MailSend = "mail.send",
        /// Asks a database.
        DbQuery = "db.query",
        /// Writes to the evidence graph.
        SegWrite = "seg.write",
    }
}

word_table! {
    /// The types of gates that judge for a shard.
    GateType {
        /// Code, docs, tests and traces agree.
        Parity = "ParityGate",
        /// The operator's policy allows it.
        Policy = "PolicyGate",
        /// Everything has a source.
        Provenance = "ProvenanceGate",
        /// The step is sure enough.
        Uq = "UQGate",
        /// The change is small enough.
        Diff = "DiffGate",
        /// The output has its shape.
        Schema = "SchemaGate",
        /// A person agrees.
        Hitl = "HITLGate",
    }
}

word_table! {
    /// How instances become one output.
    Reducer {
        /// The best by relevance score.
        MergeMaxRs = "merge=maxRS",
        /// What most of them say.
        VoteMajority = "vote=majority",
        /// The mean of their scores.
        ScoreMean = "score=mean",
        /// What a verifier says.
        AdjudicateVerifier = "adjudicate=verifier",
    }
}

word_table! {
    /// What a gate asks the step to attest.
    Emit {
        /// The witness record.
        Vif = "vif",
        /// Uncertainty.
        Uq = "uq",
        /// Relevance score.
        Rs = "rs",
    }
}

word_table! {
    /// The type of a run's input.
    IoType {
        /// Text.
        Text = "string",
        /// A number.
        Number = "number",
        /// True or false.
        Boolean = "boolean",
        /// A JSON object.
        Object = "object",
        /// A JSON array.
        Array = "array",
        /// Bytes by digest.
        Artifact = "artifact",
        /// Bytes with a witness.
        Evidence = "evidence",
        /// Anything.
        Any = "any",
    }
}

word_table! {
    /// How a step saves once it is above its soft budget.
    Backoff {
        /// Shorter context by summary.
        Summarize = "summarize",
        /// Shorter context by cutting.
        Truncate = "truncate",
        /// A smaller model.
        RouteSmallerModel = "route_smaller_model",
    }
}

word_table! {
    /// How a plan's budget is shared among steps that are due.
    Pool {
        /// Who starts first takes its whole budget.
        Greedy = "greedy",
        /// Every step keeps its equal share.
        Fair = "fair",
        /// The most critical steps first.
        Priority = "priority",
        /// As fair, and what was left unused is shared again.
        Adaptive = "adaptive",
    }
}

word_table! {
    /// How much harm a wrong answer of the plan may do.
    Risk {
        /// Little.
        Low = "low",
        /// Some.
        Medium = "medium",
        /// Much.
        High = "high",
        /// It can not be undone.
        Critical = "critical",
    }
}

word_table! {
    /// How much depends on a step.
    Stakes {
        /// Nothing lasting.
        LowStakes = "low_stakes",
        /// The usual.
        Routine = "routine",
        /// People rely on it.
        Important = "important",
        /// Harm follows from an error.
        Critical = "critical",
    }
}

word_table! {
    /// What a run does while a question to a person is open.
    Quiet {
        /// It waits.
        Wait = "wait",
        /// The step abstains.
        Abstain = "abstain",
    }
}
