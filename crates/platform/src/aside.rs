//! Work that keeps a thread busy, beside the threads that everything else waits for.
//!
//! A thread of the runtime that takes a page of ten megabytes apart does nothing else meanwhile: no other page is fetched, no sign of life is
//! written and no lease renewed. So what takes longer than a millisecond is done elsewhere.
//!
//! Measured on one of two busy cores, the best of 15 each, with the libraries less optimised than in a release (`opt-level` 1): contacts are
//! looked over at 83 MB/s (40 rows, 53 kB: 0.6 ms; 100 rows, 133 kB: 1.6 ms; 10,000 rows, 13 MB: 270 ms), a report in base64 is unpacked
//! at 59 MB/s (66 kB: 1.1 ms; 27 MB: 0.7 s). The way to another thread and back takes 0.04 ms.

/// Bytes that take up to about a millisecond, measured as above.
const AT_ONCE: usize = 64 << 10;

/// Does work on so many bytes: where it is asked for if they are few, else on a thread that may be kept busy.
///
/// Whoever gives up waiting does not end the work; what it comes to is thrown away.
pub async fn aside<T, W>(bytes: usize, work: W) -> T
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    if bytes <= AT_ONCE {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends before the work began, and whoever waits here ends with it.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[tokio::test]
    async fn what_is_long_is_done_on_another_thread() {
        let here = thread::current().id();
        let done_on = |bytes| aside(bytes, || thread::current().id());
        assert_eq!(done_on(0).await, here);
        assert_eq!(done_on(AT_ONCE).await, here);
        assert_ne!(done_on(AT_ONCE + 1).await, here);
    }

    #[tokio::test]
    async fn a_panic_there_is_one_here() {
        let task = tokio::spawn(aside::<(), _>(AT_ONCE + 1, || panic!("on purpose")));
        assert!(task.await.unwrap_err().is_panic());
    }
}
