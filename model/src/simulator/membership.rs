//! The membership thread and the committer of a process, and the coordinator that they speak with, by the rules of
//! `crates/pipe-runtime/src/pipe/membership.rs`, `exactly_once.rs` and `committer.rs`.

use housepipe_kafka_source::Offset;
use housepipe_runtime::delivery::{Action, BYTES_MAX, CommitOutcome, Recorded};

use super::event::{Event, News, SentCommit, Wish};
use super::kafka::{Committed, Member};
use super::mistake::Mistake;
use super::process::{Committer, Order, Revoking, Sent};
use super::world::World;

/// Time a revoked partition may take to drain, in milliseconds.
const DRAIN_MS_MAX: u64 = 6_000;

/// Time to wait for the answer to a commit beyond the session, in milliseconds.
const COMMIT_ANSWER_MS_MAX: u64 = 20_000;

/// Pause after a commit that was refused, in milliseconds.
const REFUSED_PAUSE_MS: u64 = 250;

/// Longest time on the way of a commit that is late, in milliseconds.
const LATE_MS_MAX: u64 = 60_000;

/// Longest time until a member hears that it is none any more, in milliseconds.
const HEARTBEAT_MS: u64 = 3_000;

impl World {
    /// A process joins the group as a new client.
    pub(crate) fn join_group(&mut self, who: usize) {
        let process = &mut self.processes[who];
        process.client += 1;
        process.member = None;
        let delay_ms = self.random.trip_ms(200);
        self.tell_after(who, delay_ms, News::Join);
    }

    pub(crate) fn tell_coordinator(&mut self, who: usize, delay_ms: u64, wish: Wish) {
        let now_ms = self.clock.now_ms();
        let client = (who, self.processes[who].life << 32 | self.processes[who].client);
        let from_ms = self.processes[who].cut_until_ms.unwrap_or(now_ms).max(now_ms);
        let at_ms = self.kafka.reaches_coordinator(client, from_ms + delay_ms);
        self.clock.at(at_ms, Event::Coordinator(wish));
    }

    fn tell_member(&mut self, member: Member, news: News) {
        let Some(who) = self.kafka.members.get(&member).copied() else { return };
        let now_ms = self.clock.now_ms();
        let from_ms = self.processes[who].cut_until_ms.unwrap_or(now_ms).max(now_ms);
        let trip_ms = self.random.trip_ms(20);
        let at_ms = self.kafka.reaches_member(member, from_ms + trip_ms);
        let life = self.processes[who].life;
        self.clock.at(at_ms, Event::Process { who, life, news });
    }

    fn plan_rebalance(&mut self) {
        if !std::mem::replace(&mut self.kafka.rebalances, true) {
            let delay_ms = self.random.between(50, 3_000);
            self.clock.after(delay_ms, Event::Coordinator(Wish::Rebalance));
        }
    }

    /// The coordinator hears of something.
    pub(crate) fn coordinate(&mut self, wish: Wish) {
        match wish {
            Wish::Join { who, life } => {
                if self.processes[who].life == life && self.processes[who].is_up {
                    let member = self.kafka.join(who);
                    self.note(|| format!("process {who} joins as member {member}"));
                    self.tell_member(member, News::Joined(member));
                    self.plan_rebalance();
                }
            }
            Wish::Leave(member) => {
                if self.kafka.remove(member) {
                    self.note(|| format!("member {member} has left"));
                    self.plan_rebalance();
                }
            }
            Wish::Released { member, partitions } => {
                for partition in partitions {
                    if self.kafka.owners[partition] == Some(member) {
                        (self.kafka.owners[partition], self.kafka.asked[partition]) = (None, false);
                    }
                }
                self.plan_rebalance();
            }
            Wish::Commit(sent) => self.take_commit(sent),
            Wish::Fetch { who, life, partition, epoch } => {
                let committed = self.kafka.committed[partition].clone();
                let news = News::Fetched { partition, epoch, committed };
                self.answer_process(who, life, news);
            }
            Wish::Rebalance => {
                self.kafka.rebalances = false;
                for (member, partition) in self.kafka.assign() {
                    self.tell_member(member, News::Assigned { member, partition });
                }
                if let Some((member, partition)) = self.kafka.unbalanced() {
                    self.ask_back(member, partition);
                    self.plan_rebalance();
                }
            }
        }
    }

