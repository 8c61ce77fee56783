//! Any text through the parser and the formatter: no panic, no place outside of the text, and what was
//! formatted reads as the same film and is formatted already.

#![no_main]

use kinora::schedule::format::{format, without_places};
use kinora::schedule::parse::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (tree, errors) = parse(0, text);
    assert!(errors.iter().all(|found| found.span.end as usize <= text.len()));
    match format("film.kin", text) {
        Ok(once) => {
            assert_eq!(without_places(&parse(0, &once).0), without_places(&tree));
            assert_eq!(format("film.kin", &once).ok().as_deref(), Some(once.as_str()));
        }
        Err(error) => assert_eq!(error.exit_code(), 1, "{error}"),
    }
});
