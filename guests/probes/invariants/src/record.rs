//! The record of a run: what the host wrote down, and what each statement says.
//! INVARIANT: a statement that is no statement of an attempt makes the whole record unreadable.

use aim_sdk::serde_json::{self, Map, Value};

/// A run so far.
pub(crate) struct Record {
    pub(crate) probe: String,
    pub(crate) ethical: String,
    pub(crate) compiled: Vec<String>,
    pub(crate) omitted: u64,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) steps: Vec<Node>,
}

/// An ended attempt.
pub(crate) struct Attempt {
    pub(crate) witness: String,
    pub(crate) statement: String,
    /// What the statement is about.
    pub(crate) says: Value,
}

/// A node of the plan.
pub(crate) struct Node {
    pub(crate) path: String,
    pub(crate) is_released: bool,
    pub(crate) witnesses: Vec<String>,
}

impl Record {
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        let document: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let mut attempts = Vec::new();
        for one in list(&document, "attempts")? {
            let statement = text(one, "statement")?;
            let says: Value =
                serde_json::from_str(&statement).map_err(|error| error.to_string())?;
            let says = says.get("predicate").filter(|says| says.is_object());
            attempts.push(Attempt {
                witness: text(one, "witness")?,
                says: says.ok_or("a statement without a predicate")?.clone(),
                statement,
            });
        }
        let mut steps = Vec::new();
        for one in list(&document, "steps")? {
            steps.push(Node {
                path: text(one, "path")?,
                is_released: one
                    .get("is_released")
                    .and_then(Value::as_bool)
                    .ok_or("no `is_released`")?,
                witnesses: texts(one, "witnesses")?,
            });
        }
        Ok(Self {
            probe: text(&document, "probe")?,
            ethical: text(&document, "ethical")?,
            compiled: texts(&document, "compiled")?,
            omitted: document
                .get("omitted")
                .and_then(Value::as_u64)
                .ok_or("no `omitted`")?,
            attempts,
            steps,
        })
    }
}

impl Attempt {
    /// Where its node stands.
    pub(crate) fn path(&self) -> &str {
        self.text("path")
            .or_else(|| self.text("step"))
            .unwrap_or_default()
    }

    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.says.get(field).and_then(Value::as_str)
    }

    pub(crate) fn list(&self, field: &str) -> &[Value] {
        self.says
            .get(field)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    pub(crate) fn object(&self, field: &str) -> Option<&Map<String, Value>> {
        self.says.get(field).and_then(Value::as_object)
    }

    pub(crate) fn is_released(&self) -> bool {
        self.says.get("released") == Some(&Value::Bool(true))
    }
}

fn list<'a>(value: &'a Value, field: &str) -> Result<&'a Vec<Value>, String> {
    let found = value.get(field).and_then(Value::as_array);
    found.ok_or_else(|| format!("no list `{field}`"))
}

fn text(value: &Value, field: &str) -> Result<String, String> {
    let found = value.get(field).and_then(Value::as_str);
    found
        .map(str::to_owned)
        .ok_or_else(|| format!("no text `{field}`"))
}

fn texts(value: &Value, field: &str) -> Result<Vec<String>, String> {
    let texts = list(value, field)?.iter();
    texts
        .map(|one| one.as_str().map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| format!("`{field}` holds other things than texts"))
}
