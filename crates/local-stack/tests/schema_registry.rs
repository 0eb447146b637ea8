//! The real schema registry: start, schemas, kill, restart, freeze, access.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code, though outside of a #[test] function")]

mod support;

use housepipe_local_stack::{
    Registry, RegistryOptions, SchemaText, Silent, StackError, Wanted, prepare_wanted,
};
use support::soon;

const ADDRESS: &str = r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"street":{"type":"string"}}}"#;
const PERSON: &str = r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"home":{"$ref":"address.json"}}}"#;

fn json<'a>(text: &'a str, references: &'a [(&'a str, &'a str, u32)]) -> SchemaText<'a> {
    SchemaText { kind: "JSON", text, references }
}

#[test]
fn schemas_outlive_a_kill_and_a_freeze() {
    let parts = prepare_wanted(&Wanted::pinned().with_registry(), &mut Silent).unwrap();
    let registry = Registry::start(&parts, RegistryOptions { basic: true }).unwrap();
    let address = registry.register("an/address", json(ADDRESS, &[])).unwrap();
    let person = registry.register("person", json(PERSON, &[("address.json", "an/address", 1)])).unwrap();
    assert_ne!(address, person);
    assert_eq!(
        registry.register("person", json(PERSON, &[("address.json", "an/address", 1)])).unwrap(),
        person
    );
    let refused = registry.register("person", json("{", &[])).unwrap_err();
    assert!(matches!(refused, StackError::Refused { status: 400..=499, .. }), "{refused:?}");

    registry.kill().unwrap();
    assert!(matches!(registry.register("person", json(ADDRESS, &[])), Err(StackError::Http { .. })));
    registry.restart().unwrap();
    assert_eq!(registry.register("an/address", json(ADDRESS, &[])).unwrap(), address);

    registry.freeze().unwrap();
    assert!(matches!(registry.wait_ready(soon(1)), Err(StackError::NotReady { .. })));
    registry.thaw().unwrap();
    registry.wait_ready(soon(30)).unwrap();

    let folder = registry.folder().to_owned();
    drop(registry);
    assert!(!folder.exists());
}

#[test]
fn a_registry_that_was_not_prepared_is_refused() {
    let parts = prepare_wanted(&Wanted::pinned(), &mut Silent).unwrap();
    let error = Registry::start(&parts, RegistryOptions::default()).unwrap_err();
    assert!(matches!(error, StackError::NotPrepared { .. }), "{error:?}");
    assert!(error.mend().is_some_and(|mend| mend.contains("with_registry")));
}
