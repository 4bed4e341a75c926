//! The one table from what plans declare (effects) and what orchestrators allow (tools) to what components import.
//!
//! ```text
//! plan: effects  --+
//!                  +--  one row for each way of using a capability  --  capability::closure  --  WIT imports
//! scope: tools   --+
//! ```
//!
//! A word without a row is understood and always refused: nothing of this host could serve it.
//!
//! INVARIANT: every way of using every capability has exactly one row, so no import is reached without its effect's name.

use alloc::{collections::BTreeSet, vec::Vec};

use super::{Capability, Grant, Mode, Use};
use crate::{capability::closure, plan};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$of])* $variant,)+
        }

        impl $name {
            /// Every one, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word as people write it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// Reads the word; `None` for any other text.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.word() == word)
            }

            /// True when some way of using some capability stands for it; else it is always refused.
            #[must_use]
            pub fn is_served(self) -> bool {
                self.uses().next().is_some()
            }
        }
    };
}

words! {
    /// What a plan declares that a step does to the world.
    Effect {
        /// Reads from a network.
        NetRead "net.read",
        /// Sends to a network.
        NetWrite "net.write",
        /// Reads files or artifacts.
        FsRead "fs.read",
        /// Writes files or artifacts.
        FsWrite "fs.write",
        /// Starts a program.
        ProcExec "proc.exec",
        /// Uses a secret.
        SecretsRead "secrets.read",
        /// Sends mail.
        MailSend "mail.send",
        /// Asks a database.
        DbQuery "db.query",
        /// Writes to the evidence graph.
        SegWrite "seg.write",
    }
}

words! {
    /// What an orchestrator's scope lets a layer use.
    Tool {
        /// Files and artifacts.
        Files "files",
        /// The web.
        Web "web",
        /// Running code that a model wrote.
        CodeInterpreter "code-interpreter",
        /// A shell.
        Shell "shell",
        /// Acting on the outside.
        Execution "execution",
    }
}

/// One way of using a capability, and what it is called elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectRow {
    /// The capability.
    pub capability: Capability,
    /// The way; `None` for capabilities without modes.
    pub mode: Option<Mode>,
    /// The effects that a plan must declare for it; empty for what is seen nowhere but in the step's own witness.
    pub effects: &'static [Effect],
    /// The tool that an orchestrator's scope must allow for it.
    pub tool: Option<Tool>,
}

const fn row(
    capability: Capability,
    mode: Option<Mode>,
    effects: &'static [Effect],
    tool: Option<Tool>,
) -> EffectRow {
    EffectRow {
        capability,
        mode,
        effects,
        tool,
    }
}

/// The rows of one capability: one for each of its modes, or one without. A new capability does not compile without them.
#[must_use]
pub const fn effect_rows(capability: Capability) -> &'static [EffectRow] {
    use Capability as C;
    const FILES: Option<Tool> = Some(Tool::Files);
    const NET: &[Effect] = &[Effect::NetRead, Effect::NetWrite];
    const READ: Option<Mode> = Some(Mode::Read);
    const WRITE: Option<Mode> = Some(Mode::Write);
    match capability {
        C::Context => &const { [row(C::Context, None, &[], None)] },
        C::Budget => &const { [row(C::Budget, None, &[], None)] },
        C::Attest => &const { [row(C::Attest, None, &[], None)] },
        C::Consult => &const { [row(C::Consult, None, &[], None)] },
        C::Log => &const { [row(C::Log, None, &[], None)] },
        C::Codex => &const { [row(C::Codex, None, &[], None)] },
        C::Artifact => {
            &const {
                [
                    row(C::Artifact, READ, &[Effect::FsRead], FILES),
                    row(C::Artifact, Some(Mode::Put), &[Effect::FsWrite], FILES),
                ]
            }
        }
        C::Filesystem => {
            &const {
                [
                    row(C::Filesystem, READ, &[Effect::FsRead], FILES),
                    row(C::Filesystem, WRITE, &[Effect::FsWrite], FILES),
                ]
            }
        }
        C::Keyvalue => {
            &const {
                [
                    row(C::Keyvalue, READ, &[Effect::DbQuery], FILES),
                    row(C::Keyvalue, WRITE, &[Effect::DbQuery], FILES),
                ]
            }
        }
        C::Clocks => {
            &const {
                [
                    row(C::Clocks, Some(Mode::Virtual), &[], None),
                    row(C::Clocks, Some(Mode::Real), &[], None),
                ]
            }
        }
        C::Random => {
            &const {
                [
                    row(C::Random, Some(Mode::Virtual), &[], None),
                    row(C::Random, Some(Mode::Real), &[], None),
                ]
            }
        }
        C::Cli => &const { [row(C::Cli, None, &[], None)] },
        C::Config => &const { [row(C::Config, None, &[], None)] },
        C::Model => &const { [row(C::Model, None, &[], None)] },
        C::Http => {
            &const {
                [
                    row(C::Http, Some(Mode::Request), NET, Some(Tool::Web)),
                    row(C::Http, Some(Mode::Special), NET, None),
                ]
            }
        }
        C::Secrets => &const { [row(C::Secrets, None, &[Effect::SecretsRead], None)] },
    }
}

fn all_rows() -> impl Iterator<Item = &'static EffectRow> {
    Capability::ALL.into_iter().flat_map(effect_rows)
}

impl Effect {
    /// The ways of using capabilities that it stands for; none for an effect that is always refused.
    pub fn uses(self) -> impl Iterator<Item = &'static EffectRow> {
        all_rows().filter(move |row| row.effects.contains(&self))
    }

    /// The WIT interfaces that it opens, sorted, without versions.
    #[must_use]
    pub fn imports(self) -> Vec<&'static str> {
        imports(self.uses())
    }
}

