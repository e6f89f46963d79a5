//! Lines to a place that may be slow: a bounded queue and one writing thread per place. Whoever writes never waits; a
//! line that finds the queue full is dropped, and the writer of it is told.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{
        LazyLock,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

/// Lines that may wait: at 300 bytes each, some 5 MB at the most.
const QUEUE: usize = 16 << 10;

/// How long a flush waits for a place that does not move.
const FLUSH: Duration = Duration::from_secs(2);

/// A place for lines. Clones write to the same queue; when the last is gone, the queue is written out.
#[derive(Clone, Debug)]
pub(crate) struct Lines(SyncSender<Message>);

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
        let (sender, receiver) = sync_channel(QUEUE);
        let spawned = thread::Builder::new().name("lines".into()).spawn(move || write_all(&receiver, place));
        if let Err(error) = spawned {
            eprintln!("cannot start a thread for log lines: {error}");
        }
        Self(sender)
    }

    /// Hands a line over, without its line feed. False: it was dropped.
    pub(crate) fn write(&self, line: Vec<u8>) -> bool {
        self.0.try_send(Message::Line(line)).is_ok()
    }

    /// Waits until what was handed over so far is written.
    pub(crate) fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.0.send(Message::Flush(done)).is_ok() {
            // Either way there is nothing more to wait for.
            let _ = written.recv_timeout(FLUSH);
        }
    }
}

fn write_all(queue: &Receiver<Message>, place: impl Write) {
    let mut place = BufWriter::with_capacity(64 << 10, place);
    while let Ok(first) = queue.recv() {
        let mut flushed = Vec::new();
        // A place that cannot be written to (a full disk, a closed pipe) loses lines; serving goes on.
        for message in std::iter::once(first).chain(queue.try_iter()) {
            match message {
                Message::Line(mut line) => {
                    line.push(b'\n');
                    let _ = place.write_all(&line);
                }
                Message::Flush(done) => flushed.push(done),
            }
        }
        let _ = place.flush();
    }
}
