//! The text of a document, read: its value, and on which line each part of it stands. A `$ref` leads within it or to a file
//! in its folder or below, never further.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

use super::yaml;
use crate::{file, logs::foreign, validation::document};

/// The most bytes of a file. AWS imports 6 MB.
const MOST: u64 = 8 << 20;

/// So many references may lead from one to the next.
const HOPS: usize = 32;

/// The longest text of a document in a message.
const SHOWN: usize = 200;

/// A file that was read.
pub(crate) struct Text {
    /// The file, as it was named.
    pub(super) path: PathBuf,
    /// The folder that nothing may lead out of.
    top: PathBuf,
    value: Value,
    /// The line of each part, by its pointer.
    lines: HashMap<String, u32>,
}

/// A part of a document.
#[derive(Clone)]
pub(crate) struct Place {
    text: Arc<Text>,
    /// A JSON pointer.
    pub(crate) pointer: String,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

impl Place {
    /// What is there; None: nothing.
    pub(crate) fn value(&self) -> Option<&Value> {
        self.text.value.pointer(&self.pointer)
    }

    /// A member of it, which need not be there.
    pub(crate) fn child(&self, name: &str) -> Self {
        Self { text: self.text.clone(), pointer: format!("{}/{}", self.pointer, escaped(name)) }
    }

    /// Where a pointer within it leads.
    pub(crate) fn below(&self, pointer: &str) -> Self {
        Self { text: self.text.clone(), pointer: format!("{}{pointer}", self.pointer) }
    }

    /// The members of an object, or the elements of an array.
    pub(crate) fn children(&self) -> Vec<(String, Self)> {
        let names: Vec<String> = match self.value() {
            Some(Value::Object(map)) => map.keys().cloned().collect(),
            Some(Value::Array(list)) => (0..list.len()).map(|index| index.to_string()).collect(),
            _ => Vec::new(),
        };
        names.into_iter().map(|name| (name.clone(), self.child(&name))).collect()
    }

    /// A text that is there.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.value()?.get(name)?.as_str()
    }

    /// A flag, false where it is not there.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.value().and_then(|value| value.get(name)).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Its line, or that of the nearest part around it.
    pub(crate) fn line(&self) -> u32 {
        let mut pointer = &*self.pointer;
        loop {
            match (self.text.lines.get(pointer), pointer.rfind('/')) {
                (Some(line), _) => return *line,
                (None, Some(slash)) => pointer = &pointer[..slash],
                (None, None) => return 1,
            }
        }
    }

    /// `FILE:LINE:POINTER`.
    pub(crate) fn label(&self) -> String {
        format!("{}:{}:{}", self.text.path.display(), self.line(), foreign(&self.pointer, SHOWN))
    }

    /// A problem with it, in a line.
    pub(crate) fn wrong(&self, what: impl fmt::Display) -> String {
        let what = what.to_string();
        match &*self.pointer {
            "" => format!("{}:{}: {}", self.text.path.display(), self.line(), foreign(&what, SHOWN)),
            _ => format!("{}: {}", self.label(), foreign(&what, SHOWN)),
        }
    }

    /// What tells it from every other.
    pub(crate) fn key(&self) -> (PathBuf, String) {
        (self.text.path.clone(), self.pointer.clone())
    }
}

/// A name as a part of a JSON pointer (RFC 6901).
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The files of a load: each is read once.
#[derive(Default)]
pub(crate) struct Documents(RefCell<BTreeMap<(PathBuf, PathBuf), Arc<Text>>>);

impl Documents {
    /// Reads a document.
    pub(crate) fn open(&self, path: &Path) -> Result<Place, String> {
        self.read(path, path.parent().unwrap_or(Path::new("")))
    }

    /// All files that were read.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.0.borrow().keys().map(|(path, _)| path.clone()).collect()
    }

    fn read(&self, path: &Path, top: &Path) -> Result<Place, String> {
        let key = (path.to_owned(), top.to_owned());
        let known = self.0.borrow().get(&key).cloned();
        let text = match known {
            Some(text) => text,
            None => {
                let text = Arc::new(read(path, top)?);
                self.0.borrow_mut().insert(key, text.clone());
                text
            }
        };
        Ok(Place { text, pointer: String::new() })
    }

    /// Where a part is, when it may be a reference.
    pub(crate) fn resolve(&self, place: &Place) -> Result<Place, String> {
        let mut place = place.clone();
        for _ in 0..HOPS {
            match place.text("$ref") {
                Some(_) => place = self.follow(&place)?,
                None => return Ok(place),
            }
        }
        Err(place.wrong("this `$ref` leads in a circle"))
    }

    /// Where one reference leads.
    pub(crate) fn follow(&self, place: &Place) -> Result<Place, String> {
        let at = place.child("$ref");
        let reference = at.value().and_then(Value::as_str).unwrap_or_default();
        let (file, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let decoded = percent_encoding::percent_decode_str(fragment).decode_utf8_lossy().into_owned();
        if !decoded.is_empty() && !decoded.starts_with('/') {
            return Err(at.wrong("a `$ref` leads to a JSON pointer: `#/components/schemas/NAME`"));
        }
        let root = match file {
            "" => Place { text: place.text.clone(), pointer: String::new() },
            file => self.read(&beside(place, file).map_err(|why| at.wrong(why))?, &place.text.top)?,
        };
        let target = Place { pointer: decoded, ..root };
        match target.value() {
            Some(_) => Ok(target),
            None => Err(at.wrong(format!("there is no `{reference}`"))),
        }
    }
}

/// A file that a reference names: in the folder of the document, or below.
fn beside(place: &Place, file: &str) -> Result<PathBuf, &'static str> {
    if file.contains("://") || file.starts_with("//") {
        return Err("nothing is fetched from the network: keep the file beside the document");
    }
    let decoded = percent_encoding::percent_decode_str(file).decode_utf8().map_err(|_| "this is no name of a file")?;
    let folder = place.text.path.parent().unwrap_or(Path::new(""));
    let mut inside = folder.strip_prefix(&place.text.top).unwrap_or(Path::new("")).to_owned();
    for component in Path::new(&*decoded).components() {
        match component {
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            Component::ParentDir if inside.pop() => {}
            _ => return Err("this leads out of the folder of the document"),
        }
    }
    Ok(place.text.top.join(inside))
}

fn read(path: &Path, top: &Path) -> Result<Text, String> {
    let named = |message: String| format!("{}: {message}", path.display());
    let bytes = file::read(path, MOST).map_err(|error| named(format!("cannot be read: {error}")))?;
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| named("is not UTF-8 text".to_owned()))?;
    let (value, lines) = parse(text).map_err(|(line, why)| format!("{}:{line}: {why}", path.display()))?;
    Ok(Text { path: path.to_owned(), top: top.to_owned(), value, lines })
}

/// A value with the lines of its parts; else the line of what is wrong, and why.
pub(super) fn parse(text: &str) -> Result<(Value, HashMap<String, u32>), (usize, String)> {
    if !text.trim_start().starts_with(['{', '[']) {
        return yaml::read(text);
    }
    match document::read(text.as_bytes()) {
        // Most JSON is YAML as well, which tells lines; where it is not, the lines are not known.
        Ok(value) => {
            let lines = yaml::read(text).map(|(_, lines)| lines).unwrap_or_default();
            Ok((value, lines))
        }
        // YAML may begin with a brace too.
        Err(error) => yaml::read(text).map_err(|_| (error.line(), format!("is not JSON: {error}"))),
    }
}
