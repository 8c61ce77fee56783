//! The language server: what an editor asks about a film, answered over two streams (Language Server
//! Protocol 3.17, base protocol with `Content-Length` headers). It knows the texts that are open; files that they
//! name are read beside them.

mod complete;
mod context;
mod diagnose;
mod hover;
mod place;
mod symbols;
mod wire;

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use serde_json::{Value, json};

use crate::schedule::format::format;
use crate::timeline::Options;
use place::Places;

/// JSON-RPC's codes.
mod code {
    pub const PARSE: i64 = -32700;
    pub const INVALID_REQUEST: i64 = -32600;
    pub const NO_METHOD: i64 = -32601;
    pub const INVALID_PARAMS: i64 = -32602;
    pub const INTERNAL: i64 = -32603;
}

/// Answers until the client says `exit` or goes away. Whether it said `shutdown` first, as it should. Films are
/// computed with `options`; whoever wants films with sounds hands in what opens them.
///
/// # Errors
/// Those of the streams.
pub fn serve(options: Options, input: &mut impl BufRead, output: &mut impl Write) -> std::io::Result<bool> {
    let mut server = Server { options, ..Server::default() };
    while let Some(body) = wire::read(input)? {
        let message: Value = match serde_json::from_slice(&body) {
            Ok(message) => message,
            Err(e) => {
                wire::write(output, &failure(&Value::Null, code::PARSE, &format!("expected JSON: {e}")))?;
                continue;
            }
        };
        if message["method"] == "exit" {
            return Ok(server.is_down);
        }
        for answer in server.answers(&message) {
            wire::write(output, &answer)?;
        }
    }
    Ok(server.is_down)
}

#[derive(Default)]
struct Server {
    options: Options,
    /// Texts by their URI.
    open: BTreeMap<String, String>,
    is_down: bool,
}

fn failure(id: &Value, code: i64, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}

impl Server {
    /// What is sent back for a message: the answer of a request, diagnostics after a change.
    fn answers(&mut self, message: &Value) -> Vec<Value> {
        let id = message.get("id").filter(|id| id.is_string() || id.is_number()).cloned();
        let Some(method) = message["method"].as_str() else {
            // An answer to something that was never asked, or no message at all.
            let is_answer = message.get("result").is_some() || message.get("error").is_some();
            let wrong =
                || failure(&id.clone().unwrap_or_default(), code::INVALID_REQUEST, "there is no method");
            return if is_answer { Vec::new() } else { vec![wrong()] };
        };
        let params = &message["params"];
        // A mistake of ours in one request must not take the editor's server away.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match &id {
            Some(id) => vec![self.request(id, method, params)],
            None => self.notification(method, params),
        }));
        done.unwrap_or_else(|_| {
            let bug =
                |id: &Value| failure(id, code::INTERNAL, &format!("this is a bug in kinora ({method})"));
            id.iter().map(bug).collect()
        })
    }

    fn request(&mut self, id: &Value, method: &str, params: &Value) -> Value {
        if self.is_down {
            return failure(id, code::INVALID_REQUEST, "the server was shut down");
        }
        let result = match method {
            "initialize" => Ok(capabilities()),
            "shutdown" => {
                self.is_down = true;
                Ok(Value::Null)
            }
            "textDocument/hover" => self.at(params, hover::hover),
            "textDocument/completion" => self.at(params, complete::complete),
            "textDocument/documentSymbol" => {
                self.document(params).map(|text| symbols::symbols(text, &Places::new(text)))
            }
            "textDocument/formatting" => self.document(params).map(formatting),
            _ => return failure(id, code::NO_METHOD, &format!("there is no method `{method}`")),
        };
        match result {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err(message) => failure(id, code::INVALID_PARAMS, &message),
        }
    }

    fn document(&self, params: &Value) -> Result<&str, String> {
        let uri = params["textDocument"]["uri"].as_str().ok_or("expected `textDocument.uri`")?;
        self.open.get(uri).map(String::as_str).ok_or_else(|| format!("{uri} is not open"))
    }

    /// Asks `of` about the text and the byte that `params` name.
    fn at(&self, params: &Value, of: impl Fn(&str, usize, &Places<'_>) -> Value) -> Result<Value, String> {
        let text = self.document(params)?;
        let places = Places::new(text);
        let byte =
            places.byte(&params["position"]).ok_or("expected `position` with `line` and `character`")?;
        Ok(of(text, byte, &places))
    }

    fn notification(&mut self, method: &str, params: &Value) -> Vec<Value> {
        let Some(uri) = params["textDocument"]["uri"].as_str().map(str::to_owned) else { return Vec::new() };
        match method {
            "textDocument/didOpen" => {
                let text = params["textDocument"]["text"].as_str().unwrap_or_default().to_owned();
                self.open.insert(uri.clone(), text);
            }
            "textDocument/didChange" => {
                let Some(text) = self.open.get_mut(&uri) else { return Vec::new() };
                for change in params["contentChanges"].as_array().into_iter().flatten() {
                    apply(text, change);
                }
            }
            "textDocument/didClose" => {
                self.open.remove(&uri);
                return vec![published(&uri, &json!([]))];
            }
            _ => return Vec::new(),
        }
        let found = self.open.get(&uri).map(|text| diagnose::diagnose(&uri, text, &self.options));
        found.map(|found| published(&uri, &found)).into_iter().collect()
    }
}

/// Puts a change into a text: the whole of it, or a part.
fn apply(text: &mut String, change: &Value) {
    let Some(new) = change["text"].as_str() else { return };
    let range = &change["range"];
    let places = Places::new(text);
    match (places.byte(&range["start"]), places.byte(&range["end"])) {
        (Some(start), Some(end)) => text.replace_range(start..end.max(start), new),
        _ => new.clone_into(text),
    }
}

fn published(uri: &str, diagnostics: &Value) -> Value {
    json!({
        "jsonrpc": "2.0",
        "method": "textDocument/publishDiagnostics",
        "params": {"uri": uri, "diagnostics": diagnostics},
    })
}

fn capabilities() -> Value {
    json!({
        "capabilities": {
            "positionEncoding": "utf-16",
            "textDocumentSync": {"openClose": true, "change": 2},
            "hoverProvider": true,
            "completionProvider": {"triggerCharacters": ["~", "=", "(", "."]},
            "documentSymbolProvider": true,
            "documentFormattingProvider": true,
        },
        "serverInfo": {"name": "kinora", "version": env!("CARGO_PKG_VERSION")},
    })
}

/// One edit that replaces the whole text; none for a film with syntax errors, which are shown anyway.
fn formatting(text: &str) -> Value {
    match format("the film", text) {
        Ok(formatted) if formatted != text => {
            let range = Places::new(text).range(0, text.len());
            json!([{"range": range, "newText": formatted}])
        }
        _ => json!([]),
    }
}
