//! Asking the coordinator who is in a group, and whether this user may read as it.
//!
//! rust-rdkafka has the older call alone (`rd_kafka_list_groups`), which asks every broker for every group, and knows
//! nothing of groups of the newer protocol (KIP-848). `rd_kafka_DescribeConsumerGroups` asks by the newer request and goes
//! back to the older one where the group or the broker is an older one (read in librdkafka 2.12.1,
//! `rd_kafka_DescribeConsumerGroups_response_merge`).

use std::ffi::{CStr, CString, c_char};
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::bindings::rd_kafka_AclOperation_t as Operation;
use rdkafka::bindings::rd_kafka_consumer_group_state_t as RawState;
use rdkafka::bindings::rd_kafka_consumer_group_type_t as RawType;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::commit::{Handle, NO_ERROR, elements};
use crate::PartitionId;
use crate::group::{GroupInfo, GroupMember, GroupProtocol, GroupState};

/// What the options are for.
const DESCRIBE_GROUPS: rd::rd_kafka_admin_op_t =
    rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;

/// A question for a group, whose answers come to a queue of its own.
pub(crate) struct GroupQuestion<'c, C: ConsumerContext> {
    answers: Handle,
    group: CString,
    /// Borrowed, so that the queue is given back before the client can be destroyed.
    consumer: &'c BaseConsumer<C>,
}

impl<'c, C: ConsumerContext> GroupQuestion<'c, C> {
    /// Asks for the first time.
    ///
    /// # Errors
    /// Where it could not be asked at all.
    pub(crate) fn ask(consumer: &'c BaseConsumer<C>, group: &str) -> Result<GroupQuestion<'c, C>, Code> {
        let group = CString::new(group).map_err(|_| Code::InvalidGroupId)?;
        // SAFETY: the client is alive; the function returns a new queue of ours.
        let queue = unsafe { rd::rd_kafka_queue_new(consumer.client().native_ptr()) };
        let answers = Handle(NonNull::new(queue).ok_or(Code::Fail)?);
        let question = GroupQuestion { answers, group, consumer };
        question.ask_again();
        Ok(question)
    }

    /// Asks once more, as after an answer that may become another one.
    pub(crate) fn ask_again(&self) {
        let mut names = [self.group.as_ptr()];
        let client = self.consumer.client().native_ptr();
        // SAFETY: the name is a C string that the question copies, as it does the options, which are ours, null where there are
        // none, and destroyed once; an error of theirs is null or ours. The client and the queue are alive, and the question
        // keeps the queue by a reference of its own.
        unsafe {
            let options = rd::rd_kafka_AdminOptions_new(client, DESCRIBE_GROUPS);
            if !options.is_null() {
                let refused = rd::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
                if !refused.is_null() {
                    rd::rd_kafka_error_destroy(refused);
                }
            }
            rd::rd_kafka_DescribeConsumerGroups(
                client,
                names.as_mut_ptr(),
                names.len(),
                options,
                self.answers.0.as_ptr(),
            );
            if !options.is_null() {
                rd::rd_kafka_AdminOptions_destroy(options);
            }
        }
    }

    /// The next answer, waited for up to `timeout`; of what the members read, only the partitions of `topic`.
    ///
    /// # Errors
    /// What the coordinator said.
    pub(crate) fn answer(&self, topic: &str, timeout: Duration) -> Option<Result<GroupInfo, Code>> {
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive; the event is ours, or null at the time-out.
        let event = unsafe { rd::rd_kafka_queue_poll(self.answers.0.as_ptr(), timeout_ms) };
        let event = NonNull::new(event)?;
        // SAFETY: the event is alive until it is destroyed here, and what is read of it belongs to it. The result is null
        // where the event is of another kind, and is not looked at where the question as a whole has failed.
        unsafe {
            let code = rd::rd_kafka_event_error(event.as_ptr());
            let result = rd::rd_kafka_event_DescribeConsumerGroups_result(event.as_ptr());
            let described = match code {
                NO_ERROR if result.is_null() => Err(Code::Fail),
                NO_ERROR => first(result, topic),
                code => Err(code.into()),
            };
            rd::rd_kafka_event_destroy(event.as_ptr());
            Some(described)
        }
    }
}

/// Describes `group`; of what its members read, only the partitions of `topic`. Waits for up to `timeout`.
///
/// # Errors
/// What the coordinator said, or that nothing came in time.
pub(crate) fn describe_group<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    group: &str,
    topic: &str,
    timeout: Duration,
) -> Result<GroupInfo, Code> {
    GroupQuestion::ask(consumer, group)?.answer(topic, timeout).ok_or(Code::OperationTimedOut)?
}

