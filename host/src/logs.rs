//! Where `tracing` goes: standard output, for people or as JSON, through a queue that never makes a worker wait.

mod dev;

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    config::{Log, LogFormat},
    lines::Lines,
};

/// Sets the process's log up. Called once.
pub fn start(config: &Log) {
    let filter = EnvFilter::try_new(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let writer = Queue(Lines::stdout());
    let registry = tracing_subscriber::registry().with(filter);
    match config.format {
        LogFormat::Json => {
            let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false);
            registry.with(layer.with_span_list(false).with_writer(writer)).init();
        }
        LogFormat::Human => {
            let ansi = io::stdout().is_terminal();
            registry.with(tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(writer)).init();
        }
    }
}

/// Sets it up for an author of plugins, who watches it: what each plugin said of each exchange is in it.
pub fn start_for_author() {
    let filter = EnvFilter::new("info,chain=debug");
    let layer = tracing_subscriber::fmt::layer().event_format(dev::ForAuthors::default());
    let layer = layer.with_ansi(io::stdout().is_terminal()).with_writer(Queue(Lines::stdout()));
    tracing_subscriber::registry().with(filter).with(layer).init();
}

/// Waits until the log is written. For the end of the process.
pub fn finish() {
    Lines::stdout().flush();
}

/// Somebody else's text for a line of the log: its beginning, with control characters escaped, so that it stays one line
/// and cannot look like another.
pub(crate) fn foreign(text: &str, most: usize) -> Cow<'_, str> {
    let kept = &text[..text.floor_char_boundary(most)];
    if kept.len() == text.len() && !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(kept.len() + 16);
    for char in kept.chars() {
        match char.is_control() {
            true => out.extend(char.escape_default()),
            false => out.push(char),
        }
    }
    if kept.len() < text.len() {
        out.push_str(&format!("... ({} bytes)", text.len()));
    }
    Cow::Owned(out)
}

struct Queue(Lines);

impl<'a> MakeWriter<'a> for Queue {
    type Writer = OneLine;

    fn make_writer(&'a self) -> OneLine {
        OneLine { lines: self.0.clone(), bytes: Vec::new() }
    }
}

/// Gathers one event and hands it over when it is whole.
struct OneLine {
    lines: Lines,
    bytes: Vec<u8>,
}

impl Write for OneLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for OneLine {
    fn drop(&mut self) {
        let mut line = std::mem::take(&mut self.bytes);
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if !line.is_empty() {
            self.lines.write(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_one_line_of_bounded_length() {
        assert!(matches!(foreign("a plain text, ü", 100), Cow::Borrowed("a plain text, ü")));
        assert_eq!(foreign("a\nWARN b\u{1b}[1m", 100), "a\\nWARN b\\u{1b}[1m");
        assert_eq!(foreign("üüü", 3), "ü... (6 bytes)");
    }
}
