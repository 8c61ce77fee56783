//! The parser reads the corpus and the examples without an error, and the highlight queries fit it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use tree_sitter::{Language, Node, Parser, Query, QueryCursor, StreamingIterator as _};

fn language() -> Language {
    tree_sitter_kinora::LANGUAGE.into()
}

fn films() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = ["grammar/corpus/accept", "examples", "examples/batch"];
    let paths = folders.iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let paths = paths.map(|entry| entry.unwrap().path());
    let films = paths.filter(|path| path.extension().is_some_and(|ending| ending == "kin"));
    films.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The first place that was not understood.
fn error(node: Node<'_>) -> Option<Node<'_>> {
    if node.is_error() || node.is_missing() {
        return Some(node);
    }
    let mut cursor = node.walk();
    let children: Vec<Node<'_>> = node.children(&mut cursor).collect();
    children.into_iter().find_map(error)
}

#[test]
fn every_film_is_read_without_an_error() {
    let language = language();
    let mut parser = Parser::new();
    parser.set_language(&language).unwrap();
    let films = films();
    let mut wrong = Vec::new();
    for (path, text) in &films {
        let tree = parser.parse(text, None).unwrap();
        if let Some(node) = error(tree.root_node()) {
            let shown: String = text[node.start_byte()..].chars().take(40).collect();
            wrong.push(format!("{}: {} at {shown:?}", path.display(), node.start_position()));
        }
    }
    assert!(films.len() > 200 && wrong.is_empty(), "{} films\n{}", films.len(), wrong.join("\n"));
    let broken = parser.parse("zoom = (1\nangle = 2\n", None).unwrap();
    assert!(error(broken.root_node()).is_some(), "a broken film is read with an error");
}

#[test]
fn trees_have_the_shape_of_the_film() {
    let language = language();
    let mut parser = Parser::new();
    parser.set_language(&language).unwrap();
    let mut shape = |text: &str| parser.parse(text, None).unwrap().root_node().to_sexp();
    assert!(shape("a = 50%\nb = 10%3\n").contains("percentage"));
    assert!(!shape("b = 10%3\n").contains("percentage"));
    assert!(shape("b = 10%t\n").contains("(binary left: (number) right: (identifier))"));
    assert!(
        shape("a = 0: 1 ~ease-in, 5: 2,\nb = 3").contains("(key time: (number) value: (number) ease: (ease")
    );
    assert!(shape("scene a (2 * 4s) { }").contains("label: (identifier) label: (group"));
    let power = "(binary left: (unary (binary left: (number) right: (number))) right: (number))";
    assert!(shape("a = -2 ** 2 * 3").contains(power), "{}", shape("a = -2 ** 2 * 3"));
}

#[test]
fn highlights_name_what_there_is() {
    let language = language();
    let mut parser = Parser::new();
    parser.set_language(&language).unwrap();
    let query = Query::new(&language, tree_sitter_kinora::HIGHLIGHTS_QUERY).unwrap();
    let text = "kinora 1\nscene a 2s { zoom = 1.35x/s * sin(t) prompt = \"a # ${u}\" } # end\n";
    let tree = parser.parse(text, None).unwrap();
    let mut cursor = QueryCursor::new();
    let mut found = Vec::new();
    let mut captures = cursor.captures(&query, tree.root_node(), text.as_bytes());
    while let Some((matched, index)) = captures.next() {
        let capture = matched.captures[*index];
        found.push((query.capture_names()[capture.index as usize], &text[capture.node.byte_range()]));
    }
    for wanted in [
        ("keyword", "kinora"),
        ("keyword", "scene"),
        ("label", "a"),
        ("property", "zoom"),
        ("number", "1.35"),
        ("type", "x/s"),
        ("function.call", "sin"),
        ("variable.builtin", "t"),
        ("string", "\"a # ${u}\""),
        ("comment", "# end"),
    ] {
        assert!(found.contains(&wanted), "{wanted:?} in {found:#?}");
    }
}
