//! `kinora lsp`.

use std::path::Path;

use crate::error::{Error, Result};
use crate::run::sound::hearing;
use crate::timeline::Options;

/// Serves one editor until it says that it is done.
pub(crate) fn run() -> Result<()> {
    let stdin = std::io::stdin();
    match crate::lsp::serve(hearing(Options::default()), &mut stdin.lock(), &mut std::io::stdout()) {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(Error::Usage { message: "the editor left without saying `shutdown`".to_owned(), hint: None })
        }
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(e) => Err(Error::input(Path::new("standard input"), e.to_string())),
    }
}
