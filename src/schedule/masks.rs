//! Mask expressions: `[face.png] & !{box 0 0 0.5 1}`. Read into a tree; what the pictures hold is nobody's business
//! here.
//!
//! ```text
//! mask    := file name | join                    # text without brackets of any kind is the name of a file
//! join    := either ('|' either)*
//! either  := both ('^' both)*
//! both    := one (('&' | '\') one)*
//! one     := '!' one | '(' join ')' | '[' file ']' | '{' place '}' | '<' words '>'
//! place   := 'everywhere' | 'video_mask' | ('box' | 'ellipse') left top width height
//! ```
//!
//! `!` binds tightest, then `&` and `\` (without), then `^`, then `|`; Deforum's rules, where `!` reaches for the last
//! mask, are in `timeline::deforum::masks`. Numbers are shares of the picture's width and height.

/// Most brackets and `!` open at once.
const MAX_DEPTH: usize = 64;

/// Most masks and signs in an expression.
const MAX_PARTS: usize = 1000;

/// Largest number of a place: a shape may move through the picture from far outside, but not from pixels away.
const FARTHEST: f64 = 10.0;

/// A mask expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Mask {
    /// `{everywhere}`
    Everywhere,
    /// `{video_mask}`: the film's `mask_file`.
    Given,
    /// `[file]`
    File(String),
    /// `{box ...}`: left, top, width, height as shares of the picture.
    Box([f64; 4]),
    /// `{ellipse ...}` inside that box.
    Ellipse([f64; 4]),
    /// `!`
    Not(Box<Mask>),
    /// Two masks joined by `&`, `|`, `^` or `\`.
    Join(char, Box<Mask>, Box<Mask>),
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// One sentence.
    pub message: String,
    /// How it is done.
    pub hint: Option<String>,
    /// Whether it is words, which only a network could find.
    pub is_words: bool,
}

impl Wrong {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, is_words: false }
    }

    fn hint(self, hint: &str) -> Self {
        Self { hint: Some(hint.to_owned()), ..self }
    }
}

impl Mask {
    /// Files that it names.
    pub fn files(&self) -> Vec<&str> {
        match self {
            Self::File(file) => vec![file],
            Self::Not(mask) => mask.files(),
            Self::Join(_, a, b) => a.files().into_iter().chain(b.files()).collect(),
            _ => Vec::new(),
        }
    }
}

/// Reads `text`.
///
/// # Errors
/// Text that is no mask, with what was expected.
pub fn read(text: &str) -> Result<Mask, Wrong> {
    if !text.contains(['[', '{', '<']) {
        let file = text.trim();
        return match file {
            "" => Err(Wrong::new("expected a mask, found an empty text")
                .hint("name a picture, `\"mask.png\"`, or a place, `\"{box 0 0 0.5 1}\"`")),
            file => Ok(Mask::File(file.to_owned())),
        };
    }
    let mut reader = Reader { rest: text.trim_start(), parts: 0 };
    let mask = reader.join(0)?;
    match reader.rest.chars().next() {
        None => Ok(mask),
        Some(')') => {
            Err(Wrong::new("a `)` closes nothing").hint("leave it out, or open a bracket before it"))
        }
        Some(found) => Err(Wrong::new(format!("expected a sign between two masks, found `{found}`"))
            .hint("masks are joined by `&`, `|`, `^` and `\\`")),
    }
}

struct Reader<'a> {
    rest: &'a str,
    parts: usize,
}

impl<'a> Reader<'a> {
    fn join(&mut self, depth: usize) -> Result<Mask, Wrong> {
        self.chain(depth, &['|'], |reader, depth| {
            reader.chain(depth, &['^'], |reader, depth| reader.chain(depth, &['&', '\\'], Self::one))
        })
    }

    /// Masks of a kind with signs between them, from the left.
    fn chain(
        &mut self,
        depth: usize,
        signs: &[char],
        part: impl Fn(&mut Self, usize) -> Result<Mask, Wrong>,
    ) -> Result<Mask, Wrong> {
        let mut mask = part(self, depth)?;
        while let Some(sign) = self.rest.chars().next().filter(|sign| signs.contains(sign)) {
            self.go(1)?;
            mask = Mask::Join(sign, Box::new(mask), Box::new(part(self, depth)?));
        }
        Ok(mask)
    }

    fn one(&mut self, depth: usize) -> Result<Mask, Wrong> {
        if depth > MAX_DEPTH {
            return Err(Wrong::new(format!("expected at most {MAX_DEPTH} brackets open at once")));
        }
        match self.rest.chars().next() {
            Some('!') => {
                self.go(1)?;
                Ok(Mask::Not(Box::new(self.one(depth + 1)?)))
            }
            Some('(') => {
                self.go(1)?;
                let mask = self.join(depth + 1)?;
                if !self.rest.starts_with(')') {
                    let message =
                        format!("expected a `)` for the bracket that opens here, found {}", self.next());
                    return Err(Wrong::new(message).hint("every `(` needs its `)`"));
                }
                self.go(1)?;
                Ok(mask)
            }
            Some('[') => match self.inside(']')?.trim() {
                "" => Err(Wrong::new("expected the name of a file in `[]`")),
                file => Ok(Mask::File(file.to_owned())),
            },
            Some('{') => place(self.inside('}')?.trim()),
            Some('<') => {
                let words = self.inside('>')?;
                let message = format!("`<{words}>`: masks by words are not there");
                let hint = "paint the mask, `[mask.png]`, or give a place, `{box 0.2 0.2 0.5 0.5}`";
                Err(Wrong { is_words: true, ..Wrong::new(message).hint(hint) })
            }
            _ => Err(Wrong::new(format!("expected a mask, found {}", self.next()))
                .hint("a mask is `[file.png]`, `{everywhere}`, `{video_mask}` or `{box 0 0 0.5 1}`")),
        }
    }

