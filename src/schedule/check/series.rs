//! `series("file.csv", column="x")`: the file is read, once, and the values take the call's place.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::schedule::diagnostic::Diagnostic;
use crate::schedule::expr::{Arg, BinaryOp, Expr, ExprKind};
use crate::schedule::film::FileRef;
use crate::schedule::library::{Library, normal};
use crate::schedule::names::did_you_mean;
use crate::schedule::series::{ARGUMENTS, Base, Between, Column, MAX_BYTES, Series, column};
use crate::schedule::source::Sources;
use crate::schedule::span::Span;

/// How the call is written.
const SIGNATURE: &str = "write `series(\"file.csv\", column=\"name\", rate=24, interpolate=linear)`";

/// What a call asks for, apart from the moment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    file: PathBuf,
    column: Option<Column>,
    time: Option<Column>,
    /// The bits of the rate.
    rate: Option<u64>,
    between: Between,
}

/// Reads files of numbers and keeps them.
pub(super) struct Loader {
    library: Rc<dyn Library>,
    folder: PathBuf,
    /// Of each source, relative to the film's.
    folders: Vec<PathBuf>,
    texts: RefCell<BTreeMap<PathBuf, Result<Rc<str>, String>>>,
    series: RefCell<BTreeMap<Key, Result<Arc<Series>, String>>>,
    files: RefCell<Vec<FileRef>>,
}

/// A value of an argument, with its place.
type Given<'a> = BTreeMap<&'static str, &'a Expr>;

impl Loader {
    pub fn new(library: Rc<dyn Library>, folder: &Path, sources: &Sources) -> Rc<Self> {
        let folders = (0..sources.files.len()).map(|at| sources.folder(at as u32).to_owned()).collect();
        Rc::new(Self {
            library,
            folder: folder.to_owned(),
            folders,
            texts: RefCell::default(),
            series: RefCell::default(),
            files: RefCell::default(),
        })
    }

    /// The files that were read.
    pub fn files(&self) -> Vec<FileRef> {
        self.files.borrow().clone()
    }

    /// The values that a call of `series` asks for, and the argument `at`.
    ///
    /// # Errors
    /// What is wrong with the call or the file.
    pub fn call<'a>(
        &self,
        name_span: Span,
        args: &'a [Arg],
    ) -> Result<(Arc<Series>, Option<&'a Expr>), Box<Diagnostic>> {
        let given = given(name_span, args)?;
        let file = given
            .get("file")
            .copied()
            .ok_or_else(|| wrong("`series` needs its argument `file`", name_span).hint(SIGNATURE))?;
        let name = file.literal_text().filter(|name| !name.is_empty());
        let name =
            name.ok_or_else(|| Box::new(wrong("`file` takes the name of a file as plain text", file.span)))?;
        let own = self.folders.get(file.span.source as usize).map_or(Path::new(""), PathBuf::as_path);
        let path = normal(&own.join(name));
        let key = Key {
            file: path.clone(),
            column: given.get("column").map(|column| column_of("column", column)).transpose()?,
            time: given.get("time").map(|column| column_of("time", column)).transpose()?,
            rate: given.get("rate").map(|rate| rate_of(rate)).transpose()?.map(f64::to_bits),
            between: given.get("interpolate").map_or(Ok(Between::Linear), |word| between_of(word))?,
        };
        if let (Some(time), Some(rate)) = (given.get("time"), given.get("rate")) {
            let found = Diagnostic::error("E24", "`rate` and `time` both say when the values are", time.span);
            return Err(Box::new(found.also(rate.span, "`rate` is given here").hint("give one of them")));
        }
        let at = given.get("at").copied();
        let known = self.series.borrow().get(&key).cloned();
        let series = known.unwrap_or_else(|| {
            let made = self.make(name, &key).map(Arc::new);
            self.series.borrow_mut().insert(key, made.clone());
            made
        });
        match series {
            Ok(series) => {
                let path = self.folder.join(&path);
                self.files.borrow_mut().push(FileRef {
                    path,
                    param: "series",
                    arg: None,
                    of_control: false,
                    span: file.span,
                });
                Ok((series, at))
            }
            Err(message) if message.is_empty() => Err(Box::new(self.missing(name, &path, file.span))),
            Err(message) => {
                Err(Box::new(Diagnostic::error("E64", format!("`{name}`: {message}"), file.span)))
            }
        }
    }

    /// The series; an empty message says that there is no such file.
    fn make(&self, name: &str, key: &Key) -> Result<Series, String> {
        let known = self.texts.borrow().get(&key.file).cloned();
        let text = known.unwrap_or_else(|| {
            let read = self.read(&key.file);
            self.texts.borrow_mut().insert(key.file.clone(), read.clone());
            read
        })?;
        let values = column(name, &text, key.column.as_ref(), key.time.as_ref())?;
        let base = match (&key.time, key.rate) {
            (Some(time), _) => Base::Seconds(column(name, &text, Some(time), None)?),
            (None, Some(rate)) => Base::Rate(f64::from_bits(rate)),
            (None, None) => Base::Frames,
        };
        Series::new(values, base, key.between)
    }

    fn read(&self, path: &Path) -> Result<Rc<str>, String> {
        let bytes =
            self.library.read(&self.folder.join(path), MAX_BYTES).map_err(|error| match error.kind() {
                ErrorKind::NotFound => String::new(),
                _ => format!("it cannot be read: {error}"),
            })?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(format!("a file of numbers has at most {} MiB", MAX_BYTES >> 20));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(text.into()),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                Err(format!("it is not UTF-8 text: found another byte at position {at}"))
            }
        }
    }

    fn missing(&self, name: &str, path: &Path, span: Span) -> Diagnostic {
        let folder = path.parent().unwrap_or(Path::new(""));
        let names = self.library.names(&self.folder.join(folder));
        let wanted = path.file_name().unwrap_or_default().to_string_lossy();
        Diagnostic::error("E60", format!("there is no file `{name}`"), span)
            .label(did_you_mean(&wanted, names.iter().map(String::as_str)))
            .hint("its name is relative to the file it is named in")
    }
}

