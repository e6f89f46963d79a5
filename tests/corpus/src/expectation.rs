//! What must become of each guest. Longer than other files, since it is one list.

use crate::{
    Guest,
    Outcome::{Answers, Breaks, Fails, Refused, Served, Skipped},
};

/// What a guest is for, and what must become of it.
#[derive(Debug, Clone, Copy)]
pub struct Expectation {
    /// The rows of the threat model that it shows: 1 for P1.
    pub threats: &'static [u8],
    /// Further lines of its `[plugins.NAME]`.
    pub settings: &'static str,
    /// What must happen.
    pub outcome: Outcome,
}

/// What must happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A gateway does not start with it, and this is in the reason.
    Refused(&'static str),
    /// Its exchange ends with this status and this code.
    Fails(u16, &'static str),
    /// Its exchange ends with this status and body.
    Answers(u16, &'static str),
    /// Its exchange breaks off in the middle of the answer.
    Breaks,
    /// Its exchange is served as if it were not there.
    Served,
    /// Its exchange is served, and its fault is counted.
    Skipped,
}

impl Outcome {
    /// Whether a whole answer is what must become of an exchange; `code` is that of an error reply.
    pub fn is_met_by(self, status: u16, body: &[u8], code: &str) -> bool {
        match self {
            Refused(_) | Breaks => false,
            Fails(expected, expected_code) => (status, code) == (expected, expected_code),
            Answers(expected, text) => status == expected && body == text.as_bytes(),
            Served | Skipped => status == 200 && body == crate::SERVED.as_bytes(),
        }
    }
}

impl Expectation {
    const fn with(mut self, settings: &'static str) -> Self {
        self.settings = settings;
        self
    }
}

/// For thousands of new pages: where memory is short, each takes the system long.
const PAGES: &str = r#"limits = { cpu = "5s", time = "10s" }"#;

const fn it(threats: &'static [u8], outcome: Outcome) -> Expectation {
    Expectation { threats, settings: "", outcome }
}

impl Guest {
    /// What must become of it.
    pub fn expectation(self) -> Expectation {
        match self {
            Guest::LoopInAuthorize => it(&[1], Fails(504, "plugin_cpu_time")),
            Guest::LoopInOnRequest => it(&[1], Fails(504, "plugin_cpu_time")),
            Guest::LoopInOnResponse => it(&[1], Fails(504, "plugin_cpu_time")),
            Guest::LoopInLog => it(&[1], Skipped),
            Guest::LoopInRequestChunk => it(&[1, 10], Fails(504, "plugin_cpu_time")),
            Guest::LoopInResponseChunk => it(&[1, 10], Fails(504, "plugin_cpu_time")),
            Guest::LoopInBodyLimit => it(&[1], Fails(504, "plugin_cpu_time")),
            Guest::LoopInStart => it(&[1], Refused("CPU time (`limits.init`)")).with(r#"limits = { init = "50ms" }"#),
            Guest::LoopInInit => {
                it(&[1, 20], Refused("`init` used up its CPU time")).with(r#"limits = { init = "50ms" }"#)
            }
            Guest::LoopInDescribe => {
                it(&[1], Refused("`describe` used up its CPU time")).with(r#"limits = { init = "50ms" }"#)
            }
            Guest::LoopInRealloc => it(&[1, 5], Fails(504, "plugin_cpu_time")),
            Guest::LoopInPostReturn => it(&[1], Fails(504, "plugin_cpu_time")),
            Guest::LoopOfMemoryFill => it(&[1], Fails(504, "plugin_cpu_time")),
            Guest::LoopOfMemoryCopy => it(&[1], Fails(504, "plugin_cpu_time")),
            Guest::LoopOfTableFill => it(&[1], Fails(504, "plugin_cpu_time")),
            Guest::StormOfReads => it(&[2], Fails(500, "plugin_host_calls")).with(r#"limits = { cpu = "1s" }"#),
            Guest::StormOfLogQuestions => it(&[2], Fails(500, "plugin_host_calls")).with(r#"limits = { cpu = "1s" }"#),
            Guest::StormOfPolls => it(&[2], Fails(500, "plugin_host_calls")),
            Guest::StormOfClockReads => it(&[2, 21], Fails(500, "plugin_host_calls")),
            Guest::SleepOfAnHour => it(&[2, 18], Fails(504, "plugin_timeout")).with(r#"limits = { time = "200ms" }"#),
            Guest::SleepsWithoutEnd => {
                it(&[2, 18], Fails(504, "plugin_timeout")).with(r#"limits = { cpu = "100ms", time = "200ms" }"#)
            }
            Guest::MemoryUntilRefused => it(&[3], Served).with(r#"limits = { cpu = "1s" }"#),
            Guest::MemoryOf4Gib => it(&[3], Served),
            Guest::MemoryTouched => it(&[3, 15], Served).with(PAGES),
            Guest::Memory4GibAtStart => it(&[3], Refused("memory")),
            Guest::MemoryOverLimitAtStart => it(&[3], Refused("memory")).with(r#"limits = { memory = "1MiB" }"#),
            Guest::MemoryOfData => it(&[3], Refused("memory")).with(r#"limits = { memory = "1MiB" }"#),
            Guest::MemoriesMany => it(&[3, 4], Refused("memor")),
            Guest::MemoryOf64Bits => it(&[3], Refused("memory64")),
            Guest::TableUntilRefused => it(&[4], Served),
            Guest::TableHugeAtStart => it(&[4], Refused("table")),
            Guest::TablesMany => it(&[4], Refused("tables")),
            Guest::GlobalsMany => it(&[4, 17], Refused("globals")),
            Guest::InstancesMany => it(&[4], Refused("instances")),
            Guest::ComponentsNested => it(&[4, 17], Refused("exports no hook")),
            Guest::RecursionDirect => it(&[5, 20], Fails(500, "plugin_trap")).with(r#"limits = { cpu = "1s" }"#),
            Guest::RecursionMutual => it(&[5], Fails(500, "plugin_trap")).with(r#"limits = { cpu = "1s" }"#),
            Guest::RecursionThroughTheHost => it(&[5], Fails(500, "plugin_trap")).with(r#"limits = { cpu = "1s" }"#),
            Guest::RecursionWithBigFrames => it(&[5], Fails(500, "plugin_trap")).with(r#"limits = { cpu = "1s" }"#),
            Guest::TrapUnreachable => it(&[6, 20], Fails(500, "plugin_trap")),
            Guest::TrapInOnResponse => it(&[6, 20], Fails(500, "plugin_trap")),
            Guest::TrapInLog => it(&[6, 20], Skipped),
            Guest::TrapDivision => it(&[6], Fails(500, "plugin_trap")),
            Guest::TrapOutOfBounds => it(&[6], Fails(500, "plugin_trap")),
            Guest::TrapNullCall => it(&[6], Fails(500, "plugin_trap")),
            Guest::TrapConversion => it(&[6], Fails(500, "plugin_trap")),
            Guest::Exit => it(&[6, 14], Fails(500, "plugin_trap")),
            Guest::AnswerThatIsNotUtf8 => it(&[6], Fails(500, "plugin_trap")),
            Guest::AnswerOfNoVariant => it(&[6], Fails(500, "plugin_trap")),
            Guest::AnswerOutOfBounds => it(&[6], Fails(500, "plugin_trap")),
            Guest::AnswerOverTheEnd => it(&[6], Fails(500, "plugin_trap")),
            Guest::AnswerUnaligned => it(&[6], Fails(500, "plugin_trap")),
            Guest::AnswerWithTextOutOfBounds => it(&[6], Fails(500, "plugin_trap")),
            Guest::ReallocOutOfBounds => it(&[6, 5], Fails(500, "plugin_trap")),
            Guest::ReallocUnaligned => it(&[6, 5], Fails(500, "plugin_trap")),
            // The component model has it trap. wasmtime's calls of components let it; with this limit it is always called directly.
            Guest::CallInRealloc => it(&[5], Fails(500, "plugin_trap")).with(r#"limits = { cpu = "50ms" }"#),
            Guest::CallInPostReturn => it(&[5], Fails(500, "plugin_trap")),
            Guest::ResultOutOfBounds => it(&[6], Fails(500, "plugin_trap")),
            Guest::ResultUnaligned => it(&[6], Fails(500, "plugin_trap")),
            Guest::NameOutOfBounds => it(&[6], Fails(500, "plugin_trap")),
            Guest::NameThatIsNotUtf8 => it(&[6], Fails(500, "plugin_trap")),
            Guest::LevelOfNoEnum => it(&[6], Fails(500, "plugin_trap")),
            Guest::Edits100000 => {
                it(&[7], Fails(500, "plugin_trap")).with(r#"limits = { cpu = "1s", host_bytes = "64MiB" }"#)
            }
            Guest::Edits100000ByDefault => it(&[7, 12], Fails(500, "plugin_trap")),
            Guest::ValueOf10Mib => it(&[7], Fails(500, "plugin_trap")).with(r#"limits = { cpu = "1s" }"#),
            Guest::Names40000 => {
                it(&[7], Fails(500, "plugin_trap")).with(r#"limits = { cpu = "1s", host_bytes = "64MiB" }"#)
            }
            Guest::ListOf4Billion => it(&[7], Fails(500, "plugin_trap")),
            Guest::Attributes10000 => it(&[7, 12], Fails(500, "plugin_invalid")).with(r#"limits = { cpu = "1s" }"#),
            Guest::HeaderCrlfInValue => it(&[8], Fails(500, "plugin_invalid")),
            Guest::HeaderLfInValue => it(&[8], Fails(500, "plugin_invalid")),
            Guest::HeaderNulInValue => it(&[8], Fails(500, "plugin_invalid")),
            Guest::HeaderColonInName => it(&[8], Fails(500, "plugin_invalid")),
            Guest::HeaderCrlfInName => it(&[8], Fails(500, "plugin_invalid")),
            Guest::HeaderPseudo => it(&[8], Fails(500, "plugin_invalid")),
            Guest::HeaderContentLength => it(&[8], Fails(500, "plugin_invalid")),
            Guest::HeaderTransferEncoding => it(&[8], Fails(500, "plugin_invalid")),
            Guest::HeaderConnection => it(&[8], Fails(500, "plugin_invalid")),
            Guest::HeaderUpgrade => it(&[8], Fails(500, "plugin_invalid")),
            Guest::HeaderHost => it(&[8], Fails(500, "plugin_invalid")),
            Guest::HeaderBeyondLatin1 => it(&[8], Fails(500, "plugin_invalid")),
            Guest::HeaderOfEmptyName => it(&[8], Fails(500, "plugin_invalid")),
            Guest::MethodWithSpace => it(&[8], Fails(500, "plugin_invalid")),
            Guest::PathWithCrlf => it(&[8], Fails(500, "plugin_invalid")),
            Guest::PathWithDots => it(&[8], Fails(500, "plugin_invalid")),
            Guest::Status0 => it(&[9], Fails(500, "plugin_invalid")),
            Guest::Status99 => it(&[9], Fails(500, "plugin_invalid")),
            Guest::Status100 => it(&[9], Fails(500, "plugin_invalid")),
            Guest::Status101 => it(&[9], Fails(500, "plugin_invalid")),
            Guest::Status199 => it(&[9], Fails(500, "plugin_invalid")),
            Guest::Status600 => it(&[9], Fails(500, "plugin_invalid")),
            Guest::Status1000 => it(&[9], Fails(500, "plugin_invalid")),
            Guest::Status65535 => it(&[9], Fails(500, "plugin_invalid")),
            Guest::BodyWith204 => it(&[9], Fails(500, "plugin_invalid")),
            Guest::BodyWith304 => it(&[9], Fails(500, "plugin_invalid")),
            Guest::ChunksHeldBack => it(&[10], Answers(200, "")),
            Guest::ChunksAmplified => it(&[10, 12], Fails(500, "plugin_trap")).with(r#"limits = { cpu = "1s" }"#),
            Guest::TrapInMidStream => it(&[10, 6], Breaks),
            Guest::RespondInMidStream => it(&[10, 9], Breaks),
            Guest::BodyLimitOfAll => it(&[10, 3], Served),
            Guest::HandlesOfTimers => it(&[11], Fails(500, "plugin_trap")).with(r#"limits = { cpu = "1s" }"#),
            Guest::HandlesOfStreams => it(&[11], Fails(500, "plugin_trap")).with(r#"limits = { cpu = "1s" }"#),
            Guest::HandleOfNobody => it(&[11, 6], Fails(500, "plugin_trap")),
            Guest::HandleDroppedTwice => it(&[11, 6], Fails(500, "plugin_trap")),
            Guest::HandleOfAnotherType => it(&[11, 6], Fails(500, "plugin_trap")),
            Guest::HoardOfHeaderNames => it(&[12], Served).with(r#"limits = { cpu = "1s" }"#),
            Guest::HoardOfLongNames => {
                it(&[12], Fails(500, "plugin_host_bytes")).with(r#"limits = { cpu = "2s", time = "2s" }"#)
            }
            Guest::HoardOfMessages => {
                it(&[12, 13], Fails(500, "plugin_host_bytes")).with(r#"limits = { cpu = "2s", time = "2s" }"#)
            }
            Guest::FloodOfLogLines => it(&[13], Served).with(r#"limits = { cpu = "1s" }"#),
            Guest::FloodOfLogBytes => it(&[13], Served),
            Guest::FloodOfOutput => it(&[13], Served).with(
                r#"limits = { cpu = "1s" }
grants = { output = "/dev/null" }"#,
            ),
            Guest::ErrorOf1Mib => it(&[13], Fails(500, "plugin_error")).with(r#"limits = { cpu = "1s" }"#),
            Guest::ReasonOf1Mib => it(&[13, 12], Answers(403, "")).with(r#"limits = { cpu = "1s" }"#),
            Guest::ImportOfSockets => it(&[14], Refused("wasi:sockets")),
            Guest::ImportOfHttp => it(&[14], Refused("grants")),
            Guest::ImportOfKeyvalue => it(&[14], Refused("grants")),
            Guest::ImportOfOutput => it(&[14], Refused("grants")),
            Guest::ImportOfNothingKnown => it(&[14], Refused("evil:host/syscall")),
            Guest::EnvironmentIsEmpty => it(&[14], Served),
            Guest::GlobalKept => it(&[15], Served).with(r#"isolation = "request""#),
            Guest::MemoryKept => it(&[15], Served).with(r#"isolation = "request""#),
            Guest::MemoryGrownIsZero => it(&[15], Served).with(
                r#"limits = { cpu = "5s", time = "10s" }
isolation = "request""#,
            ),
            Guest::TableKept => it(&[15], Served).with(r#"isolation = "request""#),
            Guest::AttributeForgesPrincipal => it(&[16], Served),
            Guest::AttributeForgesAnother => it(&[16], Served),
            Guest::AttributeWithLineBreak => it(&[16], Fails(500, "plugin_invalid")),
            Guest::AttributeWithoutName => it(&[16], Fails(500, "plugin_invalid")),
            Guest::FunctionHuge => it(&[17], Refused("memory to compile")),
            Guest::Locals100000 => it(&[17], Refused("locals")),
            Guest::BlocksDeep => it(&[17], Served),
            Guest::FunctionsMany => it(&[17, 4], Served),
            Guest::TypesMany => it(&[17, 4], Refused("types")),
            Guest::CodeOfTheEngine => it(&[19], Refused("component")),
            Guest::CodeBehindAComponent => it(&[19, 17], Refused("not a valid component")),
            Guest::ModuleNotComponent => it(&[19, 6], Refused("component")),
            Guest::TextNotBinary => it(&[19, 17], Refused("not a WebAssembly component")),
            Guest::Truncated => it(&[19, 17], Refused("out of bounds")),
            Guest::Nothing => it(&[19], Refused("is empty")),
            Guest::HookOfAnotherVersion => it(&[6, 19], Refused("hook")),
            Guest::HookOfAnotherType => it(&[6, 19], Refused("`authorizer.authorize` is of another type")),
            Guest::ClockIsCoarse => it(&[21], Served),
            Guest::ClockOfTheWallIsCoarse => it(&[21], Served),
        }
    }
}
