//! The typed records of the flat corpora. `S` is the text type, so that it can borrow from the record.

use serde::Deserialize;

use super::values::{Moment, Put, record};

record! {
    /// A log line.
    Logs {
        timestamp: Moment,
        version: u32,
        account_id: u64,
        app_name: S,
        app_version: S,
        client_ip: S,
        cluster_name: S,
        component: S,
        component_type: S,
        container_image: S,
        env_name: S,
        extension_id: S,
        host: S,
        hostname: S,
        k8s_container_id: S,
        k8s_container_name: S,
        k8s_namespace: S,
        k8s_pod: S,
        location: S,
        log_agent: S,
        log_format: S,
        log_level: S,
        log_type: S,
        logger_name: S,
        logger_type: S,
        producer: S,
        message: S,
        modified: bool,
        port: u16,
        producer_time: Moment,
        request_id: S,
        request_method: S,
        request_uri: S,
        user_agent: S,
        status_code: u16,
        tags: Vec<S>,
        thread: S,
        r#type: S,
    }
}

record! {
    /// An event of a web shop.
    Events {
        ts: Moment,
        user_id: u64,
        session_id: S,
        event: S,
        value: f64,
        lat: f64,
        lon: f64,
        is_mobile: bool,
        count: u32,
        delta: i64,
        country: S,
        referrer: Option<S>,
    }
}

record! {
    /// Mostly texts, escaped or outside of ASCII.
    Texts {
        id: u64,
        title: S,
        body: S,
        place: S,
        notes: Vec<S>,
    }
}

record! {
    /// Most fields are missing.
    Sparse {
        f00: S,
        f01: u64,
        f02: Option<S>,
        f03: S,
        f04: u64,
        f05: Option<S>,
        f06: S,
        f07: u64,
        f08: Option<S>,
        f09: S,
        f10: u64,
        f11: Option<S>,
        f12: S,
        f13: u64,
        f14: Option<S>,
        f15: S,
        f16: u64,
        f17: Option<S>,
        f18: S,
        f19: u64,
        f20: Option<S>,
        f21: S,
        f22: u64,
        f23: Option<S>,
        f24: S,
        f25: u64,
        f26: Option<S>,
        f27: S,
        f28: u64,
        f29: Option<S>,
    }
}
