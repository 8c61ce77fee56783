//! Names of easings. The curves themselves are `timeline::ease`.

use super::film::Ease;

/// The families of easing functions that Robert Penner published («Robert Penner's Programming Macromedia
/// Flash MX», 2002, chapter 7), under the names that easings.net gave them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "standard names")]
pub enum Family {
    Sine,
    Quad,
    Cubic,
    Quart,
    Quint,
    Expo,
    Circ,
    Back,
    Elastic,
    Bounce,
}

/// Which end of the way is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The beginning.
    In,
    /// The end.
    Out,
    /// Both.
    InOut,
}

/// Every family with its name.
pub const FAMILIES: [(&str, Family); 10] = [
    ("sine", Family::Sine),
    ("quad", Family::Quad),
    ("cubic", Family::Cubic),
    ("quart", Family::Quart),
    ("quint", Family::Quint),
    ("expo", Family::Expo),
    ("circ", Family::Circ),
    ("back", Family::Back),
    ("elastic", Family::Elastic),
    ("bounce", Family::Bounce),
];

/// Names of eases without arguments; those of the families are made from [`FAMILIES`].
/// The numbers of CSS's keywords: CSS Easing Functions Level 1, section 2.2.
pub const PLAIN: [(&str, Ease); 11] = [
    ("linear", Ease::Linear),
    ("ease", Ease::Bezier([0.25, 0.1, 0.25, 1.0])),
    ("ease-in", Ease::Bezier([0.42, 0.0, 1.0, 1.0])),
    ("ease-out", Ease::Bezier([0.0, 0.0, 0.58, 1.0])),
    ("ease-in-out", Ease::Bezier([0.42, 0.0, 0.58, 1.0])),
    ("step-start", Ease::Steps { count: 1, start: true, end: false }),
    ("step-end", Ease::Steps { count: 1, start: false, end: true }),
    ("cut", Ease::Cut),
    ("blend", Ease::Blend),
    ("monotone", Ease::Monotone),
    ("catmull-rom", Ease::CatmullRom),
];

/// Names of eases with arguments.
pub const WITH_ARGUMENTS: [&str; 2] = ["cubic-bezier", "steps"];

/// Every name there is, for completion and did-you-mean; other orders of the same words are not among them.
pub fn names() -> Vec<String> {
    let plain = PLAIN.iter().map(|(name, _)| (*name).to_owned());
    let called = WITH_ARGUMENTS.iter().map(|name| (*name).to_owned());
    let sides = ["in", "out", "in-out"];
    let families = FAMILIES.iter().flat_map(|(name, _)| sides.map(|side| format!("{name}-{side}")));
    plain.chain(called).chain(families).collect()
}

/// The ease without arguments of that name. The families are known in every order of their words:
/// `sine-in-out`, `in-out-sine`, `ease-in-out-sine`, `easeInOutSine`; `smooth` is `catmull-rom`.
pub fn find(name: &str) -> Option<Ease> {
    let name = kebab(name);
    if let Some((_, ease)) = PLAIN.iter().find(|(known, _)| *known == name) {
        return Some(*ease);
    }
    if name == "smooth" {
        return Some(Ease::CatmullRom);
    }
    let rest = name.strip_prefix("ease-").unwrap_or(&name);
    FAMILIES.iter().find_map(|(known, family)| {
        let side = rest
            .strip_prefix(known)
            .and_then(|side| side.strip_prefix('-'))
            .or_else(|| rest.strip_suffix(known).and_then(|side| side.strip_suffix('-')))?;
        let side = match side {
            "in" => Side::In,
            "out" => Side::Out,
            "in-out" => Side::InOut,
            _ => return None,
        };
        Some(Ease::Curve(*family, side))
    })
}

/// `easeInOutSine` and `ease_in_out_sine` as `ease-in-out-sine`.
fn kebab(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        match c {
            '_' => out.push('-'),
            c if c.is_ascii_uppercase() => {
                if !out.is_empty() && !out.ends_with('-') {
                    out.push('-');
                }
                out.push(c.to_ascii_lowercase());
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_of_the_words_is_one_ease() {
        let wanted = Some(Ease::Curve(Family::Sine, Side::InOut));
        for name in ["sine-in-out", "in-out-sine", "ease-in-out-sine", "easeInOutSine", "ease_in_out_sine"] {
            assert_eq!(find(name), wanted, "{name}");
        }
        assert_eq!(find("sine"), None);
        assert_eq!(find("sine-over"), None);
    }

    #[test]
    fn every_name_is_found() {
        for name in names().iter().filter(|name| !WITH_ARGUMENTS.contains(&name.as_str())) {
            assert!(find(name).is_some(), "{name}");
        }
    }
}
