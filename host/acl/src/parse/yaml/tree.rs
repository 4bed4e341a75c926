//! A YAML document as a tree with places: maps, lists and scalars, nothing else.
//!
//! INVARIANT: depth and number of nodes are bounded, a key stands once in its map, and there are no anchors, aliases or tags.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::ops::Range;

use aim_core::plan::text_fault;
use granit_parser::{Event, Parser, ScalarStyle};

use crate::{
    ast::{Comment, Spanned},
    codes,
    diagnostic::{Diagnostic, Faults},
};

const DEPTH_MAX: usize = 16;
const NODES_MAX: usize = 200_000;

/// One node.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) span: Range<usize>,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A scalar and whether it stands in quotes or is a block.
    Scalar(String, bool),
    List(Vec<Node>),
    Map(Vec<(Spanned<String>, Node)>),
}

/// A collection that is still open.
struct Open {
    node: Node,
    key: Option<Spanned<String>>,
}

struct Builder<'f> {
    open: Vec<Open>,
    root: Option<Node>,
    count: usize,
    faults: &'f mut Faults,
    comments: Vec<Comment>,
    is_stopped: bool,
}

/// Reads a document; `None` when there is none or it can not be read, which is reported.
pub(super) fn read(source: &str, faults: &mut Faults) -> (Option<Node>, Vec<Comment>) {
    let mut builder = Builder {
        open: Vec::new(),
        root: None,
        count: 0,
        faults,
        comments: Vec::new(),
        is_stopped: false,
    };
    let mut documents = 0_usize;
    for event in Parser::new_from_str(source) {
        let (event, span) = match event {
            Ok((event, span)) => (event, span.byte_range().unwrap_or(0..0)),
            Err(error) => {
                let at = error
                    .marker()
                    .byte_offset()
                    .unwrap_or(source.len())
                    .min(source.len());
                let at = (0..=at)
                    .rev()
                    .find(|at| source.is_char_boundary(*at))
                    .unwrap_or(0);
                builder.fault(
                    at..at,
                    format!("the YAML can not be read: {}", shown(&error.to_string())),
                );
                return (None, builder.comments);
            }
        };
        let span = clipped(source, span);
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
            if documents == 2 {
                builder.fault(span, "a file holds one plan");
                return (None, builder.comments);
            }
            continue;
        }
        builder.event(event, span);
        if builder.is_stopped {
            return (None, builder.comments);
        }
    }
    (builder.root, builder.comments)
}

fn clipped(source: &str, span: Range<usize>) -> Range<usize> {
    if source.get(span.clone()).is_some() {
        span
    } else {
        0..0
    }
}

fn shown(text: &str) -> String {
    let harmless = |c: char| {
        if text_fault(c.encode_utf8(&mut [0; 4])).is_some() {
            ' '
        } else {
            c
        }
    };
    text.chars().take(120).map(harmless).collect()
}

impl Builder<'_> {
    fn fault(&mut self, span: Range<usize>, message: impl Into<String>) {
        let fault = Diagnostic::error(codes::BAD_YAML, span, message);
        self.faults.push(fault.help(
            "write plain maps, lists and texts, up to 16 deep, without anchors, aliases and tags",
        ));
        self.is_stopped = true;
    }

    fn event(&mut self, event: Event<'_>, span: Range<usize>) {
        match event {
            Event::Comment(text, _) => self.comments.push(Comment {
                text: text.trim().to_string(),
                is_block: false,
                span,
            }),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.fault(span, "an alias is not allowed")
            }
            Event::Scalar(text, style, anchor, tag) => {
                if anchor != 0 || tag.is_some() {
                    return self.fault(span, "anchors and tags are not allowed");
                }
                let value = Value::Scalar(
                    text.replace(['\t', '\n'], " ").trim_end().into(),
                    style != ScalarStyle::Plain,
                );
                self.scalar(Node { value, span });
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(Value::List(Vec::new()), anchor, tag.is_some(), span)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.begin(Value::Map(Vec::new()), anchor, tag.is_some(), span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { mut node, .. }) = self.open.pop() {
                    node.span.end = node.span.end.max(span.end).max(node.span.start);
                    self.place(node);
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, value: Value, anchor: usize, is_tagged: bool, span: Range<usize>) {
        if anchor != 0 || is_tagged {
            return self.fault(span, "anchors and tags are not allowed");
        }
        if self.open.len() >= DEPTH_MAX {
            return self.fault(span, "the YAML is nested too deeply");
        }
        if let Some(Open {
            node: Node {
                value: Value::Map(_),
                ..
            },
            key: None,
        }) = self.open.last()
        {
            return self.fault(span, "a key is a text");
        }
        self.open.push(Open {
            node: Node { value, span },
            key: None,
        });
    }

    fn scalar(&mut self, node: Node) {
        let Some(Open {
            node:
                Node {
                    value: Value::Map(entries),
                    ..
                },
            key: key @ None,
        }) = self.open.last_mut()
        else {
            return self.place(node);
        };
        let Value::Scalar(text, _) = node.value else {
            return;
        };
        let is_twice =
            entries.len() < 4_096 && entries.iter().any(|(known, _)| known.value == text);
        let message = format!("key `{}` stands twice", shown(&text));
        *key = Some(Spanned::new(text, node.span.clone()));
        if is_twice {
            self.fault(node.span, message);
        }
    }

    fn place(&mut self, node: Node) {
        self.count += 1;
        if self.count > NODES_MAX {
            return self.fault(node.span, "the YAML has too many parts");
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { node: parent, key }) => match &mut parent.value {
                Value::List(items) => items.push(node),
                Value::Map(entries) => entries.extend(key.take().map(|key| (key, node))),
                Value::Scalar(..) => {}
            },
        }
    }
}
