//! The process's own log of what it has signed and refused: a JSON object a line, each with the SHA-256 of the line before.
//!
//! A line is written before what it tells of is given out. A file that is full is put aside under the number of its last line,
//! and the next one goes on from there, so that all of them are one chain. Each file begins with what later ones need to know of
//! those before it: so none of those has to stay, and one that does not begin so was not left by this process.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use pki_types::UnixTime;
use serde_json::{Map, Value, json};

use super::error::Error;
use dc_pki::Sha256;
use dc_pki::time::Moment;

/// The log, open at its end.
#[derive(Debug)]
pub(super) struct Record {
    folder: PathBuf,
    file: File,
    end: Walked,
    full: u64,
}

/// The knowledge of the time before that a log has when it is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Past {
    /// Its newest file has all that has to be known.
    Known,
    /// There was none: the folder is new.
    None,
    /// There was one, and its newest file is gone or does not begin as one does.
    Lost,
}

/// The last line of a file, as a walk over its lines has found it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Walked {
    /// The number of the last line, 0 if there is none.
    pub seq: u64,
    /// SHA-256 of the last line, without its newline.
    pub last: Sha256,
    /// The bytes of the whole lines.
    pub length: u64,
}

impl Record {
    /// Opens the log in a folder, which is new or not, and tells of each line in its newest file; a last line that was not written
    /// to its end is cut off, for nothing was given out for it.
    ///
    /// Unless what was before is known, the caller has to [`begin`](Self::begin) it. Fails with [`Error::BrokenLog`] and
    /// [`Error::File`].
    pub(super) fn open(
        folder: &Path,
        is_new: bool,
        each: impl FnMut(&Value),
    ) -> Result<(Self, Past), Error> {
        Self::open_with(folder, FULL, is_new, each)
    }

    fn open_with(
        folder: &Path,
        full: u64,
        is_new: bool,
        mut each: impl FnMut(&Value),
    ) -> Result<(Self, Past), Error> {
        let path = folder.join(NAME);
        let failed = |source| Error::File {
            path: path.clone(),
            source,
        };
        finish_putting_aside(folder).map_err(failed)?;
        let file = open(&path).map_err(failed)?;
        let mut first = None;
        let each = |line: &Value| {
            first.get_or_insert_with(|| line["act"] == COUNTS);
            each(line);
        };
        let end = match walk_from(&path, before(folder).map_err(failed)?, each)? {
            end if end.length < file.metadata().map_err(failed)?.len() => {
                tracing::warn!(path = %path.display(), "the log's last line was not written to its end");
                file.set_len(end.length).map_err(failed)?;
                end
            }
            end => end,
        };
        let past = match (first, is_new) {
            (Some(true), _) => Past::Known,
            (None, true) => Past::None,
            (Some(false), _) | (None, false) => Past::Lost,
        };
        let record = Self {
            folder: folder.into(),
            file,
            end,
            full,
        };
        Ok((record, past))
    }

    /// Writes what later starts have to know, and brings it to the disk.
    ///
    /// Fails as writing does.
    pub(super) fn begin(&mut self, carried: Map<String, Value>, now: UnixTime) -> io::Result<()> {
        self.write(carried_line(carried), now)?;
        self.file.sync_data()
    }

    /// Writes a line: what is given, with its number, the time and the hash of the line before; `carried` is asked for what the
    /// next file begins with if this one is full.
    ///
    /// Fails as writing does; then there is no such line.
    pub(super) fn add(
        &mut self,
        line: Map<String, Value>,
        now: UnixTime,
        carried: impl FnOnce() -> Map<String, Value>,
    ) -> io::Result<()> {
        if self.end.length >= self.full {
            self.put_aside(carried(), now)?;
        }
        self.write(line, now)
    }

    fn write(&mut self, line: Map<String, Value>, now: UnixTime) -> io::Result<()> {
        let text = following(&self.end, line, now);
        let whole = format!("{text}\n");
        if let Err(error) = self.file.write_all(whole.as_bytes()) {
            // What a full disk has left of it would be no line.
            self.file.set_len(self.end.length)?;
            return Err(error);
        }
        self.end.seq += 1;
        self.end.last = Sha256::of(text.as_bytes());
        self.end.length += length(&whole);
        Ok(())
    }

