//! Where a guest computes: on the caller's thread while it is short, on the slow lane once it proved to be long.
//!
//! A guest that has computed for [`SLOW_AFTER_TICKS`] ticks is moved, with its store, to a thread of its own kind: there is
//! one for each engine, the operating system gives it less time than the others, and all long guests take turns on it. The
//! caller's threads stay free for envelopes that take microseconds.
//!
//! INVARIANT: moving changes where a guest runs and nothing that it can see; a dropped call ends wherever it runs.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    thread,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    task::JoinHandle,
};

/// Ticks of computing after which a guest is long. Waiting for the host does not count.
pub const SLOW_AFTER_TICKS: u32 = 10;
/// How much the operating system prefers other threads to the slow lane's, as `nice` counts it.
const NICENESS: i32 = 10;

/// Set once by the tick when a guest has become long.
#[derive(Debug, Clone, Default)]
pub(crate) struct LongMark(Arc<AtomicBool>);

impl LongMark {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The slow lane of one engine; its thread starts with the first long guest.
#[derive(Debug, Default)]
pub(crate) struct SlowLane(OnceLock<Option<Lane>>);

#[derive(Debug)]
struct Lane {
    handle: Handle,
    /// Ends the thread when the engine goes.
    _stop: oneshot::Sender<()>,
}

impl SlowLane {
    /// Runs `work` to its end: here, and on the slow lane from the moment on that `mark` is set. `None` when the host itself
    /// broke while it ran there.
    pub(crate) async fn drive<F>(&self, mark: &LongMark, work: F) -> Option<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut work = Box::pin(work);
        let finished = poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if mark.is_set() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        if let Some(output) = finished.await {
            return Some(output);
        }
        match self.lane() {
            Some(lane) => Moved(lane.handle.spawn(work)).await,
            // A machine without a thread to spare: long guests take their turns among the others.
            None => Some(work.await),
        }
    }

    fn lane(&self) -> Option<&Lane> {
        self.0.get_or_init(|| start().ok()).as_ref()
    }
}

/// Starts the thread. It lives until the engine drops its end of the channel.
fn start() -> std::io::Result<Lane> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let handle = runtime.handle().clone();
    let (stop, stopped) = oneshot::channel::<()>();
    thread::Builder::new()
        .name("aim-slow".to_owned())
        .spawn(move || {
            // Without the right to do so, long guests compete on equal terms: slower neighbours, no other difference.
            let _ = rustix::process::nice(NICENESS);
            // An error says that the engine is gone, which is what is waited for.
            let _ = runtime.block_on(stopped);
        })?;
    Ok(Lane {
        handle,
        _stop: stop,
    })
}

/// A call that runs elsewhere, and is ended there when its caller drops it.
struct Moved<T>(JoinHandle<T>);

impl<T> Future for Moved<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

impl<T> Drop for Moved<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn yields(times: u32) -> Vec<thread::ThreadId> {
        let mut threads = Vec::new();
        for _ in 0..times {
            threads.push(thread::current().id());
            tokio::task::yield_now().await;
        }
        threads
    }

    #[tokio::test]
    async fn short_work_stays_where_it_was_started() {
        let lane = SlowLane::default();
        let threads = lane.drive(&LongMark::default(), yields(3)).await.unwrap();
        assert_eq!(threads, [thread::current().id(); 3]);
        assert!(lane.0.get().is_none(), "no thread was started for it");
    }

    #[tokio::test]
    async fn long_work_moves_once_it_is_marked() {
        let lane = SlowLane::default();
        let mark = LongMark::default();
        mark.set();
        let threads = lane.drive(&mark, yields(3)).await.unwrap();
        let here = thread::current().id();
        assert_eq!(threads.first(), Some(&here));
        assert!(threads.iter().skip(1).all(|thread| *thread != here));
    }

    /// Negative control: with no `abort` of work that moved, this fails.
    #[tokio::test]
    async fn long_work_of_a_dropped_call_ends() {
        struct Sends(Option<oneshot::Sender<()>>);
        impl Drop for Sends {
            fn drop(&mut self) {
                drop(self.0.take());
            }
        }
        let lane = Arc::new(SlowLane::default());
        let mark = LongMark::default();
        mark.set();
        let (alive, gone) = oneshot::channel();
        let work = async move {
            let _sends = Sends(Some(alive));
            loop {
                tokio::task::yield_now().await;
            }
        };
        let call = tokio::spawn({
            let lane = Arc::clone(&lane);
            async move { lane.drive::<_>(&mark, work).await }
        });
        while lane.0.get().is_none() {
            tokio::task::yield_now().await;
        }
        call.abort();
        assert!(gone.await.is_err(), "the work was dropped with its call");
    }
}
