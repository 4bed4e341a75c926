//! The table from effects and tools to imports in the guide is the one in core.
//!
//! INVARIANT: the guide's table is written from the code; `AIM_BLESS=1` writes it anew.

use std::{fmt::Write as _, fs, path::PathBuf};

use aim_core::access::{Capability, Effect, Tool, action_name, effect_rows};

const BEGIN: &str = "<!-- effects: begin -->\n";
const END: &str = "<!-- effects: end -->";

fn table() -> String {
    let mut table = String::from(
        "| policy action | on | effects of a plan | tool of a scope | WIT interfaces |\n",
    );
    table.push_str("| --- | --- | --- | --- | --- |\n");
    for row in Capability::ALL.into_iter().flat_map(effect_rows) {
        let effects: Vec<&str> = row.effects.iter().map(|effect| effect.word()).collect();
        let interfaces = aim_core::capability::closure(row.capability);
        let interfaces: Vec<&str> = interfaces.iter().map(|served| served.interface).collect();
        let dash = |text: String| {
            if text.is_empty() {
                "-".to_owned()
            } else {
                text
            }
        };
        writeln!(
            table,
            "| `{}` | `{}` | {} | {} | {} |",
            action_name(row.capability, row.mode),
            row.capability.resource_kind().entity(),
            dash(effects.join(", ")),
            dash(row.tool.map(Tool::word).unwrap_or_default().to_owned()),
            interfaces.join(", "),
        )
        .unwrap();
    }
    let refused = |word: &str| format!("`{word}`");
    let effects = Effect::ALL.iter().filter(|effect| !effect.is_served());
    let tools = Tool::ALL.iter().filter(|tool| !tool.is_served());
    let effects: Vec<String> = effects.map(|effect| refused(effect.word())).collect();
    let tools: Vec<String> = tools.map(|tool| refused(tool.word())).collect();
    writeln!(table, "\nUnderstood and always refused, because nothing serves them: the effects {}; the tools {}.", effects.join(", "), tools.join(", ")).unwrap();
    table
}

#[test]
fn the_guide_shows_the_table_that_the_code_has() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../docs/guides/policy.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    if std::env::var_os("AIM_BLESS").is_some() {
        let text = format!("{before}{BEGIN}{}{END}{after}", table());
        fs::write(&path, text).unwrap();
        return;
    }
    assert_eq!(
        shown,
        table(),
        "run this test with AIM_BLESS=1 and look at the difference"
    );
}
