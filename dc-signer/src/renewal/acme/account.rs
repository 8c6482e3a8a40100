//! The account at an ACME server: registered once, its key kept for as long as orders are placed.

use std::path::{Path, PathBuf};

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use dc_pki::Sha256;
use dc_pki::files::{self, Access, NewFile};
use instant_acme::{Account, AccountCredentials, Error as Acme, ExternalAccountKey, NewAccount};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::failure::{Failure, will_pass};
use super::https::Https;
use crate::authority::{ACCOUNT, accounts_folder};
use crate::config::{self, ExternalAccount};

/// The folder of what is kept about the account at one directory.
///
/// Its name follows from the directory and the customer's key name, so an account of another customer's is another one.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

/// The account's file.
#[derive(Deserialize, Serialize)]
struct Kept {
    contact: Vec<String>,
    credentials: AccountCredentials,
}

impl Folder {
    pub(super) fn of(settings: &config::Acme, data: &Path) -> Self {
        let account = settings.external_account.as_ref();
        let kid = account.map_or("", |account| &account.kid);
        let hash = Sha256::of(format!("{}\n{kid}", settings.directory).as_bytes());
        Self(accounts_folder(data).join(short(&hash)))
    }

    /// The file with the account's key.
    pub(super) fn account_file(&self) -> PathBuf {
        self.0.join(ACCOUNT)
    }

    /// The file with the URL of the order for a request.
    fn order_file(csr_der: &[u8]) -> String {
        format!("order-{}.url", short(&Sha256::of(csr_der)))
    }

    /// The URL of the order that was begun for a request, if there is one.
    ///
    /// Fails with [`Failure::Files`].
    pub(super) fn order(&self, csr_der: &[u8]) -> Result<Option<String>, Failure> {
        let path = self.0.join(Self::order_file(csr_der));
        if !files::is_there(&path)? {
            return Ok(None);
        }
        let url = files::read(&path)?;
        Ok(String::from_utf8(url.to_vec()).ok())
    }

    /// Remembers the URL of an order that was begun for a request.
    ///
    /// Fails with [`Failure::Files`].
    pub(super) fn remember(&self, csr_der: &[u8], url: &str) -> Result<(), Failure> {
        let name = Self::order_file(csr_der);
        Ok(self.stage(&name, url.as_bytes())?.replace()?)
    }

    /// Forgets the order for a request.
    ///
    /// Fails with [`Failure::Files`].
    pub(super) fn forget(&self, csr_der: &[u8]) -> Result<(), Failure> {
        Ok(files::remove(&self.0.join(Self::order_file(csr_der)))?)
    }

    fn stage(&self, name: &str, contents: &[u8]) -> Result<files::Staged, dc_pki::Error> {
        files::make_folder(&self.0, Access::Owner)?;
        let access = Access::Owner;
        files::stage(
            &self.0,
            &NewFile {
                name,
                contents,
                access,
            },
        )
    }

    /// The account as it was kept; none if there is none yet.
    fn read(&self) -> Result<Option<Kept>, Failure> {
        let path = self.account_file();
        if !files::is_there(&path)? {
            return Ok(None);
        }
        let file = files::read(&path)?;
        let kept = serde_json::from_slice(&file);
        kept.map(Some).map_err(|_| Failure::BadAccount { path })
    }

    fn write(&self, kept: &Kept) -> Result<files::Staged, Failure> {
        let contents = Zeroizing::new(serde_json::to_vec(kept).unwrap_or_default());
        Ok(self.stage(ACCOUNT, &contents)?)
    }

    /// The URL of the account, which a record for `dns-persist-01` names; none if there is none yet.
    ///
    /// Fails with [`Failure::Files`] and [`Failure::BadAccount`].
    pub(super) fn account_url(&self) -> Result<Option<String>, Failure> {
        #[derive(Deserialize)]
        struct Url {
            id: String,
        }
        #[derive(Deserialize)]
        struct Public {
            credentials: Url,
        }
        let path = self.account_file();
        if !files::is_there(&path)? {
            return Ok(None);
        }
        match serde_json::from_slice::<Public>(&files::read(&path)?) {
            Ok(public) => Ok(Some(public.credentials.id)),
            Err(_) => Err(Failure::BadAccount { path }),
        }
    }

    /// Opens the account, which is registered first if there is none.
    pub(super) async fn open(
        &self,
        settings: &config::Acme,
        https: &Https,
    ) -> Result<Account, Failure> {
        match self.read()? {
            Some(kept) => self.resume(kept, settings, https).await,
            None => self.register(settings, https).await,
        }
    }

    /// Opens the account; none if there is none yet.
    pub(super) async fn open_old(&self, https: &Https) -> Result<Option<Account>, Failure> {
        let Some(kept) = self.read()? else {
            return Ok(None);
        };
        let builder = Account::builder_with_http(Box::new(https.clone()));
        Ok(Some(builder.from_credentials(kept.credentials).await?))
    }

