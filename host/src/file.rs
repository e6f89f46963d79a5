//! Files that the operator names, read whole: only what is a file, and no more of it than it may have. A FIFO keeps its
//! reader waiting for as long as nobody writes, and a device may never come to an end.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, ErrorKind, Read as _},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::fs::OFlags;

/// Opening such waits for nobody.
pub(crate) const NONBLOCK: i32 = OFlags::NONBLOCK.bits() as i32;

/// Reads a file of at most so many bytes. An error says what a person can do about it.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    check(&metadata)?;
    let too_large = |size| io::Error::new(ErrorKind::FileTooLarge, format!("it is {size} bytes: {most} at most"));
    if metadata.len() > most {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    // Those of `/proc` say that they are empty, and others may grow.
    File::take(file, most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_large(bytes.len() as u64)) } else { Ok(bytes) }
}

/// Whether what is at a path can be read as a file. What is not there at all is left to who reads it.
pub(crate) fn is_one(path: &Path) -> io::Result<()> {
    path.metadata().map_or(Ok(()), |metadata| check(&metadata))
}

fn check(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let what = if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(io::Error::new(ErrorKind::InvalidInput, format!("it is {what}, not a file")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_what_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "12345").unwrap();
        assert_eq!(read(&file, 5).unwrap(), b"12345");
        assert_eq!(read(&file, 4).unwrap_err().to_string(), "it is 5 bytes: 4 at most");
        assert!(!read(Path::new("/proc/self/status"), 1 << 20).unwrap().is_empty());
        assert!(read(Path::new("/proc/self/status"), 10).unwrap_err().to_string().contains("10 at most"));
        assert_eq!(read(Path::new("/dev/zero"), 10).unwrap_err().to_string(), "it is a device, not a file");
        assert_eq!(read(folder.path(), 10).unwrap_err().kind(), ErrorKind::IsADirectory);
        assert_eq!(read(&folder.path().join("none"), 10).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(is_one(&file).is_ok() && is_one(&folder.path().join("none")).is_ok());
        assert!(is_one(Path::new("/dev/zero")).is_err());
    }
}
