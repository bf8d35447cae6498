//! A connection whose other end has to read what it asked for.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How much a client has to take within the patience, in bytes, where so much waits for it.
const PROGRESS: usize = 64 * 1024;

/// A stream whose writes fail where they make no progress for too long: less than [`PROGRESS`], and
/// less than what waits.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    patience: Duration,
    /// When patience ends.
    deadline: Pin<Box<Sleep>>,
    /// Bytes written since it began, while something waits to be written.
    waiting: Option<usize>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        let deadline = Box::pin(tokio::time::sleep(patience));
        Self { stream, patience, deadline, waiting: None }
    }

    /// What to make of an attempt to write.
    fn judge(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            if let (Ok(more), Some(sum)) = (&written, self.waiting) {
                self.waiting = Some(sum + more).filter(|sum| *sum < PROGRESS);
            }
            return Poll::Ready(written);
        }
        self.wait(context).map(Err)
    }

    /// Waits for the end of patience, which begins now if nothing waited before.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.waiting.is_none() {
            self.waiting = Some(0);
            self.deadline.as_mut().reset(Instant::now() + self.patience);
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the client does not read"))
    }

    /// What to make of an attempt to finish writing.
    fn finish(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        if done.is_ready() {
            self.waiting = None;
            return done;
        }
        self.wait(context).map(Err)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, buffer);
        this.judge(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, buffers);
        this.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(context);
        this.finish(context, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(context);
        this.finish(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A connection that holds 1000 bytes on their way.
    fn pair() -> (Patient<DuplexStream>, DuplexStream) {
        let (here, there) = duplex(1000);
        (Patient::new(here, PATIENCE), there)
    }

    fn assert_given_up(error: &io::Error, began: Instant) {
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let after = began.elapsed();
        assert!(after >= PATIENCE && after < PATIENCE + Duration::from_secs(1), "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_is_given_up_in_time() {
        let (mut here, _there) = pair();
        let began = Instant::now();
        let error = here.write_all(&[0; 2000]).await.unwrap_err();
        assert_given_up(&error, began);
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_drops_is_given_up_as_well() {
        let (mut here, mut there) = pair();
        let began = Instant::now();
        let dripping = tokio::spawn(async move {
            while there.read_u8().await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let error = here.write_all(&[0; 2000]).await.unwrap_err();
        assert_given_up(&error, began);
        drop(here);
        dripping.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_gets_everything_and_may_pause_between_answers() {
        const ANSWER: usize = 5 * PROGRESS;
        let (mut here, mut there) = pair();
        let reading = tokio::spawn(async move {
            let mut buffer = vec![0; PROGRESS];
            for _ in 0..2 * ANSWER / PROGRESS {
                there.read_exact(&mut buffer).await.unwrap();
                tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
            }
        });
        for _ in 0..2 {
            here.write_all(&[0; ANSWER]).await.unwrap();
            here.flush().await.unwrap();
            tokio::time::sleep(100 * PATIENCE).await;
        }
        reading.await.unwrap();
    }
}
