//! `${env.NAME}` in strings, and `[plugins.NAME.config]` as JSON. What comes from the environment is not looked at again,
//! and never shown.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};
use toml::de::DeValue;

use crate::config::{
    problem::{Problem, quoted},
    value::Node,
};

impl<'a> Node<'a> {
    /// A string, with `${env.NAME}` replaced.
    pub(super) fn expanded(self) -> Result<Cow<'a, str>, Problem> {
        let text = self.text()?;
        if !text.contains("${env.") {
            return Ok(Cow::Borrowed(text));
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${env.") {
            let at = text.len() - rest.len() + start;
            let name = &rest[start + 6..];
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            if end == 0 || !name[end..].starts_with('}') {
                let problem = Problem::at(at..at + 6 + end, "this is not a variable");
                return Err(self.within(problem.help("write `${env.NAME}`; a name is letters, digits and `_`")));
            }
            let value = (self.context.environment)(&name[..end]).ok_or_else(|| {
                let message = format!("the environment variable {} is not set", quoted(&name[..end]));
                self.within(Problem::at(at..at + 7 + end, message))
            })?;
            out.push_str(&rest[..start]);
            out.push_str(&value);
            rest = &name[end + 1..];
        }
        out.push_str(rest);
        Ok(Cow::Owned(out))
    }

    /// Any value as JSON. What JSON cannot say is reported, and null.
    pub(super) fn json(self) -> Value {
        let reported = |problem| {
            self.context.report(problem);
            Value::Null
        };
        match self.value.get_ref() {
            DeValue::String(_) => match self.expanded() {
                Ok(text) => Value::String(text.into_owned()),
                Err(problem) => reported(problem),
            },
            DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
                Ok(number) => number.into(),
                Err(_) => reported(self.problem("this integer does not fit into 64 bits")),
            },
            DeValue::Float(digits) => match digits.as_str().parse().ok().and_then(Number::from_f64) {
                Some(number) => Value::Number(number),
                None => reported(self.problem("a plugin gets its configuration as JSON, which has no such number")),
            },
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Datetime(date) => Value::String(date.to_string()),
            DeValue::Array(items) => items.iter().map(|value| Node { value, ..self }.json()).collect(),
            DeValue::Table(table) => {
                let members =
                    table.iter().map(|(key, value)| (key.get_ref().to_string(), Node { value, ..self }.json()));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }
}
