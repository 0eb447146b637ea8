//! Schemas of the corpora, as their producers would register them.

/// The schema of a corpus.
pub struct Known {
    /// How the row of the report calls it.
    pub name: &'static str,
    /// The corpus whose records it is for.
    pub corpus: &'static str,
    /// Its text.
    pub text: String,
}

/// All that are measured: flat ones, a nested one, and one that only the library knows.
#[must_use]
pub fn all() -> Vec<Known> {
    let known = |name, corpus, text: &str| Known { name, corpus, text: text.to_owned() };
    vec![
        known("events, flat", "events", EVENTS),
        known("logs, flat", "logs", &logs()),
        known("orders, nested", "nested", NESTED),
        // What a `not` forbids cannot be told while the record goes by.
        known(
            "events, library only",
            "events",
            &EVENTS.replacen('{', r#"{"not": {"required": ["secret"]},"#, 1),
        ),
    ]
}

const EVENTS: &str = r#"{
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Event", "type": "object", "additionalProperties": false,
    "properties": {
        "ts": {"type": "string", "format": "date-time"},
        "user_id": {"type": "integer", "minimum": 0},
        "session_id": {"type": "string", "format": "uuid"},
        "event": {"enum": ["page_view", "click", "purchase", "scroll"]},
        "value": {"type": "number", "minimum": 0},
        "lat": {"type": "number", "minimum": -90, "maximum": 90},
        "lon": {"type": "number", "minimum": -180, "maximum": 180},
        "is_mobile": {"type": "boolean"},
        "count": {"type": "integer", "minimum": 0, "maximum": 4294967295},
        "delta": {"type": "integer", "minimum": -1000000, "maximum": 1000000},
        "country": {"type": "string", "minLength": 2, "maxLength": 2},
        "referrer": {"oneOf": [{"type": "null"}, {"type": "string", "maxLength": 200}]}
    },
    "required": ["ts", "user_id", "session_id", "event", "value", "lat", "lon", "is_mobile", "count", "delta", "country"]
}"#;

const NESTED: &str = r##"{
    "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 10},
        "attributes": {"type": "object", "additionalProperties": {"type": "string"}},
        "items": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/item"}},
        "matrix": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
        "buyer": {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}, "required": ["id", "name"]},
        "scores": {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}}
    },
    "required": ["id", "items", "buyer"],
    "$defs": {"item": {
        "type": "object", "required": ["sku", "quantity", "price"], "additionalProperties": false,
        "properties": {
            "sku": {"type": "string", "pattern": "^SKU-[0-9a-f]{8}$"},
            "quantity": {"type": "integer", "minimum": 1},
            "price": {"type": "number", "minimum": 0}
        }
    }}
}"##;

/// Of the 38 fields most are texts up to a length.
fn logs() -> String {
    const TEXTS: [&str; 24] = [
        "app_name",
        "cluster_name",
        "component",
        "component_type",
        "container_image",
        "host",
        "hostname",
        "k8s_container_name",
        "k8s_namespace",
        "k8s_pod",
        "location",
        "log_agent",
        "log_format",
        "log_type",
        "logger_name",
        "logger_type",
        "producer",
        "message",
        "request_uri",
        "user_agent",
        "thread",
        "type",
        "app_version",
        "env_name",
    ];
    let texts = TEXTS.map(|name| format!(r#""{name}": {{"type": "string", "maxLength": 1000}}"#));
    let others = r#"
        "timestamp": {"type": "string", "format": "date-time"}, "producer_time": {"type": "string", "format": "date-time"},
        "version": {"type": "integer", "minimum": 0}, "account_id": {"type": "integer", "minimum": 0},
        "client_ip": {"type": "string", "format": "ipv4"}, "extension_id": {"type": "string", "format": "uuid"},
        "k8s_container_id": {"type": "string", "format": "uuid"}, "request_id": {"type": "string", "format": "uuid"},
        "log_level": {"enum": ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]}, "modified": {"type": "boolean"},
        "port": {"type": "integer", "minimum": 0, "maximum": 65535}, "request_method": {"enum": ["GET", "POST", "PUT", "DELETE"]},
        "status_code": {"type": "integer", "minimum": 100, "maximum": 599}, "tags": {"type": "array", "items": {"type": "string"}}"#;
    format!(
        r#"{{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": false,
            "required": ["timestamp", "account_id", "app_name", "host", "log_level", "message"],
            "properties": {{{}, {others}}}}}"#,
        texts.join(", ")
    )
}
