//! The same adapter over `AsyncRead + AsyncWrite`. It holds writes until the handshake is over.

use std::future::poll_fn;
use std::io::ErrorKind::{UnexpectedEof, WouldBlock};
use std::io::{self, IoSlice, Read, Write};
use std::ops::DerefMut;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::{ConnectionCommon, SideData};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Adapter, CHUNK, Queue, is_gone};
use crate::Error;
use crate::handover;

/// The result of a handshake; the alert of one that failed has been sent by then.
pub(crate) async fn finish<S, T: AsyncWrite + Unpin>(
    result: Result<S, (io::Error, Adapter<T>)>,
) -> Result<S, Error> {
    match result {
        Ok(stream) => Ok(stream),
        Err((error, mut io)) => {
            io.defers_flushes = false;
            // What went wrong matters more than whether the peer could be told.
            let _ = poll_fn(|cx| Pin::new(&mut io).poll_flush(cx)).await;
            Err(error.into())
        }
    }
}

/// Does the whole handshake of a connection over an adapter that holds writes; `step` lets rustls process what has
/// been read.
///
/// When it fails, the alert has been sent as far as the network took it.
pub(crate) async fn complete<C, D, T>(
    connection: &mut C,
    io: &mut Adapter<T>,
    mut step: impl FnMut(&mut C, &mut Adapter<T>) -> Result<(), Error>,
) -> Result<(), Error>
where
    C: DerefMut<Target = ConnectionCommon<D>>,
    D: SideData,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let completed: Result<(), Error> = poll_fn(|cx| {
        while connection.is_handshaking() {
            let mut polled = Polled { io, cx };
            send(connection, &mut polled)?;
            match connection.read_tls(&mut polled) {
                Ok(0) => return Poll::Ready(Err(io::Error::from(UnexpectedEof).into())),
                Ok(_) => step(connection, io)?,
                Err(error) if error.kind() == WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        Poll::Ready(Ok(()))
    })
    .await;
    io.defers_flushes &= completed.is_ok();
    // What went wrong matters more than whether the peer could be told.
    let told = poll_fn(|cx| Poll::Ready(send(connection, &mut Polled { io, cx }))).await;
    let told = match told {
        Ok(()) => poll_fn(|cx| Pin::new(&mut *io).poll_flush(cx)).await,
        Err(error) => Err(error),
    };
    completed?;
    Ok(told?)
}

/// Gives the adapter, which holds it, all that rustls has to send.
fn send<D: SideData, T: AsyncWrite + Unpin>(
    connection: &mut ConnectionCommon<D>,
    io: &mut Polled<'_, '_, T>,
) -> io::Result<()> {
    while connection.wants_write() {
        connection.write_tls(io)?;
    }
    match io.flush() {
        Err(error) if error.kind() == WouldBlock => Ok(()),
        flushed => flushed,
    }
}

/// An adapter in one poll, for rustls, which knows only blocking streams.
struct Polled<'a, 'b, T> {
    io: &'a mut Adapter<T>,
    cx: &'a mut Context<'b>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Read for Polled<'_, '_, T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        match Pin::new(&mut *self.io).poll_read(self.cx, &mut buf) {
            Poll::Ready(read) => read.map(|()| buf.filled().len()),
            Poll::Pending => Err(WouldBlock.into()),
        }
    }
}

impl<T: AsyncWrite + Unpin> Write for Polled<'_, '_, T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match Pin::new(&mut *self.io).poll_write_vectored(self.cx, bufs) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match Pin::new(&mut *self.io).poll_flush(self.cx) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Err(WouldBlock.into()),
        }
    }
}

/// Lets an `AsyncStream` with a field `tls` read and write as that does, for client and server alike.
macro_rules! delegate_to_tls {
    ($stream:ident) => {
        const _: () = {
            use std::io::{self, IoSlice};
            use std::pin::Pin;
            use std::task::{Context, Poll};

            use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

            impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for $stream<T> {
                fn poll_read(
                    mut self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    buf: &mut ReadBuf<'_>,
                ) -> Poll<io::Result<()>> {
                    Pin::new(&mut self.tls).poll_read(cx, buf)
                }
            }

            impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for $stream<T> {
                fn poll_write(
                    mut self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    buf: &[u8],
                ) -> Poll<io::Result<usize>> {
                    Pin::new(&mut self.tls).poll_write(cx, buf)
                }

                fn poll_write_vectored(
                    mut self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    bufs: &[IoSlice<'_>],
                ) -> Poll<io::Result<usize>> {
                    Pin::new(&mut self.tls).poll_write_vectored(cx, bufs)
                }

                fn is_write_vectored(&self) -> bool {
                    self.tls.is_write_vectored()
                }

                fn poll_flush(
                    mut self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                ) -> Poll<io::Result<()>> {
                    Pin::new(&mut self.tls).poll_flush(cx)
                }

                fn poll_shutdown(
                    mut self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                ) -> Poll<io::Result<()>> {
                    Pin::new(&mut self.tls).poll_shutdown(cx)
                }
            }
        };
    };
}
pub(crate) use delegate_to_tls;

/// Runs what belongs to the application, such as its network, in the middle of a step.
///
/// It may drive any other connection, and those that are past their handshake have no cell of their own.
fn aside<T>(application: impl FnOnce() -> T) -> T {
    handover::scope(application).0
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Adapter<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Nobody answers a hello that is still here, and a caller that waits to read may not flush
        // again.
        if let Poll::Ready(Err(error)) = self.poll_drain(cx) {
            return Poll::Ready(Err(error));
        }
        loop {
            if !self.inbound.is_empty() {
                let read = self.inbound.read(buf.initialize_unfilled());
                buf.advance(read);
                return Poll::Ready(Ok(()));
            }
            if !self.edits_inbound() {
                let before = buf.filled().len();
                ready!(aside(|| Pin::new(&mut self.io).poll_read(cx, buf)))?;
                self.watch_inbound(buf.filled().get(before..).unwrap_or_default());
                return Poll::Ready(Ok(()));
            }
            if self.gives_up_waiting() {
                continue;
            }
            let mut chunk = [0; CHUNK];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(aside(|| Pin::new(&mut self.io).poll_read(cx, &mut chunk)))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.edit_inbound(chunk.filled())?;
        }
    }
}

impl<T: AsyncWrite + Unpin> Adapter<T> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbound.is_empty() {
            match ready!(aside(
                || Pin::new(&mut self.io).poll_write(cx, self.outbound.unread())
            )) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(written) => self.outbound.advance(written),
                // The handshake fails at the end of what there is to read, an alert perhaps.
                Err(error) if self.holds_writes && is_gone(&error) => {
                    self.outbound = Queue::default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Adapter<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let queued = self.queue_all(bufs);
        let drained = self.poll_drain(cx)?;
        if queued > 0 {
            // The bytes are ours now; what the network does not take at once, `poll_flush` sends.
            return Poll::Ready(Ok(queued));
        }
        ready!(drained);
        let written = ready!(aside(
            || Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
        ))?;
        self.watch_written(bufs, written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match self.poll_drain(cx)? {
            Poll::Ready(()) => aside(|| Pin::new(&mut self.io).poll_flush(cx)),
            Poll::Pending => Poll::Pending,
        };
        match flushed {
            Poll::Pending if self.defers_flushes => Poll::Ready(Ok(())),
            flushed => flushed,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        aside(|| Pin::new(&mut self.io).poll_shutdown(cx))
    }
}
