//! Our own standard input and output, waited for without threads and without O_NONBLOCK.
//!
//! `tokio::io::stdin` reads in a thread that keeps the process from ending while the client holds its side open, and
//! O_NONBLOCK would be seen by every process that shares the open file, the server on our standard error included. So the
//! file stays as it is, and is read or written only when `poll` says that this will not block.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, unix::AsyncFd};

/// POSIX: a pipe that is ready takes this much without blocking (`PIPE_BUF` on Linux; 512 elsewhere).
const PIPE_BUF: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

/// A pipe, socket, terminal or file.
#[derive(Debug)]
pub struct Handle(Kind);

#[derive(Debug)]
enum Kind {
    Waited(AsyncFd<OwnedFd>),
    /// A regular file, which is always ready and which the kernel will not wait for.
    Ready(OwnedFd),
}

impl Handle {
    /// A handle of its own on an open file, such as `std::io::stdin()`.
    ///
    /// # Errors
    /// When there is no free descriptor.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[expect(
        deprecated,
        reason = "the successor is unsafe; an `OwnedFd` stays open and the same, which is all it asks"
    )]
    pub fn new(file: impl AsFd) -> io::Result<Self> {
        let own = file.as_fd().try_clone_to_owned()?;
        let waited = AsyncFd::try_with_interest(own, Interest::READABLE | Interest::WRITABLE);
        Ok(Self(match waited {
            Ok(fd) => Kind::Waited(fd),
            Err(refused) => {
                let (fd, error) = refused.into_parts();
                if error.kind() != io::ErrorKind::PermissionDenied {
                    return Err(error);
                }
                Kind::Ready(fd)
            }
        }))
    }
}

/// Says `WouldBlock` unless reading or writing would not.
fn check(fd: &OwnedFd, flags: PollFlags) -> io::Result<()> {
    let mut fds = [PollFd::new(fd, flags)];
    match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

impl AsyncRead for Handle {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut read = |fd: &OwnedFd| {
            let count = rustix::io::read(fd, buffer.initialize_unfilled())?;
            buffer.advance(count);
            Ok(())
        };
        match &self.get_mut().0 {
            Kind::Ready(fd) => Poll::Ready(read(fd)),
            Kind::Waited(fd) => loop {
                let mut guard = ready!(fd.poll_read_ready(cx))?;
                let tried = guard.try_io(|fd| check(fd.get_ref(), PollFlags::IN).and_then(|()| read(fd.get_ref())));
                if let Ok(done) = tried {
                    return Poll::Ready(done);
                }
            },
        }
    }
}

impl AsyncWrite for Handle {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let some = bytes.get(..PIPE_BUF).unwrap_or(bytes);
        match &self.get_mut().0 {
            Kind::Ready(fd) => Poll::Ready(Ok(rustix::io::write(fd, bytes)?)),
            Kind::Waited(fd) => loop {
                let mut guard = ready!(fd.poll_write_ready(cx))?;
                let tried = guard.try_io(|fd| {
                    check(fd.get_ref(), PollFlags::OUT)?;
                    Ok(rustix::io::write(fd.get_ref(), some)?)
                });
                if let Ok(done) = tried {
                    return Poll::Ready(done);
                }
            },
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_pipe_carries_more_than_it_holds() {
        let (reader, writer) = io::pipe().unwrap();
        let (mut input, mut output) = (Handle::new(&reader).unwrap(), Handle::new(&writer).unwrap());
        drop((reader, writer));
        let sent: Vec<u8> = (0..1_000_000u32).map(|n| n.to_le_bytes()[n as usize % 4]).collect();
        let copy = sent.clone();
        let write = async move { output.write_all(&copy).await.unwrap() };
        let mut got = Vec::new();
        tokio::join!(write, async { input.read_to_end(&mut got).await.unwrap() });
        assert!(got == sent);
    }

    #[tokio::test]
    async fn waiting_for_a_pipe_blocks_nobody_else_and_leaves_it_blocking() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        let mut input = Handle::new(&reader).unwrap();
        let mut first = [0; 1];
        tokio::select! {
            biased;
            _ = input.read(&mut first) => panic!("nothing was written"),
            () = tokio::task::yield_now() => {}
        }
        writer.write_all(b"ab").unwrap();
        input.read_exact(&mut first).await.unwrap();
        drop((input, writer));
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!((first, rest.as_str()), (*b"a", "b"));
    }

    #[tokio::test]
    async fn files_are_read_and_written_as_well() {
        let mut file = tempfile::tempfile().unwrap();
        let mut handle = Handle::new(&file).unwrap();
        handle.write_all(b"line\n").await.unwrap();
        file.rewind().unwrap();
        let mut text = String::new();
        handle.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "line\n");
    }

    #[tokio::test]
    async fn a_reader_that_left_is_an_error() {
        let (reader, writer) = io::pipe().unwrap();
        let mut output = Handle::new(&writer).unwrap();
        drop(reader);
        assert_eq!(output.write_all(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
