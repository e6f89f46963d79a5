//! Lines to a place that may be slow: a queue bounded in lines and bytes, and one writing thread per place. Whoever writes
//! never waits; a line that finds the queue full is dropped, and the writer of it is told.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

/// Lines that may wait.
const QUEUE: usize = 16 << 10;

/// Bytes that may wait.
const QUEUE_BYTES: usize = 8 << 20;

/// How long a flush waits for a place that does not move.
const FLUSH: Duration = Duration::from_secs(2);

/// A place for lines. Clones write to the same queue; when the last is gone, the queue is written out.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    queue: SyncSender<Message>,
    /// Bytes that wait.
    waiting: Arc<AtomicUsize>,
}

enum Message {
    Line(Vec<u8>),
    /// Write everything out and drop this.
    Flush(SyncSender<()>),
}

impl Lines {
    /// Standard output: one queue for the process, so that lines never mix.
    pub(crate) fn stdout() -> Self {
        static STDOUT: LazyLock<Lines> = LazyLock::new(|| Lines::to(io::stdout()));
        STDOUT.clone()
    }

    /// Standard error, likewise.
    pub(crate) fn stderr() -> Self {
        static STDERR: LazyLock<Lines> = LazyLock::new(|| Lines::to(io::stderr()));
        STDERR.clone()
    }

    /// A file, appended to; created when absent.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        Ok(Self::to(OpenOptions::new().append(true).create(true).open(path)?))
    }

    fn to(place: impl Write + Send + 'static) -> Self {
        let (queue, receiver) = sync_channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = waiting.clone();
        let spawned = thread::Builder::new().name("lines".into()).spawn(move || write_all(&receiver, &written, place));
        if let Err(error) = spawned {
            eprintln!("cannot start a thread for log lines: {error}");
        }
        Self { queue, waiting }
    }

    /// Hands a line over, without its line feed. False: it was dropped.
    pub(crate) fn write(&self, line: Vec<u8>) -> bool {
        let bytes = line.len();
        let fits = self.waiting.fetch_add(bytes, Ordering::Relaxed) <= QUEUE_BYTES;
        let sent = fits && self.queue.try_send(Message::Line(line)).is_ok();
        if !sent {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        }
        sent
    }

    /// Waits until what was handed over so far is written.
    pub(crate) fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.queue.send(Message::Flush(done)).is_ok() {
            // Either way there is nothing more to wait for.
            let _ = written.recv_timeout(FLUSH);
        }
    }
}

fn write_all(queue: &Receiver<Message>, waiting: &AtomicUsize, place: impl Write) {
    let mut place = BufWriter::with_capacity(64 << 10, place);
    while let Ok(first) = queue.recv() {
        let mut flushed = Vec::new();
        // A place that cannot be written to (a full disk, a closed pipe) loses lines; serving goes on.
        for message in std::iter::once(first).chain(queue.try_iter()) {
            match message {
                Message::Line(mut line) => {
                    waiting.fetch_sub(line.len(), Ordering::Relaxed);
                    line.push(b'\n');
                    let _ = place.write_all(&line);
                }
                Message::Flush(done) => flushed.push(done),
            }
        }
        let _ = place.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place that takes nothing until it is told to.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Told, or told never again: either way it moves on.
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn long_lines_for_a_place_that_is_stuck_take_bounded_memory_and_later_lines_pass_again() {
        let (go, stuck) = std::sync::mpsc::channel();
        let lines = Lines::to(Stuck(stuck));
        let taken = (0..1000).filter(|_| lines.write(vec![b'x'; 64 << 10])).count();
        // One or two more are in the writer's hands.
        assert!((120..=140).contains(&taken), "{taken}");
        drop(go);
        lines.flush();
        assert!(lines.write(b"again".to_vec()));
    }
}