    /// The group wants a partition back from its owner.
    pub(crate) fn ask_back(&mut self, member: Member, partition: usize) {
        self.kafka.asked[partition] = true;
        self.note(|| format!("member {member} is asked for partition {partition}"));
        self.tell_member(member, News::Revoke { member, partitions: vec![partition] });
    }

    fn answer_process(&mut self, who: usize, life: u64, news: News) {
        let now_ms = self.clock.now_ms();
        let from_ms = self.processes[who].cut_until_ms.unwrap_or(now_ms).max(now_ms);
        let trip_ms = self.random.trip_ms(10);
        self.clock.at(from_ms + trip_ms, Event::Process { who, life, news });
    }

    /// A commit comes to the coordinator, which judges it by whether its member is in the group.
    fn take_commit(&mut self, sent: SentCommit) {
        let process = &self.processes[sent.who];
        // A client that holds a commit back sends it in the name of the member that it is by then.
        let is_same_client = process.life == sent.life && process.client == sent.client;
        let member = process.member.filter(|_| is_same_client).unwrap_or(sent.member);
        let is_member = self.kafka.members.contains_key(&member) || self.setting.has(Mistake::Unfenced);
        let is_refused = !self.is_calm && self.random.permille(self.setting.refused_commits_permille);
        let outcome = match is_member && !is_refused {
            true => CommitOutcome::Acknowledged,
            false => CommitOutcome::Refused,
        };
        if outcome == CommitOutcome::Acknowledged {
            for (partition, offset, metadata) in &sent.offsets {
                self.note(|| format!("member {member} commits {partition}: {metadata}"));
                self.kafka.committed[*partition] =
                    Some(Committed { offset: *offset, metadata: metadata.clone() });
                self.oracle.committed(*partition, *offset);
            }
        }
        if !self.is_calm && self.random.permille(self.setting.network_permille) {
            // The answer is lost; the client may send the commit again by itself.
            self.stats.network += 1;
            if self.random.permille(700) {
                let delay_ms = self.random.between(1, LATE_MS_MAX);
                self.tell_coordinator(sent.who, delay_ms, Wish::Commit(sent));
            }
            return;
        }
        let outcomes = vec![outcome; sent.offsets.len()];
        self.answer_process(sent.who, sent.life, News::Committed { serial: sent.serial, outcomes });
    }

    /// A session is over: whoever was silent for so long is thrown out, and does not know.
    pub(crate) fn session_over(&mut self, member: Member, silence: u64) {
        let Some(who) = self.kafka.members.get(&member).copied() else { return };
        let process = &self.processes[who];
        let is_heard = process.member == Some(member) && (process.silence != silence || !process.is_silent());
        if is_heard {
            return;
        }
        self.note(|| format!("member {member} of process {who} is thrown out"));
        self.kafka.remove(member);
        self.plan_rebalance();
        let now_ms = self.clock.now_ms();
        let process = &self.processes[who];
        let (life, from_ms) = (process.life, process.cut_until_ms.unwrap_or(now_ms).max(now_ms));
        let delay_ms = self.random.below(HEARTBEAT_MS);
        self.clock.at(from_ms + delay_ms, Event::Process { who, life, news: News::Lost(member) });
    }

    /// The process is a member.
    pub(crate) fn joined(&mut self, who: usize, member: Member) {
        if self.kafka.members.contains_key(&member) {
            self.processes[who].member = Some(member);
        } else {
            self.join_group(who);
        }
    }

    pub(crate) fn assigned(&mut self, who: usize, member: Member, partition: usize) {
        let process = &self.processes[who];
        let closes = process.revoking.as_ref().is_some_and(|revoking| revoking.closes);
        if process.member == Some(member) && !closes {
            self.fetch(who, partition);
        }
    }

