//! A JSON Schema and its judgement of bodies, within bounds: of nesting (`document.rs`), of steps (`metered.rs`), and of
//! patterns, which are matched in linear time by `regex`, without look-around and backreferences.

use std::{fmt, path::Path};

use jsonschema::{PatternOptions, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;

use super::{
    document,
    metered::{Metered, MeteredJson, within},
};
use crate::{
    file,
    logs::foreign,
    openapi::{Dialect, Documents, Place, standalone},
};

/// The most bytes of a schema's file.
const MOST: u64 = 4 << 20;

/// So many errors are told, of a body and of a schema.
const ERRORS: usize = 5;

/// The longest text of each, and the longest pointer to where it is.
const TEXT: usize = 200;
const POINTER: usize = 100;

/// The steps that a body of a length may take.
pub(super) fn most(bytes: usize) -> u64 {
    1_000_000 + 32 * bytes as u64
}

/// A schema, ready to judge.
pub(crate) struct Schema(Validator<MeteredJson>);

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schema")
    }
}

/// Why a body does not pass. The text is public.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// It is no JSON text.
    #[error("the body is not JSON: {0}")]
    Text(String),
    /// It is not as the schema says.
    #[error("the body is not valid: {0}")]
    Value(String),
    /// It takes more steps than it may.
    #[error("the body takes too many steps to validate")]
    TooMuch,
}

impl Schema {
    /// Reads a file. What is wrong is told with its place in it.
    pub(super) fn load(path: &Path) -> Result<Self, Vec<String>> {
        let named = |message: String| format!("{} {message}", path.display());
        let bytes = file::read(path, MOST).map_err(|error| vec![named(format!("cannot be read: {error}"))])?;
        let schema = document::read(&bytes).map_err(|error| vec![named(format!("is not JSON: {error}"))])?;
        Self::of(&schema)
            .map_err(|wrong| wrong.into_iter().map(|why| named(format!("is not a JSON Schema: {why}"))).collect())
    }

    /// One of an OpenAPI document. What is wrong is told with its place there.
    pub(super) fn of_document(
        place: &Place,
        documents: &Documents,
        dialect: Dialect,
    ) -> Result<(Self, Value), Vec<String>> {
        let taken = standalone(place, documents, dialect)?;
        let told = |why: String| match why.split_once(": ").filter(|_| why.starts_with('/')) {
            Some((pointer, why)) => taken.source(pointer).wrong(format!("this is no JSON Schema: {why}")),
            None => place.wrong(format!("this is no JSON Schema: {why}")),
        };
        let schema = Self::of(&taken.schema).map_err(|wrong| wrong.into_iter().map(told).collect::<Vec<_>>())?;
        Ok((schema, taken.schema))
    }

    /// A schema from its text, read.
    pub(super) fn of(schema: &Value) -> Result<Self, Vec<String>> {
        let one = |error: ValidationError<'_>| vec![told(&error)];
        let known = jsonschema::meta::validator_for(schema).map_err(one)?;
        let wrong: Vec<String> = known.iter_errors(schema).take(ERRORS).map(|error| told(&error)).collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        jsonschema::options_for::<MeteredJson>()
            .offline()
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex())
            .build(schema)
            .map(Self)
            .map_err(one)
    }

    /// Whether a text is as it says, in so many steps at most.
    pub(super) fn judge(&self, text: &[u8], steps: u64) -> Result<(), Unfit> {
        let value = document::read(text).map_err(|error| Unfit::Text(error.to_string()))?;
        self.hold(&value, steps)
    }

    /// Whether a value is as it says.
    pub(super) fn hold(&self, value: &Value, steps: u64) -> Result<(), Unfit> {
        match within(steps, || self.0.is_valid(Metered(value))) {
            Some(true) => Ok(()),
            Some(false) => Err(Unfit::Value(self.explain(value, steps))),
            None => Err(Unfit::TooMuch),
        }
    }

    /// What is wrong, in as many steps again: all of it, or the first of it, or that something is.
    fn explain(&self, value: &Value, steps: u64) -> String {
        let all = || {
            let mut errors = self.0.iter_errors(Metered(value));
            let told: Vec<String> = errors.by_ref().take(ERRORS).map(|error| told(&error)).collect();
            (told.join("; "), errors.count())
        };
        match within(steps, all) {
            Some((told, 0)) => return told,
            Some((told, more)) => return format!("{told}; and {more} more"),
            None => {}
        }
        let first = within(steps, || self.0.validate(Metered(value)).map_err(|error| told(&error)));
        first.and_then(Result::err).unwrap_or_else(|| "it does not match the schema".to_owned())
    }
}

