//! Parses arguments, runs, maps the error to an exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    kinora::cli::main()
}
