//! YAML 1.2 (its core schema) as JSON values, strictly: a key twice is an error, and so are merge keys and tags of one's own.
//!
//! Bounded: nesting, and how much may come of aliases, with which a small text can stand for one without end.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Number, Value};

use super::text::escaped;

/// As in JSON.
const LEVELS: usize = 128;

/// So many values may a text have, with those that aliases stand for.
const VALUES: usize = 2_000_000;

/// And so many bytes of strings.
const BYTES: usize = 64 << 20;

/// The line of what is wrong, and why.
type Error = (usize, String);

/// A text's value, and the line of each part by its pointer.
pub(super) fn read(text: &str) -> Result<(Value, HashMap<String, u32>), Error> {
    let parser = Parser::new_from_str(text);
    let mut reader = Reader { parser, anchors: HashMap::new(), lines: HashMap::new(), values: 0, bytes: 0 };
    let value = loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_), _) => {}
            (Event::StreamEnd | Event::DocumentEnd, span) => {
                return Err((line(&span), "there is nothing in it".into()));
            }
            (event, span) => break reader.value(event, &span, &mut String::new(), 0)?,
        }
    };
    loop {
        match reader.next()? {
            (Event::DocumentEnd, _) => {}
            (Event::StreamEnd, _) => return Ok((value, reader.lines)),
            (_, span) => return Err((line(&span), "there is a second document in it".into())),
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    /// Values that aliases may stand for, with how many values and bytes they are.
    anchors: HashMap<usize, (Value, usize, usize)>,
    lines: HashMap<String, u32>,
    values: usize,
    bytes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Error> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err((error.marker().line(), format!("is not YAML: {}", error.info()))),
            None => Err((1, "is not YAML: it breaks off".into())),
        }
    }

    fn value(&mut self, event: Event<'t>, span: &Span, at: &mut String, level: usize) -> Result<Value, Error> {
        let bad = |why: &str| Err((line(span), why.to_owned()));
        if level > LEVELS {
            return bad("it is nested too deeply");
        }
        let before = (self.values, self.bytes);
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, text.len(), span)?;
                (scalar(&text, style, tag.as_deref()).map_err(|why| (line(span), why))?, anchor)
            }
            Event::Alias(anchor) => {
                let Some((value, values, bytes)) = self.anchors.get(&anchor).cloned() else {
                    return bad("an alias stands for what it is part of");
                };
                self.count(values, bytes, span)?;
                (value, 0)
            }
            Event::SequenceStart(anchor, _) => (self.sequence(at, level)?, anchor),
            Event::MappingStart(anchor, _) => (self.mapping(at, level)?, anchor),
            _ => return bad("is not YAML: a value is missing"),
        };
        if anchor > 0 {
            // A clone, which is counted as an alias is.
            let (values, bytes) = (self.values - before.0, self.bytes - before.1);
            self.count(values, bytes, span)?;
            self.anchors.insert(anchor, (value.clone(), values.max(1), bytes));
        }
        Ok(value)
    }

    fn sequence(&mut self, at: &mut String, level: usize) -> Result<Value, Error> {
        let mut list = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::Array(list));
            }
            self.count(1, 0, &span)?;
            let index = list.len().to_string();
            list.push(self.member(&index, event, &span, (line(&span), at), level)?);
        }
    }

    fn mapping(&mut self, at: &mut String, level: usize) -> Result<Value, Error> {
        let mut map = Map::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Value::Object(map)),
                Event::Scalar(text, style, 0, _) => {
                    if text == "<<" && style == ScalarStyle::Plain {
                        return Err((line(&span), "merge keys (`<<`) are not of YAML 1.2".into()));
                    }
                    text.into_owned()
                }
                _ => return Err((line(&span), "a key is a plain text".into())),
            };
            self.count(1, key.len(), &span)?;
            if map.contains_key(&key) {
                let shown = crate::logs::foreign(&key, 64).into_owned();
                return Err((line(&span), format!("the key \"{shown}\" comes twice")));
            }
            let (event, inner) = self.next()?;
            let value = self.member(&key, event, &inner, (line(&span), at), level)?;
            map.insert(key, value);
        }
    }

    /// A part, whose pointer and line are kept.
    fn member(
        &mut self,
        name: &str,
        event: Event<'t>,
        span: &Span,
        (line, at): (usize, &mut String),
        level: usize,
    ) -> Result<Value, Error> {
        let length = at.len();
        at.push('/');
        at.push_str(&escaped(name));
        // A pointer is as long as the names that lead there: those of a deep text are bounded too.
        self.count(0, at.len(), span)?;
        self.lines.insert(at.clone(), u32::try_from(line).unwrap_or(u32::MAX));
        let value = self.value(event, span, at, level + 1);
        at.truncate(length);
        value
    }

    fn count(&mut self, values: usize, bytes: usize, span: &Span) -> Result<(), Error> {
        self.values = self.values.saturating_add(values);
        self.bytes = self.bytes.saturating_add(bytes);
        match self.values <= VALUES && self.bytes <= BYTES {
            true => Ok(()),
            false => Err((line(span), "it stands for too much: has it aliases of aliases?".into())),
        }
    }
}

