//! Lines to the place that the operator chose: standard output or a file. Needs the grant `output`.

#[cfg(target_arch = "wasm32")]
use crate::bindings::gatehouse::plugin::output;
#[cfg(not(target_arch = "wasm32"))]
use crate::test::imports::output;

/// Hands over one line, without the line feed. Never waits: false when the place cannot keep up and the line was dropped.
pub fn write_line(line: &str) -> bool {
    output::write_line(line)
}
