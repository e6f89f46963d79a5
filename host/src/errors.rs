//! Answers to failures as the configuration writes them: `[errors.CODE]`.

use std::borrow::Cow;

use bytes::Bytes;
use http::Response;

use crate::{
    config::{ErrorAnswer, ErrorBody, Part, TextForm},
    exchange::Exchange,
    failure::Failure,
    reply, template,
};

/// The answer to a failure of an exchange.
pub(crate) fn answer(failure: &Failure, exchange: &Exchange) -> Response<Bytes> {
    let own = reply::of_failure(failure, exchange.id);
    let class = if own.status().is_server_error() { "5xx" } else { "4xx" };
    let errors = &exchange.snapshot.config.errors;
    let of = |code: &str| errors.iter().find(|error| error.code == code);
    match of(failure.code()).or_else(|| of(class)) {
        None => own,
        Some(error) => written(own, error, failure, exchange),
    }
}

fn written(own: Response<Bytes>, error: &ErrorAnswer, failure: &Failure, exchange: &Exchange) -> Response<Bytes> {
    let mut response = reply::with(own, error.status, &error.headers);
    if let Some(body) = &error.body {
        let status = response.status();
        *response.body_mut() = text(body, failure, status.as_str(), exchange).into();
    }
    response
}

/// What is not there is empty: half an answer is better than none.
fn text(body: &ErrorBody, failure: &Failure, status: &str, exchange: &Exchange) -> String {
    let mut text = String::new();
    for part in &body.text.parts {
        let value = match part {
            Part::Text(fixed) => {
                text.push_str(fixed);
                continue;
            }
            Part::Attribute(name) => match &**name {
                "error.code" => Some(Cow::Borrowed(failure.code())),
                "error.message" => Some(Cow::Owned(failure.public())),
                "error.status" => Some(Cow::Borrowed(status)),
                _ => template::value(part, exchange),
            },
            _ => template::value(part, exchange),
        };
        push(&mut text, &value.unwrap_or_default(), body.form);
    }
    text
}

/// Adds a value so that it is nothing but text where it stands: who asks may have chosen it.
fn push(text: &mut String, value: &str, form: TextForm) {
    match form {
        TextForm::Plain => text.push_str(value),
        TextForm::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            text.push_str(&quoted[1..quoted.len() - 1]);
        }
        TextForm::Markup => value.chars().for_each(|c| match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            c => text.push(c),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_text_wherever_it_stands() {
        let pushed = |form| {
            let mut text = String::new();
            push(&mut text, "a\"b\\<'&>\n\u{1}é", form);
            text
        };
        assert_eq!(pushed(TextForm::Json), r#"a\"b\\<'&>\n\u0001é"#);
        assert_eq!(pushed(TextForm::Markup), "a&quot;b\\&lt;&#39;&amp;&gt;\n\u{1}é");
        assert_eq!(pushed(TextForm::Plain), "a\"b\\<'&>\n\u{1}é");
    }
}
