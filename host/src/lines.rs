//! Lines to a place that may be slow: a queue bounded in lines and bytes, and one writing thread per place. Whoever writes
//! never waits; a line that finds the queue full is dropped, and the writer of it is told.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::{fd::AsFd, unix::fs::OpenOptionsExt as _},
    path::Path,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::file;

/// Lines that may wait.
const QUEUE: usize = 16 << 10;

/// Bytes that may wait.
const QUEUE_BYTES: usize = 8 << 20;

/// Bytes that are written at once, more or less.
const BATCH: usize = 64 << 10;

/// Lines that found their queue full, or their place not to be written to.
static LOST: LazyLock<Counter> = LazyLock::new(Counter::default);

/// The process's count of lost lines.
pub(crate) fn lost() -> Counter {
    LOST.clone()
}

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
        static STDOUT: LazyLock<Lines> = LazyLock::new(|| Lines::to(unbuffered(io::stdout())));
        STDOUT.clone()
    }

    /// Standard error, likewise.
    pub(crate) fn stderr() -> Self {
        static STDERR: LazyLock<Lines> = LazyLock::new(|| Lines::to(unbuffered(io::stderr())));
        STDERR.clone()
    }

    /// A file, appended to; created when absent. A FIFO must have a reader: opening it would wait for one.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).custom_flags(file::NONBLOCK).open(path)?;
        // Writing may wait, which is what the queue is for.
        fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
        Ok(Self::to(file))
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
            LOST.inc();
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

/// The same place without the standard library's buffer, which keeps half lines back when they cannot be written.
fn unbuffered(place: impl AsFd) -> Box<dyn Write + Send> {
    match place.as_fd().try_clone_to_owned() {
        Ok(place) => Box::new(File::from(place)),
        // It was closed before we began.
        Err(_) => Box::new(io::sink()),
    }
}

fn write_all(queue: &Receiver<Message>, waiting: &AtomicUsize, place: impl Write) {
    let mut writer = Writer { place, lines: Vec::with_capacity(BATCH), torn: false };
    while let Ok(first) = queue.recv() {
        let mut flushed = Vec::new();
        for message in std::iter::once(first).chain(queue.try_iter()) {
            match message {
                Message::Line(line) => {
                    waiting.fetch_sub(line.len(), Ordering::Relaxed);
                    writer.add(&line);
                }
                Message::Flush(done) => flushed.push(done),
            }
        }
        writer.write();
    }
}

/// Gathers lines. A place that cannot be written to (a full disk, a closed pipe) loses them; they are counted, and those
/// that come when it can be written to again are whole.
struct Writer<W> {
    place: W,
    lines: Vec<u8>,
    /// Whether the last that was written is the beginning of a line.
    torn: bool,
}

impl<W: Write> Writer<W> {
    fn add(&mut self, line: &[u8]) {
        if self.torn && self.lines.is_empty() {
            self.lines.push(b'\n');
        }
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
        if self.lines.len() >= BATCH {
            self.write();
        }
    }

    fn write(&mut self) {
        let mut written = 0;
        while written < self.lines.len() {
            match self.place.write(&self.lines[written..]) {
                Ok(0) => break,
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        if written > 0 {
            self.torn = self.lines[written - 1] != b'\n';
        }
        let lost = self.lines[written..].iter().filter(|&&byte| byte == b'\n').count();
        LOST.inc_by(lost as u64);
        self.lines.clear();
        // What a line of any length needed is not kept.
        self.lines.shrink_to(BATCH);
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

    /// A place that takes so many bytes in all, as a disk would, until there is room again.
    struct Disk<'a>(&'a std::cell::Cell<usize>, Vec<u8>);

    impl Write for Disk<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = self.0.get().min(bytes.len());
            self.0.set(self.0.get() - taken);
            self.1.extend_from_slice(&bytes[..taken]);
            if taken == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_loses_lines_and_those_that_come_later_are_whole() {
        for room in 0..12 {
            let left = std::cell::Cell::new(room);
            let mut writer = Writer { place: Disk(&left, Vec::new()), lines: Vec::new(), torn: false };
            let before = LOST.get();
            for line in [b"one", b"two", b"tri"] {
                writer.add(line);
                writer.write();
            }
            let written = writer.place.1.iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(written, room / 4);
            assert!(LOST.get() - before >= 3 - written as u64, "{room}");
            left.set(100);
            writer.add(b"four");
            writer.write();
            let text = String::from_utf8_lossy(&writer.place.1).into_owned();
            assert!(text.ends_with("\nfour\n") || text == "four\n", "{room}: {text:?}");
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
