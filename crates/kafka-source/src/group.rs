//! Who is in a consumer group.

use crate::PartitionId;

/// A group, as its coordinator describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupInfo {
    /// What it does.
    pub state: GroupState,
    /// How its members speak with the coordinator.
    pub protocol: GroupProtocol,
    /// Its members at this moment.
    pub members: Vec<GroupMember>,
    /// Whether this user may read as the group, that is join it and commit: to be told of it takes less. None where the broker does
    /// not say, as older ones do not.
    pub may_read: Option<bool>,
}

/// What a group does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupState {
    /// The brokers have no such group, or nothing of it but offsets.
    Absent,
    /// It has no members.
    Empty,
    /// Partitions are being handed over.
    Rebalancing,
    /// Its members read.
    Stable,
    /// A state that this version does not know.
    Unknown,
}

/// How the members of a group speak with the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The members divide the partitions among themselves.
    Classic,
    /// The coordinator divides them (KIP-848).
    Consumer,
    /// Not told, as for a group that does not exist.
    Unknown,
}

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupMember {
    /// How the program calls itself.
    pub client_id: String,
    /// Where it runs, as the broker sees it.
    pub host: String,
    /// The partitions of the topic that it reads.
    pub partitions: Vec<PartitionId>,
}

/// Members that an error names, at most.
const NAMED_MEMBERS_MAX: usize = 3;

impl GroupInfo {
    pub(crate) fn absent() -> GroupInfo {
        GroupInfo {
            state: GroupState::Absent,
            protocol: GroupProtocol::Unknown,
            members: Vec::new(),
            may_read: None,
        }
    }

    /// Whether offsets are the members' to commit. A group that hands partitions over has members, told or not.
    pub fn is_active(&self) -> bool {
        !self.members.is_empty() || self.state == GroupState::Rebalancing
    }

    /// How many members it has, and who some of them are: `2 active members (loader at /10.0.0.7, loader at /10.0.0.8)`.
    pub fn who(&self) -> String {
        let named = self.members.iter().take(NAMED_MEMBERS_MAX);
        let mut named: Vec<String> =
            named.map(|member| format!("{} at {}", member.client_id, member.host)).collect();
        if self.members.len() > named.len() {
            named.push("and others".to_owned());
        }
        match self.members.len() {
            0 => "active members".to_owned(),
            1 => format!("1 active member ({})", named.join(", ")),
            count => format!("{count} active members ({})", named.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(members: usize) -> GroupInfo {
        let member = |number| GroupMember {
            client_id: "loader".to_owned(),
            host: format!("/10.0.0.{number}"),
            partitions: Vec::new(),
        };
        let members = (1..=members).map(member).collect();
        GroupInfo { state: GroupState::Stable, protocol: GroupProtocol::Classic, members, may_read: None }
    }

    #[test]
    fn some_members_are_named_and_all_are_counted() {
        assert_eq!(group(0).who(), "active members");
        assert_eq!(group(1).who(), "1 active member (loader at /10.0.0.1)");
        assert_eq!(
            group(12).who(),
            "12 active members (loader at /10.0.0.1, loader at /10.0.0.2, loader at /10.0.0.3, and others)"
        );
    }

    #[test]
    fn a_group_that_hands_over_is_active_and_one_without_members_is_not() {
        let rebalancing = GroupInfo { state: GroupState::Rebalancing, ..group(0) };
        assert!(rebalancing.is_active() && group(1).is_active());
        for state in [GroupState::Empty, GroupState::Absent, GroupState::Unknown] {
            assert!(!GroupInfo { state, ..group(0) }.is_active(), "{state:?}");
        }
    }
}
