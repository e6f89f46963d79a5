//! Bodies by any schema: counted steps change no judgement, nothing that is told is long or more than a line, and running
//! out of steps anywhere is not a panic.

use std::mem::{self, Discriminant};

use jsonschema::PatternOptions;
use serde_json::Value;

use super::{
    document,
    schema::{Schema, Unfit, most},
};
use crate::fuzz::Seen;

/// A byte for how many steps there are, a schema in its line, and a body.
pub(crate) fn body(bytes: &[u8]) -> Seen {
    let Some((few, rest)) = bytes.split_first() else { return Seen::Refused };
    let mut lines = rest.splitn(2, |&byte| byte == b'\n');
    let (schema, text) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let read = same(text);
    let Ok(json) = document::read(schema) else { return Seen::Refused };
    let Ok(schema) = Schema::of(&json) else { return Seen::Refused };
    let judged = schema.judge(text, most(text.len()));
    told(&judged);
    if let (Some(value), Ok(()) | Err(Unfit::Value(_))) = (&read, &judged) {
        assert_eq!(judged.is_ok(), plain(&json, value), "{json} of {value}");
    }
    let hurried = schema.judge(text, u64::from(*few));
    told(&hurried);
    let same = |other: &Result<(), Unfit>| kind(&hurried) == kind(other);
    assert!(same(&Err(Unfit::TooMuch)) || same(&judged), "{hurried:?}, with more steps {judged:?}");
    Seen::accepted(judged.is_ok())
}

/// A judgement without what is told of it, which depends on the steps.
fn kind(judged: &Result<(), Unfit>) -> Option<Discriminant<Unfit>> {
    judged.as_ref().err().map(mem::discriminant)
}

/// What the library says by itself.
fn plain(schema: &Value, value: &Value) -> bool {
    let options = jsonschema::options().offline().should_validate_formats(true);
    let validator = options.with_pattern_options(PatternOptions::regex()).build(schema);
    validator.is_ok_and(|validator| validator.is_valid(value))
}

/// A text is read as the parser of the library reads it, or it has a name twice.
fn same(text: &[u8]) -> Option<Value> {
    let known: Option<Value> = serde_json::from_slice(text).ok();
    match document::read(text) {
        Ok(value) => assert_eq!(Some(value), known),
        Err(error) => assert!(known.is_none() || error.to_string().contains("comes twice"), "{error}"),
    }
    known
}

fn told(judged: &Result<(), Unfit>) {
    let Err(unfit) = judged else { return };
    let text = unfit.to_string();
    assert!(text.len() < 2_000 && !text.contains(char::is_control), "{text:?}");
}
