//! Whether a session may be resumed, and whether a connection may be used for another origin.

use super::Reference;
use super::credential::WEEK;
use super::rule::Rule;
use crate::format::handshakes::{
    Accepted, ClientSession, ReuseVector, ServerSessionVector, SessionVector, Ticket,
};
use crate::format::{Form, Hex, Policy};

/// What an application does not want any more.
struct Withdrawn<'a> {
    names: &'a [String],
    keys: &'a [Hex],
}

/// The rules for what a policy takes.
struct PolicyRules {
    named: Rule,
    required_rfc9345: Rule,
    required_certificate: Rule,
    or_certificate_rfc9345: Rule,
    or_certificate_certificate: Rule,
}

/// The rules for what was withdrawn.
struct WithdrawalRules {
    names: Rule,
    keys: Rule,
}

impl Reference<'_> {
    /// Whether a client may offer a session.
    pub(super) fn resumes(&self, session: &SessionVector) -> bool {
        let peer = match session.inherited.is_empty() || self.keeps(Rule::InheritedIsTheName) {
            true => &session.peer,
            false => &Accepted {
                form: None,
                unique_name: None,
                ..session.peer
            },
        };
        let made_under = match session.inherited.last() {
            Some(last) if !self.keeps(Rule::InheritedIsThePolicy) => last.policy,
            _ => session.made_under,
        };
        let withdrawn = Withdrawn {
            names: &session.withdrawn,
            keys: &session.withdrawn_keys,
        };
        let same = match self.keeps(Rule::SessionsReferenceIsAName) {
            true => is_same(&session.made_for, &session.wanted_name),
            false => session.made_for == session.wanted_name,
        };
        let stronger = strength(session.policy) > strength(made_under);
        (same || !self.keeps(Rule::SessionIsForOneReference))
            && !self.has_ended(session)
            && !self.is_withdrawn(peer, session.key.as_ref(), &withdrawn, &OF_SESSIONS)
            && (!stronger || !self.keeps(Rule::SessionsGoToNoStrongerPolicy))
            && self.satisfies(peer.form, session.policy, &SESSIONS_SATISFY)
    }

    /// Whether the credential of the first connection, or the session's own ticket, has ended.
    fn has_ended(&self, session: &SessionVector) -> bool {
        let is_inherited = !session.inherited.is_empty();
        let of_credential = !is_inherited || self.keeps(Rule::InheritedIsTheCredentialsEnd);
        let of_first = !is_inherited || !self.keeps(Rule::InheritedIsNotTheTicketsEnd);
        let credential = session
            .peer
            .expires
            .filter(|_| of_credential && self.keeps(Rule::EndedSessionsAreNotResumed));
        let first = session.ticket.filter(|_| of_first);
        let own = session.inherited.last().map(|resumed| resumed.ticket);
        let own = own.filter(|_| self.keeps(Rule::InheritedEndsWithItsTicket));
        let mut tickets = first.into_iter().chain(own);
        let late = |end| match self.keeps(Rule::LastSecondIsResumed) {
            true => session.now > end,
            false => session.now >= end,
        };
        credential.is_some_and(late) || tickets.any(|ticket| self.end(ticket).is_none_or(late))
    }

    /// The last second of a ticket, if it has any.
    fn end(&self, ticket: Ticket) -> Option<u64> {
        let lifetime = u64::from(ticket.lifetime);
        let most = match self.keeps(Rule::TicketsLastSevenDaysAtMost) {
            true => WEEK.unsigned_abs(),
            false => u64::MAX,
        };
        let lifetime = match self.keeps(Rule::TicketsHaveALifetime) {
            true => lifetime,
            false => most,
        };
        let none = lifetime == 0 && self.keeps(Rule::TicketsOfNoLifetimeAreDiscarded);
        (!none).then(|| ticket.received.saturating_add(lifetime.min(most)))
    }

    fn is_withdrawn(
        &self,
        peer: &Accepted,
        key: Option<&Hex>,
        withdrawn: &Withdrawn<'_>,
        rules: &WithdrawalRules,
    ) -> bool {
        let is = |name: &String, withdrawn: &String| {
            name == withdrawn
                || !self.keeps(Rule::WithdrawalIsOfWholeNames) && name.ends_with(withdrawn)
        };
        let name = peer.unique_name.as_ref();
        let name = name.is_some_and(|name| withdrawn.names.iter().any(|w| is(name, w)));
        let key = key.is_some_and(|key| withdrawn.keys.contains(key));
        name && self.keeps(rules.names) || key && self.keeps(rules.keys)
    }

    /// Whether a policy takes a peer that was authenticated in this way.
    fn satisfies(&self, form: Option<Form>, policy: Policy, rules: &PolicyRules) -> bool {
        match (form, policy) {
            (Some(Form::Named), _) => self.keeps(rules.named),
            (Some(Form::Rfc9345), Policy::Required) => !self.keeps(rules.required_rfc9345),
            (Some(Form::Rfc9345), Policy::RequiredOrCertificate) => {
                !self.keeps(rules.or_certificate_rfc9345)
            }
            (None, Policy::Required) => !self.keeps(rules.required_certificate),
            (None, Policy::RequiredOrCertificate) => self.keeps(rules.or_certificate_certificate),
            (_, Policy::Preferred | Policy::Ignored) => true,
        }
    }

    /// Whether a server may resume a session.
    pub(super) fn server_resumes(&self, session: &ServerSessionVector) -> bool {
        let late = |end: u64| match self.keeps(Rule::LastSecondIsResumedByServers) {
            true => session.now > end,
            false => session.now >= end,
        };
        let ended = session.own.expires.is_some_and(late);
        let same = match (&session.made_with, &session.server_name) {
            _ if session.own.form != Some(Form::Named) => true,
            (Some(one), Some(other)) => one == other || !self.keeps(Rule::ServerNameStaysTheSame),
            (Some(_), None) => !self.keeps(Rule::ServerNameDoesNotGoMissing),
            (None, Some(_)) => !self.keeps(Rule::ServerNameDoesNotAppear),
            (None, None) => true,
        };
        let client = session.client.as_ref();
        let client_ended = client.is_some_and(|client| client.peer.expires.is_some_and(late));
        same && (!ended || !self.keeps(Rule::ServersCredentialHasNotEnded))
            && (!client_ended || !self.keeps(Rule::ClientsCredentialHasNotEnded))
            && client.is_none_or(|client| self.resumes_client(client))
    }

    /// The rules of a client's sessions, for a server that verified a client.
    fn resumes_client(&self, client: &ClientSession) -> bool {
        let same = match (&client.made_for, &client.wanted_name) {
            (Some(one), Some(other)) => is_same(one, other),
            (one, other) => one == other,
        };
        let withdrawn = Withdrawn {
            names: &client.withdrawn,
            keys: &client.withdrawn_keys,
        };
        let stronger = strength(client.policy) > strength(client.made_under);
        (same || !self.keeps(Rule::ServersReferenceIsTheSame))
            && (!stronger || !self.keeps(Rule::ServersPolicyIsNoStronger))
            && !self.is_withdrawn(&client.peer, client.key.as_ref(), &withdrawn, &OF_CLIENTS)
    }

    /// Whether a connection is authoritative for another origin.
    pub(super) fn authoritative(&self, connection: &ReuseVector) -> bool {
        let late = |end| match self.keeps(Rule::LastSecondIsReused) {
            true => connection.now > end,
            false => connection.now >= end,
        };
        let ended = connection.peer.expires.is_some_and(late)
            && (!connection.served || !self.keeps(Rule::ServedOriginsMayGoOn));
        let withdrawn = Withdrawn {
            names: &connection.withdrawn,
            keys: &connection.withdrawn_keys,
        };
        let (peer, key) = (&connection.peer, connection.key.as_ref());
        let stronger = strength(connection.policy) > strength(connection.made_under);
        self.is_of(connection)
            && (!stronger || !self.keeps(Rule::ConnectionsServeNoStrongerPolicy))
            && (!ended || !self.keeps(Rule::EndedConnectionsAreNotReused))
            && !self.is_withdrawn(peer, key, &withdrawn, &OF_CONNECTIONS)
            && self.satisfies(peer.form, connection.policy, &CONNECTIONS_SATISFY)
    }

    /// Whether what authenticated a connection is for another origin's name.
    fn is_of(&self, connection: &ReuseVector) -> bool {
        let other = connection.other.as_str();
        let relative = match self.keeps(Rule::OtherOriginMayEndWithADot) {
            true => other.strip_suffix('.').unwrap_or(other),
            false => other,
        };
        let names = &connection.dns_names;
        let by_certificate = || names.iter().any(|dns_name| self.covers(dns_name, relative));
        match &connection.peer.unique_name {
            Some(name) => {
                let same = match self.keeps(Rule::CaseOfTheOtherOriginIsIgnored) {
                    true => is_same(name, other),
                    false => name == other,
                };
                same && self.keeps(Rule::NamedIsAuthoritativeForItself)
                    || !self.keeps(Rule::NamedIsNotWhatItsCertificateIs) && by_certificate()
            }
            None => by_certificate(),
        }
    }
}

