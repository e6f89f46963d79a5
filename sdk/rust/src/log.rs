//! The gateway's log: `warn!("{key} is unknown")`.

#[cfg(target_arch = "wasm32")]
use crate::bindings::gatehouse::plugin::log;
#[cfg(not(target_arch = "wasm32"))]
use crate::test::imports::log;

pub use crate::bindings::gatehouse::plugin::log::Level;

/// Whether lines of this level are written.
pub fn enabled(level: Level) -> bool {
    log::enabled(level)
}

/// Writes a line. It carries the plugin's name and the request's id. Lines past the plugin's rate limit are dropped and
/// counted; a message is cut after 8 KiB.
pub fn write(level: Level, message: &str) {
    log::write(level, message);
}

/// Writes a line of a level; the message is not made when nobody wants it.
#[doc(hidden)]
#[macro_export]
macro_rules! log_line {
    ($level:ident, $($message:tt)+) => {
        if $crate::log::enabled($crate::log::Level::$level) {
            $crate::log::write($crate::log::Level::$level, &::std::format!($($message)+));
        }
    };
}

/// Logs something that goes wrong.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::log_line!(Error, $($message)+) };
}

/// Logs something that deserves a look.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log_line!(Warn, $($message)+) };
}

/// Logs what an operator may want to know.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log_line!(Info, $($message)+) };
}

/// Logs what helps to find a mistake.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log_line!(Debug, $($message)+) };
}

/// Logs every step.
#[macro_export]
macro_rules! trace {
    ($($message:tt)+) => { $crate::log_line!(Trace, $($message)+) };
}