    /// Asks for the group's commit of a partition.
    pub(crate) fn fetch(&mut self, who: usize, partition: usize) {
        let epoch = self.next_serial();
        self.processes[who].fetching.insert(partition, epoch);
        let life = self.processes[who].life;
        let trip_ms = self.random.trip_ms(10);
        self.tell_coordinator(who, trip_ms, Wish::Fetch { who, life, partition, epoch });
    }

    pub(crate) fn fetched(&mut self, who: usize, partition: usize, epoch: u64, committed: Option<Committed>) {
        if self.processes[who].fetching.get(&partition) == Some(&epoch) {
            self.processes[who].fetching.remove(&partition);
            self.assign(who, partition, epoch, committed);
        }
    }

    /// The membership is over, as the group says.
    pub(crate) fn lost(&mut self, who: usize, member: Member) {
        if self.processes[who].member != Some(member) {
            return;
        }
        self.stats.lost += 1;
        let partitions: Vec<usize> = self.processes[who].owned.keys().copied().collect();
        self.processes[who].revoking = None;
        for partition in partitions {
            self.act(who, partition, |owned, _| owned.core.lose());
        }
        let process = &mut self.processes[who];
        process.owned.clear();
        process.fetching.clear();
        process.wanted.clear();
        process.leaves = false;
        process.committer = Committer::default();
        self.join_group(who);
    }

    /// The group asks for partitions.
    pub(crate) fn revoke(&mut self, who: usize, member: Member, partitions: Vec<usize>) {
        if self.processes[who].member == Some(member) {
            self.give_back(who, partitions, false);
        }
    }

    /// The membership thread looks whether it has to leave the group.
    pub(crate) fn poll(&mut self, who: usize) {
        let process = &mut self.processes[who];
        if process.leaves && process.revoking.is_none() && process.member.is_some() {
            process.leaves = false;
            let partitions = process.owned.keys().copied().collect();
            self.give_back(who, partitions, true);
        }
    }

    fn give_back(&mut self, who: usize, partitions: Vec<usize>, closes: bool) {
        let revoking = Revoking { stamp: self.next_serial(), partitions, closes };
        if self.processes[who].revoking.is_some() {
            self.processes[who].wanted.push_back(revoking);
            return;
        }
        let (stamp, partitions) = (revoking.stamp, revoking.partitions.clone());
        self.processes[who].revoking = Some(revoking);
        for partition in partitions {
            let process = &mut self.processes[who];
            process.fetching.remove(&partition);
            let Some(owned) = process.owned.get_mut(&partition) else { continue };
            let (is_untouched, epoch) = (owned.is_untouched, owned.epoch);
            owned.reader = None;
            self.act(
                who,
                partition,
                |owned, _| if is_untouched { owned.core.lose() } else { owned.core.revoke() },
            );
            if self.setting.has(Mistake::ReleasesEarly) && self.processes[who].owns(partition, epoch) {
                self.processes[who].owned.remove(&partition);
                self.look_at_revocation(who);
            }
        }
        self.tell_after(who, DRAIN_MS_MAX, News::DrainOver(stamp));
        self.look_at_revocation(who);
    }

    /// The time to drain is over.
    pub(crate) fn drain_over(&mut self, who: usize, stamp: u64) {
        let revoking = self.processes[who].revoking.as_ref().filter(|revoking| revoking.stamp == stamp);
        let Some(partitions) = revoking.map(|revoking| revoking.partitions.clone()) else { return };
        for partition in partitions {
            self.act(
                who,
                partition,
                |owned, _| {
                    if owned.core.is_over() { Action::Wait } else { owned.core.give_up() }
                },
            );
        }
        self.look_at_revocation(who);
    }

