//! `use "file.kin"`: the statements of the named file take its place. A file is read once, where it is
//! first used; a film that would use itself is refused.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::diagnostic::Diagnostic;
use super::library::{Library, normal};
use super::names::{alternatives, nearest};
use super::parse::{self, MAX_BYTES};
use super::presets;
use super::source::Sources;
use super::span::Span;
use super::syntax::Item;

/// Files that use each other, one in the next.
const MAX_DEPTH: usize = 16;
/// Files of a film.
const MAX_FILES: usize = 256;
/// Bytes of all files of a film together.
const MAX_TOTAL: usize = 4 * MAX_BYTES;

/// A film with everything that it uses written out.
pub(super) struct Whole {
    /// Statements in order; none of those at the top is a `use`.
    pub items: Vec<Item>,
    /// The film's files, itself first.
    pub sources: Sources,
    /// The film's version line.
    pub version: Option<(u32, Span)>,
    /// Version lines of the files it uses.
    pub used_versions: Vec<(u32, Span)>,
    /// What is wrong with the texts.
    pub list: Vec<Diagnostic>,
}

/// The film `text`, called `name` in reports, in `folder`.
pub(super) fn whole(library: &dyn Library, folder: &Path, name: &str, text: &str) -> Whole {
    let (file, list) = parse::parse(0, text);
    let own = folder.join(Path::new(name).file_name().unwrap_or_default());
    let whole = Whole {
        items: Vec::new(),
        sources: Sources::one(name, text),
        version: file.version,
        used_versions: Vec::new(),
        list,
    };
    let mut expander = Expander {
        library,
        folder,
        shown: Path::new(name).parent().unwrap_or(Path::new("")),
        whole,
        open: vec![(library.identity(&own), Span::default())],
        used: BTreeMap::new(),
        total: text.len(),
    };
    expander.items(0, file.items);
    expander.whole
}

struct Expander<'a> {
    library: &'a dyn Library,
    /// The film's folder.
    folder: &'a Path,
    /// The film's folder as reports name it.
    shown: &'a Path,
    whole: Whole,
    /// The files that are being read, each with the statement that uses it.
    open: Vec<(PathBuf, Span)>,
    /// Where each file was first used.
    used: BTreeMap<PathBuf, Span>,
    total: usize,
}

/// A text that was found.
struct Found {
    text: String,
    /// Relative to the film's folder.
    path: PathBuf,
    /// The folder that its own paths are relative to.
    folder: PathBuf,
}

