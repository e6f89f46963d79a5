//! Names for tables: valid, and each once.

use std::collections::HashSet;

/// The longest name of a table.
const LONGEST: usize = 64;

/// The names that are taken.
#[derive(Default)]
pub(super) struct Names(HashSet<(&'static str, String)>);

impl Names {
    /// A name like a text that no other table of its kind has.
    pub(super) fn unique(&mut self, kind: &'static str, like: &str) -> String {
        let name = sound(like);
        let mut number = 1;
        loop {
            let tried = match number {
                1 => name.clone(),
                _ => {
                    let end = format!("-{number}");
                    format!("{}{end}", &name[..name.len().min(LONGEST - end.len())])
                }
            };
            if self.0.insert((kind, tried.clone())) {
                return tried;
            }
            number += 1;
        }
    }
}

/// Letters, digits, `-` and `_`: what is between others becomes one `-`.
fn sound(like: &str) -> String {
    let mut name = String::new();
    for c in like.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == '_' => name.push(c),
            _ if name.ends_with('-') || name.is_empty() => {}
            _ => name.push('-'),
        }
    }
    name.truncate(LONGEST);
    let name = name.trim_end_matches('-');
    if name.is_empty() { "unnamed".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn names_are_valid_and_unique() {
        let mut names = Names::default();
        for (like, expected) in [
            ("listPets", "listPets"),
            ("listPets", "listPets-2"),
            ("GET /pets/{id}", "GET-pets-id"),
            ("get pets id!", "get-pets-id"),
            ("\u{e9}", "unnamed"),
            ("", "unnamed-2"),
        ] {
            assert_eq!(names.unique("routes", like), expected);
        }
        let long = "a".repeat(100);
        assert_eq!(names.unique("routes", &long).len(), 64);
        assert!(names.unique("routes", &long).ends_with("aa-2"));
        assert_eq!(names.unique("cors", "listPets"), "listPets");
    }
}
