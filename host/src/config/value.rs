//! Reading spanned TOML tables by hand.
//!
//! A derived deserializer stops at the first problem. Here a wrong value is reported and reading goes on with the rest:
//! `Err(Problem)` travels only as far as the key it belongs to. A table learns its valid keys from what is asked of it,
//! so that no second list of keys exists which could disagree.

use std::{
    cell::RefCell,
    ops::{Range, RangeInclusive},
};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::problem::{Problem, Source, all, nearest, quoted, suggestion};

/// What all nodes of one text share.
pub(super) struct Context<'a> {
    pub(super) source: &'a Source,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    pub(super) problems: RefCell<Vec<Problem>>,
}

impl Context<'_> {
    pub(super) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// How many problems there are so far.
    pub(super) fn reported(&self) -> usize {
        self.problems.borrow().len()
    }

    fn keep<T>(&self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.report(problem)).ok()
    }
}

/// A value, with the name of the key that holds it.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    /// Whether it is an element of an array which that key holds.
    pub(super) element: bool,
    pub(super) value: &'a Spanned<DeValue<'a>>,
    pub(super) context: &'a Context<'a>,
}

impl<'a> Node<'a> {
    pub(super) fn problem(self, message: impl Into<String>) -> Problem {
        Problem::at(self.value.span(), message)
    }

    pub(super) fn mismatch(self, expected: &str) -> Problem {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        let of = if self.element { "an element of " } else { "" };
        self.problem(format!("{of}`{}` must be {expected}, not {found}", self.name))
    }

    /// Moves a problem's range from within this string to the text. With escapes in the string the two do not
    /// correspond; then the whole string is meant.
    pub(super) fn within(self, problem: Problem) -> Problem {
        let span = self.value.span();
        let at = match (self.value.get_ref(), self.context.source.text.get(span.clone())) {
            (DeValue::String(text), Some(raw)) if raw.get(1..raw.len().max(2) - 1) == Some(text) => {
                span.start + 1 + problem.at.start..span.start + 1 + problem.at.end
            }
            _ => span,
        };
        Problem { at, ..problem }
    }

    pub(super) fn text(self) -> Result<&'a str, Problem> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
                Err(self.mismatch("a string").help("write it in quotes"))
            }
            _ => Err(self.mismatch("a string")),
        }
    }

    pub(super) fn boolean(self) -> Result<bool, Problem> {
        match self.value.get_ref() {
            DeValue::Boolean(value) => Ok(*value),
            DeValue::String(text) if text == "true" || text == "false" => {
                Err(self.mismatch("`true` or `false`").help("write it without quotes"))
            }
            _ => Err(self.mismatch("`true` or `false`")),
        }
    }

    pub(super) fn integer(self, range: RangeInclusive<u64>) -> Result<u64, Problem> {
        match self.value.get_ref() {
            DeValue::Integer(digits) => {
                let value = u64::from_str_radix(digits.as_str(), digits.radix()).ok();
                value.filter(|value| range.contains(value)).ok_or_else(|| {
                    let (name, from) = (self.name, range.start());
                    self.problem(match *range.end() {
                        u64::MAX => format!("`{name}` must be at least {from}"),
                        to => format!("`{name}` must be between {from} and {to}"),
                    })
                })
            }
            DeValue::String(text) if text.parse::<u64>().is_ok() => {
                Err(self.mismatch("an integer").help("write it without quotes"))
            }
            _ => Err(self.mismatch("an integer")),
        }
    }

    pub(super) fn choice<T: Copy>(self, choices: &[(&str, T)]) -> Result<T, Problem> {
        let text = self.text()?;
        choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.problem(format!("`{}` cannot be {}", self.name, quoted(text))).help(suggestion(text, &names))
        })
    }

    /// Reads each element; those that are wrong are reported and left out.
    pub(super) fn list<T>(self, mut read: impl FnMut(Self) -> Result<T, Problem>) -> Result<Vec<T>, Problem> {
        match self.value.get_ref() {
            DeValue::Array(items) => {
                let nodes = items.iter().map(|value| Self { value, element: true, ..self });
                Ok(nodes.filter_map(|node| self.context.keep(read(node))).collect())
            }
            DeValue::String(_) => Err(self.mismatch("an array").help("write it in brackets: `[\"...\"]`")),
            _ => Err(self.mismatch("an array")),
        }
    }

    pub(super) fn table(self) -> Result<Table<'a>, Problem> {
        match self.value.get_ref() {
            DeValue::Table(table) => Ok(Table::new(table, self.value.span(), self.context)),
            _ => Err(self.mismatch("a table")),
        }
    }
}

