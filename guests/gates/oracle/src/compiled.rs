//! The compiled form of a codex for one phase: what judging needs, ready to be used where it lies.
//!
//! ```text
//! header of 32 words | tables of rows | class of each byte | texts          words are little-endian, 32 bits
//! ```
//! An instance lives for one request, so whatever it had to parse or to allocate first would be paid at every request. The
//! form follows from document and phase alone: the same rules give the same bytes.
//! INVARIANT: a reader never trusts an offset; what lies outside or makes no sense is malformed, never a pass.

use alloc::vec::Vec;

use crate::codex::{Axiom, Characters, Codex, Concern, PhaseName, QuipRule, Rule};
use crate::text::Text;
use crate::types::Phase;

/// The first word: form and version.
pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"MCL1");
/// Words of the header.
pub(crate) const HEADER_WORDS: usize = 32;

/// What must follow a needle, as it is written down.
pub(crate) mod after {
    pub(crate) const NOTHING: u8 = 0;
    pub(crate) const TOKEN: u8 = 1;
    pub(crate) const ASSIGNMENT: u8 = 2;
    pub(crate) const URL_PASSWORD: u8 = 3;
}

/// Places in the header, counted in words.
pub(crate) mod place {
    pub(crate) const PHASE: usize = 1;
    pub(crate) const QUIP: usize = 2;
    pub(crate) const KAPPA: usize = 3;
    pub(crate) const HYSTERESIS: usize = 4;
    pub(crate) const REVIEW_BELOW: usize = 5;
    pub(crate) const FLOORS: usize = 6;
    pub(crate) const UNREADABLE_ITEM: usize = 10;
    pub(crate) const DOUBT_WEIGHT: usize = 11;
    pub(crate) const VERSION: usize = 12;
    pub(crate) const GROUPS: usize = 14;
    pub(crate) const RULES: usize = 16;
    pub(crate) const EFFECTS: usize = 18;
    pub(crate) const IMPACTS: usize = 20;
    pub(crate) const NEEDLES: usize = 22;
    pub(crate) const CLASSES: usize = 24;
    pub(crate) const CLASS_ROWS: usize = 26;
    pub(crate) const MASKS: usize = 28;
    pub(crate) const HARMLESS: usize = 29;
    pub(crate) const FUTURES: usize = 30;
}

/// Bytes of a row of each table.
pub(crate) mod row {
    /// Kind, weight, id.
    pub(crate) const GROUP: usize = 16;
    /// Group, label.
    pub(crate) const RULE: usize = 12;
    /// Rule, text.
    pub(crate) const DECLARED: usize = 12;
    /// Rule, next and the two bytes, least, text.
    pub(crate) const NEEDLE: usize = 24;
    /// Second bytes, first needle.
    pub(crate) const CLASS: usize = 12;
    /// A text.
    pub(crate) const TEXT: usize = 8;
    /// Horizon, metric, value, first of its rows and how many.
    pub(crate) const FUTURE: usize = 32;
    /// Group, by.
    pub(crate) const LESS: usize = 12;
}

/// Numbers that do not fit. `codex::parse` refuses documents that could have such.
fn word(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A table that grows, and texts that are put behind all tables.
#[derive(Default)]
struct Writer {
    texts: Vec<u8>,
}

impl Writer {
    /// Puts a text down and its place into `row`. Places count from the first text until the end is known.
    fn text(&mut self, row: &mut Vec<u8>, text: &str) {
        put(row, word(self.texts.len()));
        put(row, word(text.len()));
        self.texts.extend_from_slice(text.as_bytes());
    }
}

fn put(row: &mut Vec<u8>, number: u32) {
    row.extend_from_slice(&number.to_le_bytes());
}

/// One text to look for, with its rule.
struct Needle<'a> {
    bytes: &'a str,
    any_case: bool,
    after: u8,
    characters: u8,
    least: u32,
    rule: usize,
}

