//! The statements that speak of the whole plan: `PLAN`, `QUIP`, `ROLE`.
//!
//! INVARIANT: a statement's first complaint is its last one: what follows in a broken line is not guessed at.

use alloc::{format, string::String, vec::Vec};

use aim_core::{name::StepName, plan::LanguageVersion};

use super::{Parser, owned};
use crate::{
    ast::{Header, Role, Spanned},
    codes,
    cursor::Cursor,
};

/// A parameter's name and value.
type Param = (Spanned<StepName>, Spanned<String>);

impl Parser<'_> {
    /// `PLAN name:` or `PLAN name v1.0:`
    pub(super) fn plan(&mut self, mut line: Cursor<'_>) {
        let span = line.line_span();
        let name = line.name(self.faults);
        if name.is_none() {
            self.malformed("PLAN", line.rest_span(), "expected a name");
        }
        let version = self.version(&mut line);
        if name.is_some() && version.is_ok() && self.expect("PLAN", &mut line, ':', "the name") {
            self.expect_end("PLAN", &mut line);
        }
        if let Some(first) = &self.ast.header {
            let first = first.span.clone();
            self.repeated("PLAN", span, first);
            return;
        }
        self.ast.header = Some(Header {
            name: name.flatten(),
            version: version.ok().flatten(),
            extent: span.clone(),
            span,
        });
    }

    fn version(&mut self, line: &mut Cursor<'_>) -> Result<Option<Spanned<LanguageVersion>>, ()> {
        line.skip_blanks();
        if line.is_at_end() || line.rest().starts_with(':') {
            return Ok(None);
        }
        let written = line.run(&[':']);
        let version = written
            .value
            .strip_prefix('v')
            .and_then(|text| text.parse().ok());
        let Some(value) = version else {
            let what = "expected `:` or a version such as `v1.0` after the name";
            self.malformed("PLAN", written.span, what);
            return Err(());
        };
        Ok(Some(Spanned {
            value,
            span: written.span,
        }))
    }

    /// `QUIP "text"`
    pub(super) fn quip(&mut self, mut line: Cursor<'_>) {
        let span = line.line_span();
        if self.has_step() {
            let help = "the plan has one analogy; write it above the first STEP";
            self.faults
                .error(codes::OUT_OF_PLACE, span, "QUIP stands inside a step", help);
            return;
        }
        let quip = match line.quoted() {
            Ok(quip) => quip,
            Err((what, span)) => return self.malformed("QUIP", span, what),
        };
        self.expect_end("QUIP", &mut line);
        match &self.ast.quip {
            Some(first) => {
                let first = first.span.clone();
                self.repeated("QUIP", span, first);
            }
            None => self.ast.quip = Some(quip),
        }
    }

    /// `ROLE name: kind(key=value, ...)`; the parentheses may be left out when there is nothing in them.
    pub(super) fn role(&mut self, mut line: Cursor<'_>) {
        let span = line.line_span();
        let Some(name) = line.name(self.faults) else {
            return self.malformed("ROLE", line.rest_span(), "expected a name");
        };
        let mut kind = None;
        let mut params = Vec::new();
        if self.expect("ROLE", &mut line, ':', "the name") {
            match line.name(self.faults) {
                None => self.malformed("ROLE", line.rest_span(), "expected a kind"),
                Some(named) => {
                    kind = named;
                    params = self.role_tail(&mut line);
                }
            }
        }
        if let Some(name) = name {
            self.ast.roles.push(Role {
                name,
                kind,
                params,
                span,
            });
        }
    }

    fn role_tail(&mut self, line: &mut Cursor<'_>) -> Vec<Param> {
        let mut params = Vec::new();
        if line.eat('(') {
            // BOUND: every turn takes at least one character or ends.
            while !line.eat(')') {
                match self.param(line) {
                    Some(param) => params.extend(param),
                    None => return params,
                }
                let is_last = !line.eat(',');
                if is_last && !line.rest().starts_with(')') {
                    self.malformed(
                        "ROLE",
                        line.rest_span(),
                        "expected `,` or `)` after a parameter",
                    );
                    return params;
                }
            }
        }
        self.expect_end("ROLE", line);
        params
    }

    /// One `key=value`. `None` when the line can not be read on, `Some(None)` when only the key is bad.
    fn param(&mut self, line: &mut Cursor<'_>) -> Option<Option<Param>> {
        let Some(key) = line.name(self.faults) else {
            self.malformed("ROLE", line.rest_span(), "expected a parameter name");
            return None;
        };
        if !line.eat('=') {
            self.malformed(
                "ROLE",
                line.rest_span(),
                "expected `=` after a parameter name",
            );
            return None;
        }
        line.skip_blanks();
        let value = if line.rest().starts_with(['"', '\'']) {
            match line.quoted() {
                Ok(value) => value,
                Err((what, span)) => {
                    self.malformed("ROLE", span, what);
                    return None;
                }
            }
        } else {
            let bare = line.field(&[',', ')']);
            if bare.value.is_empty() || bare.value.contains(['"', '\'', '(', '\t']) {
                let what = format!(
                    "`{}` is no parameter value; put texts in quotes",
                    bare.value
                );
                self.malformed("ROLE", bare.span, &what);
                return None;
            }
            owned(&bare)
        };
        Some(key.map(|key| (key, value)))
    }
}