/// The arguments by name.
fn given(name_span: Span, args: &[Arg]) -> Result<Given<'_>, Box<Diagnostic>> {
    let mut given = Given::new();
    for (index, arg) in args.iter().enumerate() {
        let name = match &arg.name {
            None => ARGUMENTS.get(index).copied(),
            Some((name, _)) => ARGUMENTS.iter().copied().find(|known| known == name),
        };
        let span = arg.name.as_ref().map_or(arg.value.span, |(_, span)| *span);
        let Some(name) = name else {
            let found = match &arg.name {
                None => wrong("`series` takes at most 6 arguments", name_span),
                Some((name, span)) => wrong(&format!("`series` has no argument `{name}`"), *span)
                    .label(did_you_mean(name, ARGUMENTS.iter().copied())),
            };
            return Err(Box::new(found.hint(SIGNATURE)));
        };
        if given.insert(name, &arg.value).is_some() {
            return Err(Box::new(wrong(&format!("`series` got its argument `{name}` twice"), span)));
        }
    }
    Ok(given)
}

fn wrong(message: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E13", message, span)
}

fn column_of(argument: &str, expr: &Expr) -> Result<Column, Box<Diagnostic>> {
    let found = match &expr.kind {
        ExprKind::Int(number) if *number > 0 => usize::try_from(*number).ok().map(Column::Number),
        _ => expr.literal_text().map(|name| Column::Name(name.to_owned())),
    };
    found.ok_or_else(|| {
        let message = format!("`{argument}` takes the name of a column in quotes, or its number from 1");
        Box::new(wrong(&message, expr.span))
    })
}

/// Values a second: a number, or a fraction such as `24000/1001`.
fn rate_of(expr: &Expr) -> Result<f64, Box<Diagnostic>> {
    let number = match &expr.kind {
        ExprKind::Binary(BinaryOp::Div, a, b) => {
            super::unit::plain_number(a).zip(super::unit::plain_number(b)).map(|(a, b)| a / b)
        }
        _ => super::unit::plain_number(expr),
    };
    number.filter(|rate| *rate > 0.0 && rate.is_finite()).ok_or_else(|| {
        Box::new(
            wrong("`rate` takes a number of values per second, above 0", expr.span)
                .hint("for example `rate=24`"),
        )
    })
}

fn between_of(expr: &Expr) -> Result<Between, Box<Diagnostic>> {
    let word = match &expr.kind {
        ExprKind::Name(word) => word.as_str(),
        _ => expr.literal_text().unwrap_or_default(),
    };
    match word {
        "linear" => Ok(Between::Linear),
        "hold" => Ok(Between::Hold),
        _ => {
            let found = Diagnostic::error("E15", format!("`interpolate` cannot be `{word}`"), expr.span)
                .label(did_you_mean(word, ["linear", "hold"]));
            Err(Box::new(found.hint("it is `linear` or `hold`")))
        }
    }
}
