//! Files of plugins that are cut, changed, half written, of another kind or gone: the old plugin serves on, and what is
//! wrong is told with the name of the file.

mod bytes;
mod files;
mod writing;

use std::{fs, path::Path};

/// A route `/x` through the probe, and one without.
fn probing(component: &Path, tag: &str) -> String {
    let folder = component.parent().unwrap().join("code");
    format!(
        "[server]\nworkers = 1\ncode_cache = {folder:?}\n[plugins.p]\ncomponent = {component:?}\n\
         config = {{ on_response = {{ set_headers = {{ x-a = \"{tag}\" }} }} }}\n\
         [routes.x]\npath = \"/x\"\nupstream = \"up\"\nplugins = [\"p\"]\n[routes.free]\nupstream = \"up\"\n"
    )
}

/// Two interfaces of ours that do nothing, compiled in no time.
fn small(exports: [&str; 2]) -> Vec<u8> {
    let export = |name: &str, number: usize| {
        format!("(instance $i{number} (export \"log\" (func $log))) (export \"{name}\" (instance $i{number}))")
    };
    let [first, second] = [export(exports[0], 0), export(exports[1], 1)];
    let text = format!(
        r#"(component
          (core module $code (memory (export "memory") 1) (func (export "log") (result i32) (i32.const 64)))
          (core instance $it (instantiate $code))
          (func $log (result (result (error string)))
            (canon lift (core func $it "log") (memory (core memory $it "memory"))))
          {first} {second})"#
    );
    wat::parse_str(text).unwrap()
}

/// Moves bytes into the place of a file.
fn replace(file: &Path, bytes: &[u8]) {
    fs::write(file.with_extension("new"), bytes).unwrap();
    fs::rename(file.with_extension("new"), file).unwrap();
}