/// # Safety
/// `result` is alive.
unsafe fn first(
    result: *const rd::rd_kafka_DescribeConsumerGroups_result_t,
    topic: &str,
) -> Result<GroupInfo, Code> {
    let mut count = 0;
    // SAFETY: promised by the caller. The descriptions are an array of `count` pointers, or null, and belong to the result;
    // an error is null or belongs to its description; a member of a number below their count is never null. The operations are
    // an array of their `count` or null, belong to the description, and are none but those that librdkafka knows by name.
    unsafe {
        let groups = rd::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        if groups.is_null() {
            return Err(Code::Fail);
        }
        let group = *slice::from_raw_parts(groups, count).first().ok_or(Code::Fail)?;
        let error = rd::rd_kafka_ConsumerGroupDescription_error(group);
        if !error.is_null() {
            let code = rd::rd_kafka_error_code(error);
            match Code::from(code) {
                _ if code == NO_ERROR => {}
                // Brokers of Kafka 4 say so of a group that they do not have, older ones that it is dead.
                Code::GroupIdNotFound => return Ok(GroupInfo::absent()),
                code => return Err(code),
            }
        }
        let members = rd::rd_kafka_ConsumerGroupDescription_member_count(group);
        let mut count = 0;
        let operations = rd::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &raw mut count);
        let operations: &[Operation] =
            if operations.is_null() || count == 0 { &[] } else { slice::from_raw_parts(operations, count) };
        Ok(GroupInfo {
            may_read: may_read(operations),
            state: state(rd::rd_kafka_ConsumerGroupDescription_state(group)),
            protocol: protocol(rd::rd_kafka_ConsumerGroupDescription_type(group)),
            members: (0..members)
                .map(|index| member(rd::rd_kafka_ConsumerGroupDescription_member(group, index), topic))
                .collect(),
        })
    }
}

/// # Safety
/// `member` is alive.
unsafe fn member(member: *const rd::rd_kafka_MemberDescription_t, topic: &str) -> GroupMember {
    // SAFETY: promised by the caller; texts are null or C strings that belong to the member, as its assignment and the list
    // of that do, which are null or alive with it. The topic of an element is a C string.
    unsafe {
        let assignment = rd::rd_kafka_MemberDescription_assignment(member);
        let list = if assignment.is_null() {
            ptr::null()
        } else {
            rd::rd_kafka_MemberAssignment_partitions(assignment)
        };
        GroupMember {
            client_id: text(rd::rd_kafka_MemberDescription_client_id(member)),
            host: text(rd::rd_kafka_MemberDescription_host(member)),
            partitions: elements(list)
                .iter()
                .filter(|element| text(element.topic) == topic)
                .map(|element| PartitionId(element.partition))
                .collect(),
        }
    }
}

/// # Safety
/// `text` is null or a C string.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Whether these operations, which a user may do with the group, have READ among them; none where the broker does not tell.
///
/// Whoever is told of a group may describe it, so that a list without that is not the broker's word.
fn may_read(operations: &[Operation]) -> Option<bool> {
    let is_told = operations.contains(&Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE);
    is_told.then(|| operations.contains(&Operation::RD_KAFKA_ACL_OPERATION_READ))
}

fn state(state: RawState) -> GroupState {
    match state {
        RawState::RD_KAFKA_CONSUMER_GROUP_STATE_PREPARING_REBALANCE
        | RawState::RD_KAFKA_CONSUMER_GROUP_STATE_COMPLETING_REBALANCE => GroupState::Rebalancing,
        RawState::RD_KAFKA_CONSUMER_GROUP_STATE_STABLE => GroupState::Stable,
        RawState::RD_KAFKA_CONSUMER_GROUP_STATE_DEAD => GroupState::Absent,
        RawState::RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY => GroupState::Empty,
        _ => GroupState::Unknown,
    }
}

fn protocol(protocol: RawType) -> GroupProtocol {
    match protocol {
        RawType::RD_KAFKA_CONSUMER_GROUP_TYPE_CONSUMER => GroupProtocol::Consumer,
        RawType::RD_KAFKA_CONSUMER_GROUP_TYPE_CLASSIC => GroupProtocol::Classic,
        _ => GroupProtocol::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_may_do_is_believed_where_it_is_told() {
        use Operation::{
            RD_KAFKA_ACL_OPERATION_DELETE as DELETE, RD_KAFKA_ACL_OPERATION_DESCRIBE as DESCRIBE,
            RD_KAFKA_ACL_OPERATION_READ as READ,
        };
        assert_eq!(may_read(&[READ, DELETE, DESCRIBE]), Some(true));
        assert_eq!(may_read(&[DESCRIBE]), Some(false));
        // A broker that fills the field with zeros, or with anything.
        for untold in [&[][..], &[DELETE][..]] {
            assert_eq!(may_read(untold), None);
        }
    }
}