/// Compiles a codex for one phase.
pub(crate) fn compile(codex: &Codex<'_>, phase: Phase) -> Vec<u8> {
    let is_here = |phases: &[PhaseName]| phases.iter().any(|name| name.is(phase));
    let axioms: Vec<&Axiom<'_>> = codex
        .axioms
        .iter()
        .filter(|one| is_here(&one.phases))
        .collect();
    let concerns: Vec<&Concern<'_>> = codex
        .concerns
        .iter()
        .filter(|one| is_here(&one.phases))
        .collect();
    let mut writer = Writer::default();
    let mut header = Vec::with_capacity(HEADER_WORDS * 4);
    let doubt = &codex.doubt;
    let floor = &doubt.floor;
    for number in [
        MAGIC,
        phase.number(),
        u32::from(codex.quip == QuipRule::Required),
        codex.kappa,
        codex.hysteresis,
        codex.review_below,
        floor.epistemic,
        floor.moral,
        floor.distributional,
        floor.unknown_unknown,
        doubt.unreadable_item,
        doubt.weight,
    ] {
        put(&mut header, number);
    }
    writer.text(&mut header, &codex.version);
    let mut tables = Tables::default();
    for axiom in &axioms {
        tables.group(&mut writer, (0, 0, &axiom.id), &axiom.any);
    }
    for concern in &concerns {
        tables.group(&mut writer, (1, concern.weight, &concern.id), &concern.any);
    }
    let (rows, classes, class_rows) = needle_rows(&mut writer, &tables.needles);
    let texts = |writer: &mut Writer, list: &[Text<'_>]| {
        let mut rows = Vec::new();
        list.iter().for_each(|text| writer.text(&mut rows, text));
        rows
    };
    let masks = texts(&mut writer, &codex.masks);
    let harmless = texts(&mut writer, &codex.harmless);
    let (futures, less) = future_rows(&mut writer, codex, axioms.len(), &concerns);
    let counts = (codex.masks.len(), codex.harmless.len());
    finish(
        header,
        [
            (tables.groups, row::GROUP),
            (tables.rules, row::RULE),
            (tables.effects, row::DECLARED),
            (tables.impacts, row::DECLARED),
            (rows, row::NEEDLE),
            (classes, 1),
            (class_rows, row::CLASS),
        ],
        (masks, harmless, counts),
        (futures, less),
        &writer.texts,
    )
}

#[derive(Default)]
struct Tables<'a> {
    groups: Vec<u8>,
    rules: Vec<u8>,
    effects: Vec<u8>,
    impacts: Vec<u8>,
    needles: Vec<Needle<'a>>,
    rules_count: usize,
    groups_count: usize,
}

impl<'a> Tables<'a> {
    fn group(
        &mut self,
        writer: &mut Writer,
        (kind, weight, id): (u32, u32, &str),
        rules: &'a [Rule<'a>],
    ) {
        put(&mut self.groups, kind);
        put(&mut self.groups, weight);
        writer.text(&mut self.groups, id);
        for rule in rules {
            put(&mut self.rules, word(self.groups_count));
            writer.text(&mut self.rules, &rule.label);
            for text in rule.effects.iter().flatten() {
                put(&mut self.effects, word(self.rules_count));
                writer.text(&mut self.effects, text);
            }
            for text in rule.impact.iter().flatten() {
                put(&mut self.impacts, word(self.rules_count));
                writer.text(&mut self.impacts, text);
            }
            self.needles_of(rule);
            self.rules_count += 1;
        }
        self.groups_count += 1;
    }

    fn needles_of(&mut self, authored: &'a Rule<'a>) {
        let rule = self.rules_count;
        let needle = |bytes: &'a str, after: u8| Needle {
            bytes,
            any_case: true,
            after,
            characters: 0,
            least: 0,
            rule,
        };
        for text in authored.text.iter().flatten() {
            self.needles.push(needle(text, after::NOTHING));
        }
        for text in authored.assignment.iter().flatten() {
            self.needles.push(needle(text, after::ASSIGNMENT));
        }
        for text in authored.token.iter().flat_map(|token| &token.prefixes) {
            let token = authored.token.as_ref();
            self.needles.push(Needle {
                // A prefix that ends with a space, such as `Bearer `, is a word of a protocol: those ignore case.
                any_case: text.ends_with(' '),
                characters: token.map_or(0, |token| match token.characters {
                    Characters::UpperDigits => 0,
                    Characters::Alphanumeric => 1,
                    Characters::Base64 => 2,
                }),
                least: token.map_or(u32::MAX, |token| token.least),
                ..needle(text, after::TOKEN)
            });
        }
        if authored.url_password.is_some() {
            self.needles.push(Needle {
                any_case: false,
                ..needle("://", after::URL_PASSWORD)
            });
        }
    }
}

