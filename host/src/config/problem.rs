//! What is wrong with a configuration, and where.
//!
//! A problem is a range of the text, a sentence, and what to do about it. All of them are shown together, in the order
//! of the file, each with its line and a caret: an operator who mends one at a time restarts as often as there are typos.

use std::{
    error::Error,
    fmt,
    io::ErrorKind,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use toml::de::{DeTable, DeValue};

use crate::file;

/// The largest that is read: 10,000 routes are a MiB.
const LARGEST: u64 = 64 << 20;

/// A configuration's text and its name.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file as it was named; relative paths in the text are relative to its folder.
    pub name: PathBuf,
    /// The whole text.
    pub text: Arc<str>,
    /// The stage whose variables are put in; default: none, only those of `[variables]`.
    pub stage: Option<Arc<str>>,
}

impl Source {
    /// Reads a file. One that is missing, unreadable or not UTF-8 is a problem without a position.
    pub fn open(path: &Path) -> Result<Self, Problems> {
        let bad = |sentence| Problems::new(Self::new(path, ""), vec![Problem::at(0..0, sentence)]);
        let bytes = file::read(path, LARGEST).map_err(|error| {
            bad(match error.kind() {
                ErrorKind::NotFound => "there is no such file".to_owned(),
                ErrorKind::IsADirectory => "this is a folder, not a file".to_owned(),
                _ => format!("the file cannot be read: {error}"),
            })
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
            bad(format!("line {line} is not UTF-8 text"))
        })?;
        Ok(Self::new(path, &text))
    }

    /// A text already read. A byte order mark in front is dropped, so that columns are right.
    pub fn new(name: impl Into<PathBuf>, text: &str) -> Self {
        Self { name: name.into(), text: text.strip_prefix('\u{feff}').unwrap_or(text).into(), stage: None }
    }

    /// The same at a stage.
    pub fn at_stage(self, stage: Option<&str>) -> Self {
        Self { stage: stage.map(Arc::from), ..self }
    }

    /// The names of its stages; none where the text is no TOML.
    pub fn stages(&self) -> Vec<String> {
        let root = DeTable::parse(&self.text).ok();
        let stages = root.as_ref().and_then(|root| root.get_ref().get("stages"));
        match stages.map(|stages| stages.get_ref()) {
            Some(DeValue::Table(table)) => table.keys().map(|name| name.get_ref().to_string()).collect(),
            _ => Vec::new(),
        }
    }