impl Tool {
    /// The ways of using capabilities that it stands for; none for a tool that is always refused.
    pub fn uses(self) -> impl Iterator<Item = &'static EffectRow> {
        all_rows().filter(move |row| row.tool == Some(self))
    }

    /// The WIT interfaces that it opens, sorted, without versions.
    #[must_use]
    pub fn imports(self) -> Vec<&'static str> {
        imports(self.uses())
    }
}

impl EffectRow {
    /// The row of one way of using a capability; `None` when there is no such way.
    #[must_use]
    pub fn of(capability: Capability, mode: Option<Mode>) -> Option<&'static Self> {
        effect_rows(capability).iter().find(|row| row.mode == mode)
    }
}

fn imports(rows: impl Iterator<Item = &'static EffectRow>) -> Vec<&'static str> {
    let interfaces: BTreeSet<&str> = rows
        .flat_map(|row| closure(row.capability))
        .map(|served| served.interface)
        .collect();
    interfaces.into_iter().collect()
}

/// The granted uses that need an effect which the step does not declare, with that effect. Empty when all are declared.
#[must_use]
pub fn undeclared(grant: &Grant, declared: &BTreeSet<plan::Effect>) -> Vec<(Use, Effect)> {
    let is_declared = |effect: &Effect| declared.iter().any(|one| one.word() == effect.word());
    let missing = |one: Use| {
        let effects = EffectRow::of(one.capability, one.mode).map_or(&[][..], |row| row.effects);
        let effects = effects.iter().filter(|effect| !is_declared(effect));
        effects.map(move |effect| (one.clone(), *effect))
    };
    grant.uses().flat_map(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Ask;
    use alloc::{string::ToString, vec};

    #[test]
    fn every_way_of_using_a_capability_has_one_row_and_no_row_is_of_anything_else() {
        for capability in Capability::ALL {
            let rows = effect_rows(capability);
            let modes: Vec<Option<Mode>> = rows.iter().map(|row| row.mode).collect();
            let expected: Vec<Option<Mode>> = match capability.modes() {
                [] => vec![None],
                modes => modes.iter().copied().map(Some).collect(),
            };
            assert_eq!(modes, expected, "{capability}");
            assert!(rows.iter().all(|row| row.capability == capability));
        }
    }

    #[test]
    fn what_needs_no_policy_has_no_effect_and_nearly_everything_else_has_one() {
        for row in all_rows() {
            let is_free = row.capability.is_effect_free(row.mode);
            // These tell the step something and change nothing; policy is asked, and plans have no word for them.
            let is_wordless = matches!(
                row.capability,
                Capability::Codex
                    | Capability::Config
                    | Capability::Model
                    | Capability::Clocks
                    | Capability::Random
            );
            assert_eq!(row.effects.is_empty(), is_free || is_wordless, "{row:?}");
            assert!(row.tool.is_none() || !is_free, "{row:?}");
        }
    }

    #[test]
    fn plans_and_this_table_have_the_same_words() {
        let words = |words: &mut Vec<&'static str>| words.sort_unstable();
        let mut ours: Vec<&str> = Effect::ALL.iter().map(|effect| effect.word()).collect();
        let mut theirs: Vec<&str> = plan::Effect::ALL.iter().map(|one| one.word()).collect();
        words(&mut ours);
        words(&mut theirs);
        assert_eq!(ours, theirs);
    }

    #[test]
    fn words_that_nothing_serves_are_known_and_refused() {
        let unserved: Vec<&str> = Effect::ALL
            .iter()
            .filter(|effect| !effect.is_served())
            .map(|effect| effect.word())
            .collect();
        for word in ["proc.exec", "mail.send", "seg.write"] {
            assert!(unserved.contains(&word), "{word}");
        }
        for tool in [Tool::CodeInterpreter, Tool::Shell, Tool::Execution] {
            assert!(!tool.is_served() && tool.imports().is_empty());
        }
        assert!(Effect::parse("net.listen").is_none() && Effect::parse("FS.READ").is_none());
        for effect in Effect::ALL {
            assert_eq!(Effect::parse(effect.word()), Some(*effect));
            assert_eq!(effect.is_served(), !effect.imports().is_empty());
        }
        for tool in Tool::ALL {
            assert_eq!(Tool::parse(tool.word()), Some(*tool));
        }
    }

    #[test]
    fn every_import_with_an_effect_is_reached_through_its_effect_and_its_tool() {
        for row in all_rows().filter(|row| !row.effects.is_empty()) {
            for served in closure(row.capability) {
                for effect in row.effects {
                    assert!(effect.imports().contains(&served.interface), "{row:?}");
                }
                if let Some(tool) = row.tool {
                    assert!(tool.imports().contains(&served.interface), "{row:?}");
                }
            }
        }
    }

    #[test]
    fn a_granted_use_whose_effect_is_not_declared_is_named() {
        let put = Ask {
            modes: [Mode::Read, Mode::Put].into(),
            ..Ask::plain(Capability::Artifact)
        };
        let grant = Grant {
            asks: vec![put, Ask::plain(Capability::Log)],
            policy: None,
        };
        let missing = undeclared(&grant, &[plan::Effect::FsRead].into());
        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0].0.to_string(), "artifact.put");
        assert_eq!(missing[0].1, Effect::FsWrite);
        assert!(
            undeclared(
                &grant,
                &[plan::Effect::FsRead, plan::Effect::FsWrite].into()
            )
            .is_empty()
        );
        assert_eq!(undeclared(&grant, &BTreeSet::new()).len(), 2);
    }
}
