//! JSON text as a value, strictly (RFC 8259 as I-JSON, RFC 7493, narrows it): a name twice in one object is an error. Who
//! reads the text later might take the other of the two, and something else than what was validated.
//!
//! At most 128 levels deep, which is the parser's own limit.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::logs::foreign;

/// The longest name in a message.
const NAME: usize = 64;

/// Reads a whole text.
pub(crate) fn read(text: &[u8]) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Document.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

struct Document;

impl<'de> DeserializeSeed<'de> for Document {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Document)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom(format!("the name \"{}\" comes twice", foreign(&name, NAME))));
            }
            map.insert(name, members.next_value_seed(Document)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_the_parser_does() {
        for text in ["null", " [1, -2, 1.5e3, true, \"a\\u00e9\", {}] ", "{\"a\": {\"a\": [[]]}, \"b\": \"\"}", "1e400"]
        {
            let known: serde_json::Result<Value> = serde_json::from_str(text);
            assert_eq!(read(text.as_bytes()).ok(), known.ok(), "{text}");
        }
    }

    #[test]
    fn what_could_be_read_otherwise_is_refused() {
        for (text, expected) in [
            ("{\"a\": 1, \"\\u0061\": 2}", "the name \"a\" comes twice at line 1 column 17"),
            ("[1] 2", "trailing characters at line 1 column 5"),
            ("", "EOF while parsing a value at line 1 column 0"),
            ("{'a': 1}", "key must be a string at line 1 column 2"),
            ("\u{feff}1", "expected value at line 1 column 1"),
            ("[NaN]", "expected value at line 1 column 2"),
        ] {
            assert_eq!(read(text.as_bytes()).map_err(|error| error.to_string()), Err(expected.to_owned()), "{text}");
        }
        assert!(read(b"\"\xff\"").is_err());
        assert!(read(&[vec![b'['; 200], vec![b']'; 200]].concat()).is_err());
        assert!(read(&[vec![b'['; 100], vec![b']'; 100]].concat()).is_ok());
    }
}
