//! Form C: `pipeline "name" { ... }`. A statement that can not be read costs itself only; reading goes on at the next one.
//!
//! INVARIANT: recovery always takes a token, and only lists of one level are read by calling oneself, so neither time nor
//! stack grows with what a source nests.

use alloc::{collections::BTreeMap, format};
use core::ops::Range;

use aim_core::plan::STEPS_MAX;

use super::action::Stream;
use crate::{
    ast::{Ast, Form, Header, Import, Shard, Spanned},
    codes,
    diagnostic::{Diagnostic, Faults},
    token::{self, Token, TokenKind},
};

mod budget;
mod gate;
mod header;
mod selector;
mod shard;
mod step;
mod topology;
mod value;
mod word;

pub(crate) use budget::BUDGET as BUDGET_KEYS;
pub(crate) use gate::{BLOCK as GATE_KEYS, TYPED as TYPED_KEYS};
pub(crate) use header::HEADER as HEADER_KEYS;
pub(crate) use shard::SHARD as SHARD_KEYS;
pub(crate) use step::STEP as STEP_KEYS;
pub(crate) use topology::EVENTS;

/// What was wrong is reported already; the caller reads on at the next statement.
pub(super) struct Broken;

/// What a statement reads.
pub(super) type Parsed<T> = Result<T, Broken>;

/// Reads a source.
pub(super) fn parse(source: &str, faults: &mut Faults) -> Ast {
    let lexed = token::lex(source);
    if let Some(span) = lexed.open_comment {
        let fault = Diagnostic::error(codes::SYNTAX, span, "the comment is not closed");
        faults.push(fault.help("write `*/` where it ends"));
    }
    let mut parser = Parser {
        source,
        stream: Stream::new(lexed.tokens, 0),
        ast: Ast {
            form: Form::Braces,
            comments: lexed.comments,
            ..Ast::default()
        },
        faults,
        step_count: 0,
    };
    parser.file();
    parser.ast
}

/// The state between statements.
pub(super) struct Parser<'s, 'f> {
    source: &'s str,
    stream: Stream<'s>,
    ast: Ast,
    faults: &'f mut Faults,
    step_count: usize,
}

/// Words that a source begins with.
pub(crate) const TOP: [&str; 3] = ["pipeline", "plan", "import"];
/// Words that begin a statement wherever they stand in a line.
pub(crate) const STATEMENTS: [&str; 13] = [
    "header", "shard", "step", "gate", "fanout", "reduce", "flow", "role", "require", "forbid",
    "emit", "on_fail", "depends",
];
/// Keys that begin a statement when a colon follows.
pub(crate) const KEYS: [&str; 41] = [
    "snapshot",
    "seeds",
    "schema_version",
    "budgets",
    "budget",
    "pins",
    "policy",
    "quip",
    "deterministic",
    "inputs",
    "kappa",
    "risk",
    "silence",
    "does",
    "slice",
    "time",
    "model",
    "tools",
    "effects",
    "retries",
    "fallback",
    "breaker",
    "criticality",
    "idempotent",
    "question",
    "strict",
    "min",
    "tokens",
    "wall_ms",
    "calls",
    "cost",
    "backoff",
    "pool",
    "headroom",
    "max_attempts",
    "backoff_ms",
    "failures",
    "cooldown_ms",
    "max_parallel",
    "token_pool",
    "wall_ms_pool",
];
pub(crate) const PIPELINE: [&str; 6] = ["header", "shard", "role", "gate", "quip", "import"];
/// Words between the parts of a statement.
pub(crate) const CONNECTORS: [&str; 17] = [
    "as", "rewrite", "HITL", "for", "when", "if", "ingress", "egress", "with", "using", "max_iter",
    "until", "else", "release", "on", "input", "output",
];
/// Keys of parts that stand inside of a value.
pub(crate) const PART_KEYS: [&str; 4] = ["quorum", "tie", "max", "soft"];
/// What [`statement`] says of a word that it doesn't know.
pub(crate) const ANY_KEY: &str = "<key>: <value>";

