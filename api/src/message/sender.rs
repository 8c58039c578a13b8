//! Sends what waits in the outbox.
//!
//! A lane (one receiver) has at most [`LANE_MAX`] tries on their way, and after a failure one, with
//! a rest that doubles: a receiver that hangs holds up its own messages and nobody else's. A
//! message that fails is tried again by [`RETRY_S`], then it is dead. What a crash cuts off is
//! tried again under the same id.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ingest::time::Timestamp;
use tokio::task::JoinSet;

use super::mail::Mail;
use super::webhook::{Post, Tried};
use super::{Channel, Message, State};
use crate::app::{App, Shared};
use crate::store::keys::random_bytes;
use crate::store::{StoreError, outbox, webhooks};

/// Pauses before the tries after the first, seconds, each shortened or lengthened by up to
/// [`JITTER`]; together a day.
pub(crate) const RETRY_S: [f64; 11] =
    [5.0, 30.0, 120.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 18_000.0, 21_600.0, 18_000.0];
/// Share by which a pause may be shorter or longer, so that receivers are not asked in step.
const JITTER: f64 = 0.2;
/// Tries on their way at a time.
const FLYING_MAX: usize = 64;
/// Tries on their way to one receiver at a time.
const LANE_MAX: usize = 2;
/// Rest of a receiver after its first failure, seconds; it doubles with each…
const REST_S: f64 = 1.0;
/// …up to this.
const REST_MAX_S: f64 = 60.0;
/// How often the outbox is looked at when nothing calls.
const LOOK: Duration = Duration::from_millis(500);
/// How often the oldest messages are let go.
const PRUNE: Duration = Duration::from_mins(1);
/// How long tries on their way may take once the api stops.
const DRAIN: Duration = Duration::from_secs(3);

/// A receiver that fails.
#[derive(Debug, Clone, Copy, Default)]
struct Resting {
    failures: u32,
    until: Timestamp,
}

/// A try that has ended.
struct Landed {
    n: i64,
    lane: String,
    failed: bool,
}

/// What is on its way, and who rests.
struct Sender {
    app: Shared,
    post: Arc<Post>,
    mail: Arc<Option<Mail>>,
    flying: JoinSet<Landed>,
    numbers: HashSet<i64>,
    lanes: HashMap<String, usize>,
    resting: HashMap<String, Resting>,
}

/// Sends until the api stops.
pub(crate) async fn run(app: Shared, mail: Option<Mail>) {
    let post = Arc::new(Post::new(app.messages.allow_private && app.open.is_none()));
    let mut closing = app.closing.subscribe();
    let mut sender = Sender {
        app: Arc::clone(&app),
        post,
        mail: Arc::new(mail),
        flying: JoinSet::new(),
        numbers: HashSet::new(),
        lanes: HashMap::new(),
        resting: HashMap::new(),
    };
    let mut prune = tokio::time::interval(PRUNE);
    loop {
        if let Err(error) = sender.start_due() {
            tracing::warn!(%error, "the outbox cannot be read; trying again");
        }
        tokio::select! {
            Some(landed) = sender.flying.join_next() => sender.land(landed),
            () = app.outbox.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
            _ = prune.tick() => sender.prune().await,
            // An error means that the sender is gone, which is closed too.
            () = async { drop(closing.wait_for(|closing| *closing).await) } => break,
        }
    }
    let drained = tokio::time::timeout(DRAIN, async {
        while let Some(landed) = sender.flying.join_next().await {
            sender.land(landed);
        }
    });
    if drained.await.is_err() {
        tracing::info!("messages are still on their way; they are sent again at the next start");
    }
}

impl Sender {
    /// Starts what is due as far as there is room.
    fn start_due(&mut self) -> Result<(), StoreError> {
        let now = self.app.now();
        for lane in self.app.store.read(outbox::lanes)? {
            let room = self.room(&lane, now);
            if room == 0 {
                continue;
            }
            let flying = self.lanes.get(&lane).copied().unwrap_or_default();
            let wanted = room + flying;
            let due = self.app.store.read(|c| outbox::due(c, &lane, now, wanted))?;
            let fresh = due.into_iter().filter(|message| !self.numbers.contains(&message.n));
            for message in fresh.take(room).collect::<Vec<_>>() {
                self.start(message);
            }
        }
        Ok(())
    }

    /// How many more tries a lane may have on their way.
    fn room(&self, lane: &str, now: Timestamp) -> usize {
        let most = match self.resting.get(lane) {
            Some(resting) if now < resting.until => 0,
            Some(_) => 1,
            None => LANE_MAX,
        };
        let flying = self.lanes.get(lane).copied().unwrap_or_default();
        most.saturating_sub(flying).min(FLYING_MAX.saturating_sub(self.flying.len()))
    }

