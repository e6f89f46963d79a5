//! What was expected against what came: only what was said counts.

use serde_json::Value;

/// Something that came out otherwise.
#[derive(Debug, PartialEq)]
pub struct Difference {
    /// `reply.headers.x-a`
    pub at: String,
    /// What was expected; None: nothing.
    pub expected: Option<Value>,
    /// What came; None: nothing.
    pub came: Option<Value>,
}

/// All that came out otherwise than was expected. `false` expects that there is nothing.
pub(super) fn differences(expected: &Value, came: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", expected, Some(came), &mut found);
    found
}

fn compare(at: &str, expected: &Value, came: Option<&Value>, found: &mut Vec<Difference>) {
    match (expected, came) {
        (Value::Bool(false), None) => {}
        (Value::Object(expected), Some(Value::Object(came))) => {
            for (key, value) in expected {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                let lower = key.to_ascii_lowercase();
                compare(&at, value, came.get(key).or_else(|| came.get(&lower)), found);
            }
        }
        (expected, Some(came)) if expected == came => {}
        _ => found.push(Difference {
            at: at.to_owned(),
            expected: Some(expected.clone()).filter(|value| *value != Value::Bool(false)),
            came: came.cloned(),
        }),
    }
}

/// Whether a plugin was refused for the reason that was expected, of which a part is enough.
pub(super) fn refusal(expected: Option<&str>, came: Option<&str>) -> Option<Difference> {
    let good = match (expected, came) {
        (Some(part), Some(why)) => why.contains(part),
        (expected, came) => expected.is_none() && came.is_none(),
    };
    let (expected, came) = (expected.map(Value::from), came.map(Value::from));
    (!good).then(|| Difference { at: "refused".to_owned(), expected, came })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_said_counts() {
        let came = json!({ "verdict": "deny", "reply": { "status": 403, "headers": { "x-a": "1" } }, "log": ["a"] });
        assert_eq!(differences(&json!({ "verdict": "deny", "reply": { "status": 403 }, "failure": false }), &came), []);
        assert_eq!(differences(&json!({ "reply": { "headers": { "X-A": "1", "x-b": false } } }), &came), []);
        let found = differences(
            &json!({ "verdict": "allow", "reply": { "headers": { "x-a": false } }, "log": [], "failure": "x" }),
            &came,
        );
        let at: Vec<_> = found.iter().map(|difference| difference.at.as_str()).collect();
        assert_eq!(at, ["failure", "log", "reply.headers.x-a", "verdict"]);
        assert_eq!((&found[0].came, &found[2].expected), (&None, &None));
    }
}
