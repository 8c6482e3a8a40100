//! The list of withdrawn names that the agent keeps, for clients in the home's network: under the signer's own path, so that
//! a client asks both in the same way.
//!
//! Nothing is verified here. Clients do, with keys of their own, and believe the router no list.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::extract::{Path as InPath, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use dc_core::WithdrawnNames;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;

use crate::web::Web;

/// The file that the agent writes, and what was in it when it was last asked for.
#[derive(Debug)]
pub(crate) struct ListFile {
    path: PathBuf,
    read: Mutex<Option<Arc<List>>>,
}

#[derive(Debug)]
struct List {
    of: Version,
    zone: String,
    etag: String,
    bytes: Bytes,
}

/// What tells that the file is another one: its inode, when it was written, and its length in bytes.
type Version = (u64, SystemTime, u64);

impl ListFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            read: Mutex::default(),
        }
    }

    /// The list in the file; none if there is no file, or what is in it is no list.
    fn list(&self) -> io::Result<Option<Arc<List>>> {
        let data = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            data => data?,
        };
        let of = (data.ino(), data.modified()?, data.len());
        // Whoever waits for it has the answer afterwards, and the file is read once.
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = read.as_ref().filter(|list| list.of == of) {
            return Ok(Some(Arc::clone(list)));
        }
        let mut bytes = Vec::new();
        File::open(&self.path)?
            .take(MAX_LENGTH)
            .read_to_end(&mut bytes)?;
        let Ok(zone) = WithdrawnNames::claimed_zone(&bytes) else {
            return Ok(None);
        };
        let list = Arc::new(List {
            of,
            zone: zone.to_string(),
            etag: etag(&bytes),
            bytes: bytes.into(),
        });
        *read = Some(Arc::clone(&list));
        Ok(Some(list))
    }
}

/// The list of the router's zone, if the agent keeps one.
pub(crate) async fn get(
    State(web): State<Arc<Web>>,
    InPath(zone): InPath<String>,
    asked: HeaderMap,
) -> Response {
    let shared = Arc::clone(&web);
    let found = tokio::task::spawn_blocking(move || shared.list.list()).await;
    match found {
        Ok(Ok(Some(list))) if list.zone == zone => answer(&list, &asked),
        Ok(Ok(_)) => (StatusCode::NOT_FOUND, "no list of this zone is kept here\n").into_response(),
        Ok(Err(_)) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn answer(list: &List, asked: &HeaderMap) -> Response {
    let headers = [(CACHE_CONTROL, CACHED), (ETAG, list.etag.as_str())];
    let values = asked.get_all(IF_NONE_MATCH).into_iter();
    let mut tags = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    // RFC 9110 §13.1.2.
    let is_there = tags.any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == list.etag
    });
    match is_there {
        true => (StatusCode::NOT_MODIFIED, headers).into_response(),
        false => {
            let body = [(CONTENT_TYPE, "application/octet-stream")];
            (headers, body, list.bytes.clone()).into_response()
        }
    }
}

/// The same for the same list.
fn etag(bytes: &[u8]) -> String {
    let hash = TLS13_AES_128_GCM_SHA256
        .tls13()
        .map(|suite| suite.common.hash_provider.hash(bytes));
    let hash = hash.as_ref().map(AsRef::<[u8]>::as_ref).unwrap_or_default();
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

/// Longer than what an agent keeps.
const MAX_LENGTH: u64 = 9 * 1024 * 1024;
/// As the signer says, in seconds.
const CACHED: &str = "public, max-age=300";

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of `cpe.example.com` as far as anybody looks here.
    fn list(more: &str) -> Vec<u8> {
        let mut list = b"dc-withdrawn-names-v1\0\x0fcpe.example.com".to_vec();
        list.extend(more.as_bytes());
        list
    }

    #[test]
    fn the_file_is_read_again_when_it_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let file = ListFile::new(&path);
        assert!(file.list().unwrap().is_none());
        fs::write(&path, list("one")).unwrap();
        let one = file.list().unwrap().unwrap();
        assert_eq!((one.zone.as_str(), one.etag.len()), ("cpe.example.com", 66));
        assert!(Arc::ptr_eq(&one, &file.list().unwrap().unwrap()));
        fs::write(&path, list("another")).unwrap();
        let other = file.list().unwrap().unwrap();
        assert_ne!(one.etag, other.etag);
        fs::write(&path, "<html>").unwrap();
        assert!(file.list().unwrap().is_none());
    }

    #[test]
    fn who_has_the_list_is_not_sent_it_again() {
        let list = List {
            of: (0, SystemTime::UNIX_EPOCH, 0),
            zone: String::new(),
            etag: "\"a\"".to_owned(),
            bytes: Bytes::from_static(b"list"),
        };
        for (tag, status) in [
            ("\"a\"", 304),
            ("\"b\", W/\"a\"", 304),
            ("*", 304),
            ("\"b\"", 200),
            ("a", 200),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(IF_NONE_MATCH, tag.parse().unwrap());
            let answer = answer(&list, &asked);
            assert_eq!(answer.status(), status, "{tag}");
            assert_eq!(answer.headers()[ETAG], "\"a\"");
        }
        assert_eq!(answer(&list, &HeaderMap::new()).status(), 200);
    }
}