    /// Writes as much as some lines beside the log, and removes it: what a full disk refuses, or one that is read-only, is known
    /// before a line has to be written.
    pub(super) fn try_room(&self) -> io::Result<()> {
        let path = self.folder.join(ROOM);
        let written = open(&path).and_then(|mut file| file.write_all(&[b' '; LINES]));
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => written.and(Err(error)),
            _ => written,
        }
    }

    /// Has the next line in another file.
    #[cfg(test)]
    pub(super) fn fill(&mut self) {
        self.full = 0;
    }

    /// The file, to bring what was written to the disk without keeping others from writing.
    pub(super) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    pub(super) fn end(&self) -> &Walked {
        &self.end
    }

    /// The next file is whole on the disk before this one is put aside: whoever stops the process in between loses nothing.
    fn put_aside(&mut self, carried: Map<String, Value>, now: UnixTime) -> io::Result<()> {
        self.file.sync_data()?;
        let (path, next) = (self.folder.join(NAME), self.folder.join(NEXT));
        let text = following(&self.end, carried_line(carried), now);
        let whole = format!("{text}\n");
        let _ = fs::remove_file(&next);
        let mut file = open(&next)?;
        file.write_all(whole.as_bytes())?;
        file.sync_all()?;
        fs::rename(&path, self.folder.join(aside(&self.end)))?;
        fs::rename(&next, &path)?;
        self.file = file;
        self.end = Walked {
            seq: self.end.seq + 1,
            last: Sha256::of(text.as_bytes()),
            length: length(&whole),
        };
        File::open(&self.folder)?.sync_all()
    }
}

/// The text of the line that follows.
fn following(end: &Walked, mut line: Map<String, Value>, now: UnixTime) -> String {
    line.insert("seq".to_owned(), (end.seq + 1).into());
    line.insert("time".to_owned(), Moment(now).to_string().into());
    line.insert("prev".to_owned(), end.last.to_string().into());
    Value::Object(line).to_string()
}

fn carried_line(mut carried: Map<String, Value>) -> Map<String, Value> {
    carried.insert("act".to_owned(), json!(COUNTS));
    carried
}

fn length(line: &str) -> u64 {
    u64::try_from(line.len()).unwrap_or(u64::MAX)
}

/// A process that was killed between the two names of the same change.
fn finish_putting_aside(folder: &Path) -> io::Result<()> {
    let (path, next) = (folder.join(NAME), folder.join(NEXT));
    match (path.try_exists()?, next.try_exists()?) {
        (false, true) => fs::rename(next, path),
        _ => Ok(()),
    }
}

/// Walks the lines of a file, and shows that each follows the one before; the first follows the last of the file before, or
/// anything if that is not known.
///
/// Fails with [`Error::BrokenLog`] and [`Error::File`]. A last line that was not written to its end is not counted.
pub fn walk_after(path: &Path, before: Option<&Walked>) -> Result<Walked, Error> {
    walk_from(path, before.map(|walked| (walked.seq, walked.last)), |_| ())
}

fn walk_from(
    path: &Path,
    before: Option<(u64, Sha256)>,
    mut each: impl FnMut(&Value),
) -> Result<Walked, Error> {
    let failed = |source| Error::File {
        path: path.into(),
        source,
    };
    let mut lines = BufReader::new(File::open(path).map_err(failed)?);
    let (seq, last) = before.unwrap_or((0, Sha256::ZERO));
    let mut walked = Walked {
        seq,
        last,
        length: 0,
    };
    let mut is_known = before.is_some();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        lines.read_until(b'\n', &mut line).map_err(failed)?;
        let Some(text) = line.strip_suffix(b"\n") else {
            break;
        };
        let broken = || Error::BrokenLog {
            path: path.into(),
            line: number,
        };
        let value: Value = serde_json::from_slice(text).map_err(|_| broken())?;
        let (seq, prev) = (value["seq"].as_u64(), value["prev"].as_str());
        let prev = prev.and_then(|prev| prev.parse::<Sha256>().ok());
        let (Some(seq), Some(prev)) = (seq, prev) else {
            return Err(broken());
        };
        let follows = seq == walked.seq + 1 && prev == walked.last;
        if is_known && !follows {
            return Err(broken());
        }
        is_known = true;
        walked.seq = seq;
        walked.last = Sha256::of(text);
        walked.length += u64::try_from(line.len()).unwrap_or(u64::MAX);
        each(&value);
    }
    Ok(walked)
}

/// The end of the file that was put aside last; none if there is none, as on the first day, or after somebody has archived it.
fn before(folder: &Path) -> io::Result<Option<(u64, Sha256)>> {
    let mut last = None;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let parts = name.to_str().and_then(|name| {
            let (seq, sha256) = name
                .strip_prefix(ASIDE)?
                .strip_suffix(NDJSON)?
                .split_once('-')?;
            Some((seq.parse::<u64>().ok()?, sha256.parse::<Sha256>().ok()?))
        });
        last = last.max(parts);
    }
    Ok(last)
}

fn aside(end: &Walked) -> String {
    format!("{ASIDE}{:012}-{}{NDJSON}", end.seq, end.last)
}

fn open(path: &Path) -> io::Result<File> {
    let mut how = File::options();
    how.append(true).read(true).create(true).mode(0o600);
    how.open(path)
}

