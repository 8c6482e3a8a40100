//! Sending: to files, servers and witnesses, each by itself and again if it fails.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dc_evidence::{Checkpoint, Note, VerifyingKey, WitnessKey};
use pki_types::UnixTime;
use rustls::crypto::CryptoProvider;

use super::post::Post;
use super::{Checkpoints, Error};
use crate::config::CheckpointPlace;

/// All places, in the order in which they are sent to: witnesses first, so that others get their cosignatures.
#[derive(Debug)]
pub(super) struct Places(Vec<Place>);

#[derive(Debug)]
struct Place {
    name: String,
    kind: Kind,
    /// How often it has failed since it worked last, and why.
    failed: u32,
    failure: Option<String>,
    /// When it is tried again.
    next: u64,
}

#[derive(Clone, Debug)]
enum Kind {
    File(Arc<Path>),
    Post(Arc<Post>),
    Witness(Arc<Post>, Arc<WitnessKey>),
}

impl Places {
    pub(super) fn open(
        configured: &[CheckpointPlace],
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let open = |place: &CheckpointPlace| {
            let post = |server, path| Post::open(server, path, provider).map(Arc::new);
            Ok::<_, Error>(Place {
                name: place.name(),
                kind: match place {
                    CheckpointPlace::File(path) => Kind::File(path.as_path().into()),
                    CheckpointPlace::Post(server) => Kind::Post(post(server, "")?),
                    CheckpointPlace::Witness(server, key) => {
                        Kind::Witness(post(server, "/add-checkpoint")?, key.clone().into())
                    }
                },
                failed: 0,
                failure: None,
                next: 0,
            })
        };
        let mut places: Vec<Place> = configured.iter().map(open).collect::<Result<_, _>>()?;
        places.sort_by_key(|place| !matches!(place.kind, Kind::Witness(..)));
        Ok(Self(places))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|place| place.name.clone()).collect()
    }

    /// Each place, with the reason that it did not take the last checkpoint.
    pub(super) fn failures(&self) -> Vec<(String, Option<String>)> {
        let each = |place: &Place| (place.name.clone(), place.failure.clone());
        self.0.iter().map(each).collect()
    }
}

impl Checkpoints {
    /// Sends to each place what it has not got, unless it has failed a moment ago.
    pub(super) async fn send(&mut self, now: UnixTime) -> Result<(), Error> {
        for number in 0..self.places.0.len() {
            let Some(place) = self.places.0.get(number) else {
                break;
            };
            let (name, kind) = (place.name.clone(), place.kind.clone());
            // A clock that was set back must not keep it waiting for longer than it would.
            let waits = place.next.saturating_sub(now.as_secs());
            if self.state.waiting(&name) == 0 || (1..=LONGEST.as_secs()).contains(&waits) {
                continue;
            }
            let sent = match kind {
                Kind::File(path) => self.add_to(&name, path).await,
                Kind::Post(post) => self.post(&name, &post).await,
                Kind::Witness(post, key) => self.ask_witness(&name, &post, &key).await,
            };
            self.state.write(&self.folder)?;
            self.note(number, sent, now);
        }
        Ok(())
    }

    fn note(&mut self, number: usize, sent: Result<(), String>, now: UnixTime) {
        let Some(place) = self.places.0.get_mut(number) else {
            return;
        };
        match sent {
            Ok(()) => {
                if place.failed > 0 {
                    tracing::info!(place = place.name, "checkpoints are taken again");
                }
                (place.failed, place.failure, place.next) = (0, None, 0);
            }
            Err(why) => {
                self.metrics.checkpoint_failed(&place.name);
                if place.failure.as_ref() != Some(&why) {
                    tracing::warn!(place = place.name, why, "a checkpoint was not taken");
                }
                let delay = FIRST.saturating_mul(1 << place.failed.min(10)).min(LONGEST);
                place.failed = place.failed.saturating_add(1);
                place.failure = Some(why);
                place.next = now.as_secs().saturating_add(delay.as_secs());
            }
        }
    }

