//! Makes an enum of the folder `guests`, so that a file without an expectation does not compile.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=guests");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let folder = fs::read_dir(Path::new(&root).join("guests")).expect("the folder of the guests");
    let paths = folder.map(|entry| entry.expect("an entry of the folder").path());
    let mut names: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "wat"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    let each = |make: &dyn Fn(&str, &str) -> String| -> String {
        names.iter().map(|name| make(name, &variant(name))).collect()
    };
    let text = format!(
        "/// A hostile or broken component: a file of `guests/`.\n\
         #[derive(Debug, Clone, Copy, PartialEq, Eq)]\npub enum Guest {{ {} }}\n\
         impl Guest {{\n\
         /// All of them, by name.\npub const ALL: &[Self] = &[{}];\n\
         /// The name of its file.\npub fn name(self) -> &'static str {{ match self {{ {} }} }}\n\
         /// Its text.\npub fn source(self) -> &'static str {{ match self {{ {} }} }}\n}}\n",
        each(&|name, variant| format!("/// `{name}.wat`\n{variant},\n")),
        each(&|_, variant| format!("Self::{variant},")),
        each(&|name, variant| format!("Self::{variant} => {name:?},")),
        each(&|name, variant| format!("Self::{variant} => include_str!({:?}),", format!("{root}/guests/{name}.wat"))),
    );
    let output = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&output).join("guests.rs"), text).expect("writing the enum");
}

/// `loop-in-log` as `LoopInLog`.
fn variant(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(word).collect()
}
