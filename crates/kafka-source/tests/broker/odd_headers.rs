//! Headers that no producer in Rust writes, and that a broker takes all the same.

#![expect(unsafe_code, reason = "the producer's own interface takes names in UTF-8 alone")]

use std::ffi::CString;
use std::time::Duration;

use housepipe_kafka_source::{Offset, PartitionId, SourceConfig, fetch, sample};
use rdkafka::ClientConfig;
use rdkafka::bindings as rd;
use rdkafka::producer::{BaseProducer, Producer as _};

use crate::harness::{PATIENCE, topic};

/// Writes a record with one header, whose name is these bytes.
fn write(config: &SourceConfig, name: &[u8], value: &[u8]) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &config.brokers).create().unwrap();
    let (topic, name) = (CString::new(config.topic.as_str()).unwrap(), CString::new(name).unwrap());
    let of = |vtype, u| rd::rd_kafka_vu_s { vtype, u };
    let header = rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2 {
        name: name.as_ptr(),
        val: value.as_ptr().cast(),
        size: isize::try_from(value.len()).unwrap(),
    };
    let parts = [
        of(
            rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TOPIC,
            rd::rd_kafka_vu_s__bindgen_ty_1 { cstr: topic.as_ptr() },
        ),
        of(
            rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
            rd::rd_kafka_vu_s__bindgen_ty_1 { i: rd::RD_KAFKA_MSG_F_COPY },
        ),
        of(rd::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADER, rd::rd_kafka_vu_s__bindgen_ty_1 { header }),
    ];
    // SAFETY: the client is alive; each part has the field of the union that its type says, and what they point to outlives the
    // call, which copies it.
    let error =
        unsafe { rd::rd_kafka_produceva(producer.client().native_ptr(), parts.as_ptr(), parts.len()) };
    assert!(error.is_null());
    producer.flush(PATIENCE).unwrap();
}

#[test]
fn a_name_that_is_not_utf_8_is_read_again_as_it_was_read() {
    let config = topic(1);
    write(&config, b"trace\xff", b"7");
    let headers = vec![("\u{FFFD}".to_owned(), Some(b"7".to_vec()))];
    let again = fetch(&config, PartitionId(0), &[Offset(0)], Duration::from_secs(30)).unwrap();
    assert_eq!(again[0].headers, headers);
    let shown = sample(&config, 1, Duration::from_secs(30)).unwrap();
    assert_eq!(shown.records[0].headers, headers);
}
