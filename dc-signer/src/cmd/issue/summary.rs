//! The credentials that were issued, for people and for programs.

use std::fmt;
use std::path::PathBuf;

use dc_core::{DelegatedCredential, Form, Issued, Role, SignatureScheme, UniqueName};
use dc_pki::Warning;
use dc_pki::text::scheme_name;
use dc_pki::time::{Moment, Span};
use pki_types::UnixTime;
use serde_json::{Value, json};

pub(super) struct Summary<'a> {
    pub(super) name: Option<&'a UniqueName<'static>>,
    /// True if the folder's device has had this name until now.
    pub(super) as_before: bool,
    pub(super) role: Role,
    pub(super) issued: &'a [Issued],
    pub(super) files: &'a [PathBuf],
    pub(super) warnings: &'a [Warning],
    pub(super) now: UnixTime,
}

impl Summary<'_> {
    /// `{name, forms, role, algorithm, signed_with, expires, expires_in, files, warnings}`; `name` is null
    /// without one, `expires_in` is in seconds.
    pub(super) fn to_json(&self) -> Value {
        let (algorithm, signed_with) = self.schemes().unzip();
        json!({
            "name": self.name.map(UniqueName::as_str),
            "forms": self.forms(),
            "role": self.role.to_string(),
            "algorithm": algorithm.map(scheme_name),
            "signed_with": signed_with.map(scheme_name),
            "expires": Moment(self.expiry()).to_string(),
            "expires_in": self.expiry().as_secs().saturating_sub(self.now.as_secs()),
            "files": self.files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>(),
            "warnings": self.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }

    fn forms(&self) -> Vec<String> {
        let forms = self.issued.iter().map(Issued::form);
        forms.map(|form: Form| form.to_string()).collect()
    }

    fn expiry(&self) -> UnixTime {
        let all = self.issued.iter().map(Issued::expiry);
        all.min().unwrap_or(self.now)
    }

    /// The schemes of the device's key and of the delegation key's signature: the same in
    /// all forms.
    fn schemes(&self) -> Option<(SignatureScheme, SignatureScheme)> {
        let first = self.issued.first()?;
        let credential = DelegatedCredential::decode(first.form(), first.bytes()).ok()?;
        let scheme = credential.credential().dc_cert_verify_algorithm;
        Some((scheme, credential.algorithm()))
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name {
            let note = if self.as_before { ", as before" } else { "" };
            writeln!(f, "name:      {name}{note}")?;
        }
        let (forms, role) = (self.forms().join(", "), self.role);
        writeln!(f, "forms:     {forms}, for a {role}")?;
        if let Some((algorithm, signed_with)) = self.schemes() {
            writeln!(f, "algorithm: {algorithm}, signed with {signed_with}")?;
        }
        let expiry = self.expiry();
        let left = Span::about(self.now, expiry);
        writeln!(f, "expires:   {}, in {left}", Moment(expiry))?;
        let files = self.files.iter().map(|file| file.display().to_string());
        writeln!(f, "files:     {}", files.collect::<Vec<_>>().join(", "))?;
        write!(
            f,
            "next:      on the device, put its key.pem (mode 0600) beside them"
        )
    }
}
