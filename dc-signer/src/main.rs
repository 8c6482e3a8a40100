//! The command line of [`dc_signer`].

mod cmd;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = match cmd::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let Some(left_out) = cmd::LeftOut::in_error(&error) else {
                error.exit();
            };
            eprintln!("error: {left_out}");
            return ExitCode::from(WRONG_USAGE);
        }
    };
    match cli.run() {
        Ok(code) => code,
        Err(error) => match error.downcast::<clap::Error>() {
            Ok(usage) => usage.exit(),
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

/// As clap has it.
const WRONG_USAGE: u8 = 2;
