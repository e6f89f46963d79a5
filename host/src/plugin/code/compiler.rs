//! Compiling, in a process of its own: a component that is made to need hours or all memory ends that process, and the
//! gateway serves on.
//!
//! The gateway starts its own program again, as `gatehouse compile`, writes the component to its input and reads the
//! code from its output. The process bounds itself before it reads a byte. Only the program does so; a library, such as
//! the tests of the parts, has no such program, and compiles by itself.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, Signal};
use wasmtime::Engine;

use super::LARGEST;
use crate::{config::Compile, plugin::engine};

/// What the program is told to be the compiler.
pub const COMMAND: &str = "compile";

/// How the system's scheduler sees it: whatever serves comes first.
const NICE: i32 = 10;

/// The most of its messages that is read.
const LONGEST_MESSAGE: u64 = 4 << 10;

static IN_CHILD: AtomicBool = AtomicBool::new(false);

/// From here on components are compiled by child processes: this program understands [`COMMAND`].
pub fn use_child_processes() {
    IN_CHILD.store(true, Ordering::Relaxed);
}

/// Code for a component. An error is what to say of its file.
pub(super) fn compile(engine: &Engine, component: &[u8], limits: &Compile) -> Result<Vec<u8>, String> {
    if IN_CHILD.load(Ordering::Relaxed) {
        return in_child(component, limits);
    }
    engine.precompile_component(component).map_err(|error| invalid(&format!("{error:#}")))
}

fn invalid(why: &str) -> String {
    format!("is not a valid component: {why}")
}

fn in_child(component: &[u8], limits: &Compile) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| format!("cannot be compiled: {error}");
    // Of this very program, also when another version has taken its place on disk.
    let mut child = Command::new("/proc/self/exe")
        .arg0("gatehouse")
        .args([COMMAND, &seconds(limits).to_string(), &limits.memory.to_string()])
        .args(engine::reads_debug_info().then_some("--debug-info"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let (input, output, messages) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut input), Some(mut output), Some(messages)) = (input, output, messages) else {
        unreachable!("all three were asked for")
    };
    let (mut code, mut said) = (Vec::new(), Vec::new());
    let read = thread::scope(|scope| {
        // It stops reading when it ends early: its status says why.
        scope.spawn(move || drop(input.write_all(component)));
        scope.spawn(|| drop(messages.take(LONGEST_MESSAGE).read_to_end(&mut said)));
        output.read_to_end(&mut code)
    });
    let status = child.wait().map_err(failed)?;
    read.map_err(failed)?;
    match status.success() {
        true => Ok(code),
        false => Err(explained(status, String::from_utf8_lossy(&said).trim(), limits)),
    }
}

/// The system counts whole ones.
fn seconds(limits: &Compile) -> u64 {
    limits.cpu.as_millis().div_ceil(1000) as u64
}

fn explained(status: ExitStatus, said: &str, limits: &Compile) -> String {
    match status.signal() {
        None => invalid(said),
        Some(signal) if signal == Signal::XCPU.as_raw() => {
            format!("takes more than {} s of CPU time to compile (`server.compile_cpu`)", seconds(limits))
        }
        _ if said.contains("memory allocation") || said.contains("Cannot allocate memory") => {
            format!("needs more than {} bytes of memory to compile (`server.compile_memory`)", limits.memory)
        }
        Some(signal) => format!("ended the compiler with signal {signal}: {said}"),
    }
}

/// What `gatehouse compile` does: a component from the standard input to code on the standard output.
pub fn serve(cpu: Duration, memory: u64) -> Result<(), String> {
    let failed = |error: rustix::io::Errno| format!("the compiler cannot be bounded: {error}");
    bound(cpu, memory).map_err(failed)?;
    let mut component = Vec::new();
    io::stdin().take(LARGEST + 1).read_to_end(&mut component).map_err(|error| error.to_string())?;
    let engine = Engine::new(&engine::config()).map_err(|error| format!("{error:#}"))?;
    let code = engine.precompile_component(&component).map_err(|error| format!("{error:#}"))?;
    io::stdout().write_all(&code).map_err(|error| error.to_string())
}

fn bound(cpu: Duration, memory: u64) -> rustix::io::Result<()> {
    let most = |current, maximum| Rlimit { current: Some(current), maximum: Some(maximum) };
    rustix::process::setrlimit(Resource::Cpu, most(cpu.as_secs(), cpu.as_secs() + 1))?;
    // Not the address space: an engine reserves far more than it ever touches.
    rustix::process::setrlimit(Resource::Data, most(memory, memory))?;
    rustix::process::setrlimit(Resource::Core, most(0, 0))?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::process::nice(NICE).map(drop)
}
