//! A Unix socket that wakes its task when there is something to read, and not whenever the peer has read something.
//!
//! tokio's own stream asks the kernel for both, always. In an exchange of question and answer that wakes either end once
//! more than it has something to do, and waking up is what most of such an exchange costs.

use std::{
    io::{self, IoSlice, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, unix::AsyncFd};

/// One end of a connection to, or at, the gateway's socket.
#[derive(Debug)]
pub struct Stream {
    socket: AsyncFd<UnixStream>,
    /// A second descriptor of the same socket, while it takes no more and room is waited for.
    room: Option<AsyncFd<OwnedFd>>,
}

impl Stream {
    /// Takes over a connected, non-blocking socket.
    ///
    /// # Errors
    /// When the runtime cannot watch it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[expect(
        deprecated,
        reason = "the successor is unsafe; a `UnixStream` stays open and the same, which is all it asks"
    )]
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        Ok(Self { socket: AsyncFd::with_interest(socket, Interest::READABLE)?, room: None })
    }

    /// Reads what arrives within so much time, looking again and again; None when nothing did. Others get the processor
    /// between two looks.
    pub(crate) fn watch(&self, buffer: &mut [u8], most: Duration) -> Option<io::Result<usize>> {
        let begun = Instant::now();
        loop {
            match self.socket.get_ref().read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && begun.elapsed() < most => std::thread::yield_now(),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return None,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                done => return Some(done),
            }
        }
    }

    /// Writes, or waits until there is room and writes then.
    #[expect(
        deprecated,
        reason = "the successor is unsafe; an `OwnedFd` stays open and the same, which is all it asks"
    )]
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        send: impl Fn(&UnixStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match send(self.socket.get_ref()) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                done => {
                    self.room = None;
                    return Poll::Ready(done);
                }
            }
            let room = match self.room.take() {
                Some(room) => room,
                None => {
                    AsyncFd::with_interest(self.socket.get_ref().as_fd().try_clone_to_owned()?, Interest::WRITABLE)?
                }
            };
            let room = self.room.insert(room);
            match ready!(room.poll_write_ready(cx)) {
                Ok(mut guard) => guard.clear_ready(),
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        loop {
            let mut guard = ready!(stream.socket.poll_read_ready(cx))?;
            let space = buffer.initialize_unfilled();
            let wanted = space.len();
            match guard.try_io(|socket| socket.get_ref().read(space)) {
                Ok(Ok(size)) => {
                    if 0 < size && size < wanted {
                        // The kernel reports each arrival, so there is no need to be told that there is no more.
                        guard.clear_ready();
                    }
                    buffer.advance(size);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(e)) => return Poll::Ready(Err(e)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, |mut socket| socket.write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, |mut socket| socket.write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.get_ref().shutdown(std::net::Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn pair() -> (Stream, Stream) {
        let (one, other) = UnixStream::pair().unwrap();
        let ready = |socket: UnixStream| {
            socket.set_nonblocking(true).unwrap();
            Stream::new(socket).unwrap()
        };
        (ready(one), ready(other))
    }

    #[tokio::test]
    async fn more_passes_than_the_kernel_holds_in_both_directions_at_once() {
        let (mut near, mut far) = pair();
        let sent: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
        let copy = sent.clone();
        let echo = async move {
            let mut got = vec![0; copy.len()];
            far.read_exact(&mut got).await.unwrap();
            far.write_all(&got).await.unwrap();
            far.shutdown().await.unwrap();
        };
        let ask = async move {
            near.write_all(&sent).await.unwrap();
            let mut got = Vec::new();
            near.read_to_end(&mut got).await.unwrap();
            assert!(got == sent);
        };
        tokio::join!(echo, ask);
    }

    #[tokio::test]
    async fn what_was_watched_for_is_not_waited_for_again() {
        let (mut near, mut far) = pair();
        let mut got = [0; 8];
        assert!(near.watch(&mut got, Duration::from_micros(50)).is_none());
        for n in 0..100u8 {
            far.write_all(&[n]).await.unwrap();
            assert_eq!(near.watch(&mut got, Duration::from_secs(1)).unwrap().unwrap(), 1);
            far.write_all(&[n, n]).await.unwrap();
            assert_eq!(near.read(&mut got).await.unwrap(), 2);
        }
        drop(far);
        assert_eq!(near.watch(&mut got, Duration::from_secs(1)).unwrap().unwrap(), 0);
    }

    #[tokio::test]
    async fn small_messages_go_back_and_forth_and_the_end_is_seen() {
        let (mut near, mut far) = pair();
        for n in 0..100u8 {
            near.write_all(&[n; 3]).await.unwrap();
            let mut got = [0; 3];
            far.read_exact(&mut got).await.unwrap();
            assert_eq!(got, [n; 3]);
        }
        drop(near);
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(far.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
