//! `header { ... }` and `role name: kind { ... }`.
//!
//! INVARIANT: a key that is not known here is refused, so nothing that an author relies on is silently without effect.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use super::{Broken, Parsed, Parser};
use crate::{
    ast::{IoType, Quiet, Risk, Role, Source},
    codes,
    token::Token,
};

pub(crate) const HEADER: [&str; 12] = [
    "snapshot",
    "seeds",
    "schema_version",
    "budgets",
    "pins",
    "policy",
    "quip",
    "deterministic",
    "inputs",
    "kappa",
    "risk",
    "silence",
];

impl<'s> Parser<'s, '_> {
    /// `header { snapshot: "s" seeds: 7 budgets: { ... } }`
    pub(super) fn header(&mut self, word: &Token<'s>) -> Parsed<()> {
        let span = self.block("header", &HEADER, |parser, key| match key.text {
            "budgets" | "budget" => {
                parser.ast.budget = Some(parser.budget(&key)?);
                Ok(())
            }
            "pins" => {
                parser.ast.settings.pins = Some(parser.pins(&key)?);
                Ok(())
            }
            "inputs" => parser.run_inputs(),
            known if HEADER.contains(&known) => {
                parser.colon("header")?;
                parser.setting(known)
            }
            _ => Err(parser.unknown(&key, "a header", &HEADER)),
        })?;
        self.ast.settings.span = Some(word.span.start..span.end);
        Ok(())
    }

    fn setting(&mut self, key: &str) -> Parsed<()> {
        match key {
            "snapshot" => self.ast.settings.snapshot = Some(self.text("header")?),
            "seeds" => self.ast.settings.seeds = Some(self.whole("seeds")?),
            "schema_version" => self.ast.settings.schema_version = Some(self.text("header")?),
            "policy" => self.ast.settings.policy = self.name_in_quotes("header")?,
            "quip" => {
                if let Some(first) = &self.ast.quip {
                    let span = first.span.clone();
                    self.faults.error(
                        codes::REPEATED,
                        span,
                        "quip is repeated",
                        "keep one of the two",
                    );
                }
                self.ast.quip = Some(self.text("quip")?);
            }
            "deterministic" => {
                self.ast.settings.deterministic = Some(self.boolean("deterministic")?)
            }
            "kappa" => self.ast.settings.kappa = Some(self.share("kappa")?),
            "risk" => {
                self.ast.settings.risk =
                    Some(self.listed("class of risk", Risk::ALL, Risk::word)?)
            }
            _ => {
                self.ast.settings.silence =
                    Some(self.listed("way to wait for people", Quiet::ALL, Quiet::word)?)
            }
        }
        Ok(())
    }

    fn run_inputs(&mut self) -> Parsed<()> {
        let mut inputs = Vec::new();
        self.map("inputs", &[], |parser, key| {
            let name = parser.named(key)?;
            inputs.push((
                name,
                parser.listed("type of input", IoType::ALL, IoType::word)?,
            ));
            Ok(())
        })?;
        self.ast.settings.inputs = inputs;
        Ok(())
    }

    /// `role name: kind { key: value }`
    pub(super) fn role(&mut self, word: &Token<'s>) -> Parsed<()> {
        let name = self.name("role")?;
        self.colon("role")?;
        let kind = self.name("role")?;
        let mut params = Vec::new();
        if self.stream.is("{") {
            self.block("role", &[], |parser, key| {
                let key = parser.named(&key)?;
                parser.colon("role")?;
                let value = parser.source_value("role")?;
                let text: String = match value.value {
                    Source::Text(text) => text,
                    Source::Number(number) => number.to_string(),
                    Source::Boolean(value) => value.to_string(),
                    Source::Step(word) => word.to_string(),
                    _ => {
                        let message =
                            format!("parameter `{}` is a text, a number or a word", key.value);
                        parser.faults.error(
                            codes::BAD_PARAMETER,
                            value.span,
                            message,
                            "put texts in quotes",
                        );
                        return Err(Broken);
                    }
                };
                params.push((key, crate::ast::Spanned::new(text, value.span)));
                Ok(())
            })?;
        }
        self.ast.roles.push(Role {
            name,
            kind: Some(kind),
            params,
            span: word.span.start..self.stream.end_of_last(),
        });
        Ok(())
    }
}
