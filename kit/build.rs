//! Puts the contract, the SDKs and the templates into the library, as lists of files: a plugin is made and built outside
//! this repository too.

use std::{env, fmt::Write as _, fs, path::Path};

/// Folders of the repository, and the name of the list that holds each.
const FOLDERS: [(&str, &str); 7] = [
    ("wit", "WIT"),
    ("sdk/rust", "SDK_RUST"),
    ("sdk/js", "SDK_JS"),
    ("sdk/c", "SDK_C"),
    ("sdk/go", "SDK_GO"),
    ("sdk/python/gatehouse", "SDK_PYTHON"),
    ("kit/templates", "TEMPLATES"),
];

/// What tools leave behind in a folder, and the SDKs' own tests.
const NOT: [&str; 8] = ["node_modules", "target", "build", "dist", "tests", "test", "package-lock.json", "__pycache__"];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut lists = String::new();
    for (folder, name) in FOLDERS {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        let mut files = Vec::new();
        collect(&root.join(folder), "", &mut files);
        files.sort();
        let _ = writeln!(
            lists,
            "/// The files of `{folder}`, by their paths in it.\npub(crate) static {name}: &[(&str, &str)] = &["
        );
        for file in files {
            let place = root.join(folder).join(&file);
            let _ = writeln!(lists, "    ({file:?}, include_str!({:?})),", place.display().to_string());
        }
        lists += "];\n";
    }
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("embedded.rs"), lists).expect("cargo's folder is writable");
}

/// All files below, but for hidden ones and those that tools made.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        // The SDK for Rust keeps its doubles in `src/test`.
        let leave_out = NOT.contains(&name.as_str()) && !path.starts_with("src/") && !prefix.contains("/src/");
        match entry.file_type() {
            // A link stands for what is another list.
            Ok(kind) if name.starts_with('.') || leave_out || kind.is_symlink() => {}
            Ok(kind) if kind.is_dir() => collect(&entry.path(), &format!("{path}/"), files),
            _ => files.push(path),
        }
    }
}
