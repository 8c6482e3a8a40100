//! Standard input and output as the local end: for `ProxyCommand` of ssh, and for shells.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

use crate::dial::Dialer;
use crate::error::Error;
use crate::ports;
use crate::relay::Limits;
use crate::target::Target;

/// Connects both to the device, and returns when it has ended its side, and this program's input has ended too or says no more.
///
/// Nothing is read from standard input before the device has proved its name.
///
/// Fails as [`Dialer::dial`] does, and as connections of [`ports`] do.
pub async fn connect(dialer: &Dialer, target: &Target, limits: Limits) -> Result<(), Error> {
    let mut far = dialer.dial(target).await?;
    let (ours, theirs) = UnixStream::pair().map_err(Error::System)?;
    let written = pump(theirs).map_err(Error::System)?;
    let ended = async {
        ours.set_nonblocking(true)?;
        tokio::net::UnixStream::from_std(ours)
    };
    let mut near = ended.await.map_err(Error::System)?;
    let ended = ports::join(&mut near, &mut far, target, Vec::new(), limits).await;
    if ended.is_err() {
        // Nobody has told the output that no more comes.
        drop(near);
        let _ = written.join();
        return ended;
    }
    // What the device has sent is out before the program ends. The socket stays until then: if it goes with input unread, the output
    // is told of a reset.
    written.join().unwrap_or(Ok(())).map_err(Error::Local)
}

/// Copies from standard input to this socket, and from it to standard output, in a thread each. The first ends with the
/// process, as nothing wakes it from its wait for input.
fn pump(socket: UnixStream) -> io::Result<JoinHandle<io::Result<()>>> {
    let (mut input, mut output) = (socket.try_clone()?, socket);
    let builder = |name: &str| {
        thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK)
    };
    builder("input").spawn(move || {
        // An input that fails is one that ends: the device is told so, and nothing more came.
        let _ = copy(&mut io::stdin().lock(), &mut input);
        let _ = input.shutdown(Shutdown::Write);
    })?;
    builder("output").spawn(move || {
        let copied = copy(&mut output, &mut io::stdout().lock());
        if copied.is_err() {
            // Nobody reads any more, so that nothing has to come.
            let _ = output.shutdown(Shutdown::Both);
        }
        let closed = close_output();
        copied.and(closed)
    })
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => chunk.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(read)?;
        to.flush()?;
    }
}

/// Tells whoever reads that no more comes, while the other direction goes on.
fn close_output() -> io::Result<()> {
    let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
    Ok(rustix::stdio::dup2_stdout(nowhere)?)
}

const CHUNK: usize = 16 * 1024;
const STACK: usize = 64 * 1024;