/// An error in one line: where it is, and what the schema wants there.
fn told(error: &ValidationError<'_>) -> String {
    let what = match error.kind() {
        // How many more there are it would count in the value, which is not there.
        ValidationErrorKind::AdditionalItems { limit } => format!("items beyond the first {limit} are not allowed"),
        // The name is a value here.
        ValidationErrorKind::PropertyNames { error } => format!("a name in it: {}", error.masked_with("it")),
        _ => error.masked_with("it").to_string(),
    };
    let what = foreign(&what, TEXT);
    match error.instance_path().as_str() {
        "" => what.into_owned(),
        pointer => format!("{}: {what}", foreign(pointer, POINTER)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    fn judge(schema: &Value, text: &str) -> String {
        let schema = Schema::of(schema).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        schema.judge(text.as_bytes(), most(text.len())).map_or_else(|unfit| unfit.to_string(), |()| String::new())
    }

    #[test]
    fn what_is_wrong_is_told_without_values() {
        let schema = json!({
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": { "type": "string", "pattern": "^[a-z]+$" },
                "mail": { "format": "email" },
                "kind": { "enum": ["a", "b"] },
                "many": { "type": "array", "items": { "type": "integer" }, "uniqueItems": true },
            },
            "additionalProperties": false,
        });
        for (text, expected) in [
            ("{\"id\": \"a\", \"mail\": \"a@b.example\", \"kind\": \"b\", \"many\": [1, 2]}", ""),
            ("{}", "the body is not valid: \"id\" is a required property"),
            ("{\"id\": \"secret7\"}", "the body is not valid: /id: it does not match \"^[a-z]+$\""),
            ("{\"id\": \"a\", \"mail\": \"secret\"}", "the body is not valid: /mail: it is not a \"email\""),
            ("{\"id\": \"a\", \"kind\": \"secret\"}", "the body is not valid: /kind: it is not one of \"a\" or \"b\""),
            ("{\"id\": \"a\", \"many\": [1, 1]}", "the body is not valid: /many: it has non-unique elements"),
            ("[7]", "the body is not valid: it is not of type \"object\""),
            ("{", "the body is not JSON: EOF while parsing an object at line 1 column 1"),
        ] {
            assert_eq!(judge(&schema, text), expected, "{text}");
        }
        let more = judge(&schema, "{\"id\": 7, \"many\": [\"secret\", \"secret\", 1.5, true, null, {}]}");
        assert!(more.ends_with("; and 3 more") && !more.contains("secret"), "{more}");
    }

    #[test]
    fn names_and_pointers_are_cut() {
        let schema = json!({ "additionalProperties": { "type": "integer" }, "propertyNames": { "maxLength": 300 } });
        let long = "n\\n".repeat(100);
        let told = judge(&schema, &format!("{{\"{long}\": \"secret\"}}"));
        assert!(told.len() < 400 && told.contains("it is not of type \"integer\"") && !told.contains('\n'), "{told}");
        let short = json!({ "propertyNames": { "maxLength": 3 } });
        let told = judge(&short, "{\"secret\": 1}");
        assert_eq!(told, "the body is not valid: a name in it: it is longer than 3 characters");
        let closed = json!({ "additionalProperties": false });
        let names: Vec<String> = (0..1000).map(|i| format!("\"name{i}\": 1")).collect();
        assert!(judge(&closed, &format!("{{{}}}", names.join(","))).len() < 400);
    }

    #[test]
    fn a_schema_that_is_none_is_explained() {
        for (schema, expected) in [
            (json!({ "type": "strin" }), "/type: "),
            (json!({ "properties": { "a": { "pattern": "(?=a)" } } }), "/properties/a/pattern: "),
            (json!({ "properties": { "a": { "pattern": "(" } } }), "/properties/a/pattern: "),
            (json!({ "$ref": "other.json" }), "other.json"),
            (json!({ "$ref": "https://example.com/a.json" }), "https://example.com/a.json"),
            (json!({ "$ref": "file:///etc/passwd" }), "file:///etc/passwd"),
            (json!({ "$ref": "#/$defs/none" }), "/$defs/none"),
            (json!({ "$schema": "https://example.com/mine" }), "https://example.com/mine"),
            (json!(7), "it is not of types"),
        ] {
            let wrong = Schema::of(&schema).expect_err("it is no schema");
            assert!(wrong.iter().any(|why| why.contains(expected)), "{schema}: {wrong:?}");
        }
        let two = Schema::of(&json!({ "type": 1, "maxLength": -1 })).expect_err("it is no schema");
        assert_eq!(two.len(), 2, "{two:?}");
    }

    #[test]
    fn drafts_are_told_apart_by_what_the_schema_says() {
        let tuple =
            |draft: &str| json!({ "$schema": draft, "items": [{ "type": "integer" }], "additionalItems": false });
        let told = judge(&tuple("http://json-schema.org/draft-07/schema#"), "[1, 2]");
        assert_eq!(told, "the body is not valid: items beyond the first 1 are not allowed");
        // An array is no schema of items any more.
        assert!(Schema::of(&tuple("https://json-schema.org/draft/2020-12/schema")).is_err());
        assert_eq!(judge(&json!({ "prefixItems": [{ "type": "integer" }], "items": false }), "[1]"), "");
    }

    /// Each level has two alternatives that both go down: errors would double with each of a hundred.
    #[test]
    fn a_schema_that_branches_into_itself_comes_to_an_end() {
        let branch = |kind: &str| {
            let properties = json!({ "kind": { "type": "string", "minLength": kind.len() }, "next": { "$ref": "#" } });
            json!({ "type": "object", "required": ["kind"], "properties": properties })
        };
        let schema = json!({ "anyOf": [branch("a"), branch("ab"), { "type": "null" }] });
        let nested =
            |leaf: &str| (0..100).fold(leaf.to_owned(), |inner, _| format!("{{\"kind\":\"x\",\"next\":{inner}}}"));
        let started = Instant::now();
        assert_eq!(judge(&schema, &nested("null")), "");
        let told = judge(&schema, &nested("7"));
        assert_eq!(told, "the body is not valid: it does not match the schema");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }

    #[test]
    fn a_body_with_errors_without_number_is_told_of_the_first() {
        let schema = json!({ "items": { "type": "string" } });
        let told = judge(&schema, &format!("[{}1]", "1,".repeat(200_000)));
        assert_eq!(told, "the body is not valid: /0: it is not of type \"string\"");
        let last = judge(&schema, &format!("[{}1]", "\"a\",".repeat(200_000)));
        assert_eq!(last, "the body is not valid: /200000: it is not of type \"string\"");
    }

    /// Each level of the body takes as many levels of the stack as the schema has before it goes down.
    #[test]
    fn a_schema_that_is_deep_at_each_level_of_a_body_leaves_room_on_the_stack() {
        let down = json!({ "properties": { "next": { "$ref": "#" } }, "maximum": 3 });
        let nested = |leaf: &str| (0..120).fold(leaf.to_owned(), |inner, _| format!("{{\"next\":{inner}}}"));
        for (word, levels) in [("anyOf", 1), ("anyOf", 20), ("anyOf", 60), ("allOf", 60), ("oneOf", 60)] {
            let schema = (0..levels).fold(down.clone(), |inner, _| json!({ word: [inner] }));
            let told = judge(&schema, &nested("7"));
            assert!(told.starts_with("the body "), "{word} {levels}: {told}");
            let told = judge(&schema, &nested("1"));
            assert!(told.is_empty() || told == Unfit::TooMuch.to_string(), "{word} {levels}: {told}");
        }
    }

    #[test]
    fn no_more_steps_are_taken_than_there_are() {
        let schema = Schema::of(&json!({ "items": { "type": "integer" } })).expect("a schema");
        let text = format!("[{}1]", "1,".repeat(1000));
        assert_eq!(schema.judge(text.as_bytes(), 100), Err(Unfit::TooMuch));
        assert_eq!(schema.judge(text.as_bytes(), 100_000), Ok(()));
    }
}
