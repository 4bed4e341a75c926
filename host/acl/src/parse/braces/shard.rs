//! `shard "name" { ... }` and what stands in it.
//!
//! INVARIANT: a statement belongs to the shard whose braces enclose it, and to no other.

use super::{Parsed, Parser};
use crate::{
    ast::{Caps, Shard},
    token::Token,
};

pub(crate) const SHARD: [&str; 8] = [
    "caps", "step", "gate", "fanout", "reduce", "flow", "policy", "role",
];

impl<'s> Parser<'s, '_> {
    /// `shard "name" { ... }`
    pub(super) fn shard(&mut self, word: &Token<'s>) -> Parsed<()> {
        let name = self.name_in_quotes("shard")?;
        let mut shard = Shard {
            name,
            ..Shard::default()
        };
        let span = self.block("shard", &["caps"], |parser, word| {
            parser.shard_statement(&word, &mut shard, &SHARD)
        });
        if let Ok(span) = span {
            shard.span = word.span.start..span.end;
            self.ast.shards.push(shard);
        }
        Ok(())
    }

    /// One statement of a shard.
    pub(super) fn shard_statement(
        &mut self,
        word: &Token<'s>,
        shard: &mut Shard,
        known: &[&str],
    ) -> Parsed<()> {
        match word.text {
            "caps" => shard.caps = Some(self.caps(word)?),
            "step" => {
                let step = self.step(word)?;
                self.count_step(&step.span);
                shard.steps.push(step);
            }
            "gate" => shard.gates.push(self.gate(word)?),
            "fanout" => shard.fanouts.push(self.fanout(word)?),
            "reduce" => shard.reduces.push(self.reduce(word)?),
            "flow" => shard.flows.push(self.flow(word)?),
            "policy" => shard.rules.push(self.rules(word)?),
            "role" => self.role(word)?,
            _ => return Err(self.unknown(word, "a shard", known)),
        }
        Ok(())
    }

    fn caps(&mut self, word: &Token<'s>) -> Parsed<Caps> {
        let mut caps = Caps::default();
        let span = self.map(
            "caps",
            &["max_parallel", "token_pool", "wall_ms_pool"],
            |parser, key| {
                let number = Some(parser.positive("a cap")?);
                match key.text {
                    "max_parallel" => caps.max_parallel = number,
                    "token_pool" => caps.token_pool = number,
                    _ => caps.wall_ms_pool = number,
                }
                Ok(())
            },
        )?;
        caps.span = word.span.start..span.end;
        Ok(caps)
    }
}