fn line(span: &Span) -> usize {
    span.start.line()
}

/// YAML 1.2 section 10.3.2.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let tag = tag.map(|tag| (tag.is_yaml_core_schema(), tag.suffix.as_str()));
    match tag {
        None if style == ScalarStyle::Plain => {}
        None | Some((true, "str")) => return Ok(text.into()),
        Some((true, "int" | "float" | "bool" | "null")) => {}
        Some(_) => return Err("this tag is not known".to_owned()),
    }
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        _ => number(text).map_or_else(|| text.into(), Value::Number),
    })
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Number::from);
    }
    let plain = |c: char| c.is_ascii_digit() || ".eE+-".contains(c);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !digits.chars().all(plain) {
        return None;
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    (unsigned.parse::<u64>().ok().map(Number::from))
        .or_else(|| unsigned.parse::<i64>().ok().map(Number::from))
        .or_else(|| unsigned.parse().ok().and_then(Number::from_f64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_is_read_by_the_core_schema_with_the_lines_of_its_parts() {
        let text = "# a comment\na: 1\nb:\n  - x\n  - {c: yes, d: null, e: 0x1F, f: 1.5, g: 2024-01-01}\n200: '7'\nh: &k {i: true}\nj: *k\n";
        let (value, lines) = read(text).expect("it is YAML");
        let b = json!(["x", { "c": "yes", "d": null, "e": 31, "f": 1.5, "g": "2024-01-01" }]);
        let known = json!({ "a": 1, "b": b, "200": "7", "h": { "i": true }, "j": { "i": true } });
        assert_eq!(value, known);
        assert_eq!((lines["/a"], lines["/b/0"], lines["/b/1/d"], lines["/200"]), (2, 4, 5, 6));
    }

    #[test]
    fn what_is_unclear_or_without_end_is_refused_with_its_line() {
        for (text, expected) in [
            ("a: 1\na: 2\n", (2, "the key \"a\" comes twice")),
            ("a: 1\n<<: {b: 2}\n", (2, "merge keys")),
            ("a: &x [*x]\n", (1, "an alias stands for what it is part of")),
            ("a: !mine 1\n", (1, "this tag is not known")),
            ("a: [\n", (2, "is not YAML")),
            ("a: *none\n", (1, "is not YAML")),
            ("? [a]\n: 1\n", (1, "a key is a plain text")),
            ("", (1, "there is nothing in it")),
            ("a: 1\n---\nb: 1\n", (2, "there is a second document")),
        ] {
            let (line, why) = read(text).expect_err(text);
            assert!(line == expected.0 && why.starts_with(expected.1), "{text}: {line}: {why}");
        }
        let bomb: String = (1..40).map(|i| format!("a{i}: &a{i} [*a{0}, *a{0}]\n", i - 1)).collect();
        assert!(read(&format!("a0: &a0 x\n{bomb}")).expect_err("a bomb").1.starts_with("it stands for too much"));
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(read(&deep).is_err());
    }
}
