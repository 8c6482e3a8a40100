//! Serves TLS with a device's credential, for a server that knows nothing of it.

use std::ffi::OsString;
use std::process::ExitCode;

use dc_terminator::options::{Command, HELP};
use dc_terminator::run::run;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let done = match Command::parse(arguments.clone()) {
        Ok(Command::Help) => {
            print!("{HELP}");
            Ok(())
        }
        Ok(Command::Version) => {
            println!("dc-terminator {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Ok(Command::Serve(options)) => run(*options, arguments),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dc-terminator: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
