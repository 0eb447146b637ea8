//! Kafka: the logs, and the group's coordinator with its members, its assignment and what they have committed.

use std::collections::BTreeMap;

use super::topic::Log;

/// Names a member for ever.
pub(crate) type Member = u64;

/// What the group has committed for a partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) metadata: String,
}

/// The cluster.
#[derive(Debug)]
pub(crate) struct Kafka {
    pub(crate) logs: Vec<Log>,
    /// Who is in the group, and which process that is.
    pub(crate) members: BTreeMap<Member, usize>,
    /// Who owns each partition.
    pub(crate) owners: Vec<Option<Member>>,
    /// Partitions that their owners are asked for.
    pub(crate) asked: Vec<bool>,
    pub(crate) committed: Vec<Option<Committed>>,
    /// Until when what was sent to a member, or by it, is on its way: one connection keeps the order.
    on_way_to_member: BTreeMap<Member, u64>,
    from_client: BTreeMap<(usize, u64), u64>,
    /// A rebalance is planned.
    pub(crate) rebalances: bool,
    members_ever: Member,
}

impl Kafka {
    pub(crate) fn new(logs: Vec<Log>) -> Kafka {
        let partitions = logs.len();
        Kafka {
            logs,
            members: BTreeMap::new(),
            owners: vec![None; partitions],
            asked: vec![false; partitions],
            committed: vec![None; partitions],
            on_way_to_member: BTreeMap::new(),
            from_client: BTreeMap::new(),
            rebalances: false,
            members_ever: 0,
        }
    }

    /// A new member of a process.
    pub(crate) fn join(&mut self, who: usize) -> Member {
        self.members_ever += 1;
        self.members.insert(self.members_ever, who);
        self.members_ever
    }

    /// A member is gone; its partitions have no owner.
    pub(crate) fn remove(&mut self, member: Member) -> bool {
        self.on_way_to_member.remove(&member);
        let was_there = self.members.remove(&member).is_some();
        for partition in 0..self.owners.len() {
            if self.owners[partition] == Some(member) {
                (self.owners[partition], self.asked[partition]) = (None, false);
            }
        }
        was_there
    }

    fn owned_by(&self, member: Member) -> Vec<usize> {
        (0..self.owners.len()).filter(|partition| self.owners[*partition] == Some(member)).collect()
    }

    /// Gives partitions without an owner to the members with the fewest. Returns who got which.
    pub(crate) fn assign(&mut self) -> Vec<(Member, usize)> {
        let mut given = Vec::new();
        for partition in 0..self.owners.len() {
            if self.owners[partition].is_some() {
                continue;
            }
            let fewest = self.members.keys().min_by_key(|member| self.owned_by(**member).len());
            if let Some(member) = fewest.copied() {
                self.owners[partition] = Some(member);
                given.push((member, partition));
            }
        }
        given
    }

    /// A partition of a member that has two more than another; its owner is to be asked for it.
    pub(crate) fn unbalanced(&self) -> Option<(Member, usize)> {
        let counts = self.members.keys().map(|member| (self.owned_by(*member).len(), *member));
        let (most, rich) = counts.clone().max()?;
        let (fewest, _) = counts.min()?;
        let spare = *self.owned_by(rich).iter().find(|partition| !self.asked[**partition])?;
        (most > fewest + 1).then_some((rich, spare))
    }

    /// When something that is sent to a member now comes there, behind everything before it.
    pub(crate) fn reaches_member(&mut self, member: Member, at_ms: u64) -> u64 {
        in_order(self.on_way_to_member.entry(member).or_default(), at_ms)
    }

    /// When something that a client sends now comes to the coordinator.
    pub(crate) fn reaches_coordinator(&mut self, client: (usize, u64), at_ms: u64) -> u64 {
        in_order(self.from_client.entry(client).or_default(), at_ms)
    }
}

fn in_order(last_ms: &mut u64, at_ms: u64) -> u64 {
    *last_ms = at_ms.max(*last_ms);
    *last_ms
}
