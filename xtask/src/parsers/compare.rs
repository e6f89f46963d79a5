//! Two readings of the same bytes: whether they are equal, and which differences are known.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::reader::Reader;

/// How a reading differs from ours; None if it does not. A reading that is a text is a refusal.
pub(super) fn difference(reader: &Reader, ours: &[Value], theirs: &Value) -> Option<String> {
    let Some(theirs) = theirs.as_array() else {
        return Some(format!("refused: {}", theirs.as_str().unwrap_or("?")));
    };
    if ours.len() != theirs.len() {
        return Some(format!("{} requests for {}", theirs.len(), ours.len()));
    }
    ours.iter().zip(theirs).find_map(|(ours, theirs)| {
        let text = ["method", "target", "body"].into_iter().find(|part| ours[part] != theirs[part]);
        if let Some(part) = text {
            return Some(format!("{part} {} for {}", short(&theirs[part]), short(&ours[part])));
        }
        let (ours, theirs) = (fields(reader, &ours["headers"]), fields(reader, &theirs["headers"]));
        let names: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
        let other = names.into_iter().find(|name| ours.get(*name) != theirs.get(*name))?;
        Some(format!("field {other} {:?} for {:?}", theirs.get(other), ours.get(other)))
    })
}

/// Values by names. Between different names order means nothing (RFC 9110 section 5.3).
fn fields(reader: &Reader, headers: &Value) -> BTreeMap<String, Vec<String>> {
    let mut fields = BTreeMap::<String, Vec<String>>::new();
    for field in headers.as_array().into_iter().flatten() {
        let [name, value] = [0, 1].map(|at| field[at].as_str().unwrap_or_default());
        if !reader.leaves_out.contains(&name) {
            fields.entry(name.to_owned()).or_default().push(value.to_owned());
        }
    }
    if reader.joins {
        fields.values_mut().for_each(|values| *values = vec![values.join(", ")]);
    }
    fields
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

/// Differences that are known.
pub(super) struct Known(Vec<Entry>);

struct Entry {
    parser: String,
    /// A case, or with `*` at its end all whose names begin so.
    case: String,
    /// How the difference begins.
    how: String,
    used: bool,
}

impl Known {
    pub(super) fn load(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        Self::parse(&text).with_context(|| file.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let entries: Vec<Value> = serde_json::from_str(text)?;
        let entry = |entry: &Value| {
            let text = |part: &str| entry[part].as_str().map(str::to_owned).with_context(|| format!("no `{part}`"));
            text("why")?;
            Ok(Entry { parser: text("parser")?, case: text("case")?, how: text("how")?, used: false })
        };
        Ok(Self(entries.iter().map(entry).collect::<Result<_>>()?))
    }

    /// What is left of a parser's differences.
    pub(super) fn take_out(
        &mut self,
        parser: &str,
        mut differences: BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        for entry in self.0.iter_mut().filter(|entry| entry.parser == parser) {
            let before = differences.len();
            differences.retain(|case, how| !(entry.is_of(case) && how.starts_with(&entry.how)));
            entry.used = differences.len() < before;
        }
        differences
    }

    /// What differs no more, of these parsers.
    pub(super) fn unused(&self, parsers: &BTreeSet<&str>) -> Vec<String> {
        let unused = self.0.iter().filter(|entry| !entry.used && parsers.contains(entry.parser.as_str()));
        unused.map(|entry| format!("{} of {}", entry.parser, entry.case)).collect()
    }
}

impl Entry {
    fn is_of(&self, case: &str) -> bool {
        match self.case.strip_suffix('*') {
            Some(start) => case.starts_with(start),
            None => case == self.case,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::reader::READERS, *};

    fn how(theirs: Value) -> Option<String> {
        let ours =
            json!({"method": "GET", "target": "/", "headers": [["a", "1"], ["b", "2"], ["a", "3"]], "body": "x"});
        difference(&READERS[0], &[ours], &theirs)
    }

    #[test]
    fn whatever_is_read_otherwise_is_a_difference() {
        let read = |method: &str, headers: Value, body: &str| {
            how(json!([{"method": method, "target": "/", "headers": headers, "body": body}]))
        };
        assert_eq!(read("GET", json!([["b", "2"], ["a", "1"], ["a", "3"]]), "x"), None);
        for theirs in [
            read("get", json!([["b", "2"], ["a", "1"], ["a", "3"]]), "x"),
            read("GET", json!([["b", "2"], ["a", "3"], ["a", "1"]]), "x"),
            read("GET", json!([["a", "1"], ["a", "3"]]), "x"),
            read("GET", json!([["a", "1"], ["a", "3"], ["b", "2"], ["c", "4"]]), "x"),
            read("GET", json!([["b", "2"], ["a", "1"], ["a", "3"]]), ""),
            how(json!([])),
            how(json!("bad")),
        ] {
            assert!(theirs.is_some());
        }
    }

    #[test]
    fn a_known_difference_is_taken_out_and_one_that_is_none_is_told() {
        let text = json!([
            {"parser": "node", "case": "a/*", "how": "refused", "why": "x"},
            {"parser": "node", "case": "b/1", "how": "refused", "why": "x"},
        ]);
        let mut known = Known::parse(&text.to_string()).expect("good");
        let differences = [("a/1", "refused: y"), ("a/2", "body"), ("b/2", "refused")];
        let differences = differences.map(|(case, how)| (case.to_owned(), how.to_owned())).into();
        let left: Vec<_> = known.take_out("node", differences).into_keys().collect();
        assert_eq!(left, ["a/2", "b/2"]);
        assert_eq!(known.unused(&BTreeSet::from(["node"])), ["node of b/1"]);
        assert!(known.unused(&BTreeSet::from(["go"])).is_empty());
        assert!(Known::parse("[{}]").is_err());
    }
}
