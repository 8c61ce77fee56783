//! `kinora lsp` as an editor meets it: over its stdin and stdout.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

const URI: &str = "file:///films/film.kin";

/// An editor with the server it started.
struct Editor {
    server: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    asked: u64,
}

impl Editor {
    fn new() -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_kinora"))
            .args(["lsp", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (server.stdin.take(), BufReader::new(server.stdout.take().unwrap()));
        let mut editor = Self { server, input, output, asked: 0 };
        let hello = editor.ask("initialize", json!({"processId": null, "capabilities": {}}));
        assert_eq!(hello["result"]["capabilities"]["hoverProvider"], true);
        editor.tell("initialized", json!({}));
        editor
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let answer = self.receive();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the server has gone");
            if line.trim().is_empty() {
                break;
            }
            length = line.trim().strip_prefix("Content-Length: ").unwrap().parse().unwrap();
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Opens a film; its diagnostics.
    fn open(&mut self, text: &str) -> Vec<Value> {
        self.open_at(URI, text)
    }

    fn open_at(&mut self, uri: &str, text: &str) -> Vec<Value> {
        self.tell(
            "textDocument/didOpen",
            json!({"textDocument": {"uri": uri, "languageId": "kinora", "version": 1, "text": text}}),
        );
        self.published_for(uri)
    }

    fn published(&mut self) -> Vec<Value> {
        self.published_for(URI)
    }

    fn published_for(&mut self, uri: &str) -> Vec<Value> {
        let message = self.receive();
        assert_eq!(message["method"], "textDocument/publishDiagnostics", "{message}");
        assert_eq!(message["params"]["uri"], uri);
        message["params"]["diagnostics"].as_array().unwrap().clone()
    }

    /// Asks about the place of the `|` in `marked`, which is opened without it.
    fn about(&mut self, method: &str, marked: &str) -> Value {
        let at = marked.find('|').unwrap();
        self.open(&marked.replacen('|', "", 1));
        let line = marked[..at].matches('\n').count();
        let start = marked[..at].rfind('\n').map_or(0, |at| at + 1);
        let character = marked[start..at].encode_utf16().count();
        let position = json!({"line": line, "character": character});
        let params = json!({"textDocument": {"uri": URI}, "position": position});
        self.ask(method, params)["result"].clone()
    }

    fn hover(&mut self, marked: &str) -> String {
        self.about("textDocument/hover", marked)["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    fn labels(&mut self, marked: &str) -> Vec<String> {
        let found = self.about("textDocument/completion", marked);
        found.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap().to_owned()).collect()
    }

    fn leave(mut self) {
        assert_eq!(self.ask("shutdown", Value::Null)["result"], Value::Null);
        assert!(
            self.ask("textDocument/hover", json!({}))["error"].is_object(),
            "after shutdown nothing is answered"
        );
        self.tell("exit", Value::Null);
        self.input = None;
        assert!(self.server.wait().unwrap().success());
    }
}

#[test]
fn mistakes_are_published_and_go_away_when_they_are_mended() {
    let mut editor = Editor::new();
    let found = editor.open("kinora 1\nprompt = \"é\"\nframes = 4\nstrenght = 0.5\nzoom = 1 / (t - 2)\n");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["code"], "E21");
    assert_eq!(found[0]["severity"], 1);
    assert!(found[0]["message"].as_str().unwrap().contains("did you mean `strength`?"));
    let start = &found[0]["range"]["start"];
    assert_eq!((start["line"].as_u64(), start["character"].as_u64()), (Some(3), Some(0)));
    // A change of a part: the word is put right, and now every frame is computed.
    let range = json!({"start": {"line": 3, "character": 0}, "end": {"line": 3, "character": 8}});
    let change = json!({"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"range": range, "text": "strength"}]});
    editor.tell("textDocument/didChange", change);
    let found = editor.published();
    assert!(found.iter().any(|found| found["code"] == "E36"), "{found:#?}");
    let change = json!({
        "textDocument": {"uri": URI, "version": 3},
        "contentChanges": [{"text": "kinora 1\nprompt = \"a\"\nframes = 4\n"}],
    });
    editor.tell("textDocument/didChange", change);
    assert_eq!(editor.published(), Vec::<Value>::new());
    editor.tell("textDocument/didClose", json!({"textDocument": {"uri": URI}}));
    assert_eq!(editor.published(), Vec::<Value>::new());
    editor.leave();
}

#[test]
fn the_sounds_of_a_film_are_heard() {
    let film = concat!(env!("CARGO_MANIFEST_DIR"), "/grammar/corpus/accept/sound.kin");
    let uri = format!("file://{film}");
    let mut editor = Editor::new();
    let text = std::fs::read_to_string(film).unwrap();
    assert_eq!(editor.open_at(&uri, &text), Vec::<Value>::new());
    let found = editor.open_at(&uri, &text.replacen("../beat.wav", "../no-such.wav", 1));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0]["message"].as_str().unwrap().contains("no-such.wav"), "{found:#?}");
    // What a sound is worth at a frame is known: the film is silent, and this divides by it.
    let silent = "kinora 1\nframes = 3\nprompt = \"a\"\nzoom = 1 / audio(\"../silence.wav\").norm()\n";
    assert_eq!(editor.open_at(&uri, silent)[0]["code"], "E36");
    editor.leave();
}

#[test]
fn two_places_that_clash_are_both_shown() {
    let mut editor = Editor::new();
    let found = editor.open("kinora 1\nprompt = \"a\"\nframes = 4\nstrength = 0.5\ndenoise = 0.5\n");
    let related = &found[0]["relatedInformation"][0];
    assert_eq!(related["location"]["range"]["start"]["line"], 3, "{found:#?}");
    editor.leave();
}

#[test]
fn hover_tells_type_unit_range_default_and_help() {
    let mut editor = Editor::new();
    let zoom = editor.hover("kinora 1\nzo|om = 1.02\n");
    for part in ["zoom", "factor per frame", "x/s", "0.001 to 1000", "0.5 to 1.5", "default"] {
        assert!(zoom.contains(part), "{part} in {zoom}");
    }
    assert!(editor.hover("zoom = 1 + s|in(t)").contains("sin(x)"));
    assert!(editor.hover("zoom = 1 + t|").contains("the frame"));
    assert!(editor.hover("post { deflicker = gain_|map(sigma=6) }").contains("smooth map"));
    assert!(editor.hover("post { deflicker = gain_map(sig|ma=6) }").contains("width of the smoothing"));
    assert!(editor.hover("border = wr|ap").contains("wrap"));
    assert!(editor.hover("control depth { mod|el = \"x\" }").contains("ControlNet"));
    assert!(editor.hover("sharpen.am|ount = 0.1").contains("sharpen.amount"));
    assert!(editor.hover("prompt = \"zo|om\"").is_empty(), "a word in a string has no meaning");
    assert!(editor.hover("zoom = 0: 1, 3: 2 ~ease-|in").contains("~ease-in"));
    editor.leave();
}

#[test]
fn completion_offers_what_fits() {
    let mut editor = Editor::new();
    let has = |labels: &[String], wanted: &[&str], unwanted: &[&str]| {
        for name in wanted {
            assert!(labels.iter().any(|label| label == name), "{name} in {labels:?}");
        }
        for name in unwanted {
            assert!(!labels.iter().any(|label| label == name), "{name} not in {labels:?}");
        }
    };
    has(&editor.labels("|"), &["zoom", "fps", "scene", "let"], &["weight", "deflicker", "sin"]);
    has(&editor.labels("scene a 3s {\n  |\n}"), &["zoom", "control"], &["fps", "weight", "video"]);
    has(&editor.labels("control d { w|"), &["weight", "image"], &["zoom"]);
    has(&editor.labels("border = |"), &["wrap", "replicate", "reflect"], &["lab", "scene"]);
    has(&editor.labels("post { encode = h264(|"), &["crf=", "preset="], &["fps="]);
    has(&editor.labels("let speed = 2\nzoom = sp|"), &["speed", "sin", "t"], &["zoom"]);
    has(&editor.labels("zoom = 0: 1, 2s: 2 ~ea|"), &["ease-in-out", "cut"], &["sin"]);
    has(&editor.labels("translation_x = 40p|"), &["px", "s", "deg"], &["sin"]);
    has(&editor.labels("translation_x = 40px/|"), &["s", "bar"], &["px"]);
    has(&editor.labels("source = |"), &["init", "still", "text"], &["sin"]);
    assert!(editor.labels("prompt = \"a |\"").is_empty() && editor.labels("# z|").is_empty());
    editor.leave();
}

#[test]
fn the_outline_and_the_layout_are_there() {
    let mut editor = Editor::new();
    let film = "kinora 1\nlet k=2\nfn f(x)=x\nscene \"the sea\" 3s {control depth{weight=1}}\n";
    editor.open(film);
    let params = json!({"textDocument": {"uri": URI}, "options": {"tabSize": 2, "insertSpaces": true}});
    let outline = editor.ask("textDocument/documentSymbol", params.clone())["result"].clone();
    let names: Vec<&str> = outline.as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["k", "f(x)", "the sea"]);
    assert_eq!(outline[2]["children"][0]["name"], "depth");
    let edits = editor.ask("textDocument/formatting", params.clone())["result"].clone();
    let expected =
        "kinora 1\nlet k = 2\nfn f(x) = x\nscene \"the sea\" 3s { control depth { weight = 1 } }\n";
    assert_eq!(edits[0]["newText"], expected);
    editor.open("zoom = (1\n");
    assert_eq!(
        editor.ask("textDocument/formatting", params)["result"],
        json!([]),
        "a broken film is left alone"
    );
    editor.leave();
}

