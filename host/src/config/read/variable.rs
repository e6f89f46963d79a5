//! `[variables]`, `[stages.NAME.variables]`, and `${var.NAME}` in the strings of everything else. A variable is put into a
//! string that was read already, so that its value is never looked at as TOML.

use std::{collections::BTreeMap, ops::Range};

use serde_json::Value;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::config::problem::{Problem, Source, nearest, quoted, suggestion};

/// The longest value. AWS: 512.
const LONGEST: usize = 4 << 10;

/// The longest name, as in AWS.
const NAME: usize = 64;

const REFERENCE: &str = "${var.";

/// Tables that are read here.
pub(super) const OWN: [&str; 2] = ["variables", "stages"];

/// What is wrong with variables.
pub(super) struct Wrong {
    pub(super) problems: Vec<Problem>,
    /// Strings that could not be filled: what else is wrong with them means nothing.
    unfilled: Vec<Range<usize>>,
}

impl Wrong {
    /// These problems, and of others those that are not of strings which could not be filled.
    pub(super) fn with(&self, others: Vec<Problem>) -> Vec<Problem> {
        let means = |problem: &Problem| {
            !self.unfilled.iter().any(|string| string.start <= problem.at.start && problem.at.end <= string.end)
        };
        self.problems.iter().cloned().chain(others.into_iter().filter(means)).collect()
    }
}

/// Puts the variables of the source's stage into all strings. Returns what is wrong.
pub(super) fn expand(root: &mut DeTable<'_>, source: &Source) -> Wrong {
    let mut reader = Reader {
        source,
        variables: BTreeMap::new(),
        elsewhere: BTreeMap::new(),
        problems: Vec::new(),
        unfilled: Vec::new(),
    };
    if let Some(defaults) = root.get("variables") {
        let read = reader.variables(defaults);
        reader.variables.extend(read);
    }
    let stages = root.get("stages").map(|stages| reader.stages(stages)).unwrap_or_default();
    if let Some(stage) = source.stage.as_deref().filter(|stage| !stages.iter().any(|known| known == stage)) {
        let names: Vec<&str> = stages.iter().map(String::as_str).collect();
        let at = root.get("stages").map_or(0..0, Spanned::span);
        let help = if names.is_empty() {
            "add a table `[stages.NAME.variables]`".to_owned()
        } else {
            suggestion(stage, &names)
        };
        reader.problems.push(Problem::at(at, format!("there is no stage {}", quoted(stage))).help(help));
    }
    for (_, value) in root.iter_mut().filter(|(key, _)| !OWN.contains(&&**key.get_ref())) {
        reader.value(value);
    }
    Wrong { problems: reader.problems, unfilled: reader.unfilled }
}

struct Reader<'s> {
    source: &'s Source,
    variables: BTreeMap<String, String>,
    /// Names that only other stages have, each with one of these.
    elsewhere: BTreeMap<String, String>,
    problems: Vec<Problem>,
    unfilled: Vec<Range<usize>>,
}

