//! The client against a real registry.
#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

use std::sync::OnceLock;

use housepipe_local_stack::{
    Registry as Server, RegistryOptions, SchemaText, Silent, USER_REGISTRY, Wanted, prepare_wanted,
};
use housepipe_schema_registry::{
    Address, Credentials, ErrorClass, Limits, Pem, Registry, RegistryConfig, RegistryError, SchemaId,
    SchemaKind, Subject, Version,
};

/// The registry that these tests share. It ends with the process.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let parts = prepare_wanted(&Wanted::pinned().with_registry(), &mut Silent).unwrap();
        Server::start(&parts, RegistryOptions { basic: true }).unwrap()
    })
}

fn json<'a>(text: &'a str, references: &'a [(&'a str, &'a str, u32)]) -> SchemaText<'a> {
    SchemaText { kind: "JSON", text, references }
}

fn object(properties: &str) -> String {
    format!(
        r#"{{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{{{properties}}}}}"#
    )
}

fn config(url: &str, password: &str) -> RegistryConfig {
    let address: Address = url.parse().unwrap();
    let credentials =
        Credentials::Basic { username: USER_REGISTRY.name.to_owned(), password: password.to_owned().into() };
    let limits = Limits { attempts: 1, ..Limits::default() };
    RegistryConfig { credentials, limits, ..RegistryConfig::at(&address) }
}

fn client() -> Registry {
    Registry::new(config(&server().url(), USER_REGISTRY.password)).unwrap()
}

fn subject(name: &str) -> Subject {
    Subject(name.to_owned())
}

#[tokio::test]
async fn schemas_come_with_all_that_they_refer_to() {
    let street = object(r#""street":{"type":"string"}"#);
    let address = object(r#""first":{"$ref":"street.json"}"#);
    let person = object(r#""home":{"$ref":"address.json"},"work":{"$ref":"street.json"}"#);
    server().register("a/street", json(&street, &[])).unwrap();
    server().register("b address", json(&address, &[("street.json", "a/street", 1)])).unwrap();
    let references = [("address.json", "b address", 1), ("street.json", "a/street", 1)];
    let id = SchemaId(server().register("person", json(&person, &references)).unwrap());

    let registry = client();
    let by_id = registry.schema(id).await.unwrap();
    assert_eq!((by_id.id, &by_id.kind, by_id.text.as_str()), (id, &SchemaKind::Json, person.as_str()));
    for version in [Version::Latest, Version::Number(1)] {
        assert_eq!(*registry.version(&subject("person"), version).await.unwrap(), *by_id);
    }
    let resolved = registry.resolve(&by_id).await.unwrap();
    let texts: Vec<(&str, &str)> =
        resolved.references.iter().map(|(name, schema)| (name.as_str(), schema.text.as_str())).collect();
    assert_eq!(texts, [("address.json", address.as_str()), ("street.json", street.as_str())]);
}

#[tokio::test]
async fn a_subject_has_versions_and_the_other_languages_are_told_apart() {
    let (first, second) = (object(r#""a":{"type":"string"}"#), object(r#""b":{"type":"string"}"#));
    server().register("evolving", json(&first, &[])).unwrap();
    server().register("evolving", json(&second, &[])).unwrap();
    let avro = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"string"}]}"#;
    server().register("avro", SchemaText { kind: "AVRO", text: avro, references: &[] }).unwrap();
    let protobuf = "syntax = \"proto3\"; message M { string a = 1; }";
    server().register("protobuf", SchemaText { kind: "PROTOBUF", text: protobuf, references: &[] }).unwrap();

    let registry = client();
    let latest = registry.version(&subject("evolving"), Version::Latest).await.unwrap();
    assert_eq!(latest.text, second);
    assert_eq!(registry.version(&subject("evolving"), Version::Number(1)).await.unwrap().text, first);
    for (name, kind) in [("avro", SchemaKind::Avro), ("protobuf", SchemaKind::Protobuf)] {
        assert_eq!(registry.version(&subject(name), Version::Latest).await.unwrap().kind, kind);
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    server().register("one-version", json(&object(""), &[])).unwrap();
    let registry = client();
    let error = registry.schema(SchemaId(999_999)).await.unwrap_err();
    assert!(matches!(error, RegistryError::NoSchema { id: SchemaId(999_999), .. }), "{error:?}");
    let error = registry.version(&subject("no/such"), Version::Latest).await.unwrap_err();
    assert!(matches!(error, RegistryError::NoSubject { .. }), "{error:?}");
    let error = registry.version(&subject("one-version"), Version::Number(7)).await.unwrap_err();
    assert!(matches!(error, RegistryError::NoVersion { .. }), "{error:?}");
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_path_say_so() {
    let error =
        Registry::new(config(&server().url(), "wrong")).unwrap().schema(SchemaId(1)).await.unwrap_err();
    assert!(matches!(error, RegistryError::Denied { status: 401, .. }), "{error:?}");
    let root = server().url().replace("/apis/ccompat/v7", "/apis/nothing");
    let registry = Registry::new(config(&root, USER_REGISTRY.password)).unwrap();
    let error = registry.schema(SchemaId(1)).await.unwrap_err();
    assert!(matches!(error, RegistryError::NotARegistry { status: 404, .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Hold);
}

#[tokio::test]
async fn over_tls_with_its_own_authority() {
    let id = SchemaId(server().register("over-tls", json(&object(""), &[])).unwrap());
    let mut config = config(&server().url_tls(), USER_REGISTRY.password);
    let error = Registry::new(config.clone()).unwrap().schema(id).await.unwrap_err();
    assert!(matches!(error, RegistryError::Tls { .. }), "{error:?}");
    config.tls.ca = Some(Pem::Path(server().ca_pem().display().to_string()));
    assert_eq!(Registry::new(config).unwrap().schema(id).await.unwrap().id, id);
}
