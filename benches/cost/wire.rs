//! Two ends of a connection on one thread, of which one is counted.
//!
//! The counted end does what it does in [`counted`]. When it has nothing more to read, the other end goes on for as long as it
//! can in [`other_end`]. Callgrind switches counting on and off at these two functions, so what the other end does, and
//! all that is made before, is not counted.

use std::cell::RefCell;
use std::future::Future;
use std::hint::black_box;
use std::io::{self, IoSlice, Read, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is under way in each direction.
#[derive(Default)]
struct Wire {
    to_near: Vec<u8>,
    to_far: Vec<u8>,
}

type Shared = Rc<RefCell<Wire>>;

/// An end that goes on while this one waits.
pub(crate) type Other<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// The end of the wire that is counted, and what is at its other end.
pub(crate) struct Near<'a> {
    wire: Shared,
    other: Option<Other<'a>>,
    is_counted: bool,
}

/// The end of the wire that is not.
pub(crate) struct Far(Shared);

/// A client that has said its hello and only listens then.
pub(crate) struct Mute<'a> {
    hello: &'a [u8],
    heard: usize,
}

impl<'a> Mute<'a> {
    pub(crate) fn new(hello: &'a [u8]) -> Self {
        Self { hello, heard: 0 }
    }

    pub(crate) fn has_heard_more_than_an_alert(&self) -> bool {
        self.heard > 100
    }
}

impl Read for Mute<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.hello.read(buf)
    }
}

impl Write for Mute<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.heard += buf.len();
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A wire with somebody at its far end.
pub(crate) fn wire<'a>(is_counted: bool, other: impl FnOnce(Far) -> Other<'a>) -> Near<'a> {
    let wire = Shared::default();
    let other = Some(other(Far(Rc::clone(&wire))));
    Near {
        wire,
        other,
        is_counted,
    }
}

/// Runs what is counted.
#[inline(never)]
pub(crate) fn counted<T>(run: impl FnOnce() -> T) -> T {
    run()
}

/// Lets the other end go on, to its very end if it is done.
#[inline(never)]
fn other_end(other: &mut Option<Other<'_>>) {
    poll(other);
    // Or this would be one function with the other that polls and does nothing else.
    black_box(other);
}

#[inline(always)]
fn poll(other: &mut Option<Other<'_>>) {
    let mut context = Context::from_waker(Waker::noop());
    let is_done = |future: &mut Other<'_>| future.as_mut().poll(&mut context).is_ready();
    if other.as_mut().is_some_and(is_done) {
        *other = None;
    }
}

/// Runs a future whose wire never makes it wait.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for something else than the wire"),
    }
}

impl Near<'_> {
    /// Lets the other end finish what it has to do, when nothing is counted any more.
    pub(crate) fn finish(mut self) {
        poll(&mut self.other);
        assert!(self.other.is_none(), "the other end waits for more");
    }

    fn go_on(&mut self) {
        match self.is_counted {
            true => other_end(&mut self.other),
            false => poll(&mut self.other),
        }
    }

    fn receive(&mut self, length: usize, mut to: impl FnMut(&[u8])) -> usize {
        if self.wire.borrow().to_near.is_empty() {
            self.go_on();
        }
        let unread = &mut self.wire.borrow_mut().to_near;
        let length = length.min(unread.len());
        to(&unread[..length]);
        unread.drain(..length);
        length
    }
}

impl Read for Near<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = buf.len();
        Ok(self.receive(length, |bytes| buf[..bytes.len()].copy_from_slice(bytes)))
    }
}

impl Write for Near<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut wire = self.wire.borrow_mut();
        bufs.iter()
            .for_each(|buf| wire.to_far.extend_from_slice(buf));
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Over tokio, the counted end is never kept waiting: the other end goes on at once.
impl AsyncRead for Near<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buf.remaining();
        self.receive(room, |bytes| buf.put_slice(bytes));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Near<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Far {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let unread = &mut self.0.borrow_mut().to_far;
        if unread.is_empty() {
            return Poll::Pending;
        }
        let length = buf.remaining().min(unread.len());
        buf.put_slice(&unread[..length]);
        unread.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Far {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().to_near.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