    /// The range of the deepest node that exists on a path of keys; a number in the path is an index where the node is an
    /// array. For a value this is the value itself, for a `[table]` its header, and the file's start when nothing
    /// of the path exists.
    pub fn locate(&self, path: &[&str]) -> Range<usize> {
        let Ok(root) = DeTable::parse(&self.text) else {
            return 0..0;
        };
        let Some((first, rest)) = path.split_first() else {
            return 0..0;
        };
        let Some(mut node) = root.get_ref().get(*first) else {
            return 0..0;
        };
        for step in rest {
            let next = match node.get_ref() {
                DeValue::Table(table) => table.get(*step),
                DeValue::Array(items) => step.parse().ok().and_then(|index: usize| items.get(index)),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node.span()
    }

    /// The number of the line that an offset lies in, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        1 + before.matches('\n').count()
    }

    fn show(&self, problem: &Problem, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.display();
        if self.text.is_empty() {
            write!(out, "{name}: {}", problem.message)?;
            return match &problem.help {
                Some(help) => write!(out, ": {help}"),
                None => Ok(()),
            };
        }
        let start = self.text.floor_char_boundary(problem.at.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or("");
        let line_end = line_start + line.len();
        let start = start.min(line_end);
        let end = self.text.floor_char_boundary(problem.at.end).clamp(start, line_end);

        let before = &self.text[line_start..start];
        let number = self.line(start);
        writeln!(out, "{name}:{number}:{}: {}", before.chars().count() + 1, problem.message)?;
        writeln!(out, "{number:5} | {line}")?;
        let indent: String = before.chars().map(|c| if c == '\t' { c } else { ' ' }).collect();
        let carets = "^".repeat(self.text[start..end].chars().count().max(1));
        write!(out, "{:5} | {indent}{carets}", "")?;
        match &problem.help {
            Some(help) => write!(out, " {help}"),
            None => Ok(()),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The bytes of the text that it is about.
    pub at: Range<usize>,
    /// One sentence that says what is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at a range of the text.
    pub fn at(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: None }
    }

    /// Adds what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Everything that is wrong with a configuration. Its `Display` shows them all, in the order of the text.
#[derive(Debug, Clone)]
pub struct Problems {
    /// What was read.
    pub source: Source,
    /// What is wrong with it.
    pub list: Vec<Problem>,
}

impl Problems {
    /// The problems of a text.
    pub fn new(source: Source, list: Vec<Problem>) -> Self {
        Self { source, list }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list: Vec<_> = self.list.iter().collect();
        list.sort_by_key(|problem| problem.at.start);
        for (index, problem) in list.into_iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            self.source.show(problem, out)?;
        }
        Ok(())
    }
}

impl Error for Problems {}

/// The nearest of some names, or all of them.
pub(crate) fn suggestion(name: &str, names: &[&str]) -> String {
    nearest(name, names).map_or_else(|| all(names), |nearest| format!("did you mean `{nearest}`?"))
}

/// The name that this is a misspelling of: a third of its characters may be wrong.
pub(super) fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    let distance = |other: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &other.to_lowercase());
    let nearest = names.iter().min_by_key(|other| distance(other))?;
    (distance(nearest) <= (nearest.chars().count() / 3).max(1)).then_some(*nearest)
}

/// A list of names for a sentence.
pub(super) fn all(names: &[&str]) -> String {
    if let [only] = names {
        return format!("there is only `{only}`");
    }
    let shown: Vec<_> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
    format!("one of {}{}", shown.join(", "), if names.len() > shown.len() { ", ..." } else { "" })
}

/// Text of the operator within a sentence: short, and without control characters that a terminal would obey.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(60) {
        match c {
            '\\' | '"' | '\'' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    let more = if text.chars().nth(60).is_some() { "..." } else { "" };
    format!("`{shown}{more}`")
}

#[cfg(test)]
mod tests {
    use super::{Problem, Problems, Source};

    #[test]
    fn carets_line_up_behind_tabs_and_wide_text_and_stay_on_their_line() {
        let source = Source::new("g.toml", "\u{feff}a = 1\r\n\té = [\r\n]\r\n");
        let at = source.text.find('[').unwrap_or_default();
        let problems = Problems::new(source, vec![Problem::at(at..at + 4, "bad").help("good")]);
        assert_eq!(problems.to_string(), "g.toml:2:6: bad\n    2 | \té = [\n      | \t    ^ good");
    }

    #[test]
    fn any_offset_can_be_shown() {
        let source = Source::new("g.toml", "a = \"é\"\n\n");
        for start in 0..20 {
            for end in 0..20 {
                let problems = Problems::new(source.clone(), vec![Problem::at(start..end, "bad")]);
                assert!(problems.to_string().starts_with("g.toml:"));
            }
        }
    }

    #[test]
    fn locate_finds_the_deepest_node_that_exists() {
        let text = "[plugins.keys]\nlist = [1, { a = 22 }]\n";
        let source = Source::new("g.toml", text);
        let at = |path: &[&str]| &text[source.locate(path)];
        assert_eq!(at(&["plugins", "keys", "list", "1", "a"]), "22");
        assert_eq!(at(&["plugins", "keys", "list", "7"]), "[1, { a = 22 }]");
        assert_eq!(at(&["plugins", "keys", "component"]), "[plugins.keys]");
        assert_eq!(at(&["routes"]), "");
    }
}
