//! `examples/NAME/requests.txt`: requests to try, as curl lines, each with the answer to expect.
//!
//! The demo prints the very lines that `--check` makes and compares, so what an example promises can not differ from what
//! it does. The form, a block per request:
//!
//! ```text
//! # A sentence on what is to be seen.
//! curl -i -H 'x-api-key: secret' http://127.0.0.1:8080/pets/1
//!   status 200
//!   header content-type: application/json
//!   absent x-powered-by
//!   body   "x-user":"alice"
//!   stdout "status":200
//! ```
//!
//! Where the URL is one of `https`, curl itself is asked.
//!
//! `header` wants a whole value, `absent` that there is no such header, `body` and `stdout` a text within the body and
//! within a line that the gateway wrote to its standard output.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};

use crate::{
    client::{self, Request, Response},
    process,
};

/// A request to try.
#[derive(Debug)]
pub(crate) struct Try {
    /// The sentence above it.
    pub(crate) title: String,
    /// The curl line as written.
    pub(crate) line: String,
    /// The same, understood.
    pub(crate) way: Way,
    pub(crate) expected: Vec<Expected>,
}

/// How a request is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the check's own client.
    Own(Request),
    /// By curl with these arguments, where TLS is spoken.
    Curl(Vec<String>),
}

impl Way {
    /// Makes the request.
    pub(crate) fn send(&self) -> Result<Response> {
        match self {
            Self::Own(request) => client::send(request),
            Self::Curl(arguments) => {
                let output = process::output(
                    process::command("curl").args(["-s", "--raw", "--max-time", "10"]).args(arguments),
                )?;
                client::parse(output.as_bytes())
            }
        }
    }
}

/// Something to expect of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    Status(u16),
    Header(String, String),
    Absent(String),
    Body(String),
    Stdout(String),
}

/// Reads a file of requests.
pub(crate) fn load(path: &Path) -> Result<Vec<Try>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let tries = parse(&text).with_context(|| format!("in {}", path.display()))?;
    if tries.is_empty() {
        bail!("{} has no requests", path.display());
    }
    Ok(tries)
}

fn parse(text: &str) -> Result<Vec<Try>> {
    let mut tries: Vec<Try> = Vec::new();
    let mut title = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let place = || format!("line {}: {line}", index + 1);
        if let Some(comment) = line.strip_prefix('#') {
            title.push(comment.trim());
        } else if line.starts_with("curl ") {
            let way = way(line).with_context(place)?;
            tries.push(Try { title: title.join(" "), line: line.to_owned(), way, expected: Vec::new() });
            title.clear();
        } else if !line.trim().is_empty() {
            let last = tries.last_mut().context("an expectation comes after its curl line").with_context(place)?;
            last.expected.push(expectation(line.trim()).with_context(place)?);
        }
    }
    if let Some(silent) = tries.iter().find(|one| one.expected.is_empty()) {
        bail!("nothing is expected of `{}`", silent.line);
    }
    Ok(tries)
}

fn expectation(line: &str) -> Result<Expected> {
    let (word, rest) = line.split_once(' ').context("an expectation is a word and a text")?;
    let rest = rest.trim().to_owned();
    Ok(match word {
        "status" => Expected::Status(rest.parse().context("a status is a number")?),
        "header" => {
            let (name, value) = header(&rest)?;
            Expected::Header(name.to_ascii_lowercase(), value)
        }
        "absent" => Expected::Absent(rest.to_ascii_lowercase()),
        "body" => Expected::Body(rest),
        "stdout" => Expected::Stdout(rest),
        _ => bail!("an expectation begins with status, header, absent, body or stdout"),
    })
}

