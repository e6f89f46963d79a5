//! A schema taken out of its document: with all that it refers to, in JSON Schema 2020-12, and without what is only told to
//! people. What is wrong with it afterwards can be traced to its place in the document.
//!
//! It is made for requests: what is `readOnly` is not required (OpenAPI 3.0.4 section 4.7.24.2).

use serde_json::{Map, Value, json};

use super::{
    Dialect,
    text::{Documents, Place},
};

/// The most parts of one, with all that it refers to.
const PARTS: usize = 200_000;

/// A schema by itself.
pub(crate) struct Standalone {
    /// The schema, with `$defs` for what it refers to.
    pub(crate) schema: Value,
    /// Where it and each of `$defs` come from.
    sources: Vec<Place>,
}

impl Standalone {
    /// The place in the document of a pointer into the schema.
    pub(crate) fn source(&self, pointer: &str) -> Place {
        let of_defs = pointer.strip_prefix("/$defs/d").and_then(|rest| {
            let (number, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            Some(self.sources.get(number.parse::<usize>().ok()?)?.below(rest))
        });
        of_defs.unwrap_or_else(|| self.sources[0].below(pointer))
    }
}

/// Takes a schema out; else what is wrong with it.
pub(crate) fn standalone(place: &Place, documents: &Documents, dialect: Dialect) -> Result<Standalone, Vec<String>> {
    let mut writer = Writer {
        documents,
        dialect,
        sources: vec![place.clone()],
        keys: vec![place.key()],
        parts: 0,
        wrong: Vec::new(),
    };
    let mut root = writer.schema(place);
    let mut defs = Map::new();
    let mut next = 1;
    while let (Some(place), true) = (writer.sources.get(next).cloned(), writer.wrong.is_empty()) {
        defs.insert(format!("d{next}"), writer.schema(&place));
        next += 1;
    }
    if !writer.wrong.is_empty() {
        return Err(writer.wrong);
    }
    if let (Value::Object(map), false) = (&mut root, defs.is_empty()) {
        map.insert("$defs".into(), Value::Object(defs));
    }
    Ok(Standalone { schema: root, sources: writer.sources })
}

/// Words that hold a schema.
const ONE: [&str; 11] = [
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];

/// Words that hold a list of schemas.
const LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];

/// Words that hold schemas by name.
const NAMED: [&str; 4] = ["properties", "patternProperties", "dependentSchemas", "$defs"];

/// Words that say nothing of what is valid, or that are ours to write.
const DROPPED: [&str; 16] = [
    "title",
    "description",
    "default",
    "example",
    "examples",
    "deprecated",
    "externalDocs",
    "xml",
    "discriminator",
    "readOnly",
    "writeOnly",
    "nullable",
    "$comment",
    "$id",
    "$defs",
    "definitions",
];

struct Writer<'d> {
    documents: &'d Documents,
    dialect: Dialect,
    /// What is taken out: the schema itself, and then those that were referred to, in this order.
    sources: Vec<Place>,
    keys: Vec<(std::path::PathBuf, String)>,
    parts: usize,
    wrong: Vec<String>,
}

impl Writer<'_> {
    fn schema(&mut self, place: &Place) -> Value {
        self.parts += 1;
        if self.parts > PARTS {
            if self.parts == PARTS + 1 {
                self.wrong.push(self.sources[0].wrong(format!("this schema has more than {PARTS} parts")));
            }
            return Value::Bool(true);
        }
        match place.value() {
            Some(Value::Object(map)) => self.object(place, map),
            Some(Value::Bool(flag))
                if self.dialect == Dialect::V31 || place.pointer.ends_with("/additionalProperties") =>
            {
                Value::Bool(*flag)
            }
            _ => {
                self.wrong.push(place.wrong("this is no schema"));
                Value::Bool(true)
            }
        }
    }

    fn object(&mut self, place: &Place, map: &Map<String, Value>) -> Value {
        let mut out = Map::new();
        if map.contains_key("$ref") {
            if let Some(target) = self.target(place) {
                out.insert("$ref".into(), target.into());
            }
            if self.dialect == Dialect::V30 {
                return Value::Object(out);
            }
        }
        for (word, value) in map {
            let at = place.child(word);
            let written = match word.as_str() {
                "$ref" => continue,
                "$dynamicRef" | "$recursiveRef" => {
                    self.wrong.push(at.wrong(format!("`{word}` is not understood here")));
                    continue;
                }
                word if DROPPED.contains(&word) || word.starts_with("x-") => continue,
                "$schema" | "$anchor" | "$dynamicAnchor" | "$vocabulary" => continue,
                "required" if value.is_array() => match self.required(place, value) {
                    Some(required) => required,
                    None => continue,
                },
                word if ONE.contains(&word) => self.schema(&at),
                word if LIST.contains(&word) && value.is_array() => {
                    at.children().into_iter().map(|(_, each)| self.schema(&each)).collect()
                }
                word if NAMED.contains(&word) && value.is_object() => {
                    at.children().into_iter().map(|(name, each)| (name, self.schema(&each))).collect()
                }
                _ => {
                    self.parts += size(value);
                    value.clone()
                }
            };
            out.insert(word.clone(), written);
        }
        if self.dialect == Dialect::V30 {
            of_30(map, &mut out);
        }
        Value::Object(out)
    }

    /// Where a reference leads, as one within what is taken out.
    fn target(&mut self, place: &Place) -> Option<String> {
        let target = match self.documents.follow(place) {
            Ok(target) => target,
            Err(why) => {
                self.wrong.push(why);
                return None;
            }
        };
        let key = target.key();
        let number = self.keys.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.keys.push(key);
            self.sources.push(target);
            self.keys.len() - 1
        });
        Some(if number == 0 { "#".to_owned() } else { format!("#/$defs/d{number}") })
    }

    /// The names that a request must have.
    fn required(&self, place: &Place, value: &Value) -> Option<Value> {
        let properties = place.child("properties");
        let of_answers = |name: &Value| {
            let property = name.as_str().map(|name| properties.child(name)).filter(|place| place.value().is_some());
            let property = property.and_then(|property| self.documents.resolve(&property).ok());
            property.is_some_and(|property| property.flag("readOnly"))
        };
        let names: Vec<Value> = value.as_array()?.iter().filter(|name| !of_answers(name)).cloned().collect();
        (!names.is_empty()).then_some(Value::Array(names))
    }
}

/// What OpenAPI 3.0 says in words of its own: `nullable`, and bounds that exclude by a flag.
fn of_30(map: &Map<String, Value>, out: &mut Map<String, Value>) {
    if map.get("nullable") == Some(&Value::Bool(true))
        && let Some(Value::String(kind)) = out.get("type")
    {
        let kinds = json!([kind, "null"]);
        out.insert("type".into(), kinds);
    }
    for (bound, excluding) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        match out.get(excluding) {
            Some(Value::Bool(true)) => {
                out.remove(excluding);
                if let Some(value) = out.remove(bound) {
                    out.insert(excluding.into(), value);
                }
            }
            Some(Value::Bool(false)) => {
                out.remove(excluding);
            }
            _ => {}
        }
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(size).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(size).sum::<usize>(),
        _ => 1,
    }
}