impl<'s> Parser<'s, '_> {
    fn file(&mut self) {
        // BOUND: every turn takes a token or ends.
        while !self.stream.is_at_end() {
            let word = self.stream.peek(0);
            let read = match word.text {
                "pipeline" | "plan" => self.pipeline(),
                "import" => self.import(),
                ";" | "," => {
                    self.stream.next();
                    Ok(())
                }
                _ => {
                    self.stream.next();
                    self.unknown(&word, "the top of a plan", &TOP);
                    Err(Broken)
                }
            };
            if read.is_err() {
                self.recover();
            }
        }
        if self.ast.header.is_none() {
            let fault = Diagnostic::error(codes::NO_HEADER, 0..0, "no pipeline found");
            self.faults
                .push(fault.help("begin the plan with `pipeline \"<name>\" {`"));
        }
    }

    /// `import policy "x.aclp" as p`
    fn import(&mut self) -> Parsed<()> {
        let first = self.stream.next();
        let word = self.stream.next();
        let is_flow = match word.text {
            "flow" => true,
            "policy" => false,
            _ => return Err(self.syntax(&word, "import", "expected `policy` or `flow`")),
        };
        let path = self.text("import")?;
        if !self.stream.eat("as") {
            let next = self.stream.peek(0);
            return Err(self.syntax(&next, "import", "expected `as` and a name"));
        }
        let name = self.name("import")?;
        let span = first.span.start..name.span.end;
        if self.ast.header.is_some() {
            let help = "move it above the pipeline";
            self.faults.error(
                codes::OUT_OF_PLACE,
                span.clone(),
                "import stands inside or below the pipeline",
                help,
            );
        }
        self.ast.imports.push(Import {
            is_flow,
            path,
            name,
            span,
        });
        Ok(())
    }

    /// `pipeline "name" [v1.0] { ... }`
    fn pipeline(&mut self) -> Parsed<()> {
        let first = self.stream.next();
        if let Some(header) = &self.ast.header {
            let label = header.span.clone();
            let fault =
                Diagnostic::error(codes::REPEATED, first.span, "a source holds one pipeline");
            self.faults.push(
                fault
                    .help("put the second one into a file of its own")
                    .label(label, "first here"),
            );
            return Err(Broken);
        }
        let name = self.name_in_quotes("pipeline")?;
        let version = self.version()?;
        let span = first.span.start..self.stream.end_of_last();
        self.ast.header = Some(Header {
            name,
            version,
            extent: span.clone(),
            span,
        });
        let mut loose = Shard::default();
        let block = self.block("pipeline", &["header", "quip"], |parser, word| {
            match word.text {
                "header" => parser.header(&word),
                "shard" => parser.shard(&word),
                "role" => parser.role(&word),
                "quip" => {
                    parser.stream.eat(":");
                    parser.ast.quip = Some(parser.text("quip")?);
                    Ok(())
                }
                "gate" if parser.stream.peek(1).text != ":" => {
                    let gate = parser.gate(&word)?;
                    parser.ast.gates.push(gate);
                    Ok(())
                }
                "import" => {
                    let help = "move it above the pipeline";
                    parser.faults.error(
                        codes::OUT_OF_PLACE,
                        word.span.clone(),
                        "import stands inside the pipeline",
                        help,
                    );
                    Err(Broken)
                }
                _ => parser.shard_statement(&word, &mut loose, &PIPELINE),
            }
        })?;
        if let Some(header) = &mut self.ast.header {
            header.extent.end = block.end;
        }
        if loose != Shard::default() {
            // Statements outside every shard belong to no shard: they come first, as one without a name.
            self.ast.shards.insert(0, loose);
        }
        Ok(())
    }

    fn version(&mut self) -> Parsed<Option<Spanned<aim_core::plan::LanguageVersion>>> {
        let word = self.stream.peek(0);
        if word.kind != TokenKind::Word || word.text == "{" {
            return Ok(None);
        }
        self.stream.next();
        let mut end = word.span.end;
        while !self.stream.is("{")
            && self.stream.peek(0).span.start == end
            && !self.stream.is_at_end()
        {
            end = self.stream.next().span.end;
        }
        let span = word.span.start..end;
        let text = self.source.get(span.clone()).unwrap_or_default();
        match text.strip_prefix('v').and_then(|text| text.parse().ok()) {
            Some(value) => Ok(Some(Spanned { value, span })),
            None => Err(self.syntax_at(
                span,
                "pipeline",
                "expected `{` or a version such as `v1.0` after the name",
            )),
        }
    }

    /// `{ statement ... }`. Words in `once` may begin one statement only.
    fn block(
        &mut self,
        what: &str,
        once: &[&str],
        mut read: impl FnMut(&mut Self, Token<'s>) -> Parsed<()>,
    ) -> Parsed<Range<usize>> {
        let open = self.stream.peek(0);
        if !self.stream.eat("{") {
            return Err(self.syntax(&open, what, "expected `{`"));
        }
        let mut seen: BTreeMap<&str, Range<usize>> = BTreeMap::new();
        // BOUND: every turn takes a token or ends.
        loop {
            while self.stream.eat(",") || self.stream.eat(";") {}
            if self.stream.eat("}") {
                return Ok(open.span.start..self.stream.end_of_last());
            }
            if self.stream.is_at_end() {
                let fault = Diagnostic::error(
                    codes::SYNTAX,
                    open.span.clone(),
                    format!("this {what} block is not closed"),
                );
                self.faults.push(fault.help("write `}` where it ends"));
                return Ok(open.span.start..self.stream.end_of_last());
            }
            let word = self.stream.next();
            if once.contains(&word.text)
                && let Some(first) = seen.insert(word.text, word.span.clone())
            {
                let fault = Diagnostic::error(
                    codes::REPEATED,
                    word.span.clone(),
                    format!("{} is repeated", word.text),
                );
                self.faults
                    .push(fault.help("keep one of the two").label(first, "first here"));
            }
            if read(self, word).is_err() {
                self.recover();
            }
        }
    }

    /// Skips what is left of a statement: up to a separator, what begins another one, or the end of the block.
    fn recover(&mut self) {
        let mut depth = 0_usize;
        // BOUND: every turn takes a token or ends.
        loop {
            let token = self.stream.peek(0);
            if token.kind == TokenKind::End || (depth == 0 && self.begins_statement(&token)) {
                return;
            }
            match token.text {
                "}" if depth == 0 => return,
                ";" if depth == 0 => {
                    self.stream.next();
                    return;
                }
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.stream.next();
        }
    }

    fn begins_statement(&self, token: &Token<'_>) -> bool {
        let is_known = STATEMENTS.contains(&token.text);
        let is_key = KEYS.contains(&token.text) && self.stream.peek(1).text == ":";
        token.kind == TokenKind::Word && (token.is_first_on_line || is_known || is_key)
    }

    /// Counts a step and refuses the first one too many.
    fn count_step(&mut self, span: &Range<usize>) {
        self.step_count += 1;
        if self.step_count == STEPS_MAX + 1 {
            let message = format!("the plan has more than {STEPS_MAX} steps");
            self.faults
                .error(codes::TOO_LARGE, span.clone(), message, "split the plan");
        }
    }
}

/// How a statement is written.
pub(crate) fn statement(what: &str) -> &'static str {
    match what {
        "import" => "import policy \"<file>\" as <name>`, or `import flow \"<file>\" as <name>",
        "pipeline" => "pipeline \"<name>\" { ... }",
        "quip" => "quip: \"<text>\"",
        "shard" => "shard \"<name>\" { ... }",
        "caps" => "caps { max_parallel: <n> token_pool: <n> wall_ms_pool: <n> }",
        "role" => "role <name>: <kind> { <key>: <value> }",
        "step" => "step <name>: <Role> { ... }",
        "gate" => {
            "gate <name>: <Type> { ... }`, or inside a step `gate egress <name> { require <condition> }"
        }
        "fanout" => "fanout <step> -> <step>[1..<n>] with <key>=<value>",
        "reduce" => "reduce <step>[1..<n>] -> <step> using vote=majority",
        "flow" => "flow <name>(<step>, max_iter=<n>) until <condition>",
        "policy" => "policy rewrite { on <event> => <action>; require HITL for <step> }",
        "budget" | "budgets" => "budget: { tokens: <n> wall_ms: <n> calls: <n> cost: <n> }",
        "pins" => "pins: { model: \"<m>\" index: \"<i>\" tool: \"<t>\" seed: <n> }",
        "inputs" => "inputs: { <name>: <value> }",
        "depends" => "depends <step>, <step>?",
        "effects" => "effects: [net.read, fs.read]",
        "tools" => "tools: [\"<tool>\"]",
        "slice" => "slice: HHNI:<path>",
        "time" => "time: ASOF:<instant>`, or `time: WINDOW:<instant>..<instant>",
        "retries" => "retries: { max_attempts: <n> backoff_ms: <n> }",
        "breaker" => "breaker: { failures: <n> cooldown_ms: <n> }",
        "on_fail" => "on_fail { if (<condition>) <action>; <action> }",
        _ => ANY_KEY,
    }
}
