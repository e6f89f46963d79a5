//! The form of JUnit's Ant task, as collectors of test results read it.

use std::io;

use quick_xml::{Writer, events::BytesText};

use super::Report;

pub(super) fn write(report: &Report) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let file = report.file.display().to_string();
    let (all, failed) = (report.cases.len().to_string(), report.failed().to_string());
    writer
        .create_element("testsuite")
        .with_attributes([("name", file.as_str()), ("tests", &all), ("failures", &failed)])
        .write_inner_content(|writer| {
            for case in &report.cases {
                let time = format!("{:.6}", case.time.as_secs_f64());
                let element = writer.create_element("testcase");
                let element = element.with_attributes([("name", case.name.as_str()), ("time", &time)]);
                match &case.wrong {
                    None => element.write_empty()?,
                    Some(why) => element.write_inner_content(|writer| {
                        let failure = writer.create_element("failure").with_attribute(("message", "not as expected"));
                        failure.write_text_content(BytesText::new(why)).map(drop)
                    })?,
                };
            }
            Ok(())
        })?;
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::command::report::Line;

    #[test]
    fn names_and_reasons_are_escaped() {
        let line = |name: &str, wrong: Option<&str>| Line {
            name: name.to_owned(),
            time: Duration::from_millis(2),
            wrong: wrong.map(ToOwned::to_owned),
        };
        let report = Report { file: "a.toml".into(), cases: vec![line("1 < 2", None), line("b", Some("<\"&\""))] };
        let text = String::from_utf8(write(&report).expect("written")).expect("text");
        assert!(text.starts_with("<testsuite name=\"a.toml\" tests=\"2\" failures=\"1\">"), "{text}");
        assert!(text.contains("<testcase name=\"1 &lt; 2\" time=\"0.002000\"/>"), "{text}");
        assert!(text.contains("&lt;") && text.contains("&amp;") && !text.contains("<\""), "{text}");
    }
}
