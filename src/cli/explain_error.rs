//! `kinora explain-error`.

use std::fmt::Write as _;

use crate::cli::args::ExplainErrorArgs;
use crate::cli::print;
use crate::error::{Error, Result};
use crate::schedule::explain::{PAGES, Page, find};
use crate::schedule::names::did_you_mean;

/// Prints the page of a code, or the list of all.
pub(crate) fn run(args: &ExplainErrorArgs) -> Result<()> {
    let Some(code) = &args.code else {
        let mut list = String::new();
        for page in PAGES {
            let _ = writeln!(list, "{}  {}", page.code, page.title());
        }
        return print(&list);
    };
    match find(code) {
        Some(page) => print(&text(page)),
        None => Err(Error::Usage {
            message: format!("there is no error or warning `{code}`"),
            hint: Some(match did_you_mean(code, PAGES.iter().map(|page| page.code)) {
                Some(near) => near,
                None => "`kinora explain-error` alone lists all codes".to_owned(),
            }),
        }),
    }
}

/// A page for the terminal: the fences of its examples are replaced by an indent. The name of a file
/// stands above it, if the text does not say it there already for renderers of Markdown.
fn text(page: &Page) -> String {
    let mut out = format!("{}: {}\n", page.code, page.title());
    let mut in_example = false;
    for line in page.text.lines().skip(1) {
        if let Some(fence) = line.strip_prefix("```") {
            in_example = !in_example;
            if let Some((_, name)) = fence.split_once(' ')
                && !out.ends_with(&format!("`{name}`:\n\n"))
            {
                let _ = write!(out, "`{name}`:\n\n");
            }
        } else if let Some(heading) = line.strip_prefix("## ") {
            let _ = writeln!(out, "{heading}:");
        } else {
            let indent = if in_example && !line.is_empty() { "    " } else { "" };
            let _ = writeln!(out, "{indent}{line}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_stands_above_it() {
        let mut named = 0;
        for page in PAGES {
            let shown = text(page);
            for (at, _) in page.text.match_indices("\n```") {
                let mut lines = page.text[at + 4..].lines();
                let Some((_, name)) = lines.next().and_then(|fence| fence.split_once(' ')) else { continue };
                let first = lines.next().unwrap();
                let wanted = format!("\n`{name}`:\n\n    {first}\n");
                assert!(shown.contains(&wanted), "{} does not name {name}:\n{shown}", page.code);
                named += 1;
            }
        }
        assert!(named > 0, "no example has a name");
    }
}