    fn start(&mut self, message: Message) {
        self.numbers.insert(message.n);
        *self.lanes.entry(message.lane.clone()).or_default() += 1;
        let (app, post) = (Arc::clone(&self.app), Arc::clone(&self.post));
        let mail = Arc::clone(&self.mail);
        self.flying.spawn(async move {
            let (n, lane) = (message.n, message.lane.clone());
            let at = Arc::clone(&app);
            let tried = tokio::task::spawn_blocking(move || {
                let tried = attempt(&at, (&post, mail.as_ref().as_ref()), &message);
                (tried, message)
            });
            let failed = match tried.await {
                Ok((tried, message)) => settle(&app, &message, tried).await,
                Err(_bad) => true,
            };
            Landed { n, lane, failed }
        });
    }

    fn land(&mut self, landed: Result<Landed, tokio::task::JoinError>) {
        let Ok(Landed { n, lane, failed }) = landed else {
            tracing::error!("a try panicked");
            return;
        };
        self.numbers.remove(&n);
        if let Some(flying) = self.lanes.get_mut(&lane) {
            *flying = flying.saturating_sub(1);
            if *flying == 0 {
                self.lanes.remove(&lane);
            }
        }
        if !failed {
            self.resting.remove(&lane);
            return;
        }
        let now = self.app.now();
        let resting = self.resting.entry(lane).or_default();
        resting.failures = resting.failures.saturating_add(1);
        let doublings = resting.failures.min(16) - 1;
        let rest = (REST_S * f64::from(1_u32 << doublings)).min(REST_MAX_S);
        resting.until = now.plus_seconds(rest);
    }

    async fn prune(&mut self) {
        let now = self.app.now();
        // A receiver that was deleted or has recovered by itself leaves nothing behind.
        self.resting.retain(|_, resting| now.seconds_since(resting.until) < REST_MAX_S * 60.0);
        let pruned = self.app.store.write_again(move |c| outbox::prune(c, now)).await;
        if let Err(error) = pruned {
            tracing::warn!(%error, "old messages stay");
        }
    }
}

/// One try. Blocks.
fn attempt(app: &App, (post, mail): (&Post, Option<&Mail>), message: &Message) -> Tried {
    if message.until.is_some_and(|until| app.now() >= until) {
        return Tried::Dropped;
    }
    match message.channel {
        Channel::Webhook | Channel::Sms => {
            let found = app.store.read(|c| webhooks::find(c, &message.tenant, &message.lane));
            match found {
                Ok(Some(to)) => post.send(&to, &message.id, &message.body, app.now()),
                Ok(None) => Tried::Never("the webhook was deleted".to_owned()),
                Err(error) => Tried::Again(error.to_string()),
            }
        }
        Channel::Mail => match mail {
            Some(mail) => mail.send(message, app.now()),
            None => Tried::Kept("no mail server is configured".to_owned()),
        },
    }
}

/// Writes what became of a try; whether the receiver failed.
async fn settle(app: &App, message: &Message, tried: Tried) -> bool {
    let (n, tries) = (message.n, message.tries as usize);
    let (state, error, due, failed) = match tried {
        Tried::Dropped => {
            app.metrics.messages_dropped.inc();
            let dropped = app.store.write(move |c| outbox::drop_unsent(c, n)).await;
            let dropped: Result<(), StoreError> = dropped;
            return dropped.is_err();
        }
        Tried::Sent => (State::Sent, None, None, false),
        Tried::Kept(why) => (State::Kept, Some(why), None, false),
        // A mailbox that does not exist is no failure of the server.
        Tried::Never(why) => (State::Dead, Some(why), None, message.channel != Channel::Mail),
        Tried::Again(why) => match RETRY_S.get(tries) {
            Some(pause) => {
                let due = app.now().plus_seconds(jittered(*pause));
                (State::Waiting, Some(why), Some(due), true)
            }
            None => (State::Dead, Some(why), None, true),
        },
    };
    let count = match state {
        State::Sent => &app.metrics.messages_sent,
        State::Kept => &app.metrics.messages_kept,
        State::Dead => &app.metrics.messages_dead,
        State::Waiting => &app.metrics.messages_retried,
    };
    count.inc();
    let written =
        app.store.write(move |c| outbox::tried(c, n, (state, error.as_deref()), due)).await;
    if let Err(error) = written {
        let error: StoreError = error;
        tracing::warn!(%error, "a message that was tried is tried again");
        return true;
    }
    failed
}

/// A pause that is up to [`JITTER`] shorter or longer.
fn jittered(pause: f64) -> f64 {
    let byte = random_bytes().map_or(128, |bytes| bytes[0]);
    pause * (1.0 + JITTER * (f64::from(byte) / 127.5 - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_go_on_for_a_day() {
        let all: f64 = RETRY_S.iter().sum();
        assert!((0.95 * 86_400.0..=86_400.0).contains(&all), "{all}");
        assert!((0..100).all(|_| (4.0..=6.0).contains(&jittered(5.0))));
    }
}
