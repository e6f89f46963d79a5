//! What the TOML parser objects to, in the words of the other problems.

use crate::config::problem::{Problem, Source, quoted};

/// The parser's first error as a problem.
pub(super) fn problem(source: &Source, error: &toml::de::Error) -> Problem {
    let at = error.span().unwrap_or(0..0);
    let here = source.text.get(at.clone()).unwrap_or("");
    let message = error.message();
    let kind = message.split(", expected").next().unwrap_or(message);
    let (message, help) = match kind {
        "duplicate key" => (format!("{} is defined twice", quoted(here)), "keep one of the two"),
        "key with no value" => ("a key has no value".to_owned(), "write `key = value`"),
        "missing value for key" | "missing value" => ("a value is missing".to_owned(), "write `key = value`"),
        "string values must be quoted" if here.trim().is_empty() => {
            ("a value is missing".to_owned(), "write `key = value`")
        }
        // `info` is taken for the beginning of `inf`, and so on.
        "invalid float" | "invalid boolean" | "string values must be quoted"
            if here.starts_with(|c: char| !c.is_ascii_digit()) =>
        {
            (format!("{} is not a value", quoted(here)), "write strings in quotes")
        }
        "missing opening quote" => ("a string has no opening quote".to_owned(), "write strings in quotes"),
        "invalid basic string" | "invalid literal string" => {
            ("a string has no closing quote, or holds a control character".to_owned(), "write `\"...\"` on one line")
        }
        "missing escaped value" => (
            "this is not an escape sequence".to_owned(),
            "write `\\\\` for a backslash, or the string in single quotes",
        ),
        "unclosed array" => ("an array is not closed".to_owned(), "add `]`"),
        "unclosed table" => ("a table's header is not closed".to_owned(), "add `]`"),
        "unclosed array table" => ("a table's header is not closed".to_owned(), "write `[NAME]`"),
        "unclosed inline table" => ("an inline table is not closed".to_owned(), "add `}`"),
        "missing comma between array elements" => {
            ("a comma or the end of the array is missing before this".to_owned(), "add `,` or `]`")
        }
        "missing comma between key-value pairs" | "missing key for inline table element" => {
            ("a comma or the end of the inline table is missing before this".to_owned(), "add `,` or `}`")
        }
        "unexpected key or value" => ("this is more than one value".to_owned(), "one `key = value` a line"),
        "unexpected leading zero" => {
            ("a number begins with a zero".to_owned(), "leave the zero out, or write a string")
        }
        _ => return Problem::at(at, format!("this is not TOML: {message}")),
    };
    Problem::at(at, message).help(help)
}