impl Expander<'_> {
    fn items(&mut self, source: u32, items: Vec<Item>) {
        for item in items {
            match item {
                Item::Use { span, file } => self.include(source, span, &file),
                other => self.whole.items.push(other),
            }
        }
    }

    fn include(&mut self, from: u32, span: Span, file: &str) {
        let span = self.name_span(span);
        match self.find(from, span, file) {
            Ok(Some((identity, found))) => self.enter(identity, found, span),
            Ok(None) => {}
            Err(wrong) => self.whole.list.push(*wrong),
        }
    }

    /// The file that `use` names; `None` when it was read before.
    fn find(
        &mut self,
        from: u32,
        span: Span,
        file: &str,
    ) -> Result<Option<(PathBuf, Found)>, Box<Diagnostic>> {
        if file.is_empty() {
            let found = Diagnostic::error("E61", "`use` takes the name of a file as plain text", span);
            return Err(Box::new(found.hint("for example `use \"look.kin\"`")));
        }
        let path = normal(&self.whole.sources.folder(from).join(file));
        let identity = self.library.identity(&self.folder.join(&path));
        if let Some(at) = self.open.iter().position(|(open, _)| *open == identity) {
            return Err(Box::new(self.cycle(at, span)));
        }
        if let Some(first) = self.used.get(&identity) {
            if first.source == from {
                let message = format!("`{file}` is used twice, the first time counts");
                let found = Diagnostic::warning("W60", message, span).also(*first, "first used here");
                self.whole.list.push(found);
            }
            return Ok(None);
        }
        self.within_limits(span)?;
        let found = self.read(path, file, span)?;
        self.total = self.total.saturating_add(found.text.len());
        if self.total > MAX_TOTAL {
            return Err(Box::new(limit(
                span,
                &format!("the files of a film have at most {} MiB", MAX_TOTAL >> 20),
            )));
        }
        Ok(Some((identity, found)))
    }

    fn within_limits(&self, span: Span) -> Result<(), Box<Diagnostic>> {
        if self.open.len() > MAX_DEPTH {
            return Err(Box::new(limit(span, &format!("at most {MAX_DEPTH} files use each other"))));
        }
        if self.whole.sources.files.len() >= MAX_FILES {
            return Err(Box::new(limit(span, &format!("a film is made of at most {MAX_FILES} files"))));
        }
        Ok(())
    }

    fn read(&self, path: PathBuf, file: &str, span: Span) -> Result<Found, Box<Diagnostic>> {
        let bytes = match self.library.read(&self.folder.join(&path), MAX_BYTES as u64) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return match presets::find(file) {
                    Some(preset) => {
                        let text = preset.text.to_owned();
                        Ok(Found { text, path: file.into(), folder: PathBuf::new() })
                    }
                    None => Err(Box::new(self.missing(&path, file, span))),
                };
            }
            Err(error) => {
                let message = format!("`{file}` cannot be read: {error}");
                return Err(Box::new(Diagnostic::error("E61", message, span)));
            }
        };
        if bytes.len() > MAX_BYTES {
            let message = format!("a film has at most {} MiB, this file has more", MAX_BYTES >> 20);
            return Err(Box::new(Diagnostic::error("E63", message, span)));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let message = format!("`{file}` is not UTF-8 text: found another byte at position {at}");
            Box::new(Diagnostic::error("E61", message, span).hint("save it as UTF-8"))
        })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Found { text, path, folder })
    }

    fn enter(&mut self, identity: PathBuf, found: Found, span: Span) {
        let source = self.whole.sources.files.len() as u32;
        let (file, mut list) = parse::parse(source, &found.text);
        let name = normal(&self.shown.join(&found.path)).display().to_string();
        self.whole.sources.add(name, found.text, found.folder);
        self.whole.list.append(&mut list);
        self.whole.used_versions.extend(file.version);
        self.used.insert(identity.clone(), span);
        self.open.push((identity, span));
        self.items(source, file.items);
        self.open.pop();
    }

    /// The quoted name within a `use` statement.
    fn name_span(&self, span: Span) -> Span {
        let quote = self.whole.sources.text(span).find(['"', '\'']).unwrap_or(0);
        Span { start: span.start + quote as u32, ..span }
    }

    /// The chain of files from the one that is used again back to it.
    fn cycle(&self, at: usize, span: Span) -> Diagnostic {
        let name = |source: u32| self.whole.sources.files.get(source as usize).map_or("", |(name, _)| name);
        // A file that is open was entered from the file in which its `use` stands; the last is at hand.
        let statements = self.open[at + 1..].iter().map(|(_, span)| *span).chain([span]);
        let mut chain: Vec<&str> = statements.clone().map(|span| name(span.source)).collect();
        chain.extend(chain.first().copied());
        let message = format!("this file uses itself: {}", chain.join(" -> "));
        let earlier = statements.filter(|statement| *statement != span);
        let found = earlier.fold(Diagnostic::error("E62", message, span), |found, statement| {
            found.also(statement, "used here")
        });
        found.hint("move what both need into a file of its own")
    }

    fn missing(&self, path: &Path, file: &str, span: Span) -> Diagnostic {
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut names = self.library.names(&self.folder.join(folder));
        names.retain(|name| name.ends_with(".kin"));
        let (written, wanted) = file.rsplit_once('/').map_or(("", file), |(folder, name)| (folder, name));
        let prefix = if written.is_empty() { String::new() } else { format!("{written}/") };
        let mut known: Vec<String> = names.iter().map(|name| format!("{prefix}{name}")).collect();
        let built_in = presets::all().map(|preset| preset.name.to_owned());
        known.extend(built_in.filter(|name| !names.iter().any(|own| format!("{prefix}{own}") == *name)));
        let found = Diagnostic::error("E60", format!("there is no file `{file}`"), span);
        // The name alone is compared, so that a long folder does not make everything in it look near.
        let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let near = nearest(wanted, known.iter().map(|name| &name[name.len() - last(name).len()..]));
        let near: Vec<&String> = known.iter().filter(|name| near.contains(&&*last(name))).collect();
        if !near.is_empty() {
            return found.label(format!("did you mean {}?", alternatives(&near)));
        }
        known.retain(|name| name.starts_with(&prefix) && (!prefix.is_empty() || names.contains(name)));
        known.truncate(12);
        if known.is_empty() {
            return found.hint(
                "its name is relative to the file that uses it; `kinora presets` lists what is built in",
            );
        }
        found.hint(format!("there is {}", alternatives(&known)))
    }
}

fn limit(span: Span, rule: &str) -> Diagnostic {
    Diagnostic::error("E63", rule, span).hint("put the statements of several files into one")
}