/// The needles chained by their first byte, the class of every byte, and for each class the second bytes and the first needle.
fn needle_rows(writer: &mut Writer, needles: &[Needle<'_>]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let mut classes = alloc::vec![0_u8; 256];
    let mut found: Vec<(u64, u32)> = Vec::new();
    let mut rows = Vec::new();
    let mut count = 0_u32;
    for needle in needles {
        let bytes = needle.bytes.as_bytes();
        let Some(first) = bytes.first() else {
            continue;
        };
        let mut at = Vec::new();
        writer.text(&mut at, needle.bytes);
        let bits = match bytes.get(1) {
            None => u64::MAX,
            Some(second) => {
                cases(*second, needle.any_case).fold(0, |bits, byte| bits | bit_of(byte))
            }
        };
        for first in cases(*first, needle.any_case) {
            let Some(class) = classes.get_mut(usize::from(first)) else {
                continue;
            };
            if *class == 0 {
                found.push((0, 0));
                // BOUND: no text begins with 0xff, so there are fewer classes than numbers.
                *class = u8::try_from(found.len()).unwrap_or(0);
            }
            let Some(row) = found.get_mut(usize::from(*class).wrapping_sub(1)) else {
                continue;
            };
            put(&mut rows, word(needle.rule));
            put(&mut rows, row.1);
            rows.extend_from_slice(&[
                u8::from(needle.any_case),
                needle.after,
                needle.characters,
                0,
            ]);
            put(&mut rows, needle.least);
            rows.extend_from_slice(&at);
            count += 1;
            *row = (row.0 | bits, count);
        }
    }
    let mut class_rows = Vec::new();
    for (bits, head) in found {
        class_rows.extend_from_slice(&bits.to_le_bytes());
        put(&mut class_rows, head);
    }
    (rows, classes, class_rows)
}

/// The futures, and what hit concerns take from them; concerns that this phase does not ask about can't be hit.
fn future_rows(
    writer: &mut Writer,
    codex: &Codex<'_>,
    axioms: usize,
    concerns: &[&Concern<'_>],
) -> (Vec<u8>, Vec<u8>) {
    let (mut rows, mut less) = (Vec::new(), Vec::new());
    for future in &codex.futures {
        writer.text(&mut rows, &future.horizon);
        writer.text(&mut rows, &future.metric);
        rows.extend_from_slice(&i64::from(future.value).to_le_bytes());
        put(&mut rows, word(less.len() / row::LESS));
        let before = less.len();
        for one in &future.less {
            if let Some(index) = concerns
                .iter()
                .position(|concern| concern.id == one.concern)
            {
                put(&mut less, word(axioms + index));
                less.extend_from_slice(&i64::from(one.by).to_le_bytes());
            }
        }
        put(&mut rows, word((less.len() - before) / row::LESS));
    }
    (rows, less)
}

/// Puts header, tables and texts one behind the other. Text places count from the header's last but one word.
fn finish(
    mut header: Vec<u8>,
    tables: [(Vec<u8>, usize); 7],
    (masks, harmless, counts): (Vec<u8>, Vec<u8>, (usize, usize)),
    (futures, less): (Vec<u8>, Vec<u8>),
    texts: &[u8],
) -> Vec<u8> {
    let mut body = Vec::new();
    let mut at = HEADER_WORDS * 4;
    for (table, row) in tables {
        put(&mut header, word(at));
        put(&mut header, word(table.len() / row));
        at += table.len();
        body.extend_from_slice(&table);
    }
    // The last four words have no room for counts: those stand before the rows.
    for (count, table) in [
        (counts.0, masks),
        (counts.1, harmless),
        (futures.len() / row::FUTURE, futures),
    ] {
        put(&mut header, word(at));
        put(&mut body, word(count));
        body.extend_from_slice(&table);
        at += 4 + table.len();
    }
    body.extend_from_slice(&less);
    at += less.len();
    put(&mut header, word(at));
    header.extend_from_slice(&body);
    header.extend_from_slice(texts);
    header
}

/// The byte, in both cases where case does not count.
fn cases(byte: u8, any_case: bool) -> impl Iterator<Item = u8> {
    let other = if byte.is_ascii_uppercase() {
        byte.to_ascii_lowercase()
    } else {
        byte.to_ascii_uppercase()
    };
    core::iter::once(byte).chain((any_case && other != byte).then_some(other))
}

/// The bit that stands for a second byte.
pub(crate) fn bit_of(byte: u8) -> u64 {
    1 << (byte % 64)
}
