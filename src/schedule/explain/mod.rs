//! What each error and warning means, for `kinora explain-error`.
//!
//! A page is the file `CODE.md` beside this one, and its code in the list below. Its first line is
//! `# ` and the title; text says what the code means; under `## Wrong` a film shows it, under `## Right`
//! stands the same film put right, each in a fence ` ```kin `. A test runs both: the first has that code and
//! no other, the second has nothing wrong. Files that they need stand in fences that name them,
//! ` ```kin presets/push.kin `; the sounds `beat.wav` and `silence.wav` are there. Films that are read as Deforum
//! reads them stand in fences ` ```kin --compat deforum `. Codes that no film can show have examples in other fences.

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// `E21`
    pub code: &'static str,
    /// Markdown.
    pub text: &'static str,
}

impl Page {
    /// The first line without its `# `.
    pub fn title(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }
}

/// The page of `code`; letter case does not matter.
pub fn find(code: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.code.eq_ignore_ascii_case(code.trim()))
}

macro_rules! pages {
    ($($code:ident)*) => {
        &[$(Page { code: stringify!($code), text: include_str!(concat!(stringify!($code), ".md")) }),*]
    };
}

/// Every page, errors first.
pub static PAGES: &[Page] = pages! {
    E01 E02 E03 E04 E05 E06 E07 E09
    E11 E12 E13 E14 E15
    E21 E22 E23 E24 E25 E26 E27 E28
    E31 E32 E33 E34 E35 E36
    E40 E41 E42 E43 E44 E45 E46 E47 E48
    E51 E52 E53 E54 E55 E56 E57 E58 E59
    E60 E61 E62 E63 E64 E65 E66 E67 E68 E69
    E70 E71 E72 E73 E74
    E80 E81 E82 E83
    E91 E92 E93 E96 E97
    W01 W02 W03 W04 W05 W06
    W15 W20
    W30 W31 W32 W33 W34 W35
    W40 W41 W45
    W60 W61
    W81 W82 W83
};