/// The order of the policies.
fn strength(policy: Policy) -> u8 {
    match policy {
        Policy::Required => 3,
        Policy::RequiredOrCertificate => 2,
        Policy::Preferred => 1,
        Policy::Ignored => 0,
    }
}

fn is_same(one: &str, other: &str) -> bool {
    let relative = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    relative(one) == relative(other)
}

const SESSIONS_SATISFY: PolicyRules = PolicyRules {
    named: Rule::NamedSessionsAreResumed,
    required_rfc9345: Rule::RequiredResumesNoRfc9345,
    required_certificate: Rule::RequiredResumesNoCertificate,
    or_certificate_rfc9345: Rule::OrCertificateResumesNoRfc9345,
    or_certificate_certificate: Rule::OrCertificateResumesCertificates,
};
const CONNECTIONS_SATISFY: PolicyRules = PolicyRules {
    named: Rule::NamedConnectionsAreReused,
    required_rfc9345: Rule::RequiredReusesNoRfc9345,
    required_certificate: Rule::RequiredReusesNoCertificate,
    or_certificate_rfc9345: Rule::OrCertificateReusesNoRfc9345,
    or_certificate_certificate: Rule::OrCertificateReusesCertificates,
};
const OF_SESSIONS: WithdrawalRules = WithdrawalRules {
    names: Rule::WithdrawnSessionsAreNotResumed,
    keys: Rule::SessionsWithWithdrawnKeysAreNotResumed,
};
const OF_CLIENTS: WithdrawalRules = WithdrawalRules {
    names: Rule::WithdrawnClientsAreNotResumed,
    keys: Rule::ClientsWithWithdrawnKeysAreNotResumed,
};
const OF_CONNECTIONS: WithdrawalRules = WithdrawalRules {
    names: Rule::WithdrawnConnectionsAreNotReused,
    keys: Rule::ConnectionsWithWithdrawnKeysAreNotReused,
};
