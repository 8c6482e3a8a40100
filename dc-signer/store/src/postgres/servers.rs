//! The servers of a database, and which of them is used: of several, the one that is the primary.
//!
//! All connections are to one server. When one cannot be opened, breaks, or refuses to write, all servers are asked at the same time
//! before anything else is done, and another pool takes the place of the old one if another server is the primary now. It is used
//! once it has confirmed that its standby has what it shows.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::ConnectOptions;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::time::{Instant, sleep, timeout};

use crate::Error;
use crate::hosts::Hosts;
use crate::timeline::Timelines;

use super::error::classify;
use super::no_answer;
use super::pool::{self, MOMENT, PATIENCE};

mod chosen;
mod probe;
mod witness;

use chosen::Chosen;
use probe::{Found, Refused, probe};

/// The servers of a database.
pub(super) struct Servers {
    all: Vec<PgConnectOptions>,
    /// Set if only the primary is used.
    primary: bool,
    /// A primary is not used if a newer one was.
    timelines: Timelines,
    chosen: Mutex<Arc<Chosen>>,
    /// How it went when they were asked last, and when that was over. Whoever has it asks; the others need not ask as well.
    asked: tokio::sync::Mutex<Option<(Instant, Result<(), Error>)>>,
    closed: AtomicBool,
}

/// The server that a connection is to.
pub(super) struct Used {
    servers: Arc<Servers>,
    chosen: Arc<Chosen>,
}

impl Used {
    /// Has the servers asked before this one is used again.
    pub(super) fn doubt(&self) {
        self.chosen.doubt();
    }

    /// Waits until another server is used, which is looked for if this one takes long: one that hangs answers nobody any more.
    pub(super) async fn replaced(&self) {
        let look = async {
            loop {
                sleep(LONG).await;
                if self.servers.only().is_none() {
                    // If there is none, this one may still answer.
                    let _ = self.servers.ask(Instant::now()).await;
                }
            }
        };
        tokio::select! {
            // There is never a permit, so this is its end.
            _ = self.chosen.replaced.acquire() => {}
            () = look => {}
        }
    }
}

impl Servers {
    /// Connects to none yet.
    ///
    /// Fails with [`Error::Url`].
    pub(super) fn new(hosts: &Hosts, timelines: Timelines) -> Result<Self, Error> {
        let mut all = Vec::with_capacity(hosts.urls.len());
        for url in &hosts.urls {
            let options: PgConnectOptions = url.parse().map_err(classify)?;
            all.push(pool::options(options, hosts.primary));
        }
        let first = all.first().cloned().unwrap_or_default();
        let is_only = all.len() < 2;
        let chosen = Chosen::new(0, first, is_only);
        if !is_only {
            // The first of several need not be the primary.
            chosen.doubt();
        }
        Ok(Self {
            chosen: Mutex::new(Arc::new(chosen)),
            all,
            primary: hosts.primary,
            timelines,
            asked: tokio::sync::Mutex::default(),
            closed: false.into(),
        })
    }

    /// Finds a server that answers.
    ///
    /// Fails with what keeps it from answering.
    pub(super) async fn reach(&self) -> Result<(), Error> {
        match self.only() {
            // Once, because a pool tries again and again and then says only that it took too long.
            Some(only) => connect(only, PATIENCE).await,
            None => self.ask(Instant::now()).await,
        }
    }

    /// A connection, and the server that it is to.
    pub(super) async fn acquire(
        self: &Arc<Self>,
    ) -> Result<(PoolConnection<sqlx::Postgres>, Used), Error> {
        let (began, chosen) = (Instant::now(), self.chosen());
        let only = self.only();
        if only.is_some() || !chosen.is_doubted.load(Ordering::Relaxed) {
            let acquired = chosen.pool.acquire().await;
            let is_confirmed = acquired.is_ok() && self.has_confirmed(&chosen).await;
            match (acquired, only) {
                (Ok(connection), _) if is_confirmed => {
                    return Ok((connection, self.using(chosen)));
                }
                (Err(error), Some(only)) => return Err(self.why_not(error, only).await),
                _ => {}
            }
        }
        if self.closed.load(Ordering::Relaxed) {
            return Err(classify(sqlx::Error::PoolClosed));
        }
        chosen.doubt();
        self.ask(began).await?;
        let chosen = self.chosen();
        let connection = chosen.pool.acquire().await.map_err(classify)?;
        match self.has_confirmed(&chosen).await {
            true => Ok((connection, self.using(chosen))),
            false => Err(unavailable(format!(
                "{} has ended, or was started again, just now",
                self.name(chosen.place)
            ))),
        }
    }

