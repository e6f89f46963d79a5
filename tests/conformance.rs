//! The contract in every language: the same cases, run through a real gateway against the same plugin written in each
//! (`tests/guests/conformance-LANGUAGE`). What comes out is the table of docs/languages.md.

mod cases;
mod subject;

use std::{fs, path::Path};

use cases::CASES;
use subject::Subject;

/// The subject in each language with an SDK.
const SUBJECTS: [&str; 6] = [
    "conformance-rust",
    "conformance-javascript",
    "conformance-typescript",
    "conformance-c",
    "conformance-go",
    "conformance-python",
];

/// The table is between these lines of the document.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/languages.md");
const BEGIN: &str = "<!-- made by tests/conformance.rs -->\n";
const END: &str = "<!-- end of what is made -->\n";

#[test]
fn every_language_passes_every_case_and_the_table_in_the_docs_says_so() {
    let mut rows: Vec<String> = CASES.iter().map(|case| format!("| {} |", case.name)).collect();
    let mut failures = Vec::new();
    let languages = SUBJECTS.map(|subject| subject.trim_start_matches("conformance-"));
    for (language, subject) in languages.into_iter().zip(SUBJECTS) {
        let subject = Subject::start(subject);
        for (case, row) in CASES.iter().zip(&mut rows) {
            let result = case.run(&subject);
            *row += if result.is_ok() { " yes |" } else { " no |" };
            failures.extend(result.err().map(|why| format!("{language}: {}: {why}", case.name)));
        }
    }
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
    let head = format!("| case | {} |\n|---|{}\n", languages.join(" | "), "---|".repeat(languages.len()));
    compare(Path::new(DOCUMENT), &format!("{head}{}\n", rows.join("\n")));
}

/// The table of a document is the one that was made; `GATEHOUSE_BLESS` writes it.
fn compare(document: &Path, table: &str) {
    let text = fs::read_to_string(document).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (old, after) = rest.split_once(END).unwrap();
    if std::env::var_os("GATEHOUSE_BLESS").is_some() {
        fs::write(document, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(old, table, "docs/languages.md is of before: GATEHOUSE_BLESS=1 writes it");
    }
}
