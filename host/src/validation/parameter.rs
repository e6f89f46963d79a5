//! One parameter of an OpenAPI operation: found in a request, read from its text into a value, held against its schema.

use std::sync::Arc;

use serde_json::{Map, Number, Value};

use super::{
    document,
    openapi::Loading,
    schema::{Schema, Unfit},
};
use crate::{
    exchange::{Exchange, isomorphic_decode},
    openapi::{self, Dialect, Place, Where},
    query,
};

/// References and alternatives are followed so far to find what a text stands for.
const HOPS: usize = 16;

/// A parameter, ready to judge.
#[derive(Debug)]
pub(super) struct Parameter {
    name: String,
    at: Where,
    required: bool,
    /// `allowEmptyValue`
    empty: bool,
    form: Form,
    schema: Option<Arc<Schema>>,
}

/// How its text stands for a value.
#[derive(Debug)]
enum Form {
    /// One text.
    One(Kinds),
    /// Texts between separators.
    Separated(char, Kinds),
    /// A query parameter for each element.
    Repeated(Kinds),
    /// `name[key]=value` for each member; what kinds they are.
    Deep(Vec<(String, Kinds)>, Kinds),
    /// JSON, by `content`.
    Json,
}

/// What a text may stand for, besides a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Kinds {
    number: bool,
    boolean: bool,
    array: bool,
    object: bool,
    /// Nothing is said, or texts are allowed too.
    text: bool,
}

impl Parameter {
    /// Reads how it is described; all that is wrong has its place.
    pub(super) fn load(
        described: &openapi::Parameter,
        loading: &Loading,
        dialect: Dialect,
    ) -> Result<Self, Vec<String>> {
        let place = &described.place;
        let new = |form, schema| Self {
            name: described.name.clone(),
            at: described.at,
            required: described.required,
            empty: described.at == Where::Query && place.flag("allowEmptyValue"),
            form,
            schema,
        };
        if let Some((_, media)) = place.child("content").children().into_iter().next() {
            let schema = loading.schema(&media.child("schema"), dialect)?;
            return Ok(new(Form::Json, schema.map(|(schema, _)| schema)));
        }
        let Some((schema, value)) = loading.schema(&place.child("schema"), dialect)? else {
            return Ok(new(Form::One(Kinds { text: true, ..Kinds::default() }), None));
        };
        let form = form(described.at, place, &value).map_err(|why| vec![place.wrong(why)])?;
        Ok(new(form, Some(schema)))
    }

    /// Whether it may be used on a route: one of the path has to be in its template.
    pub(super) fn of_path(&self) -> Option<&str> {
        (self.at == Where::Path).then_some(&*self.name)
    }

    /// What kind of parameter it is, for messages.
    fn title(&self) -> String {
        let kind = match self.at {
            Where::Path => "path parameter",
            Where::Query => "query parameter",
            Where::Header => "header",
            Where::Cookie => "cookie",
        };
        format!("the {kind} `{}`", self.name)
    }

    /// Whether a request has it as it should be; else what is told of it. None of its value is.
    pub(super) fn judge(&self, exchange: &Exchange, path: Option<&str>, steps: u64) -> Result<(), Fault> {
        let texts = match &self.form {
            Form::Deep(..) => return self.hold_deep(exchange, steps),
            _ => self.texts(exchange, path),
        };
        if texts.iter().all(|text| text.trim().is_empty()) && (!self.empty || texts.is_empty()) {
            if self.required {
                return Err(Fault::Missing(self.title()));
            }
            if texts.is_empty() {
                return Ok(());
            }
        }
        if self.empty && texts.iter().all(String::is_empty) {
            return Ok(());
        }
        let one = || match &texts[..] {
            [text] => Ok(text.as_str()),
            // The upstream may take the other one.
            _ => Err(Fault::Wrong(format!("{} comes twice", self.title()))),
        };
        match &self.form {
            Form::One(kinds) => self.hold_one(one()?, *kinds, steps),
            Form::Separated(by, kinds) => {
                let list = one()?.split(*by).map(|text| value(text, *kinds)).collect();
                self.hold(&Value::Array(list), steps)
            }
            Form::Repeated(kinds) => self.hold(&texts.iter().map(|text| value(text, *kinds)).collect(), steps),
            Form::Json => {
                let read = document::read(one()?.as_bytes());
                self.hold(&read.map_err(|_| Fault::Wrong(format!("{} is not JSON", self.title())))?, steps)
            }
            Form::Deep(..) => Ok(()),
        }
    }

