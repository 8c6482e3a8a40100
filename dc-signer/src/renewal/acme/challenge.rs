//! The ways to show a CA whose a zone is: a record in DNS that a hook puts there, or a file on the web.
//!
//! A hook finds in its environment what it has to do: `DC_ACTION`, which is `present` or `cleanup`; `DC_CHALLENGE`, such as
//! `dns-01`; `DC_ZONE`, the domain that is shown; `DC_NAME`, the name of the TXT record, without a dot at its end; `DC_VALUE`, its
//! text, which is one of several if there are more orders than one; and `DC_DIRECTORY`, the CA's. It ends with 0 when that is
//! done, with [`LATER`](crate::renewal::command::LATER) if it cannot now, and with anything else if somebody has to look.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract;
use axum::http::StatusCode;
use axum::routing::get;
use data_encoding::BASE32_NOPAD;
use dc_pki::Sha256;
use dc_pki::files::{self, Access, NewFile};
use instant_acme::{AuthorizationHandle, ChallengeType};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::failure::Failure;
use crate::config::{self, ChallengeKind};
use crate::renewal::program::Program;

/// Records and files that are shown to a CA, until they are taken back.
#[derive(Debug, Default)]
pub(super) struct Shown {
    records: Vec<Record>,
    files: Vec<PathBuf>,
    answers: BTreeMap<String, String>,
    listener: Option<JoinHandle<()>>,
}

/// A TXT record.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Record {
    zone: String,
    name: String,
    value: String,
}

