//! Certificates: which are trusted, and what is said about those that are not.

use std::sync::Arc;

use housepipe_schema_registry::{
    Address, ErrorClass, Limits, Pem, Registry, RegistryConfig, RegistryError, SchemaId, Tls,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::fake::Fake;

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

struct Signed {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    fn pem(&self) -> Pem {
        Pem::from_path_or_inline(self.issuer.pem())
    }

    fn sign(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> Signed {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Signed { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }

    fn server(&self, of: &Signed, clients: Option<&Authority>) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.issuer.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(of.key.serialize_der()));
        builder.with_single_cert(vec![of.certificate.der().clone()], key).unwrap()
    }
}

async fn ask(port: u16, scheme: &str, tls: Tls) -> Result<(), RegistryError> {
    let address: Address = format!("{scheme}://127.0.0.1:{port}/").parse().unwrap();
    let limits = Limits { attempts: 1, ..Limits::default() };
    let registry = Registry::new(RegistryConfig { tls, limits, ..RegistryConfig::at(&address) })?;
    registry.schema(SchemaId(1)).await.map(drop)
}

async fn refusal(server: ServerConfig, tls: Tls) -> String {
    let fake = Fake::start_tls(server).await;
    let error = ask(fake.port, "https", tls).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Hold, "{error:?}");
    assert!(fake.requests().is_empty(), "nothing was said to a stranger");
    error.to_string()
}

fn trust(authority: &Authority) -> Tls {
    Tls { ca: Some(authority.pem()), client: None }
}

#[tokio::test]
async fn a_certificate_of_the_named_authority_is_trusted_and_no_other() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let fine = ours.sign("127.0.0.1", |_| ());
    let fake = Fake::start_tls(ours.server(&fine, None)).await;
    ask(fake.port, "https", trust(&ours)).await.unwrap();
    assert_eq!(fake.requests().len(), 1);

    let error = refusal(ours.server(&fine, None), trust(&other)).await;
    assert!(error.contains("signed by nobody who is trusted here; name its authority as `ca`"), "{error}");
    let error = refusal(ours.server(&fine, None), Tls::default()).await;
    assert!(error.contains("signed by nobody who is trusted here"), "{error}");
}

#[tokio::test]
async fn name_and_dates_have_to_be_right() {
    let ours = Authority::new("ours");
    for (certificate, part) in [
        (ours.sign("127.0.0.2", |_| ()), "for another host name"),
        (ours.sign("127.0.0.1", |params| params.not_after = date_time_ymd(2020, 1, 1)), "has expired"),
        (ours.sign("127.0.0.1", |params| params.not_before = date_time_ymd(2990, 1, 1)), "is not valid yet"),
    ] {
        let error = refusal(ours.server(&certificate, None), trust(&ours)).await;
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_registry_may_ask_for_a_certificate() {
    let (ours, clients, other) = (Authority::new("ours"), Authority::new("clients"), Authority::new("other"));
    let server = ours.sign("127.0.0.1", |_| ());
    let with = |client: &Signed| Tls {
        client: Some((
            Pem::from_path_or_inline(client.certificate.pem()),
            Pem::from_path_or_inline(client.key.serialize_pem()),
        )),
        ..trust(&ours)
    };
    let fake = Fake::start_tls(ours.server(&server, Some(&clients))).await;
    ask(fake.port, "https", with(&clients.sign("app", |_| ()))).await.unwrap();

    for tls in [trust(&ours), with(&other.sign("app", |_| ()))] {
        let error = refusal(ours.server(&server, Some(&clients)), tls).await;
        assert!(error.contains("asks for a client certificate and takes none or not this one"), "{error}");
    }
}

#[tokio::test]
async fn tls_to_a_plain_port_and_the_reverse_say_so() {
    let ours = Authority::new("ours");
    let error = ask_plainly_answering(&ours).await;
    assert!(error.to_string().contains("speaks no TLS; check the port, or write http://"), "{error}");
    assert_eq!(error.class(), ErrorClass::Hold);

    let tls = Fake::start_tls(ours.server(&ours.sign("127.0.0.1", |_| ()), None)).await;
    let error = ask(tls.port, "http", Tls::default()).await.unwrap_err();
    assert!(error.to_string().contains("https:// instead of http://"), "{error}");
}

/// A server that answers everything, also the greeting of TLS, with plain HTTP.
async fn ask_plainly_answering(ours: &Authority) -> RegistryError {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut some = [0; 64];
        assert!(stream.read(&mut some).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    });
    let error = ask(port, "https", trust(ours)).await.unwrap_err();
    server.await.unwrap();
    error
}
