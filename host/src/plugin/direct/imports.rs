//! What a guest imports, as functions of its core module: the same host functions as a component gets (`state.rs`), with
//! their values taken from and put into its memory here.

use wasmtime::{AsContextMut as _, Caller, Linker, Result, Trap, WasmTy};
use wasmtime_wasi::clocks::HostWallClock as _;

use super::{
    Guest,
    layout::{Put, Reader, Value, Writer, aligned, put_bytes},
    shape::Import,
};
use crate::plugin::{
    bindings::gatehouse::plugin::{
        attributes,
        log::{Host as _, Level},
        outcome,
        output::Host as _,
        request, response,
    },
    state::{State, Text},
};

/// Gives a module one of its imports; None: not by this way.
pub(super) fn define(linker: &mut Linker<State>, import: &Import) -> Option<()> {
    let Import { module, name, interface, function } = import;
    let linker = &mut To { linker, module, name };
    let (interface, version) = interface.split_once('@')?;
    match (interface, version) {
        ("gatehouse:plugin/request", "0.1.0") => request(linker, function),
        ("gatehouse:plugin/response", "0.1.0") => response(linker, function),
        ("gatehouse:plugin/attributes", "0.1.0") => attributes(linker, function),
        ("gatehouse:plugin/outcome", "0.1.0") => outcome(linker, function),
        ("gatehouse:plugin/log", "0.1.0") => log(linker, function),
        ("gatehouse:plugin/output", "0.1.0") => output(linker, function),
        ("wasi:clocks/wall-clock", _) if version.starts_with("0.2.") => wall_clock(linker, function),
        _ => None,
    }
}

fn request(to: &mut To<'_>, function: &str) -> Option<()> {
    use request::Host;
    match function {
        "method" => to.read(Host::method),
        "path" => to.read(Host::path),
        "query" => to.read(Host::query),
        "query-param" => to.read_named(|state, name| state.query_param(name.to_owned())),
        "query-params" => to.read_named(|state, name| state.query_params(name.to_owned())),
        "path-param" => to.read_named(|state, name| state.path_param(name.to_owned())),
        "scheme" => to.read(Host::scheme),
        "authority" => to.read(Host::authority),
        "protocol" => to.read(Host::protocol),
        "header" => to.read_named(State::request_header),
        "header-values" => to.read_named(|state, name| Host::header_values(state, name.to_owned())),
        "headers" => to.read(Host::headers),
        "cookie" => to.read_named(|state, name| state.cookie(name.to_owned())),
        "client-ip" => to.read(Host::client_ip),
        "route" => to.read(Host::route),
        "id" => to.read(Host::id),
        _ => None,
    }
}

fn response(to: &mut To<'_>, function: &str) -> Option<()> {
    use response::Host;
    match function {
        "status" => to.scalar(|state| Ok(u32::from(Host::status(state)?))),
        "header" => to.read_named(State::response_header),
        "header-values" => to.read_named(|state, name| Host::header_values(state, name.to_owned())),
        "headers" => to.read(Host::headers),
        _ => None,
    }
}

fn attributes(to: &mut To<'_>, function: &str) -> Option<()> {
    use attributes::Host;
    match function {
        "get" => to.read_named(|state, name| state.get(name.to_owned())),
        "all" => to.read(Host::all),
        _ => None,
    }
}

fn outcome(to: &mut To<'_>, function: &str) -> Option<()> {
    use outcome::Host;
    match function {
        "started" => to.scalar(Host::started),
        "duration" => to.scalar(Host::duration),
        "upstream-duration" => to.read(Host::upstream_duration),
        "request-bytes" => to.scalar(Host::request_bytes),
        "response-bytes" => to.scalar(Host::response_bytes),
        "verdict" => to.read(Host::verdict),
        "verdict-cached" => to.scalar(|state| Ok(u32::from(Host::verdict_cached(state)?))),
        "failure" => to.read(Host::failure),
        _ => None,
    }
}

fn log(to: &mut To<'_>, function: &str) -> Option<()> {
    match function {
        "enabled" => to.define(|mut caller: Caller<'_, State>, level: u32| {
            let state = leaving(&mut caller)?;
            Ok(u32::from(state.enabled(self::level(level)?)?))
        }),
        "write" => to.define(|mut caller: Caller<'_, State>, level: u32, at: u32, length: u32| {
            let level = self::level(level)?;
            with_text(&mut caller, at, length, |state, message| state.write(level, message.to_owned()))
        }),
        _ => None,
    }
}