impl Shown {
    /// Shows what one authorization asks for; what has been shown before stays.
    ///
    /// Fails with [`Failure::NoChallenge`], [`Failure::Hook`] and [`Failure::Files`].
    pub(super) async fn add(
        &mut self,
        settings: &config::Acme,
        account_url: &str,
        mut authorization: AuthorizationHandle<'_>,
    ) -> Result<(), Failure> {
        let offered = authorization.challenges.iter();
        let offered: Vec<String> = offered.map(|one| kind_name(&one.r#type)).collect();
        let named = authorization.identifier();
        let (name, zone) = (named.to_string(), named.identifier);
        let zone = zone.authorized(false).to_string();
        let missing = || Failure::NoChallenge {
            wanted: settings.challenge.as_str(),
            name,
            offered,
        };
        let challenge = authorization.challenge(kind(settings.challenge));
        let challenge = challenge.ok_or_else(missing)?;
        let key = challenge.key_authorization();
        match settings.challenge {
            ChallengeKind::Dns01 | ChallengeKind::DnsAccount01 => {
                let name = record_name(settings.challenge, &zone, account_url);
                let value = key.dns_value();
                let record = Record { zone, name, value };
                // Known before it is there: a hook that fails half-way is also asked to clean up.
                self.records.push(record.clone());
                run_hook(settings, "present", &record).await
            }
            // The record that shows it stays where somebody has put it.
            ChallengeKind::DnsPersist01 => Ok(()),
            ChallengeKind::Http01 => self.answer(settings, &challenge.token, key.as_str()),
        }
    }

    fn answer(
        &mut self,
        settings: &config::Acme,
        token: &str,
        answer: &str,
    ) -> Result<(), Failure> {
        // It becomes the name of a file, and a stranger chose it (RFC 8555 §8.3: base64url).
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if token.is_empty() || token.len() > 255 || !token.bytes().all(is_plain) {
            return Err(instant_acme::Error::Str("a token of base64url").into());
        }
        match &settings.webroot {
            Some(webroot) => self.files.push(write(webroot, token, answer)?),
            None => {
                self.answers.insert(token.to_owned(), answer.to_owned());
            }
        }
        Ok(())
    }

    /// Lets the CA see it: waits until it is everywhere in DNS, or opens the port.
    ///
    /// Fails with [`Failure::Listen`].
    pub(super) async fn open(&mut self, settings: &config::Acme) -> Result<(), Failure> {
        if !self.records.is_empty() {
            tokio::time::sleep(settings.propagation).await;
        }
        let Some(address) = settings.http_address.filter(|_| !self.answers.is_empty()) else {
            return Ok(());
        };
        let failed = |source| Failure::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let answers = std::mem::take(&mut self.answers);
        self.listener = Some(tokio::spawn(async move {
            // It ends when it is taken back.
            let _ = axum::serve(listener, router(answers)).await;
        }));
        Ok(())
    }

    /// Takes everything back; what cannot be is logged, because the order does not need it any more.
    pub(super) async fn take_back(mut self, settings: &config::Acme) {
        for record in std::mem::take(&mut self.records) {
            if let Err(error) = run_hook(settings, "cleanup", &record).await {
                tracing::warn!("{error}");
            }
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
        for file in &self.files {
            if let Err(error) = files::remove(file) {
                tracing::warn!("{error}");
            }
        }
    }
}

async fn run_hook(
    settings: &config::Acme,
    step: &'static str,
    record: &Record,
) -> Result<(), Failure> {
    let program = Program {
        argv: settings.hook.as_deref().unwrap_or_default(),
        environment: &[
            ("DC_ACTION", step),
            ("DC_CHALLENGE", settings.challenge.as_str()),
            ("DC_DIRECTORY", &settings.directory),
            ("DC_NAME", &record.name),
            ("DC_VALUE", &record.value),
            ("DC_ZONE", &record.zone),
        ],
        input: b"",
        limit: settings.hook_timeout,
    };
    let ended = program.run().await;
    ended.map(drop).map_err(|source| Failure::Hook {
        step,
        name: record.name.clone(),
        source,
    })
}

fn router(answers: BTreeMap<String, String>) -> Router {
    let answer = |extract::Path(token): extract::Path<String>| async move {
        let answer = answers.get(&token).cloned();
        answer.ok_or(StatusCode::NOT_FOUND)
    };
    Router::new().route("/.well-known/acme-challenge/{token}", get(answer))
}

/// Everyone may read it, because whoever serves the folder has to: it is public.
fn write(webroot: &Path, token: &str, answer: &str) -> Result<PathBuf, Failure> {
    let folder = webroot.join(".well-known/acme-challenge");
    files::make_folder(&folder, Access::Everyone)?;
    let file = NewFile {
        name: token,
        contents: answer.as_bytes(),
        access: Access::Everyone,
    };
    files::stage(&folder, &file)?.replace()?;
    Ok(folder.join(token))
}

/// RFC 8555 §8.4, and draft-ietf-acme-dns-account-label for the account's own.
fn record_name(kind: ChallengeKind, zone: &str, account_url: &str) -> String {
    match kind {
        ChallengeKind::DnsAccount01 => {
            let hash = Sha256::of(account_url.as_bytes());
            let label = hash.as_bytes().get(..10).unwrap_or_default();
            let label = BASE32_NOPAD.encode(label).to_ascii_lowercase();
            format!("_{label}._acme-challenge.{zone}")
        }
        _ => format!("_acme-challenge.{zone}"),
    }
}

pub(super) fn kind(kind: ChallengeKind) -> ChallengeType {
    match kind {
        ChallengeKind::Dns01 => ChallengeType::Dns01,
        ChallengeKind::Http01 => ChallengeType::Http01,
        other => ChallengeType::Unknown(other.as_str().to_owned()),
    }
}

fn kind_name(kind: &ChallengeType) -> String {
    match kind {
        ChallengeType::Dns01 => "dns-01".to_owned(),
        ChallengeType::Http01 => "http-01".to_owned(),
        ChallengeType::TlsAlpn01 => "tls-alpn-01".to_owned(),
        ChallengeType::DeviceAttest01 => "device-attest-01".to_owned(),
        ChallengeType::Unknown(name) => name.clone(),
        _ => "another".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of draft-ietf-acme-dns-account-label §3.2.
    #[test]
    fn an_account_has_a_name_of_its_own_in_dns() {
        let name = record_name(
            ChallengeKind::DnsAccount01,
            "www.example.org",
            "https://example.com/acme/acct/ExampleAccount",
        );
        assert_eq!(name, "_ujmmovf2vn55tgye._acme-challenge.www.example.org");
        let name = record_name(ChallengeKind::Dns01, "cpe.example.com", "");
        assert_eq!(name, "_acme-challenge.cpe.example.com");
    }

    #[test]
    fn a_file_on_the_web_is_there_until_it_is_taken_back() {
        let webroot = tempfile::tempdir().unwrap();
        let path = write(webroot.path(), "token", "token.key").unwrap();
        assert!(path.ends_with(".well-known/acme-challenge/token"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "token.key");
        let mut shown = Shown::default();
        shown.files.push(path.clone());
        drop(shown);
        assert!(!path.exists());
    }
}