    /// The word or sign that comes, to be named.
    fn next(&self) -> String {
        let is_sign = |c: char| c.is_whitespace() || "&|^!\\()[]{}<>".contains(c);
        match self.rest.find(is_sign).unwrap_or(self.rest.len()) {
            _ if self.rest.is_empty() => "the end".to_owned(),
            0 => format!("`{}`", self.rest.chars().next().unwrap_or_default()),
            // Anything may stand here, and a message is one line.
            end => format!("`{}`", self.rest[..end].chars().take(40).collect::<String>()),
        }
    }

    /// Passes over `bytes` and the blanks behind them.
    fn go(&mut self, bytes: usize) -> Result<(), Wrong> {
        self.rest = self.rest[bytes..].trim_start();
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(Wrong::new(format!("expected at most {MAX_PARTS} masks and signs")));
        }
        Ok(())
    }

    /// What stands between the bracket that comes and `close`.
    fn inside(&mut self, close: char) -> Result<&'a str, Wrong> {
        let rest = self.rest;
        let end = rest.find(close).ok_or_else(|| Wrong::new(format!("expected a `{close}`, found none")))?;
        self.go(end + 1)?;
        Ok(&rest[1..end])
    }
}

/// What stands between `{` and `}`.
fn place(text: &str) -> Result<Mask, Wrong> {
    let mut words = text.split_whitespace();
    let shape: fn([f64; 4]) -> Mask = match words.next() {
        Some("everywhere") if text == "everywhere" => return Ok(Mask::Everywhere),
        Some("video_mask") if text == "video_mask" => return Ok(Mask::Given),
        Some("box") => Mask::Box,
        Some("ellipse") => Mask::Ellipse,
        _ => {
            let message =
                format!("expected `everywhere`, `video_mask`, `box` or `ellipse`, found `{{{text}}}`");
            return Err(
                Wrong::new(message).hint("write a place as `{box 0 0 0.5 1}`, a file as `[mask.png]`")
            );
        }
    };
    let numbers: Option<Vec<f64>> =
        words.map(|word| word.parse().ok().filter(|n: &f64| n.is_finite())).collect();
    match numbers.as_deref() {
        Some([left, top, width, height]) if *width > 0.0 && *height > 0.0 => {
            let place = [*left, *top, *width, *height];
            match place.into_iter().find(|share| share.abs() > FARTHEST) {
                Some(share) => Err(Wrong::new(format!("expected shares of the picture, found {share}"))
                    .hint("0.5 is half of the width or height; pixels would change with the film's size")),
                None => Ok(shape(place)),
            }
        }
        _ => Err(Wrong::new(format!("expected four numbers, found `{{{text}}}`")).hint(
            "they are left, top, width and height as shares of the picture: `{box 0.25 0.25 0.5 0.5}`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree with all brackets.
    fn shown(text: &str) -> String {
        fn write(mask: &Mask) -> String {
            match mask {
                Mask::Everywhere => "all".to_owned(),
                Mask::Given => "given".to_owned(),
                Mask::File(file) => file.clone(),
                Mask::Box(at) | Mask::Ellipse(at) => format!("{at:?}"),
                Mask::Not(mask) => format!("!{}", write(mask)),
                Mask::Join(sign, a, b) => format!("({}{sign}{})", write(a), write(b)),
            }
        }
        read(text).map_or_else(|wrong| format!("error: {}", wrong.message), |mask| write(&mask))
    }

    #[test]
    fn signs_bind_as_in_logic() {
        assert_eq!(shown("[a] | [b] & [c]"), "(a|(b&c))");
        assert_eq!(shown("![a] & [b]"), "(!a&b)");
        assert_eq!(shown(r"[a] \ [b] \ [c]"), r"((a\b)\c)");
        assert_eq!(shown("([a] | [b]) & !{video_mask} ^ {everywhere}"), "(((a|b)&!given)^all)");
        assert_eq!(shown("!!{ box 0 0 .5 1 }"), "!![0.0, 0.0, 0.5, 1.0]");
        assert_eq!(shown(" face mask.png "), "face mask.png");
        assert_eq!(read("[a] & ![b]").unwrap().files(), ["a", "b"]);
    }

    #[test]
    fn what_is_no_mask_is_refused() {
        for wrong in [
            "",
            "[]",
            "([a]",
            "[a])",
            "[a] [b]",
            "{left}",
            "[a",
            "[a] &",
            "& [a]",
            "{box 1 2 3}",
            "{box 0 0 0 1}",
            "{ellipse 0 0 inf 1}",
            "{box 0 0 64 64}",
        ] {
            assert!(shown(wrong).starts_with("error"), "{wrong}: {}", shown(wrong));
        }
        assert_eq!(shown("[a] & b.png"), "error: expected a mask, found `b.png`");
        assert_eq!(shown("([a] [b]"), "error: expected a `)` for the bracket that opens here, found `[`");
        assert!(read("<sky> & [a]").unwrap_err().is_words);
        assert!(shown(&format!("{}[a]", "(".repeat(100_000))).contains("at most 64"));
        assert!(shown(&"[a]&".repeat(100_000)).contains("at most 1000"));
    }
}
