//! How cases went: for the terminal as they come, and as JUnit XML for whoever collects test results.

mod junit;

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use anstream::{eprintln, println};
use anstyle::{AnsiColor, Style};
use gatehouse::trial::{Case, Cost, Difference, Outcome, Trial, Tried};
use serde_json::{Value, json};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// How the cases of a file went.
pub(super) struct Report {
    file: PathBuf,
    cases: Vec<Line>,
}

struct Line {
    name: String,
    time: Duration,
    /// What is wrong, as text for people.
    wrong: Option<String>,
}

impl Report {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), cases: Vec::new() }
    }

    /// Notes and shows how a case went.
    pub(super) fn add(&mut self, case: &Case, tried: Result<Tried, String>) {
        let (time, wrong) = match tried {
            Err(error) => (Duration::ZERO, Some(error)),
            Ok(tried) => {
                let time = tried.outcomes.iter().map(|outcome| outcome.cost.time).sum();
                (time, (!tried.differences.is_empty()).then(|| differences(case, &tried)))
            }
        };
        match &wrong {
            None => println!("{GOOD}ok{GOOD:#}    {} {DIM}{}{DIM:#}", case.name, millis(time)),
            Some(why) => println!("{BAD}FAIL{BAD:#}  {}\n{}", case.name, colored(why)),
        }
        self.cases.push(Line { name: case.name.clone(), time, wrong });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    pub(super) fn is_good(&self) -> bool {
        self.failed() == 0
    }

    fn failed(&self) -> usize {
        self.cases.iter().filter(|case| case.wrong.is_some()).count()
    }

    /// Shows the last line.
    pub(super) fn summary(&self) {
        println!("{GOOD}{self}{GOOD:#}");
    }

    /// As JUnit XML.
    pub(super) fn junit(&self) -> std::io::Result<Vec<u8>> {
        junit::write(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, failed) = (self.cases.len(), self.failed());
        write!(f, "{}: {all} cases, {} passed, {failed} failed", self.file.display(), all - failed)
    }
}

/// Each line begins with `-` for what was expected, `+` for what came, or a space.
fn differences(case: &Case, tried: &Tried) -> String {
    let mut text = String::new();
    if !case.then.is_empty() {
        text += &format!("  exchange {} of {}\n", tried.outcomes.len(), 1 + case.then.len());
    }
    for Difference { at, expected, came } in &tried.differences {
        let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        text += &format!("  {at}\n- {}\n+ {}\n", show(expected), show(came));
    }
    if let Some(outcome) = tried.outcomes.last() {
        text += "  what came:\n";
        written(outcome).lines().for_each(|line| text += &format!("    {line}\n"));
    }
    text.trim_end().to_owned()
}

fn colored(text: &str) -> String {
    let line = |line: &str| {
        let style = match line.as_bytes().first() {
            Some(b'-') => GOOD,
            Some(b'+') => BAD,
            _ => Style::new(),
        };
        format!("      {style}{line}{style:#}")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// In the words and the form of a case.
fn written(outcome: &Outcome) -> String {
    toml::to_string(outcome).expect("an outcome has only what TOML has")
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// Shows why something could not be tried at all.
pub(super) fn say_error(error: &anyhow::Error) {
    eprintln!("{BAD}{error:#}{BAD:#}");
}

/// Shows one exchange and what it took.
pub(super) fn once(
    trial: &Trial,
    start: Duration,
    outcome: &Outcome,
    more: &[Cost],
    as_json: bool,
) -> anyhow::Result<()> {
    let mut times: Vec<Duration> = more.iter().map(|cost| cost.time).collect();
    times.sort();
    let warm = times.get(times.len() / 2).copied();
    let memory = more.last().unwrap_or(&outcome.cost).memory;
    if as_json {
        let micros = |time: Duration| time.as_micros() as u64;
        let all = json!({
            "outcome": outcome,
            "unanswered": outcome.unanswered,
            "size": trial.size(),
            "memory": memory,
            "compile_us": micros(trial.compile_time()),
            "start_us": micros(start),
            "first_call_us": micros(outcome.cost.time),
            "warm_call_us": warm.map(micros),
        });
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    print(outcome);
    println!(
        "{DIM}# compiled in {}, instance made in {}, this exchange {}{}; {} KiB of memory{DIM:#}",
        millis(trial.compile_time()),
        millis(start),
        millis(outcome.cost.time),
        warm.map(|warm| format!(", later ones {} (median of {})", millis(warm), more.len())).unwrap_or_default(),
        memory / 1024
    );
    Ok(())
}

fn print(outcome: &Outcome) {
    anstream::print!("{}", written(outcome));
    for line in &outcome.unanswered {
        println!("{BAD}# {line} was refused: write a case with its answer{BAD:#}");
    }
}