    /// Where everything is given back that was asked for, the group hears of it.
    pub(crate) fn look_at_revocation(&mut self, who: usize) {
        let process = &mut self.processes[who];
        let Some(revoking) = &process.revoking else { return };
        let is_over =
            |partition: &usize| process.owned.get(partition).is_none_or(|owned| owned.core.is_over());
        if !revoking.partitions.iter().all(is_over) {
            return;
        }
        let Some(Revoking { partitions, closes, .. }) = process.revoking.take() else { return };
        for partition in &partitions {
            process.owned.remove(partition);
        }
        let Some(member) = process.member else { return };
        if !closes && process.leaves {
            // The client is closed before it could say anything else: what the group takes back it takes with the leave.
            process.wanted.clear();
            return self.poll(who);
        }
        let trip_ms = self.random.trip_ms(20);
        if !closes {
            self.tell_coordinator(who, trip_ms, Wish::Released { member, partitions });
            if let Some(next) = self.processes[who].wanted.pop_front() {
                self.give_back(who, next.partitions, next.closes);
            }
            return;
        }
        let process = &mut self.processes[who];
        let silence = process.silence;
        process.owned.clear();
        process.fetching.clear();
        process.wanted.clear();
        process.leaves = false;
        process.committer = Committer::default();
        if !self.is_calm && self.random.permille(self.setting.network_permille) {
            // The group finds out by itself.
            self.clock.after(self.setting.session_ms, Event::SessionOver { member, silence });
        } else {
            self.tell_coordinator(who, trip_ms, Wish::Leave(member));
        }
        self.join_group(who);
    }

    /// The committer sends what is wanted, one request at a time.
    pub(crate) fn send_commits(&mut self, who: usize) {
        let process = &mut self.processes[who];
        let Some(member) = process.member else { return };
        if process.committer.out.is_some() || process.committer.pauses {
            return;
        }
        let wanted = std::mem::take(&mut process.committer.inbox);
        let orders: Vec<Order> =
            wanted.into_iter().filter(|order| process.owns(order.partition, order.epoch)).collect();
        if orders.is_empty() {
            return;
        }
        let mut offsets = Vec::with_capacity(orders.len());
        for Order { partition, commit, .. } in &orders {
            let text = commit.metadata.to_text(commit.offset);
            if text.len() > BYTES_MAX
                || Recorded::read(&text, commit.offset) != Recorded::Ours(commit.metadata)
            {
                self.oracle.violated(format!("metadata that cannot be read again: {text}"));
            }
            offsets.push((*partition, commit.offset.0, text));
        }
        let serial = self.next_serial();
        let SentTo { life, client } = self.sender(who);
        self.processes[who].committer.out = Some(Sent { serial, orders });
        let is_late = !self.is_calm && self.random.permille(self.setting.network_permille);
        let delay_ms = if is_late { self.random.between(1, LATE_MS_MAX) } else { self.random.trip_ms(10) };
        let sent = SentCommit { who, life, client, member, serial, offsets };
        let unknown = vec![CommitOutcome::Unknown; sent.offsets.len()];
        self.tell_coordinator(who, delay_ms, Wish::Commit(sent));
        let wait_ms = self.setting.session_ms + COMMIT_ANSWER_MS_MAX;
        self.tell_after(who, wait_ms, News::Committed { serial, outcomes: unknown });
    }

    fn sender(&self, who: usize) -> SentTo {
        SentTo { life: self.processes[who].life, client: self.processes[who].client }
    }

    /// A commit was answered, or nobody waits for its answer any more.
    pub(crate) fn commit_answered(&mut self, who: usize, serial: u64, outcomes: Vec<CommitOutcome>) {
        let committer = &mut self.processes[who].committer;
        let Some(sent) = committer.out.take_if(|sent| sent.serial == serial) else { return };
        if outcomes.contains(&CommitOutcome::Refused) {
            committer.pauses = true;
            self.tell_after(who, REFUSED_PAUSE_MS, News::CommitterWakes);
        }
        for (order, outcome) in sent.orders.into_iter().zip(outcomes) {
            self.committed(who, order, outcome);
        }
        self.send_commits(who);
    }

    /// Sets the group's offset, as an operator does while nobody is in the group.
    pub(crate) fn set_offset(&mut self, partition: usize, offset: Offset, metadata: String) {
        self.note(|| format!("an operator sets partition {partition} to {offset} with {metadata:?}"));
        self.kafka.committed[partition] = Some(Committed { offset: offset.0, metadata });
    }
}

/// Whose commit it is.
struct SentTo {
    life: u64,
    client: u64,
}
