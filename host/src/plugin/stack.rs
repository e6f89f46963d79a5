//! Where a guest was when it trapped: the functions by their names, the innermost first.

use wasmtime::WasmBacktrace;

/// The longest name that is shown.
const NAME: usize = 200;

/// Why a call ended, and the functions that it was in.
pub(super) fn told(error: &wasmtime::Error) -> (String, Vec<String>) {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return (format!("{error:#}"), Vec::new()) };
    let whole = trace.to_string();
    let causes = error.chain().map(ToString::to_string).filter(|cause| *cause != whole && !cause.contains(&whole));
    (causes.collect::<Vec<_>>().join(": "), frames(&whole))
}

/// wasmtime's text has a line for each function, `0: 0xb529 - module!name`, and where there is debug information, a line
/// below with `at file:line:column`, and two such lines, `- name` and `at`, for each function that it was put into.
fn frames(text: &str) -> Vec<String> {
    let mut frames: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if let (Some(place), Some(frame)) = (line.strip_prefix("at "), frames.last_mut()) {
            *frame += &format!(" ({place})");
        } else if let Some(inlined_into) = line.strip_prefix("- ") {
            frames.push(readable(inlined_into));
        } else if let Some((_, name)) = line.split_once(" - ") {
            frames.push(readable(name));
        }
    }
    frames
}

fn readable(name: &str) -> String {
    let name = name.split_once('!').map_or(name, |(_, name)| name);
    // Rust's older names end with a hash.
    let hash = |end: &str| end.len() == 17 && end[1..].bytes().all(|byte| byte.is_ascii_hexdigit());
    let name =
        name.rsplit_once("::").filter(|(_, end)| end.starts_with('h') && hash(end)).map_or(name, |(name, _)| name);
    let end = name.floor_char_boundary(NAME);
    if end < name.len() { format!("{}...", &name[..end]) } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_without_addresses_modules_and_hashes() {
        let text = "error while executing at wasm backtrace:\n    0:   0xb529 - probe.wasm!probe::act::h916995f05ba74f24\n\
                    \x20                    at ./src/lib.rs:3:7\n                - probe::outer\n\
                    \x20                    at ./src/lib.rs:9:1\n    1:  0x1b107 - <unknown>!gatehouse:plugin/authorizer@0.1.0#authorize\n";
        assert_eq!(
            frames(text),
            [
                "probe::act (./src/lib.rs:3:7)",
                "probe::outer (./src/lib.rs:9:1)",
                "gatehouse:plugin/authorizer@0.1.0#authorize"
            ]
        );
        assert_eq!(readable(&format!("m!{}", "x".repeat(300))).len(), NAME + 3);
    }
}
