//! Records and the schemas at hand, without a registry.

use housepipe_schema_registry::SchemaId;

use super::*;

const ORDER: &str = r#"{"type":"object","properties":{"a/b~c":{"type":"integer"},"id":{"type":"integer"}},"required":["id"]}"#;

fn framed(id: u32, document: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), document].concat()
}

fn judge(configured: Option<u32>) -> Judge {
    Judge::new(Schemas::known(configured.map(SchemaId), &[(7, ORDER), (8, "true")]))
}

fn refusal(judge: &mut Judge, payload: &[u8]) -> (&'static str, String, String) {
    match judge.judge(payload) {
        Verdict::Refused(Refusal { code, message, key }) => (code, message, key),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_is_checked_against_the_schema_that_it_names() {
    let mut judge = judge(Some(7));
    for payload in
        [framed(7, br#"{"id":1}"#), framed(8, b"[]"), br#"{"id":1}"#.to_vec(), b" {\"id\":1}".to_vec()]
    {
        assert_eq!(judge.judge(&payload), Verdict::Fine);
        assert_eq!(judge.lacks(Some(&payload)), None);
    }
    let (code, message, key) = refusal(&mut judge, &framed(7, br#"{"id":"x"}"#));
    assert_eq!((code, key.as_str()), (codes::VIOLATION, "id"));
    assert_eq!(
        message,
        "schema 7: /id: \"x\" is not of type integer (type, at #/properties/id/type of the schema)"
    );
    let (code, _, key) = refusal(&mut judge, br#"{"id":1,"a/b~c":"x"}"#);
    assert_eq!((code, key.as_str()), (codes::VIOLATION, "a/b~c"));
    assert_eq!(refusal(&mut judge, b"{}").2, "", "of no key, but of the record");
    let (code, message, _) = refusal(&mut judge, &framed(7, b"{\"id\":1"));
    assert_eq!(code, "invalid_json");
    assert!(message.ends_with("(at byte 12)"), "{message}");
}

#[test]
fn a_record_whose_schema_is_not_at_hand_waits() {
    let mut judge = judge(None);
    let payload = framed(9, b"{}");
    assert_eq!(judge.lacks(Some(&payload)), Some(SchemaId(9)));
    assert_eq!(judge.judge(&payload), Verdict::Lacks(SchemaId(9)));
    assert_eq!(judge.lacks(None), None, "a tombstone has no schema");
    // One asks, and only one.
    assert!(judge.schemas().begin(SchemaId(9), true) && !judge.schemas().begin(SchemaId(9), true));
    judge.schemas().give_up(SchemaId(9));
    assert!(judge.schemas().begin(SchemaId(9), true) && !judge.schemas().begin(SchemaId(7), true));
}

#[test]
fn what_begins_with_no_frame_and_names_no_schema_is_refused() {
    let mut judge = judge(None);
    assert_eq!(refusal(&mut judge, b"\0\0\0").0, codes::BAD_FRAME);
    assert_eq!(refusal(&mut judge, b"\x01\0\0\0\x07{}").0, codes::BAD_FRAME);
    // An id of 32 bits is one of no registry, and not asked for.
    let beyond = framed(0x8000_0000, b"{}");
    assert_eq!((judge.lacks(Some(&beyond)), refusal(&mut judge, &beyond).0), (None, codes::UNKNOWN));
    for payload in [&b"{}"[..], b"", b"\n{}", b"text"] {
        assert_eq!(refusal(&mut judge, payload).0, codes::UNNAMED);
        assert_eq!(judge.lacks(Some(payload)), None);
    }
}

#[test]
fn many_schemas_are_at_hand_in_turn() {
    let texts: Vec<(u32, &str)> =
        (0..40).map(|id| (id, if id % 2 == 0 { "true" } else { "false" })).collect();
    let mut judge = Judge::new(Schemas::known(None, &texts));
    for round in 0..3 {
        for id in 0..40 {
            let verdict = judge.judge(&framed(id, b"{}"));
            assert_eq!(verdict == Verdict::Fine, id % 2 == 0, "round {round}, schema {id}: {verdict:?}");
        }
    }
}

#[test]
fn many_large_schemas_are_not_at_hand_at_once() {
    let schemas = Schemas::known(None, &[]);
    let none: [(&str, &str); 0] = [];
    let learn = |id, bytes| {
        let schema = Ok(housepipe_json_schema::Schema::compile("true", none, &Default::default()).unwrap());
        schemas.learn(SchemaId(id), Found { schema, bytes });
    };
    let at_hand = |ids: std::ops::Range<u32>| -> Vec<u32> {
        ids.filter(|id| schemas.at_hand(SchemaId(*id)).is_some()).collect()
    };
    (0..6).for_each(|id| learn(id, 8 << 20));
    assert_eq!(at_hand(0..6), [2, 3, 4, 5], "as many as there is room for, the last ones");
    learn(5, 8 << 20);
    assert_eq!(at_hand(0..6), [2, 3, 4, 5], "one that is learnt again takes no other's place");
    learn(6, usize::MAX >> 1);
    assert_eq!(at_hand(0..7), [6], "the newest is kept whatever it has");
    learn(7, 1);
    assert_eq!(at_hand(0..8), [7]);
}

#[test]
fn of_many_schemas_that_lack_the_first_one_has_its_turn() {
    let schemas = Schemas::known(None, &[]);
    let begun = (0..1_000).filter(|id| schemas.begin(SchemaId(*id), false)).count();
    assert!(begun > 0 && begun < 1_000, "{begun}");
    assert!(schemas.begin(SchemaId(999), true) && !schemas.begin(SchemaId(999), true));
    schemas.give_up(SchemaId(0));
    assert!(!schemas.begin(SchemaId(0), false), "the first one is one of them as well");
    schemas.give_up(SchemaId(1));
    assert!(schemas.begin(SchemaId(0), false));
}

#[test]
fn what_cannot_be_used_is_doubted_once_it_is_old() {
    let schemas = Schemas::known(None, &[(7, "true")]);
    let unusable = || Found { schema: Err(fetch::Unusable::for_tests()), bytes: 0 };
    schemas.learn(SchemaId(8), unusable());
    assert!(!schemas.is_old(SchemaId(8)) && !schemas.begin_to_doubt(SchemaId(8)));
    for id in [7, 8] {
        schemas.age(SchemaId(id));
    }
    assert!(!schemas.is_old(SchemaId(7)) && !schemas.begin_to_doubt(SchemaId(7)), "a schema never changes");
    assert!(schemas.is_old(SchemaId(8)));
    assert!(schemas.begin_to_doubt(SchemaId(8)) && !schemas.begin_to_doubt(SchemaId(8)), "one asks");
    schemas.give_up(SchemaId(8));
    schemas.believe(SchemaId(8));
    assert!(!schemas.is_old(SchemaId(8)) && !schemas.begin_to_doubt(SchemaId(8)));
}

/// A schema that is fetched with all that it refers to is not refused for its size when it is compiled, and the other way round.
#[test]
fn one_limit_holds_for_what_is_fetched_and_what_is_compiled() {
    let fetched = housepipe_schema_registry::Limits::default();
    let compiled = housepipe_json_schema::Limits::default();
    assert_eq!((fetched.schema_bytes, fetched.references), (compiled.schema_bytes, compiled.references));
    // In an answer each byte of a schema may be two, for its quotes.
    assert!(fetched.answer_bytes >= 2 * compiled.schema_bytes);
}