impl Reader<'_> {
    fn variables(&mut self, table: &Spanned<DeValue<'_>>) -> Vec<(String, String)> {
        let DeValue::Table(entries) = table.get_ref() else {
            self.problems.push(Problem::at(table.span(), "`variables` must be a table"));
            return Vec::new();
        };
        let mut read = Vec::new();
        for (key, value) in entries {
            let (name, span) = (key.get_ref(), value.span());
            if !is_name(name) {
                let problem = Problem::at(key.span(), format!("{} cannot be a variable's name", quoted(name)));
                self.problems.push(problem.help(format!("1 to {NAME} letters, digits and `_`")));
                continue;
            }
            let problem = match value.get_ref() {
                DeValue::String(text) if text.len() > LONGEST => format!("a variable has {LONGEST} bytes at most"),
                DeValue::String(text) if text.contains(REFERENCE) => "a variable cannot name another".to_owned(),
                DeValue::String(text) => {
                    read.push((name.to_string(), text.to_string()));
                    continue;
                }
                _ => "a variable is a string".to_owned(),
            };
            self.problems.push(Problem::at(span, problem));
        }
        read
    }

    fn stages(&mut self, stages: &Spanned<DeValue<'_>>) -> Vec<String> {
        let DeValue::Table(entries) = stages.get_ref() else {
            let problem = Problem::at(stages.span(), "stages are named tables");
            self.problems.push(problem.help("write `[stages.NAME.variables]` for each"));
            return Vec::new();
        };
        let mut names = Vec::new();
        for (key, stage) in entries {
            let name = key.get_ref().to_string();
            if name.is_empty()
                || name.len() > NAME
                || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            {
                let problem = Problem::at(key.span(), "this cannot be a name in `[stages]`");
                self.problems.push(problem.help("1 to 64 letters, digits, `-`, `_`, `.`"));
            }
            let DeValue::Table(members) = stage.get_ref() else {
                self.problems
                    .push(Problem::at(stage.span(), "a stage is a table").help("write `[stages.NAME.variables]`"));
                continue;
            };
            for (member, _) in members.iter().filter(|(member, _)| member.get_ref() != "variables") {
                let problem = Problem::at(member.span(), format!("unknown key {}", quoted(member.get_ref())));
                self.problems.push(problem.help("a stage has `variables` only"));
            }
            let read = members.get("variables").map(|table| self.variables(table)).unwrap_or_default();
            match self.source.stage.as_deref() == Some(&*name) {
                true => self.variables.extend(read),
                false => self.elsewhere.extend(read.into_iter().map(|(variable, _)| (variable, name.clone()))),
            }
            names.push(name);
        }
        names
    }

    fn value(&mut self, value: &mut Spanned<DeValue<'_>>) {
        let span = value.span();
        match value.get_mut() {
            DeValue::String(text) if text.contains(REFERENCE) => {
                let raw = self.source.text.get(span.clone()).unwrap_or_default();
                // Where a string has no escapes, a place in it is one in the text.
                let plain = raw.get(1..raw.len().max(2) - 1) == Some(&**text);
                let before = self.problems.len();
                let filled = self.fill(text, |at| match plain {
                    true => span.start + 1 + at.start..span.start + 1 + at.end,
                    false => span.clone(),
                });
                *text = filled.into();
                if self.problems.len() > before {
                    self.unfilled.push(span);
                }
            }
            DeValue::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            DeValue::Table(table) => table.iter_mut().for_each(|(_, member)| self.value(member)),
            _ => {}
        }
    }

    fn fill(&mut self, text: &str, place: impl Fn(Range<usize>) -> Range<usize>) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find(REFERENCE) {
            let at = text.len() - rest.len() + start;
            out.push_str(&rest[..start]);
            let name = &rest[start + REFERENCE.len()..];
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            let (name, after) = name.split_at(end);
            rest = after.strip_prefix('}').unwrap_or(after);
            let whole = place(at..at + REFERENCE.len() + end + usize::from(after.starts_with('}')));
            if !is_name(name) || !after.starts_with('}') {
                let problem = Problem::at(whole, "this is not a variable");
                self.problems.push(problem.help("write `${var.NAME}`; a name is letters, digits and `_`"));
                continue;
            }
            match self.variables.get(name) {
                Some(value) => out.push_str(value),
                None => {
                    let problem = Problem::at(whole, format!("there is no variable {}", quoted(name)));
                    self.problems.push(problem.help(self.help(name)));
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn help(&self, name: &str) -> String {
        if let Some(stage) = self.elsewhere.get(name) {
            return match &self.source.stage {
                None => format!("stages have it: choose one, as in `--stage {stage}`"),
                Some(chosen) => {
                    format!("the stage `{stage}` has it, and `{chosen}` has not: add it, or a default to `[variables]`")
                }
            };
        }
        let names: Vec<&str> = self.variables.keys().map(String::as_str).collect();
        match nearest(name, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add `{name} = \"...\"` to `[variables]`"),
        }
    }
}

/// A value as JSON, with nothing put in.
pub(super) fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(number) => number.into(),
            Err(_) => Value::String(digits.to_string()),
        },
        DeValue::Float(digits) => Value::String(digits.to_string()),
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(items) => items.iter().map(|item| plain(item.get_ref())).collect(),
        DeValue::Table(table) => {
            let members = table.iter().map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref())));
            Value::Object(members.collect())
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