fn output(to: &mut To<'_>, function: &str) -> Option<()> {
    match function {
        "write-line" => to.define(|mut caller: Caller<'_, State>, at: u32, length: u32| {
            with_text(&mut caller, at, length, |state, line| Ok(u32::from(state.write_line(line.to_owned())?)))
        }),
        _ => None,
    }
}

fn wall_clock(to: &mut To<'_>, function: &str) -> Option<()> {
    match function {
        "now" => to.read(|state| Ok(Datetime::from(state.wall_clock().now()))),
        "resolution" => to.read(|state| Ok(Datetime::from(state.wall_clock().resolution()))),
        _ => None,
    }
}

impl Value for Text {
    const SIZE: usize = String::SIZE;
    const ALIGN: usize = String::ALIGN;
}

impl Put for Text {
    fn put(&self, to: &mut impl Writer, at: usize) -> Result<()> {
        put_bytes(self.as_bytes(), to, at)
    }
}

/// `wasi:clocks/wall-clock.datetime`.
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

impl From<std::time::Duration> for Datetime {
    fn from(since: std::time::Duration) -> Self {
        Self { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() }
    }
}

impl Value for Datetime {
    const SIZE: usize = 16;
    const ALIGN: usize = 8;
}

impl Put for Datetime {
    fn put(&self, to: &mut impl Writer, at: usize) -> Result<()> {
        self.seconds.put(to, at)?;
        self.nanoseconds.put(to, at + u64::SIZE)
    }
}

/// `gatehouse:plugin/log.level`.
fn level(number: u32) -> Result<Level> {
    let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];
    let level = levels.get(number as usize);
    level.copied().ok_or_else(|| wasmtime::Error::msg(format!("the case {number} of an enum that has no such case")))
}

/// One import of a module.
struct To<'a> {
    linker: &'a mut Linker<State>,
    module: &'a str,
    name: &'a str,
}

impl To<'_> {
    fn define<P, R>(&mut self, function: impl wasmtime::IntoFunc<State, P, R>) -> Option<()> {
        self.linker.func_wrap(self.module, self.name, function).ok().map(drop)
    }

    /// A function without parameters whose result is a number.
    fn scalar<R: WasmTy + 'static>(&mut self, read: fn(&mut State) -> Result<R>) -> Option<()>
    where
        Result<R>: wasmtime::WasmRet,
    {
        self.define(move |mut caller: Caller<'_, State>| read(leaving(&mut caller)?))
    }

    /// A function without parameters whose result is put where the guest says.
    fn read<R: Put + 'static>(&mut self, read: fn(&mut State) -> Result<R>) -> Option<()> {
        self.define(move |mut caller: Caller<'_, State>, result: u32| {
            let value = read(leaving(&mut caller)?)?;
            give(&mut caller, &value, result)
        })
    }

    /// As `read`, with a name.
    fn read_named<R: Put + 'static>(&mut self, read: fn(&mut State, &str) -> Result<R>) -> Option<()> {
        self.define(move |mut caller: Caller<'_, State>, at: u32, length: u32, result: u32| {
            let value = with_text(&mut caller, at, length, read)?;
            give(&mut caller, &value, result)
        })
    }
}

/// The host's side, for a guest that calls it; not from its `realloc` or its `post-return`.
fn leaving<'a>(caller: &'a mut Caller<'_, State>) -> Result<&'a mut State> {
    let state = caller.data_mut();
    match state.sides {
        Some(_) => Ok(state),
        None => Err(Trap::CannotLeaveComponent.into()),
    }
}

/// Does something with a text that a guest hands over, as it lies in its memory.
fn with_text<T>(
    caller: &mut Caller<'_, State>,
    at: u32,
    length: u32,
    take: impl FnOnce(&mut State, &str) -> Result<T>,
) -> Result<T> {
    let memory = match &caller.data().sides {
        Some(sides) => sides.memory,
        None => return Err(Trap::CannotLeaveComponent.into()),
    };
    let (memory, state) = memory.data_and_store_mut(&mut *caller);
    take(state, Reader::new(memory, state.shared.most_handed_over()).text(at, length)?)
}

/// Puts a value where the guest says.
fn give<T: Put>(caller: &mut Caller<'_, State>, value: &T, at: u32) -> Result<()> {
    Guest::with(caller.as_context_mut(), |guest| {
        let at = aligned(at, T::ALIGN)?;
        guest.holds(at, T::SIZE)?;
        value.put(guest, at)
    })
}
