//! `housepipe offsets`: where the pipe's group stands, and setting it elsewhere.

pub(crate) mod set;
pub(crate) mod show;

use housepipe_runtime::{DeliveryMode, GroupReport};

/// The line above a table.
fn title(pipe: &str, topic: &str, delivery: DeliveryMode) -> String {
    let delivery = match delivery {
        DeliveryMode::AtLeastOnce => "at least once",
        DeliveryMode::ExactlyOnce => "exactly once",
    };
    format!("{pipe}: topic `{topic}`, {delivery}")
}

/// Who reads.
fn who(group: &GroupReport) -> Vec<String> {
    let mut lines = vec![match group.members.len() {
        0 if group.state == "absent" => format!("group `{}`: nobody has used it yet", group.name),
        0 => format!("group `{}`: no members ({})", group.name, group.state),
        count => {
            let protocol =
                group.protocol.map_or_else(String::new, |protocol| format!(", protocol {protocol}"));
            format!("group `{}`: {count} member(s) ({}{protocol})", group.name, group.state)
        }
    }];
    lines.extend(group.members.iter().map(|member| {
        let partitions: Vec<String> = member.partitions.iter().map(ToString::to_string).collect();
        let reads = if partitions.is_empty() {
            "reads no partition of the topic".to_owned()
        } else {
            format!("reads {}", partitions.join(", "))
        };
        format!("  {} at {} {reads}", member.client_id, member.host)
    }));
    lines
}