    async fn add_to(&mut self, name: &str, path: Arc<Path>) -> Result<(), String> {
        let notes: Vec<String> = self.state.place(name).notes.iter().cloned().collect();
        let writing = tokio::task::spawn_blocking(move || {
            append(&path, &notes).map_err(|error| explained(&path, &error))
        });
        writing.await.map_err(|error| error.to_string())??;
        self.state.place(name).notes.clear();
        Ok(())
    }

    async fn post(&mut self, name: &str, post: &Post) -> Result<(), String> {
        while let Some(note) = self.state.place(name).notes.front().cloned() {
            let answer = post.send(note).await.map_err(|error| error.to_string())?;
            if !answer.status.is_success() {
                return Err(answer.refusal());
            }
            self.state.place(name).notes.pop_front();
        }
        Ok(())
    }
}

/// Adds notes to a file, each with an empty line behind it. Nothing of it is ever changed.
fn append(path: &Path, notes: &[String]) -> io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    let text: String = notes.iter().map(|note| format!("{note}\n")).collect();
    add(&mut file, text.as_bytes())?;
    file.sync_all()
}

/// Adds all of it or nothing: half a checkpoint, as a full disk leaves it, would make a file that nobody reads.
fn add(file: &mut File, text: &[u8]) -> io::Result<()> {
    let length = file.metadata()?.len();
    file.write_all(text).inspect_err(|_| {
        let _ = file.set_len(length);
    })
}

/// The fault of a file, with what to do.
fn explained(path: &Path, error: &io::Error) -> String {
    let folder = path.parent().unwrap_or(path);
    match error.kind() {
        io::ErrorKind::NotFound => format!(
            "the folder {} is not there: mount it, or make it for the service's user",
            folder.display()
        ),
        io::ErrorKind::PermissionDenied => format!(
            "{} is not this user's to write: {error}: give it to the service's user, who may add to it",
            path.display()
        ),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => format!(
            "the disk of {} is full: make room there; what is not taken is kept and sent again",
            path.display()
        ),
        _ => format!("{}: {error}", path.display()),
    }
}

/// Finds places that are files and could not be written now, each with its number; changes nothing.
pub(super) fn unwritable(places: &[CheckpointPlace]) -> Vec<(usize, String)> {
    let wrong = |place: &CheckpointPlace| {
        let CheckpointPlace::File(path) = place else {
            return None;
        };
        let opened = match File::options().append(true).open(path) {
            // It is made with the first checkpoint.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().unwrap_or(path);
                let mode = nix::unistd::AccessFlags::W_OK | nix::unistd::AccessFlags::X_OK;
                nix::unistd::access(folder, mode).map_err(io::Error::from)
            }
            opened => opened.map(drop),
        };
        opened.err().map(|error| explained(path, &error))
    };
    let all = places.iter().enumerate();
    all.filter_map(|(number, place)| Some((number, wrong(place)?)))
        .collect()
}

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(600);
/// The sizes of the last checkpoints of a key in places that are files and can be read here.
pub(super) fn newest_in_files<'a>(
    places: &'a [CheckpointPlace],
    key: &'a VerifyingKey,
) -> impl Iterator<Item = u64> + 'a {
    let path = |place: &'a CheckpointPlace| match place {
        CheckpointPlace::File(path) => Some(path),
        CheckpointPlace::Post(_) | CheckpointPlace::Witness(..) => None,
    };
    // One that cannot be read may be on a disk that only the service mounts.
    let newest = |path: &'a PathBuf| newest_in(path, key).ok().flatten();
    places.iter().filter_map(path).filter_map(newest)
}

/// The size of the last checkpoint in a file, by its end alone: a file of years is long.
fn newest_in(path: &Path, key: &VerifyingKey) -> io::Result<Option<u64>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut end = Vec::new();
    file.take(TAIL).read_to_end(&mut end)?;
    let end = String::from_utf8_lossy(&end);
    let begins = format!("{}\n", key.name());
    let last = end.rmatch_indices(&begins).find_map(|(place, _)| {
        let begins_line = place == 0 || end[..place].ends_with('\n');
        let notes = Note::read_all(&end[place..]).ok().filter(|_| begins_line)?;
        Checkpoint::verify(notes.last()?, key).ok()
    });
    Ok(last.map(|checkpoint| checkpoint.size()))
}

/// Much longer than a checkpoint with all its cosignatures.
const TAIL: u64 = 65_536;
