//! Any text as a Deforum settings file, and as a schedule of numbers and of texts, in both modes: no panic, and
//! what is reported lies within the text.

#![no_main]

use kinora::schedule::deforum::{Mode, ReadError, settings::Settings};
use kinora::timeline::deforum::{expand, expand_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let within = |found: Option<ReadError>| {
        if let Some(found) = found {
            assert!(found.span.end as usize <= text.len(), "{found:?}");
        }
    };
    within(Settings::read(text).err());
    for mode in [Mode::Compat, Mode::Lenient] {
        within(expand(text, 12, 7, mode).err());
        within(expand_text(text, 12, 7, mode).err());
    }
});
