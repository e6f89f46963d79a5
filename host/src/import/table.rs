//! Tables of TOML as they are written: values are quoted as values, whatever is in them.

use std::{
    fmt::{self, Write as _},
    path::Path,
};

use toml::Value;

use crate::config::{Config, Source};

/// `[KIND.NAME]` with its lines.
#[derive(Debug, Clone)]
pub(super) struct Table {
    kind: &'static str,
    pub(super) name: String,
    comments: String,
    lines: String,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = key(&self.name);
        write!(f, "{}[{}.{name}]\n{}", self.comments, self.kind, self.lines)
    }
}

impl Table {
    pub(super) fn new(kind: &'static str, name: &str) -> Self {
        Self { kind, name: name.to_owned(), comments: String::new(), lines: String::new() }
    }

    /// Whether another says the same.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.kind == other.kind && self.lines == other.lines
    }

    /// Whether a name stands in it as a value.
    pub(super) fn mentions(&self, name: &str) -> bool {
        self.lines.contains(&quoted(name))
    }

    /// Whether two routes' paths differ at most in the names of parameters.
    pub(super) fn shares_path_shape(&self, other: &Self) -> bool {
        let shape = |table: &Self| -> Vec<String> {
            let path = table.lines.lines().next().unwrap_or_default();
            let blank =
                |part: &str| if part.contains('{') { "{}".to_owned() } else { part.trim_end_matches('"').to_owned() };
            path.split('/').map(blank).collect()
        };
        shape(self) == shape(other)
    }

    /// A comment in front of it.
    pub(super) fn comment(&mut self, text: &str) {
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _ = writeln!(self.comments, "# {}", line.trim());
    }

    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.value(key, Value::String(text.to_owned()));
    }

    pub(super) fn texts<'t>(&mut self, key: &str, texts: impl IntoIterator<Item = &'t str>) {
        self.value(key, Value::Array(texts.into_iter().map(|text| Value::String(text.to_owned())).collect()));
    }

    /// A table of texts, in one line.
    pub(super) fn pairs(&mut self, key: &str, pairs: &[(String, String)]) {
        let pairs = pairs.iter().map(|(name, text)| (name.clone(), Value::String(text.clone())));
        self.value(key, Value::Table(pairs.collect()));
    }

    /// A key, which may have dots, and its value.
    pub(super) fn value(&mut self, key: &str, value: Value) {
        let _ = writeln!(self.lines, "{key} = {}", inline(&value));
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::Table(table) => {
            let members: Vec<_> =
                table.iter().map(|(name, value)| format!("{} = {}", key(name), inline(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if bare { name.to_owned() } else { quoted(name) }
}

/// A basic string, in one line.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a text is a configuration; else the first that is wrong with it.
pub(super) fn accepted(text: &str, folder: &Path) -> Result<(), String> {
    let problems = match Config::parse(Source::new(folder.join("gatehouse.toml"), text)) {
        Ok(_) => return Ok(()),
        Err(problems) => problems,
    };
    let first = problems.list.into_iter().next();
    Err(first.map_or_else(String::new, |problem| match problem.help {
        Some(help) => format!("{} ({help})", problem.message),
        None => problem.message,
    }))
}

/// Whether a table is good by itself, with others that it may name.
///
/// A document is somebody else's: it names no variables of this process.
pub(super) fn sound(table: &Table, around: &[&Table]) -> Result<(), String> {
    if ["${env.", "${var."].iter().any(|reference| table.lines.contains(reference)) {
        return Err("it has a reference to the environment in it".to_owned());
    }
    let mut text = String::from("[listeners.l]\naddress = \"127.0.0.1:1\"\n[upstreams.u]\nurl = \"http://u\"\n");
    around.iter().chain([&table]).for_each(|table| {
        let _ = write!(text, "{table}");
    });
    if table.kind != "routes" {
        text.push_str("[routes.r]\nupstream = \"u\"\n");
    }
    accepted(&text, Path::new(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_written_as_a_value() {
        let mut table = Table::new("routes", "a.b\"]\n[x");
        let text = "a\"b\\c\n\u{7f}\u{0}\u{e9}\u{1f600}";
        table.text("a", text);
        table.pairs("b", &[(text.to_owned(), text.to_owned())]);
        table.comment("one\n[two]");
        let read: toml::Table = table.to_string().parse().expect("TOML");
        let read = &read["routes"]["a.b\"]\n[x"];
        assert_eq!((read["a"].as_str(), read["b"][text].as_str()), (Some(text), Some(text)));
    }
}
