//! Which brokers a client is connected with, and where they say that others are, as its statistics tell.

use std::collections::BTreeMap;

use rdkafka::statistics::{Broker, Statistics};

/// What librdkafka calls the connection for the group, in its statistics and before its words.
pub(crate) const COORDINATOR: &str = "GroupCoordinator";

/// A broker's number in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BrokerId(pub(crate) i32);

/// A broker, as the others name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    /// `host:port`.
    pub(crate) address: String,
    /// Whether requests can be sent there.
    pub(crate) is_up: bool,
}

impl Connection {
    fn of(broker: &Broker) -> Connection {
        let is_up = matches!(broker.state.as_str(), "UP" | "REAUTH");
        Connection { address: broker.nodename.clone(), is_up }
    }
}

/// The connections of a client at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections {
    brokers: BTreeMap<BrokerId, Connection>,
    /// None while the brokers have named none.
    pub(crate) coordinator: Option<Connection>,
}

impl Connections {
    pub(crate) fn of(statistics: &Statistics) -> Connections {
        let coordinator = statistics.brokers.get(COORDINATOR).filter(|broker| !broker.nodename.is_empty());
        // A bootstrap address has no number until the brokers name it as that of one of them.
        let named = statistics.brokers.values().filter(|broker| broker.nodeid >= 0);
        let brokers = named
            .filter(|broker| broker.name != COORDINATOR)
            .map(|broker| (BrokerId(broker.nodeid), Connection::of(broker)))
            .collect();
        Connections { brokers, coordinator: coordinator.map(Connection::of) }
    }

    /// A broker that requests cannot be sent to, where they can be sent to none.
    pub(crate) fn lost(&self) -> Option<&Connection> {
        let is_any_up = self.brokers.values().any(|broker| broker.is_up);
        self.brokers.values().next().filter(|_| !is_any_up)
    }

    pub(crate) fn broker(&self, id: BrokerId) -> Option<&Connection> {
        self.brokers.get(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics(brokers: &[(&str, i32, &str, &str)]) -> Statistics {
        let broker = |(name, nodeid, nodename, state): &(&str, i32, &str, &str)| {
            let broker = Broker {
                name: (*name).to_owned(),
                nodeid: *nodeid,
                nodename: (*nodename).to_owned(),
                state: (*state).to_owned(),
                ..Broker::default()
            };
            ((*name).to_owned(), broker)
        };
        Statistics { brokers: brokers.iter().map(broker).collect(), ..Statistics::default() }
    }

    #[test]
    fn a_broker_is_known_by_its_number_and_the_coordinator_by_its_name() {
        let told = Connections::of(&statistics(&[
            ("localhost:9092/bootstrap", -1, "localhost:9092", "UP"),
            ("kafka:9093/1", 1, "kafka:9093", "TRY_CONNECT"),
            ("kafka:9094/2", 2, "kafka:9094", "UP"),
            (COORDINATOR, 1, "kafka:9093", "CONNECT"),
        ]));
        let connection = |address: &str, is_up| Connection { address: address.to_owned(), is_up };
        assert_eq!(told.broker(BrokerId(1)), Some(&connection("kafka:9093", false)));
        assert_eq!(told.broker(BrokerId(2)), Some(&connection("kafka:9094", true)));
        assert_eq!(told.broker(BrokerId(-1)), None);
        assert_eq!(told.lost(), None, "another one can be asked");
        let lost = Connections::of(&statistics(&[("kafka:9093/1", 1, "kafka:9093", "TRY_CONNECT")]));
        assert_eq!(lost.lost(), Some(&connection("kafka:9093", false)));
        assert_eq!(told.coordinator, Some(connection("kafka:9093", false)));
        let not_yet = Connections::of(&statistics(&[(COORDINATOR, -1, "", "INIT")]));
        assert_eq!(not_yet.coordinator, None);
    }
}
