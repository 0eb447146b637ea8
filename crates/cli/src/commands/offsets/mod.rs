//! `housepipe offsets`: where the pipe's group stands, and setting it elsewhere.

pub(crate) mod set;
pub(crate) mod show;

use housepipe_runtime::{DeliveryMode, GroupReport};

use crate::ui::shown;

/// Characters of what a client calls itself that are shown, at most.
const CLIENT_WIDTH: usize = 200;

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
        let (client, host) = (shown(&member.client_id, CLIENT_WIDTH), shown(&member.host, CLIENT_WIDTH));
        format!("  {client} at {host} {reads}")
    }));
    lines
}

#[cfg(test)]
mod tests {
    use housepipe_runtime::MemberReport;

    use super::*;

    #[test]
    fn clients_are_named_and_do_not_act_on_the_terminal() {
        let member = MemberReport {
            client_id: "\u{1b}]52;c;eA\u{7}loader\nok".to_owned(),
            host: "/10.0.0.7".to_owned(),
            partitions: vec![0, 1],
        };
        let group = GroupReport {
            name: "g".to_owned(),
            state: "stable",
            protocol: Some("classic"),
            members: vec![member],
        };
        assert_eq!(
            who(&group),
            [
                "group `g`: 1 member(s) (stable, protocol classic)",
                r"  \u{1b}]52;c;eA\u{7}loader\nok at /10.0.0.7 reads 0, 1",
            ]
        );
    }
}
