//! `cargo xtask tls`: what a scanner says of our TLS. sslyze holds the listener of `examples/tls` against Mozilla's
//! "intermediate" configuration: versions, ciphers, curves, resumption, and the attacks it knows.

use std::{fs, path::Path, path::PathBuf, process::Stdio};

use anyhow::{Result, bail};

use crate::{
    demo,
    guests::{self, Way},
    pip, process,
};

/// The scanner with its version: a later one may ask for something else.
const PACKAGE: &str = "sslyze==6.3.1";

/// An environment of its own.
const FOLDER: &str = "target/sslyze";

/// The listener with TLS, by a name that its certificate is for.
const SERVER: &str = "localhost:8443";

pub(crate) fn run() -> Result<()> {
    guests::build(Way::Auto)?;
    demo::build(&["gatehouse"])?;
    check()
}

/// Scans the gateway, which must have been built.
pub(crate) fn check() -> Result<()> {
    let sslyze = install()?;
    let example = Path::new("examples/tls");
    demo::prepare(example)?;
    let gateway = demo::start(example, Stdio::null())?;
    let output = process::command(sslyze).args(["--mozilla_config=intermediate", SERVER]).output()?;
    let report = String::from_utf8_lossy(&output.stdout);
    if !gateway.stop(demo::STOP_LIMIT) {
        bail!("the gateway did not end with exit 0 after SIGTERM");
    }
    match findings(&report) {
        Some(findings) if findings.is_empty() => println!("{SERVER} complies with Mozilla's \"intermediate\""),
        _ => bail!("not compliant:\n{report}"),
    }
    Ok(())
}

/// What does not comply; none if the report does not say. Who issued the certificate is left out: the example's authority
/// is its own, which is in no trust store.
fn findings(report: &str) -> Option<Vec<&str>> {
    let (_, compliance) = report.split_once("COMPLIANCE AGAINST")?;
    let (_, verdict) = compliance.split_once(&format!("{SERVER}: "))?;
    let found = verdict.lines().filter_map(|line| line.trim().strip_prefix("* "));
    let known = verdict.starts_with("OK - Compliant") || verdict.starts_with("FAILED - Not compliant");
    known.then(|| found.filter(|finding| !finding.starts_with("certificate_path_validation:")).collect())
}

fn install() -> Result<PathBuf> {
    let folder = Path::new(FOLDER);
    let done = folder.join(PACKAGE);
    if !done.exists() {
        pip::install(folder, PACKAGE, &["--prefer-binary"], "scanning TLS")?;
        fs::write(&done, "")?;
    }
    Ok(std::path::absolute(folder.join("bin/sslyze"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_and_one_that_says_nothing_is_no_success() {
        let report = |verdict: &str| format!("x\n COMPLIANCE AGAINST TLS CONFIGURATION\n\n    {SERVER}: {verdict}\n");
        assert_eq!(findings(&report("OK - Compliant.")), Some(Vec::new()));
        let path = "FAILED - Not compliant.\n        * certificate_path_validation: of CN=localhost";
        assert_eq!(findings(&report(path)), Some(Vec::new()));
        assert_eq!(findings(&report(&format!("{path}\n        * ciphers: x"))), Some(vec!["ciphers: x"]));
        assert_eq!(findings(&report("ERROR - Scan did not run successfully")), None);
        assert_eq!(findings("nothing"), None);
    }
}
