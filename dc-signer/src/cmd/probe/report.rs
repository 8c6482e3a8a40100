//! The findings of a probe, for people and for programs.

use std::fmt;
use std::time::Duration;

use dc_core::{DelegatedCredential, Form, SchemeList};
use dc_inspect::ParsedCertificate;
use dc_inspect::check::{CheckError, Outcome, Peer, Rule, Verdict};
use dc_inspect::display::{Certificate, Credential, Sheet};
use dc_inspect::probe::{
    Accepted, Asked, Chosen, Offered, Probe, Seen, SentBy, Target, alert_name,
};
use dc_pki::text::{Foreign, scheme_name};
use pki_types::UnixTime;
use rustls::AlertDescription;
use serde_json::{Value, json};

pub(super) struct Report<'a> {
    target: &'a Target,
    probe: &'a Probe,
    name: String,
    now: UnixTime,
    chain: Vec<Certificate>,
    credential: Option<Credential>,
    /// The reason that the credential that was sent cannot be read.
    malformed: Option<dc_core::Error>,
    /// The checks of the certificates and the credential, as far as they were seen.
    verdict: Verdict,
}

impl<'a> Report<'a> {
    pub(super) fn new(target: &'a Target, probe: &'a Probe, peer: &Peer) -> Self {
        let mut report = Self {
            target,
            probe,
            name: match &peer.wanted {
                Some(name) => name.to_str().into_owned(),
                None => String::new(),
            },
            now: peer.now,
            chain: Vec::new(),
            credential: None,
            malformed: None,
            verdict: Verdict::default(),
        };
        if let Some(seen) = &probe.seen {
            report.look_at(seen, peer);
        }
        report
    }

    fn look_at(&mut self, seen: &Seen, peer: &Peer) {
        let chain = ParsedCertificate::chain(seen.chain.iter().cloned());
        let shown = chain.iter().filter_map(|one| one.shown().ok());
        self.chain = shown.cloned().collect();
        let Some((form, bytes)) = &seen.credential else {
            self.verdict = peer.check_chain(&chain);
            return;
        };
        let decoded = DelegatedCredential::decode(*form, bytes);
        self.verdict = peer.check(&chain, decoded.as_ref());
        match decoded {
            Ok(credential) => {
                let certificate = chain.first().and_then(|first| first.delegation().ok());
                let algorithms = peer.provider.signature_verification_algorithms.all;
                let role = certificate.and_then(|certificate| {
                    dc_core::find_role(&credential, certificate, algorithms).ok()
                });
                self.credential = Some(Credential::of(&credential, certificate).with_role(role));
            }
            Err(error) => self.malformed = Some(error),
        }
    }

    /// The reason for which a client refuses: what the connection said, else what is wrong with what was seen, which
    /// without roots the connection did not look at.
    pub(super) fn refusal(&self) -> Option<String> {
        match &self.probe.result {
            Err(failure) => Some(failure.to_string()),
            Ok(_) => self.verdict.fault().map(CheckError::to_string),
        }
    }

    /// A guess at why a server had no named credential for this client, if it had none.
    pub(super) fn hint(&self) -> Option<String> {
        let failure = self.probe.result.as_ref().err()?;
        let offered = self.probe.offered.as_ref()?;
        let is_named = offered
            .credentials
            .iter()
            .any(|(form, _)| *form == Form::Named);
        let had_none = match failure.alert() {
            // Whoever has sent a certificate refuses something else.
            Some((alert, SentBy::Server)) => {
                self.probe.seen.is_none() && NOTHING_SUITS.contains(&alert)
            }
            Some((_, SentBy::Client)) => {
                self.probe.seen.is_some() && self.credential.is_none() && self.malformed.is_none()
            }
            None => false,
        };
        (is_named && had_none).then(|| {
            format!(
                "a server sends a named credential only to a client that asks for exactly its name: see that the device is {} now, and that its credential has not ended",
                Foreign(&self.name)
            )
        })
    }

    fn accepted(&self) -> String {
        let what = match &self.credential {
            Some(credential) => format!("{} credential", credential.form),
            None => "certificate".to_owned(),
        };
        let chain = match self.is_chain_known() {
            true => "",
            false => "; whether its chain is trusted is unknown, as no --root was given",
        };
        format!("accepted: {what} for {}{chain}", Foreign(&self.name))
    }

    fn is_chain_known(&self) -> bool {
        let mut checks = self.verdict.checks().iter();
        checks.any(|check| check.rule == Rule::Chain && matches!(check.outcome, Outcome::Passed(_)))
    }

    /// The alert that ended the handshake, and whose it was.
    fn alert(&self) -> Option<(String, &'static str)> {
        let failure = self.probe.result.as_ref().err()?;
        let (alert, by) = failure.alert()?;
        let by = match by {
            SentBy::Client => "client",
            SentBy::Server => "server",
        };
        Some((alert_name(alert), by))
    }

