//! YAML without its traps: plain mappings, lists and scalars, each with its place.
//!
//! Refused: anchors and aliases (so there is nothing to expand), merge keys, tags of one's own, a second document, a key twice,
//! keys that are no text. `yes` and `no` stay words, and so does what the tag `!!binary` stands before. Budgets bound the rest.
//!
//! INVARIANT: a document that is accepted here means the same as the JSON value it becomes.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Budget, DuplicateKeyPolicy, Error, MergeKeyPolicy, Options, Spanned};

use crate::document::{Place, Places};

/// Why a text is no document: code, place and message.
pub(crate) struct YamlFault {
    pub(crate) code: &'static str,
    pub(crate) place: Place,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

/// Parses one document.
pub(crate) fn parse(text: &str) -> Result<(Value, Places), YamlFault> {
    let tree: Spanned<Tree> =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| fault(&error))?;
    let mut places = Places::default();
    let value = into_value(tree, String::new(), &mut places);
    Ok((value, places))
}

fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_aliases = 0;
    budget.max_anchors = 0;
    budget.max_merge_keys = 0;
    budget.max_depth = 32;
    budget.flow_nesting_limit = 32;
    budget.max_documents = 1;
    budget.max_events = 100_000;
    budget.max_nodes = 50_000;
    budget.max_inclusion_depth = 0;
    budget.max_total_scalar_bytes = 1024 * 1024;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    options.merge_keys = MergeKeyPolicy::Error;
    options.strict_booleans = true;
    options.reject_unsupported_tags = true;
    // A word in base64 would be another word than the one that a reader sees.
    options.ignore_binary_tag_for_string = true;
    options.with_snippet = false;
    options
}

fn fault(error: &Error) -> YamlFault {
    let place = error
        .location()
        .map_or((1, 1), |location| (location.line(), location.column()));
    let (code, help) = match error {
        Error::DuplicateMappingKey { .. } => ("AIM-C020", "keep one of the two"),
        Error::Budget { .. }
        | Error::UnsupportedTag { .. }
        | Error::MergeKeyNotAllowed { .. }
        | Error::MultipleDocuments { .. } => (
            "AIM-C004",
            "write one plain document: no anchors, aliases, merge keys, tags or second document",
        ),
        _ => ("AIM-C003", "correct the YAML"),
    };
    YamlFault {
        code,
        place,
        message: first_line(&error.to_string()),
        help,
    }
}

fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(300)
        .collect()
}

/// What YAML can hold here.
enum Tree {
    Scalar(Value),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

fn into_value(node: Spanned<Tree>, at: String, places: &mut Places) -> Value {
    // BOUND: the budget limits depth and number of nodes.
    let place = (node.referenced.line(), node.referenced.column());
    places.value(&at, place);
    match node.value {
        Tree::Scalar(value) => value,
        Tree::List(items) => {
            let mut list = Vec::with_capacity(items.len());
            for (index, item) in items.into_iter().enumerate() {
                list.push(into_value(item, format!("{at}/{index}"), places));
            }
            Value::Array(list)
        }
        Tree::Map(entries) => {
            let mut map = Map::new();
            for (key, item) in entries {
                let inner = crate::document::pointer_to(&at, &key.value);
                places.key(&inner, (key.referenced.line(), key.referenced.column()));
                map.insert(key.value, into_value(item, inner, places));
            }
            Value::Object(map)
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping, a list or a scalar")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Bool(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Tree, E> {
        Number::from_f64(value)
            .map(|number| Tree::Scalar(Value::Number(number)))
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::String(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::String(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut map: Vec<(Spanned<String>, Spanned<Tree>)> = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            map.push((key, entries.next_value()?));
        }
        Ok(Tree::Map(map))
    }
}
