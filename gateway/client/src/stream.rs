//! A Unix socket that wakes its task when there is something to read, and not whenever the peer has read something.
//!
//! tokio's own stream asks the kernel for both, always. In an exchange of question and answer that wakes either end once
//! more than it has something to do, and waking up is what most of such an exchange costs. For the same reason a peer that
//! spoke soon after it was spoken to is watched for a moment before the task waits.

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
    /// When something was sent that the peer has not spoken after.
    sent: Option<Instant>,
    /// The last time the peer spoke soon.
    quick: bool,
}

/// How long the peer is watched before the thread sleeps, while it is quick. Waking a thread on an idle processor takes
/// longer than most answers, and longer than a quick MCP server needs between the questions about its request and its
/// response.
const SOON: Duration = Duration::from_micros(200);

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
        Ok(Self { socket: AsyncFd::with_interest(socket, Interest::READABLE)?, room: None, sent: None, quick: false })
    }

    /// Reads what the peer says to what was sent, if that comes soon and the last time it did. None when it is to be
    /// waited for. Others get the processor between two looks.
    fn watch(&mut self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        let sent = self.sent.filter(|_| self.quick)?;
        loop {
            match self.socket.get_ref().read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && sent.elapsed() < SOON => std::thread::yield_now(),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.quick = false;
                    return None;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                done => return Some(done),
            }
        }
    }

    /// Remembers whether the peer spoke soon after what was sent.
    fn heard(&mut self) {
        if let Some(sent) = self.sent.take() {
            self.quick = sent.elapsed() < SOON;
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
                    self.sent = Some(Instant::now());
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
        let space = buffer.initialize_unfilled();
        if let Some(seen) = stream.watch(space) {
            buffer.advance(seen?);
            stream.heard();
            return Poll::Ready(Ok(()));
        }
        loop {
            let mut guard = ready!(stream.socket.poll_read_ready(cx))?;
            let wanted = space.len();
            match guard.try_io(|socket| socket.get_ref().read(space)) {
                Ok(Ok(size)) => {
                    if 0 < size && size < wanted {
                        // The kernel reports each arrival, so there is no need to be told that there is no more.
                        guard.clear_ready();
                    }
                    buffer.advance(size);
                    stream.heard();
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
    async fn a_peer_is_watched_while_it_is_quick_and_only_after_something_was_sent() {
        let (mut near, mut far) = pair();
        let mut got = [0; 8];
        far.write_all(b"a").await.unwrap();
        assert_eq!(near.read(&mut got).await.unwrap(), 1);
        assert!(near.watch(&mut got).is_none(), "nothing was sent");
        for n in 0..100u8 {
            near.write_all(b"x").await.unwrap();
            far.write_all(&[n, n]).await.unwrap();
            near.quick = true;
            assert_eq!(near.read(&mut got).await.unwrap(), 2);
            assert!(near.watch(&mut got).is_none(), "it has spoken");
        }
        near.write_all(b"x").await.unwrap();
        near.quick = true;
        assert!(near.watch(&mut got).is_none() && !near.quick, "it was not quick");
        tokio::time::sleep(SOON).await;
        far.write_all(b"late").await.unwrap();
        assert_eq!(near.read(&mut got).await.unwrap(), 4);
        assert!(!near.quick);
        near.quick = true;
        near.write_all(b"x").await.unwrap();
        // A socket that is closed with something unread resets its peer.
        far.read_exact(&mut [0; 102]).await.unwrap();
        drop(far);
        assert_eq!(near.read(&mut got).await.unwrap(), 0);
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