    fn texts(&self, exchange: &Exchange, path: Option<&str>) -> Vec<String> {
        let request = &exchange.request;
        match self.at {
            Where::Path => {
                let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
                path.map(decode).into_iter().collect()
            }
            Where::Query => query::all(request.target.query().unwrap_or_default(), &self.name),
            Where::Header => {
                let fields = request.headers.get_all(&*self.name).iter();
                let fields: Vec<_> = fields.map(|field| isomorphic_decode(field.as_bytes())).collect();
                if fields.is_empty() { Vec::new() } else { vec![fields.join(",").trim().to_owned()] }
            }
            Where::Cookie => query::cookies(request.headers.get_all(http::header::COOKIE), &self.name).collect(),
        }
    }

    fn hold_one(&self, text: &str, kinds: Kinds, steps: u64) -> Result<(), Fault> {
        let read = value(text, kinds);
        let held = self.hold(&read, steps);
        // Where a text may stand for several things, one of them has to be right.
        match held {
            Err(_) if kinds.text && !read.is_string() => self.hold(&Value::String(text.to_owned()), steps),
            held => held,
        }
    }

    fn hold_deep(&self, exchange: &Exchange, steps: u64) -> Result<(), Fault> {
        let Form::Deep(known, other) = &self.form else { return Ok(()) };
        let mut members = Map::new();
        for (name, text) in query::pairs(exchange.request.target.query().unwrap_or_default()) {
            let rest = name.strip_prefix(&*self.name).and_then(|rest| rest.strip_prefix('['));
            let Some(member) = rest.and_then(|rest| rest.strip_suffix(']')) else { continue };
            let kinds = known.iter().find(|(name, _)| name == member).map_or(*other, |(_, kinds)| *kinds);
            if members.insert(member.to_owned(), value(&text, kinds)).is_some() {
                return Err(Fault::Wrong(format!("a member of {} comes twice", self.title())));
            }
        }
        match (members.is_empty(), self.required) {
            (true, true) => Err(Fault::Missing(self.title())),
            (true, false) => Ok(()),
            (false, _) => self.hold(&Value::Object(members), steps),
        }
    }

    fn hold(&self, value: &Value, steps: u64) -> Result<(), Fault> {
        let Some(schema) = &self.schema else { return Ok(()) };
        schema.hold(value, steps).map_err(|unfit| {
            Fault::Wrong(match unfit {
                Unfit::Value(why) => format!("{} is not valid: {why}", self.title()),
                _ => format!("{} takes too many steps to validate", self.title()),
            })
        })
    }
}

/// What is told of a parameter.
#[derive(Debug)]
pub(super) enum Fault {
    /// Its title.
    Missing(String),
    /// A sentence.
    Wrong(String),
}

/// What a text stands for.
fn value(text: &str, kinds: Kinds) -> Value {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match text {
        "true" | "false" if kinds.boolean => Value::Bool(text == "true"),
        _ if kinds.number && plain => {
            serde_json::from_str::<Number>(text).map_or_else(|_| Value::String(text.to_owned()), Value::Number)
        }
        _ => Value::String(text.to_owned()),
    }
}

/// OpenAPI 3.1 section 4.8.12.4: how a parameter of a place, a style and a type is written.
fn form(at: Where, place: &Place, schema: &Value) -> Result<Form, String> {
    let kinds = kinds(schema, schema);
    let (default, explodes) = match at {
        Where::Path | Where::Header => ("simple", false),
        Where::Query | Where::Cookie => ("form", true),
    };
    let style = place.text("style").unwrap_or(default);
    let explodes =
        place.value().and_then(|value| value.get("explode")?.as_bool()).unwrap_or(explodes && style == "form");
    if matches!(style, "label" | "matrix") {
        return Err(format!("the style `{style}` is not read"));
    }
    let items = || self::kinds(part(schema, "items"), schema);
    match (style, kinds) {
        ("deepObject", Kinds { object: true, .. }) if at == Where::Query => {
            let properties = part(schema, "properties").as_object();
            let known = properties.into_iter().flatten();
            let known = known.map(|(name, member)| (name.clone(), self::kinds(member, schema))).collect();
            Ok(Form::Deep(known, self::kinds(part(schema, "additionalProperties"), schema)))
        }
        (_, Kinds { object: true, array: false, text: false, .. }) => {
            Err("an object as a parameter is read in the style `deepObject` only, or by `content`".to_owned())
        }
        ("form", Kinds { array: true, .. }) if at == Where::Query && explodes => Ok(Form::Repeated(items())),
        ("form" | "simple", Kinds { array: true, .. }) => Ok(Form::Separated(',', items())),
        ("spaceDelimited", Kinds { array: true, .. }) => Ok(Form::Separated(' ', items())),
        ("pipeDelimited", Kinds { array: true, .. }) => Ok(Form::Separated('|', items())),
        _ => Ok(Form::One(kinds)),
    }
}