    async fn resume(
        &self,
        kept: Kept,
        settings: &config::Acme,
        https: &Https,
    ) -> Result<Account, Failure> {
        if kept.contact == settings.contact {
            let builder = Account::builder_with_http(Box::new(https.clone()));
            return Ok(builder.from_credentials(kept.credentials).await?);
        }
        // The credentials are not to be copied, and so are read once more for the file.
        let again = self.read()?;
        let builder = Account::builder_with_http(Box::new(https.clone()));
        let account = builder.from_credentials(kept.credentials).await?;
        account.update_contacts(&texts(&settings.contact)).await?;
        if let Some(again) = again {
            let contact = settings.contact.clone();
            self.write(&Kept { contact, ..again })?.replace()?;
        }
        Ok(account)
    }

    async fn register(&self, settings: &config::Acme, https: &Https) -> Result<Account, Failure> {
        let external = settings.external_account.as_ref();
        let external = external.map(external_key).transpose()?;
        // Before anything is asked of the CA: many take an external account's key once.
        files::make_folder(&self.0, Access::Owner)?;
        let new = NewAccount {
            contact: &texts(&settings.contact),
            terms_of_service_agreed: settings.agree_to_terms,
            only_return_existing: false,
        };
        let builder = Account::builder_with_http(Box::new(https.clone()));
        let created = builder.create(&new, settings.directory.clone(), external.as_ref());
        let (account, credentials) = created.await.map_err(|error| match error {
            Acme::Api(problem) if !will_pass(&problem) => Failure::NotRegistered {
                problem: Box::new(problem),
                kid: settings.external_account.as_ref().map(|it| it.kid.clone()),
                folder: self.0.clone(),
            },
            error => error.into(),
        })?;
        let contact = settings.contact.clone();
        let kept = Kept {
            contact,
            credentials,
        };
        match self.write(&kept)?.create() {
            // Another process was faster: its account is as good, and both stay.
            Err(dc_pki::Error::Exists { .. }) => {}
            created => created?,
        }
        Ok(account)
    }
}

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

/// The key that a CA gives to a customer, as both alphabets write it, with and without `=`.
fn external_key(account: &ExternalAccount) -> Result<ExternalAccountKey, Failure> {
    let text = account.hmac.read()?;
    let bad = || Failure::BadExternalKey {
        from: account.hmac.clone(),
    };
    let bare = text.trim_ascii();
    let length = bare.iter().rposition(|byte| *byte != b'=');
    let bare = bare.get(..=length.ok_or_else(bad)?).ok_or_else(bad)?;
    let key = BASE64URL_NOPAD
        .decode(bare)
        .or_else(|_| BASE64_NOPAD.decode(bare));
    let key = Zeroizing::new(key.map_err(|_| bad())?);
    Ok(ExternalAccountKey::new(account.kid.clone(), &key))
}

fn short(hash: &Sha256) -> String {
    hash.to_string().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use dc_pki::secret::SecretSource;

    use super::*;

    #[test]
    fn an_external_key_is_read_in_both_alphabets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hmac");
        let account = ExternalAccount {
            kid: "kid".to_owned(),
            hmac: SecretSource::File(path.clone()),
        };
        for (text, is_good) in [
            ("-_-_AAAA", true),
            ("+/+/AAA=\n", true),
            ("AAA", true),
            ("AA==", true),
            ("not base64!", false),
            ("====", false),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let read = external_key(&account);
            assert_eq!(read.is_ok(), is_good, "{text}");
            if let Err(error) = read {
                assert!(!error.to_string().contains(text), "{error}");
            }
        }
    }

    #[test]
    fn an_order_is_remembered_for_its_request_alone() {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder(data.path().join("acme/0123"));
        assert_eq!(folder.order(b"one").unwrap(), None);
        folder
            .remember(b"one", "https://ca.example/order/1")
            .unwrap();
        let order = folder.order(b"one").unwrap();
        assert_eq!(order.as_deref(), Some("https://ca.example/order/1"));
        assert_eq!(folder.order(b"two").unwrap(), None);
        folder.forget(b"one").unwrap();
        assert_eq!(folder.order(b"one").unwrap(), None);
        let mode = fs::metadata(&folder.0).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_damaged_account_is_named_and_never_shown() {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder(data.path().to_owned());
        fs::write(folder.account_file(), "{\"credentials\": \"secret\"").unwrap();
        for error in [folder.read().err(), folder.account_url().err()] {
            let error = error.unwrap().to_string();
            assert!(
                error.contains("account.json") && !error.contains("secret"),
                "{error}"
            );
        }
    }
}
