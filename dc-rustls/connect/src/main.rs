//! Reaches a device by its name, which the device has to prove.

use std::process::ExitCode;

use dc_connect::args::{Args, Command, HELP, Local};
use dc_connect::dial::Dialer;
use dc_connect::error::Error;
use dc_connect::pipe;
use dc_connect::ports::Port;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    let done = match Command::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => {
            print!("{HELP}");
            Ok(())
        }
        Ok(Command::Version) => {
            println!("dc-connect {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Ok(Command::Run(args)) => run(*args),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dc-connect: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(args: Args) -> Result<(), Error> {
    let followed = args
        .list
        .map(|list| list.follow(args.limits.recheck))
        .transpose()?;
    let lists = followed.as_ref().map(|followed| followed.lists.clone());
    let dialer = Dialer::new(&args.roots, args.trust, args.alpn_protocols, lists)?
        .to(args.to)
        .timeout(args.connect_timeout);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::System)?;
    let done = runtime.block_on(async {
        match args.local {
            Local::Pipe(target) => pipe::connect(&dialer, &target, args.limits).await,
            Local::Port(address, service) => {
                let port =
                    Port::open(address, service, dialer, args.limits, args.max_connections).await?;
                println!("listening on {}", port.address());
                port.serve().await;
                Ok(())
            }
        }
    });
    // A name that is still being resolved is nobody's any more.
    runtime.shutdown_background();
    done
}