impl Expected {
    /// What differs. None when it is as expected; what concerns the standard output is not seen here.
    pub(crate) fn differs(&self, response: &Response) -> Option<String> {
        let value = |name: &str| response.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value);
        match self {
            Self::Status(status) if response.status != *status => {
                Some(format!("status {status} expected, {} received", response.status))
            }
            Self::Header(name, wanted) if value(name) != Some(wanted) => {
                Some(format!("header `{name}: {wanted}` expected, {:?} received", value(name)))
            }
            Self::Absent(name) => value(name).map(|value| format!("no header {name} expected, `{value}` received")),
            Self::Body(text) if !response.body.contains(text) => {
                Some(format!("`{text}` expected in the body, which is\n{}", response.body.trim_end()))
            }
            _ => None,
        }
    }

    /// As the file writes it.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Status(status) => format!("status {status}"),
            Self::Header(name, value) => format!("header {name}: {value}"),
            Self::Absent(name) => format!("absent {name}"),
            Self::Body(text) => format!("body   {text}"),
            Self::Stdout(text) => format!("stdout {text}"),
        }
    }
}

fn way(line: &str) -> Result<Way> {
    match line.contains(" https://") {
        true => Ok(Way::Curl(words(line)?.split_off(1))),
        false => curl(line).map(Way::Own),
    }
}

/// Understands a curl line with `-H`, `-X`, `-d`, `-i`, `-s`, `--path-as-is` and a URL; anything else is an error.
fn curl(line: &str) -> Result<Request> {
    let (mut method, mut url, mut body, mut headers) = (None, None, String::new(), Vec::new());
    let mut words = words(line)?.into_iter().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-i" | "-s" | "-si" | "--path-as-is" => {}
            "-X" => method = Some(words.next().context("-X without a method")?),
            "-H" => headers.push(header(&words.next().context("-H without a header")?)?),
            "-d" => body = words.next().context("-d without a text")?,
            _ if word.starts_with('-') => bail!("the check does not know {word}"),
            _ => url = Some(word),
        }
    }
    let url = url.context("there is no URL")?;
    let rest = url.strip_prefix("http://").context("the URL does not begin with http://")?;
    let (authority, target) = rest.split_once('/').context("the URL has no path")?;
    if !body.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    }
    let method = method.unwrap_or_else(|| if body.is_empty() { "GET" } else { "POST" }.to_owned());
    Ok(Request { method, authority: authority.to_owned(), target: format!("/{target}"), headers, body })
}

fn header(text: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once(':').context("a header is `name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Words as a shell splits them: by spaces, with single and double quotes.
fn words(line: &str) -> Result<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), _) if c == open => quote = None,
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        bail!("a quote is not closed");
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curl_line_becomes_the_request_that_curl_would_make() {
        let request = curl("curl -i -H 'x-a: b c' -d '{\"d\": 1}' http://127.0.0.1:1/p?q=1").expect("a good line");
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/p?q=1"));
        assert_eq!(request.headers[0], ("x-a".to_owned(), "b c".to_owned()));
        assert_eq!(request.body, "{\"d\": 1}");
        assert!(curl("curl --insecure http://127.0.0.1:1/").is_err());
    }

    #[test]
    fn each_expectation_tells_what_differs() {
        let tries =
            parse("# t\ncurl http://h:1/\n status 200\n header A: b\n absent c\n body x y\n").expect("good text");
        let headers = vec![("a".to_owned(), "z".to_owned()), ("c".to_owned(), "1".to_owned())];
        let bad = Response { status: 500, headers, body: String::new() };
        assert_eq!(tries[0].expected.iter().filter_map(|expected| expected.differs(&bad)).count(), 4);
        let good = Response { status: 200, headers: vec![("a".to_owned(), "b".to_owned())], body: "-x y-".to_owned() };
        assert_eq!(tries[0].expected.iter().filter_map(|expected| expected.differs(&good)).count(), 0);
    }

    #[test]
    fn a_request_of_which_nothing_is_expected_is_refused() {
        assert!(parse("curl http://h:1/\n").is_err());
        assert!(parse("status 200\n").is_err());
    }
}