#[test]
fn nonsense_is_answered_and_nothing_dies() {
    let mut editor = Editor::new();
    editor.raw(b"what is this\r\n\r\nContent-Length: -5\r\n\r\nContent-Length: 3\r\n\r\n{\"a");
    assert_eq!(editor.receive()["error"]["code"], -32700);
    assert_eq!(editor.ask("no/such/method", json!([1, 2]))["error"]["code"], -32601);
    for params in
        [json!(null), json!(3), json!({"textDocument": 7}), json!({"textDocument": {"uri": "nowhere:"}})]
    {
        assert_eq!(editor.ask("textDocument/hover", params.clone())["error"]["code"], -32602, "{params}");
        editor.tell("textDocument/didChange", params);
    }
    editor.send(&json!([]));
    assert_eq!(editor.receive()["error"]["code"], -32600);
    editor.send(&json!({"jsonrpc": "2.0", "id": 7, "result": null}));
    editor.open("zoom = 1\n");
    for position in [
        json!({"line": 1e9, "character": 1e9}),
        json!({"line": 0, "character": 5000}),
        json!({"line": 90000, "character": 0}),
    ] {
        let answer = editor
            .ask("textDocument/completion", json!({"textDocument": {"uri": URI}, "position": position}));
        assert!(answer["result"].is_array() || answer["error"].is_object(), "{answer}");
    }
    let range = json!({"start": {"line": 9, "character": 9}, "end": {"line": 0, "character": 0}});
    let change = json!({"textDocument": {"uri": URI}, "contentChanges": [{"range": range, "text": "("}, 5, {"text": null}]});
    editor.tell("textDocument/didChange", change);
    editor.published();
    editor.open(&"(".repeat(200_000));
    editor.leave();
}