/// A key of a table whose keys the operator chooses.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) at: Range<usize>,
    pub(super) node: Node<'a>,
}

/// A table, in the order of the text.
pub(super) struct Table<'a> {
    pub(super) at: Range<usize>,
    entries: Vec<Entry<'a>>,
    known: Vec<&'static str>,
    /// Required keys that are absent, each with an example of its value.
    missing: Vec<(&'static str, String)>,
    context: &'a Context<'a>,
}

impl<'a> Table<'a> {
    pub(super) fn new(table: &'a DeTable<'a>, at: Range<usize>, context: &'a Context<'a>) -> Self {
        let entry = |(key, value): (&'a Spanned<DeString<'a>>, _)| {
            let name: &str = key.get_ref();
            Entry { name, at: key.span(), node: Node { name, element: false, value, context } }
        };
        let mut entries: Vec<_> = table.iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.at.start);
        Self { at, entries, known: Vec::new(), missing: Vec::new(), context }
    }

    /// Asks for a key and makes it a valid one.
    pub(super) fn node(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.known.push(key);
        self.entries.iter().find(|entry| entry.name == key).map(|entry| entry.node)
    }

    /// None when the key is absent, or wrong and therefore reported.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Node<'a>) -> Result<T, Problem>,
    ) -> Option<T> {
        let node = self.node(key)?;
        self.context.keep(read(node))
    }

    /// As `optional`, but absence is reported too, with an example of what to add.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(Node<'a>) -> Result<T, Problem>,
    ) -> Option<T> {
        if !self.entries.iter().any(|entry| entry.name == key) {
            self.missing.push((key, example.to_owned()));
        }
        self.optional(key, read)
    }

    /// A table within; an empty one when it is absent or wrong.
    pub(super) fn section(&mut self, key: &'static str) -> Table<'a> {
        let absent = Table {
            at: self.at.clone(),
            entries: Vec::new(),
            known: Vec::new(),
            missing: Vec::new(),
            context: self.context,
        };
        self.optional(key, Node::table).unwrap_or(absent)
    }

    pub(super) fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }

    pub(super) fn report(&self, problem: Problem) {
        self.context.report(problem);
    }

    /// Reports the keys that nobody asked for, and those that are missing. `answers` are keys that people try, and what to
    /// say to them. A required key that was only misspelled is not missing too.
    pub(super) fn finish(self, answers: &[(&str, &str)]) {
        let mut hints: Vec<String> = Vec::new();
        for entry in self.entries.iter().filter(|entry| !self.known.contains(&entry.name)) {
            let answer = answers.iter().find(|(key, _)| *key == entry.name).map(|(_, answer)| (*answer).to_owned());
            let hint = answer.or_else(|| Some(format!("did you mean `{}`?", nearest(entry.name, &self.known)?)));
            hints.extend(hint.clone());
            let message = format!("unknown key {}", quoted(entry.name));
            let help = hint.unwrap_or_else(|| all(&self.known));
            self.context.report(Problem::at(entry.at.clone(), message).help(help));
        }
        for (key, example) in &self.missing {
            if !hints.iter().any(|hint| hint.contains(&format!("`{key}`"))) {
                let problem = Problem::at(self.at.clone(), format!("`{key}` is missing"));
                self.context.report(problem.help(format!("add `{key} = {example}`")));
            }
        }
    }
}