    /// True if a server's standby has what it shows, or nobody promotes one.
    async fn has_confirmed(&self, chosen: &Chosen) -> bool {
        self.only().is_some() || !self.primary || chosen.witness.has_seen_all().await
    }

    fn using(self: &Arc<Self>, chosen: Arc<Chosen>) -> Used {
        let servers = Arc::clone(self);
        Used { servers, chosen }
    }

    /// The reason that there is no connection to the only server.
    async fn why_not(&self, error: sqlx::Error, only: &PgConnectOptions) -> Error {
        let is_late = matches!(error, sqlx::Error::PoolTimedOut);
        // A pool says only that it took too long.
        if is_late
            && let Ok(_mine) = self.asked.try_lock()
            && let Err(why) = connect(only, MOMENT).await
        {
            return why;
        }
        classify(error)
    }

    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let pool = self.chosen().pool.clone();
        pool.close().await;
    }

    /// The server that is used, and those that say that they are the primary as well; none if there is one alone.
    pub(super) async fn primaries(&self) -> Option<(String, Vec<String>)> {
        if self.only().is_some() {
            return None;
        }
        let used = self.chosen().place;
        let others = self.all.iter().enumerate();
        let others = others.filter(|(place, _)| *place != used);
        let asked = others.map(async |(_, options)| match probe(options, true).await {
            Ok(_) => Some(name(options)),
            Err(_) => None,
        });
        let others = join_all(asked).await.into_iter().flatten().collect();
        Some((self.name(used), others))
    }

    /// Without a password.
    fn name(&self, place: usize) -> String {
        self.all.get(place).map(name).unwrap_or_default()
    }

    fn only(&self) -> Option<&PgConnectOptions> {
        match &*self.all {
            [only] => Some(only),
            _ => None,
        }
    }

    fn chosen(&self) -> Arc<Chosen> {
        Arc::clone(&self.lock())
    }

    /// Nothing that can panic is done while it is locked.
    fn lock(&self) -> MutexGuard<'_, Arc<Chosen>> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the servers which of them to use, unless they were asked since `began`: then that answer is everybody's.
    async fn ask(&self, began: Instant) -> Result<(), Error> {
        let mut asked = self.asked.lock().await;
        match &*asked {
            Some((over, answer)) if *over >= began => return answer.clone(),
            _ => {}
        }
        let answer = self.find().await;
        *asked = Some((Instant::now(), answer.clone()));
        answer
    }

    async fn find(&self) -> Result<(), Error> {
        let before = self.chosen();
        let answers = join_all(self.all.iter().map(|options| probe(options, self.primary))).await;
        let found = answers.iter().enumerate();
        let mut found: Vec<(usize, Found)> = found
            .filter_map(|(place, answer)| Some((place, *answer.as_ref().ok()?)))
            .collect();
        // The newest timeline and the longest log; of several that are alike the one that is used, or else the first.
        found.sort_by_key(|(place, found)| {
            let is_other = *place != before.place;
            (std::cmp::Reverse(*found), is_other, *place)
        });
        if self.primary && found.len() > 1 {
            self.tell_of_several(&found);
        }
        let Some((place, found)) = found.first() else {
            return Err(self.why_none(answers));
        };
        let known = self.timelines.newest_of(found.system_identifier);
        match found.timeline >= known {
            true => self.choose(&before, *place, *found).await,
            false => Err(self.gone_back(*place, found.timeline, known)),
        }
    }

    /// Uses a server as soon as it has confirmed what it shows.
    async fn choose(&self, before: &Arc<Chosen>, place: usize, found: Found) -> Result<(), Error> {
        let Some(options) = self.all.get(place) else {
            return Ok(());
        };
        let is_same = place == before.place;
        let witness = match is_same && before.witness.is_there().await {
            true => None,
            false => self.witness(options).await?,
        };
        let chosen = match is_same {
            true => Arc::clone(before),
            false => Arc::new(Chosen::new(place, options.clone(), false)),
        };
        if let Some(witness) = witness {
            chosen.witness.set(witness).await;
        }
        self.timelines
            .use_one(found.system_identifier, found.timeline);
        if is_same {
            before.is_doubted.store(false, Ordering::Relaxed);
            return Ok(());
        }
        *self.lock() = chosen;
        let (server, timeline) = (name(options), found.timeline);
        tracing::warn!(target: LOG, server, timeline, "the database is used at another server");
        // Whoever waits for an answer of the old one shall not wait for long.
        before.replaced.close();
        let old = before.pool.clone();
        tokio::spawn(async move { old.close().await });
        Ok(())
    }

    /// None of those that read alone.
    async fn witness(&self, options: &PgConnectOptions) -> Result<Option<PgConnection>, Error> {
        if !self.primary {
            return Ok(None);
        }
        match witness::confirmed(options).await? {
            Some(witness) => Ok(Some(witness)),
            None => Err(unavailable(format!(
                "{} is the primary, and does not confirm what it shows, because the standby that it waits for has not got it: start that one",
                name(options)
            ))),
        }
    }

    fn tell_of_several(&self, found: &[(usize, Found)]) {
        let names: Vec<String> = found
            .iter()
            .map(|(place, found)| {
                let name = self.name(*place);
                let (timeline, records) = (found.timeline, found.records);
                format!("{name} (timeline {timeline}, {records} records)")
            })
            .collect();
        tracing::warn!(target: LOG, "several servers say that each is the primary: {}; the first of these is used: stop the others, or what is written there is lost", names.join(", "));
    }

    fn gone_back(&self, place: usize, found: u32, known: u32) -> Error {
        let name = self.name(place);
        let forget = match self.timelines.file() {
            Some(file) => format!("remove {} and restart this service", file.display()),
            None => "begin again".to_owned(),
        };
        unavailable(format!(
            "{name} says that it is the primary, on timeline {found}, and one on timeline {known} was promoted since: start that one, or, if it is gone for good, {forget}"
        ))
    }

    /// All reasons; or the first one, if waiting mends none of them.
    fn why_none(&self, answers: Vec<Result<Found, Refused>>) -> Error {
        let refused = answers.into_iter().zip(&self.all);
        let refused = refused.filter_map(|(answer, options)| Some((answer.err()?, options)));
        let refused: Vec<(Refused, &PgConnectOptions)> = refused.collect();
        let reasons = refused.iter();
        let reasons = reasons.map(|(why, options)| format!("{}: {why}", name(options)));
        let reasons: Vec<String> = reasons.collect();
        let may_come_up = |(why, _): &(Refused, _)| match why {
            Refused::Standby => true,
            Refused::Failed(error) => error.is_of_a_server_that_may_come_up(),
        };
        if !refused.iter().any(may_come_up)
            && let Some((Refused::Failed(error), _)) = refused.into_iter().next()
        {
            return error;
        }
        let what = match self.primary {
            true => "no server is a primary that can be written to",
            false => "no server answers",
        };
        unavailable(format!("{what} ({})", reasons.join("; ")))
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options may have a password in them.
        f.write_str("Servers(..)")
    }
}

/// A server as its administrator calls it: nothing secret is in it.
fn name(options: &PgConnectOptions) -> String {
    let port = options.get_port();
    match options.get_socket() {
        Some(folder) => format!("{}:{port}", folder.display()),
        None => format!("{}:{port}", options.get_host()),
    }
}

fn unavailable(text: String) -> Error {
    classify(sqlx::Error::Io(std::io::Error::other(text)))
}

async fn connect(options: &PgConnectOptions, limit: Duration) -> Result<(), Error> {
    match timeout(limit, options.connect()).await {
        // It hears that we are gone, now or when it answers again.
        Ok(connected) => connected.map(drop::<PgConnection>).map_err(classify),
        Err(_) => Err(no_answer(limit)),
    }
}

/// How long an answer may take before it is looked whether another server is the primary.
const LONG: Duration = Duration::from_secs(3);
/// The target of its lines in the log: filters that name the signer hold for its database as well.
const LOG: &str = "dc_signer::store";
