//! The log as an author of plugins wants it: each exchange in a line, below it what each plugin said, and everything else
//! without what only matters to machines.

use std::{collections::HashMap, fmt, sync::Mutex};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::lock::lock;

/// Exchanges under way whose plugins have said something. Of more, nothing is kept.
const MOST: usize = 1000;

/// The form of a line.
#[derive(Default)]
pub(super) struct ForAuthors {
    /// By request id: what the plugins have said so far.
    said: Mutex<HashMap<String, String>>,
}

impl<S, N> FormatEvent<S, N> for ForAuthors
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let paint = Paint(writer.has_ansi_escapes());
        match event.metadata().target() {
            "chain" => self.keep(&fields),
            "access" => {
                exchange(&mut writer, &paint, &fields)?;
                let said = lock(&self.said).remove(fields.get("request_id"));
                writer.write_str(&said.unwrap_or_default())?;
            }
            _ => other(&mut writer, &paint, *event.metadata().level(), &fields)?,
        }
        Ok(())
    }
}

impl ForAuthors {
    fn keep(&self, fields: &Fields) {
        let mut said = lock(&self.said);
        let id = fields.get("request_id");
        if said.len() < MOST || said.contains_key(id) {
            let lines = said.entry(id.to_owned()).or_default();
            *lines += &format!("    {:<16} {}\n", fields.get("plugin"), fields.get("message"));
        }
    }
}

fn exchange(writer: &mut Writer<'_>, paint: &Paint, fields: &Fields) -> fmt::Result {
    let status = fields.get("status");
    let color = match status {
        status if status < "400" => GREEN,
        status if status < "500" => YELLOW,
        _ => RED,
    };
    let millis =
        |name| fields.get(name).parse().map_or_else(|_| String::new(), |us: f64| format!("{:.1} ms", us / 1000.0));
    write!(writer, "{} {} ", fields.get("method"), fields.get("path"))?;
    paint.with(writer, color, status)?;
    write!(writer, " {}", millis("duration_us"))?;
    for name in ["route", "principal", "failure"] {
        if !fields.get(name).is_empty() {
            write!(writer, ", {name} {}", fields.get(name))?;
        }
    }
    if !fields.get("upstream_us").is_empty() {
        write!(writer, ", upstream {}", millis("upstream_us"))?;
    }
    writeln!(writer)
}

fn other(writer: &mut Writer<'_>, paint: &Paint, level: Level, fields: &Fields) -> fmt::Result {
    let color = match level {
        Level::ERROR => RED,
        Level::WARN => YELLOW,
        _ => DIM,
    };
    paint.with(writer, color, &level.to_string().to_lowercase())?;
    if !fields.get("plugin").is_empty() {
        write!(writer, " {}:", fields.get("plugin"))?;
    }
    write!(writer, " {}", fields.get("message"))?;
    for (name, value) in &fields.0 {
        if !["message", "plugin", "request_id"].contains(name) {
            write!(writer, " {name}={value}")?;
        }
    }
    writeln!(writer)
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const DIM: &str = "2";

/// Whether there are colors.
struct Paint(bool);

impl Paint {
    fn with(&self, writer: &mut Writer<'_>, color: &str, text: &str) -> fmt::Result {
        match self.0 {
            true => write!(writer, "\x1b[{color}m{text}\x1b[0m"),
            false => writer.write_str(text),
        }
    }
}

#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    /// Its value; empty when it is not there.
    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| *field == name).map_or("", |(_, value)| value)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }
}