/// A word of a schema, or of what it refers to.
fn part<'s>(schema: &'s Value, word: &str) -> &'s Value {
    let mut at = schema;
    for _ in 0..HOPS {
        if let Some(found) = at.get(word) {
            return found;
        }
        match at.get("$ref").and_then(Value::as_str).and_then(|target| schema.pointer(target.strip_prefix('#')?)) {
            Some(next) => at = next,
            None => break,
        }
    }
    &Value::Null
}

/// What values of a schema may be, as far as it says.
fn kinds(schema: &Value, root: &Value) -> Kinds {
    let mut seen = Seen { root, left: PARTS };
    let said = seen.kinds(schema, HOPS);
    if said == Kinds::default() { UNKNOWN } else { said }
}

/// When nothing is said.
const UNKNOWN: Kinds = Kinds { number: true, boolean: true, array: false, object: false, text: true };

/// Parts of a schema that are looked at: alternatives may lead to each other.
const PARTS: u32 = 1_000;

struct Seen<'s> {
    root: &'s Value,
    left: u32,
}

impl Seen<'_> {
    fn kinds(&mut self, schema: &Value, hops: usize) -> Kinds {
        if hops == 0 || self.left == 0 {
            return UNKNOWN;
        }
        self.left -= 1;
        let mut all = Kinds::default();
        match schema.get("type") {
            Some(Value::String(name)) => all.add(named(name)),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).for_each(|name| all.add(named(name))),
            _ => {
                if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
                    let target = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
                    all.add(target.map_or(UNKNOWN, |target| self.kinds(target, hops - 1)));
                }
                let values = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
                values.chain(schema.get("const")).for_each(|value| all.add(of_value(value)));
                for part in ["allOf", "anyOf", "oneOf"].iter().filter_map(|word| schema.get(word)?.as_array()).flatten()
                {
                    all.add(self.kinds(part, hops - 1));
                }
            }
        }
        all
    }
}

impl Kinds {
    fn add(&mut self, other: Self) {
        self.number |= other.number;
        self.boolean |= other.boolean;
        self.array |= other.array;
        self.object |= other.object;
        self.text |= other.text;
    }
}

fn named(name: &str) -> Kinds {
    let none = Kinds::default();
    match name {
        "integer" | "number" => Kinds { number: true, ..none },
        "boolean" => Kinds { boolean: true, ..none },
        "array" => Kinds { array: true, ..none },
        "object" => Kinds { object: true, ..none },
        "string" => Kinds { text: true, ..none },
        _ => none,
    }
}

fn of_value(value: &Value) -> Kinds {
    named(match value {
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null => "null",
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_stands_for_what_the_schema_wants() {
        let defs =
            json!({ "n": { "type": "integer" }, "b": { "oneOf": [{ "$ref": "#/$defs/n" }, { "const": true }] } });
        for (schema, text, expected) in [
            (json!({ "type": "integer" }), "7", json!(7)),
            (json!({ "type": "integer" }), "-1.5e3", json!(-1.5e3)),
            (json!({ "type": "integer" }), "07", json!("07")),
            (json!({ "type": "integer" }), " 7", json!(" 7")),
            (json!({ "type": "integer" }), "", json!("")),
            (json!({ "type": "number" }), "NaN", json!("NaN")),
            (json!({ "type": "string" }), "7", json!("7")),
            (json!({ "type": ["boolean", "null"] }), "true", json!(true)),
            (json!({ "enum": ["1", "2"] }), "1", json!("1")),
            (json!({ "enum": [1, 2] }), "1", json!(1)),
            (json!({ "$ref": "#/$defs/b" }), "true", json!(true)),
            (json!({ "$ref": "#/$defs/b" }), "3", json!(3)),
            (json!({ "allOf": [{ "$ref": "#/$defs/n" }, { "minimum": 3 }] }), "3", json!(3)),
            (json!({ "minLength": 3 }), "3", json!(3)),
        ] {
            let mut whole = schema.clone();
            whole["$defs"] = defs.clone();
            assert_eq!(value(text, kinds(&schema, &whole)), expected, "{schema} {text}");
        }
    }

    #[test]
    fn alternatives_that_lead_to_each_other_come_to_an_end() {
        let branch: Vec<Value> = (0..20).map(|_| json!({ "$ref": "#" })).collect();
        let started = Instant::now();
        let schema = json!({ "anyOf": branch, "oneOf": branch, "allOf": branch });
        assert_eq!(kinds(&schema, &schema), UNKNOWN);
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    }
}