    fn connection(&self) -> Sheet {
        let Probe {
            address,
            connected_in,
            offered,
            chosen,
            result,
            resumed,
            ..
        } = self.probe;
        let accepted = result.as_ref().ok();
        Sheet::new(format!(
            "{} at {} ({address})",
            Foreign(&self.name),
            self.target
        ))
        .row_if("offered", offered.as_ref().map(offer_text))
        .row_if("version", chosen.as_ref().map(version))
        .row_if("cipher", chosen.as_ref().map(suite))
        .row_if("group", chosen.as_ref().and_then(group))
        .row_if("ALPN", accepted.and_then(alpn))
        .row("connected", format_args!("in {:.1} ms", ms(*connected_in)))
        .row_if(
            "handshake",
            accepted.map(|done| format!("{:.1} ms", ms(done.handshake_in))),
        )
        .row_if("client", self.probe.client.map(asked_text))
        .row_if("resumes", resumed.map(|yes| if yes { "yes" } else { "no" }))
        .row_if(
            "alert",
            self.alert()
                .map(|(name, by)| format!("{name}, sent by the {by}")),
        )
    }

    /// `{target, address, name, connected_ms, offered, version, cipher_suite, group, alpn,
    /// handshake_ms, client, resumed, chain, credential, checks, accepted, chain_known, reason, hint, alert}`; what
    /// was not reached is null.
    pub(super) fn to_json(&self) -> Value {
        let Probe {
            address,
            connected_in,
            offered,
            chosen,
            result,
            resumed,
            ..
        } = self.probe;
        let accepted = result.as_ref().ok();
        let checks = self.verdict.to_json();
        json!({
            "target": self.target.to_string(),
            "address": address.to_string(),
            "name": self.name,
            "connected_ms": ms(*connected_in),
            "offered": offered.as_ref().map(offer_json),
            "version": chosen.as_ref().map(version),
            "cipher_suite": chosen.as_ref().map(suite),
            "group": chosen.as_ref().and_then(group),
            "alpn": accepted.and_then(alpn),
            "handshake_ms": accepted.map(|done| ms(done.handshake_in)),
            "client": self.probe.client.map(asked_name),
            "resumed": resumed,
            "chain": self.chain.iter().map(|one| one.to_json(self.now)).collect::<Vec<_>>(),
            "credential": self.credential.as_ref().map(|one| one.to_json(self.now)),
            "checks": checks["checks"],
            "accepted": self.refusal().is_none(),
            "chain_known": self.is_chain_known(),
            "reason": self.refusal(),
            "hint": self.hint(),
            "alert": self.alert().map(|(name, by)| json!({"name": name, "sent_by": by})),
        })
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.connection())?;
        for (at, certificate) in self.chain.iter().enumerate() {
            let title = format!("certificate {}", at + 1);
            writeln!(f, "\n{}", certificate.sheet(title, self.now))?;
        }
        if let Some(credential) = &self.credential {
            writeln!(f, "\n{}", credential.sheet("credential", self.now))?;
        }
        if let Some(error) = &self.malformed {
            writeln!(f, "\ncredential\n  malformed: {error}")?;
        }
        if !self.verdict.checks().is_empty() {
            writeln!(f, "\nchecks\n{}", self.verdict)?;
        }
        match self.refusal() {
            None => write!(f, "\n{}", self.accepted())?,
            Some(reason) => write!(f, "\nrefused: {reason}")?,
        }
        match self.hint() {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

fn asked_text(asked: Asked) -> &'static str {
    match asked {
        Asked::Presented => "asked for a credential, and presented one",
        Asked::NothingSuits => "asked for another certificate or credential, and presented none",
        _ => "not asked for a credential",
    }
}

fn asked_name(asked: Asked) -> &'static str {
    match asked {
        Asked::Presented => "presented",
        Asked::NothingSuits => "nothing-suits",
        _ => "not-asked",
    }
}

fn ms(time: Duration) -> f64 {
    // To the microsecond, as anything finer is noise.
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn offer_text(offered: &Offered) -> String {
    let form = |(form, schemes): &(Form, SchemeList)| {
        let schemes: Vec<_> = schemes.iter().map(scheme_name).collect();
        format!("{form} credentials ({})", schemes.join(", "))
    };
    match offered.credentials.is_empty() {
        true => "no credentials".to_owned(),
        false => offered
            .credentials
            .iter()
            .map(form)
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

fn offer_json(offered: &Offered) -> Value {
    let forms = offered.credentials.iter();
    forms
        .map(|(form, schemes)| {
            let schemes: Vec<_> = schemes.iter().map(scheme_name).collect();
            json!({"form": form.to_string(), "schemes": schemes})
        })
        .collect()
}

fn version(chosen: &Chosen) -> String {
    // rustls writes TLSv1_3.
    let name = chosen.version.as_str().unwrap_or("unknown");
    name.replace("TLSv", "TLS ").replace('_', ".")
}

fn suite(chosen: &Chosen) -> String {
    chosen.cipher_suite.as_str().unwrap_or("unknown").to_owned()
}

fn group(chosen: &Chosen) -> Option<String> {
    Some(chosen.group?.as_str().unwrap_or("unknown").to_owned())
}

fn alpn(accepted: &Accepted) -> Option<String> {
    let name = accepted.alpn.as_deref()?;
    Some(Foreign(&String::from_utf8_lossy(name)).to_string())
}

/// The alerts of a server that has nothing for a client (RFC 8446 §4.4.2.2, RFC 6066 §3).
const NOTHING_SUITS: [AlertDescription; 2] = [
    AlertDescription::HandshakeFailure,
    AlertDescription::UnrecognisedName,
];
