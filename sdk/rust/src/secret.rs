//! Comparing secrets.

/// Whether two secrets are the same, in a time that does not tell where they differ. Never when they are empty: an absent
/// header must not match a key that someone forgot to configure.
pub fn same_secret(a: &str, b: &str) -> bool {
    let differences = a.bytes().zip(b.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    !a.is_empty() && a.len() == b.len() && std::hint::black_box(differences) == 0
}