const NAME: &str = "log.ndjson";
const NEXT: &str = "log.ndjson.next";
/// Of [`Record::try_room`]; one that a killed process has left is removed by the next.
const ROOM: &str = "room";
/// More than the longest line has, in bytes.
const LINES: usize = 16 << 10;
/// The line that each file begins with.
pub(super) const COUNTS: &str = "counts";
const ASIDE: &str = "log-";
const NDJSON: &str = ".ndjson";
/// Files are put aside when they are as long.
const FULL: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use dc_pki::time::from_seconds;

    fn line(name: &str) -> Map<String, Value> {
        Map::from_iter([("name".to_owned(), json!(name))])
    }

    fn add(record: &mut Record, name: &str) {
        let carried = || Map::from_iter([("carried".to_owned(), json!(name))]);
        record
            .add(line(name), from_seconds(1_800_000_000), carried)
            .unwrap();
    }

    fn open(folder: &Path, full: u64) -> (Record, Past) {
        let is_new = fs::read_dir(folder).unwrap().next().is_none();
        let (mut record, past) = Record::open_with(folder, full, is_new, |_| ()).unwrap();
        if past != Past::Known {
            record
                .begin(Map::new(), from_seconds(1_800_000_000))
                .unwrap();
        }
        (record, past)
    }

    #[test]
    fn the_chain_goes_on_over_restarts_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut names = Vec::new();
        for round in 0..4 {
            let (mut record, past) = open(folder, 300);
            assert_eq!(past == Past::None, round == 0, "{past:?}");
            for one in 0..3 {
                let name = format!("{round}-{one}");
                add(&mut record, &name);
                names.push(name);
            }
        }
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        files.sort();
        assert!(files.len() > 2, "{files:?}");
        let (mut seen, mut end) = (Vec::new(), Some((0, Sha256::ZERO)));
        for file in &files {
            let mut acts = Vec::new();
            let each = |value: &Value| {
                acts.push(value["act"] == COUNTS);
                seen.extend(value["name"].as_str().map(str::to_owned));
            };
            let walked = walk_from(file, end, each).unwrap();
            assert_eq!(walk_after(file, None).unwrap(), walked);
            // Each of them, and nothing but its first line.
            assert!(acts[0] && acts[1..].iter().all(|is| !is), "{acts:?}");
            end = Some((walked.seq, walked.last));
        }
        assert_eq!(seen, names);
        // A file that was put aside and taken away is missed by nothing but the numbers.
        fs::remove_file(&files[0]).unwrap();
        assert_eq!(open(folder, 300).1, Past::Known);
    }

    #[test]
    fn a_log_that_is_gone_or_emptied_is_told_from_one_that_never_was() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, path) = (folder.path(), folder.path().join(NAME));
        let (mut record, past) = open(folder, 300);
        assert_eq!(past, Past::None);
        for name in ["a", "b", "c"] {
            add(&mut record, name);
        }
        // Killed between the two names of a file that is put aside.
        let end = record.end().clone();
        let next = following(&end, carried_line(Map::new()), from_seconds(1));
        fs::write(folder.join(NEXT), format!("{next}\n")).unwrap();
        fs::rename(&path, folder.join(aside(&end))).unwrap();
        let (record, past) = open(folder, 300);
        assert_eq!((past, record.end().seq), (Past::Known, end.seq + 1));
        let remove: &dyn Fn() = &|| fs::remove_file(&path).unwrap();
        let empty: &dyn Fn() = &|| fs::write(&path, "").unwrap();
        for damage in [remove, empty] {
            damage();
            assert_eq!(open(folder, 300).1, Past::Lost);
            assert_eq!(open(folder, 300).1, Past::Known);
        }
    }

    #[test]
    fn a_line_that_was_changed_removed_or_put_in_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let (mut record, _) = open(folder.path(), FULL);
        for name in ["a", "b", "c"] {
            add(&mut record, name);
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        for (changed, at) in [
            (text.replace("\"b\"", "\"x\""), 4),
            (format!("{}{}", lines[0], lines[2]), 2),
            (
                format!("{}{}{}{}", lines[0], lines[1], lines[1], lines[2]),
                3,
            ),
            (format!("{}garbage\n", lines[0]), 2),
        ] {
            fs::write(&path, &changed).unwrap();
            let found = Record::open(folder.path(), false, |_| ()).unwrap_err();
            assert!(
                matches!(found, Error::BrokenLog { line, .. } if line == at),
                "{found}"
            );
        }
        // Half a line is what a power cut leaves.
        fs::write(&path, &text[..text.len() - 9]).unwrap();
        let (mut record, _) = open(folder.path(), FULL);
        assert_eq!(record.end().seq, 3);
        add(&mut record, "d");
        assert_eq!(walk_after(&path, None).unwrap(), *record.end());
    }
}
