//! A snapshot in one file, for chains whose machines no network connects.
//!
//! ```text
//! "CATSNAP\n", version (4 bytes)
//! frame 0: the manifest, frame 1…: the chunks in the order of the cut
//! frame: length (4 bytes), SHA-256 over number (4 bytes) and content, content
//! ```
//!
//! Numbers are big endian. The checksums find damage; they prove nothing. What proves the content is
//! in it, and [`load`] checks it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use chain::codec::{self, Bounded};
use chain::crypto::Verifier;
use chain::snapshot::Manifest;
use chain::state::Chunk;
use sha2::{Digest as _, Sha256};

use super::{Judge, Snapshot, SnapshotError, SnapshotSink};

const MAGIC: [u8; 8] = *b"CATSNAP\n";
/// The version that this program writes and reads.
pub const VERSION: u32 = 1;
const CHECKSUM_BYTES: usize = 32;

/// A file that cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotFileError {
    #[error("{path}: {source}", path = path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} exists: it is not overwritten", path = path.display())]
    Exists { path: PathBuf },
    #[error("{path} is not a snapshot file", path = path.display())]
    NotASnapshot { path: PathBuf },
    #[error(
        "{path} is a snapshot file of version {found}, this program knows {VERSION}",
        path = path.display()
    )]
    Version { path: PathBuf, found: u32 },
    #[error("{path} is damaged: {what}; copy it again", path = path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("{path}: {error}", path = path.display())]
    Refused {
        path: PathBuf,
        #[source]
        error: SnapshotError,
    },
}

/// Told after each chunk: how many are done, of how many.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// Writes a snapshot to a new file and answers its size in bytes. The file has its name only once it
/// is complete and on disk.
///
/// # Errors
/// [`SnapshotFileError`] where there is a file of this name, or the system refuses.
pub fn write(
    path: &Path,
    snapshot: &Snapshot,
    progress: Progress<'_>,
) -> Result<u64, SnapshotFileError> {
    let failed = |source| SnapshotFileError::Io { path: path.into(), source };
    if path.exists() {
        return Err(SnapshotFileError::Exists { path: path.into() });
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".part");
    let unfinished = PathBuf::from(unfinished);
    let written = write_frames(&unfinished, snapshot, progress).and_then(|bytes| {
        fs::rename(&unfinished, path)?;
        Ok(bytes)
    });
    written.map_err(|error| {
        // What was written of it is worth nothing.
        let _ = fs::remove_file(&unfinished);
        failed(error)
    })
}

fn write_frames(path: &Path, snapshot: &Snapshot, progress: Progress<'_>) -> io::Result<u64> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    let mut out = BufWriter::new(file);
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_be_bytes())?;
    write_frame(&mut out, 0, &snapshot.manifest())?;
    let len = snapshot.len();
    for index in 0..len {
        let chunk = snapshot.chunk(index).expect("below the number of chunks");
        write_frame(&mut out, index + 1, &chunk)?;
        progress(index + 1, len);
    }
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

fn write_frame(out: &mut impl Write, number: usize, content: &[u8]) -> io::Result<()> {
    let len = u32::try_from(content.len()).map_err(io::Error::other)?;
    out.write_all(&len.to_be_bytes())?;
    out.write_all(&checksum(number, content))?;
    out.write_all(content)
}

fn checksum(number: usize, content: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let number = u32::try_from(number).expect("a manifest has far fewer parts");
    Sha256::new().chain_update(number.to_be_bytes()).chain_update(content).finalize().into()
}

/// Reads a snapshot and checks all of it, from the genesis on.
///
/// # Errors
/// [`SnapshotFileError`] where the file is damaged, or the snapshot is not to be trusted.
pub fn load(
    path: &Path,
    judge: &Judge,
    verifier: &dyn Verifier,
    progress: Progress<'_>,
) -> Result<SnapshotSink, SnapshotFileError> {
    let refused = |error| SnapshotFileError::Refused { path: path.into(), error };
    let mut frames = Frames::open(path)?;
    let manifest = frames.next(Manifest::MAX_BYTES)?;
    let mut sink = SnapshotSink::new(&manifest, judge, verifier).map_err(refused)?;
    for index in 0..sink.len() {
        let chunk = frames.next(Chunk::MAX_BYTES)?;
        sink.add(index, &chunk).map_err(refused)?;
        progress(index + 1, sink.len());
    }
    frames.end()?;
    Ok(sink)
}

/// What a file says of itself. Only the checksums are compared: it may still lie.
///
/// # Errors
/// [`SnapshotFileError`] where the file is damaged or no snapshot.
pub fn describe(path: &Path) -> Result<Manifest, SnapshotFileError> {
    let mut frames = Frames::open(path)?;
    let manifest: Manifest = codec::decode(&frames.next(Manifest::MAX_BYTES)?)
        .map_err(|error| frames.damaged(format!("its first part cannot be read: {error}")))?;
    for _ in 0..manifest.cut.0.len() {
        frames.next(Chunk::MAX_BYTES)?;
    }
    frames.end()?;
    Ok(manifest)
}

/// The frames of a file, one after the other.
struct Frames {
    path: PathBuf,
    file: BufReader<File>,
    number: usize,
}

impl Frames {
    fn open(path: &Path) -> Result<Self, SnapshotFileError> {
        let file = File::open(path)
            .map_err(|source| SnapshotFileError::Io { path: path.into(), source })?;
        let mut frames = Self { path: path.into(), file: BufReader::new(file), number: 0 };
        let mut magic = [0; MAGIC.len()];
        let read = frames.file.read_exact(&mut magic);
        if read.is_err() || magic != MAGIC {
            return Err(SnapshotFileError::NotASnapshot { path: path.into() });
        }
        let mut version = [0; 4];
        frames.read(&mut version)?;
        match u32::from_be_bytes(version) {
            VERSION => Ok(frames),
            found => Err(SnapshotFileError::Version { path: path.into(), found }),
        }
    }

    fn next(&mut self, max: usize) -> Result<Vec<u8>, SnapshotFileError> {
        let number = self.number;
        let (mut len, mut expected) = ([0; 4], [0; CHECKSUM_BYTES]);
        self.read(&mut len)?;
        self.read(&mut expected)?;
        let len = u32::from_be_bytes(len) as usize;
        if len > max {
            return Err(
                self.damaged(format!("part {number} claims {len} bytes, more than any has"))
            );
        }
        let mut content = vec![0; len];
        self.read(&mut content)?;
        if checksum(number, &content) != expected {
            return Err(self.damaged(format!("the checksum of part {number} does not match")));
        }
        self.number += 1;
        Ok(content)
    }

    /// Nothing may follow.
    fn end(&mut self) -> Result<(), SnapshotFileError> {
        match self.file.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.damaged("it goes on after its last part".into())),
            Err(source) => Err(SnapshotFileError::Io { path: self.path.clone(), source }),
        }
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), SnapshotFileError> {
        self.file.read_exact(into).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => {
                self.damaged(format!("it ends within part {}", self.number))
            }
            _ => SnapshotFileError::Io { path: self.path.clone(), source },
        })
    }

    fn damaged(&self, what: String) -> SnapshotFileError {
        SnapshotFileError::Damaged { path: self.path.clone(), what }
    }
}
