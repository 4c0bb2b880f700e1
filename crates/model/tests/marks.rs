//! Marks and the handler tests that they name.

use althing_model::mark::Mark;

/// Broken: the name of the test that hits a mark would be a dead letter.
#[test]
fn the_tests_that_marks_name_speak_of_them() {
    for mark in Mark::ALL {
        let (file, test) = mark.test();
        let path = format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"));
        let source = std::fs::read_to_string(&path).expect("the file that a mark names");
        let begins = source.find(&format!("fn {test}()")).unwrap_or_else(|| {
            panic!("{}: no test {test} in {file}", mark.name());
        });
        let body = &source[begins..];
        let body = &body[..body.find("#[test]").unwrap_or(body.len())];
        assert!(
            body.contains(&format!("Mark::{mark:?}")),
            "{test} in {file} does not speak of {mark:?}"
        );
    }
}
