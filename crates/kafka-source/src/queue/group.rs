//! Asking the coordinator who is in a group.
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
use rdkafka::bindings::rd_kafka_consumer_group_state_t as RawState;
use rdkafka::bindings::rd_kafka_consumer_group_type_t as RawType;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::commit::{Handle, NO_ERROR, elements};
use crate::PartitionId;
use crate::group::{GroupInfo, GroupMember, GroupProtocol, GroupState};

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
    let name = CString::new(group).map_err(|_| Code::InvalidGroupId)?;
    let mut names = [name.as_ptr()];
    // SAFETY: the client is alive; the function returns a new queue of ours, which is given back before the client is.
    let queue = unsafe { rd::rd_kafka_queue_new(consumer.client().native_ptr()) };
    let queue = Handle(NonNull::new(queue).ok_or(Code::Fail)?);
    // SAFETY: the name is a C string that the question copies; the client and the queue are alive, and the question keeps
    // the queue by a reference of its own.
    unsafe {
        rd::rd_kafka_DescribeConsumerGroups(
            consumer.client().native_ptr(),
            names.as_mut_ptr(),
            names.len(),
            ptr::null(),
            queue.0.as_ptr(),
        );
    }
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the queue is alive; the event is ours, or null at the time-out.
    let event = unsafe { rd::rd_kafka_queue_poll(queue.0.as_ptr(), timeout_ms) };
    let event = NonNull::new(event).ok_or(Code::OperationTimedOut)?;
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
        described
    }
}

/// # Safety
/// `result` is alive.
unsafe fn first(
    result: *const rd::rd_kafka_DescribeConsumerGroups_result_t,
    topic: &str,
) -> Result<GroupInfo, Code> {
    let mut count = 0;
    // SAFETY: promised by the caller. The descriptions are an array of `count` pointers, or null, and belong to the result;
    // an error is null or belongs to its description; a member of a number below their count is never null.
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
        Ok(GroupInfo {
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
