//! Certificates for one server: made at each start, since that takes a millisecond and leaves nothing to expire.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::error::{Result, StackError};
use crate::kafka::{MTLS_PRINCIPAL, ServerCertificate};

/// Where the files are.
#[derive(Debug)]
pub(crate) struct Certificates {
    pub(crate) ca: PathBuf,
    pub(crate) other_ca: PathBuf,
    pub(crate) client: PathBuf,
    pub(crate) client_key: PathBuf,
    /// Certificate and key of a server, for those that do not read both from one file.
    pub(crate) server: PathBuf,
    pub(crate) server_key: PathBuf,
}

impl Certificates {
    /// For brokers that are not ours.
    pub(crate) fn none() -> Self {
        let none = PathBuf::new;
        Self {
            ca: none(),
            other_ca: none(),
            client: none(),
            client_key: none(),
            server: none(),
            server_key: none(),
        }
    }

    /// A CA, a broker's certificate, a client's certificate and an unrelated CA.
    pub(crate) fn make(folder: &Path, server: ServerCertificate) -> Result<Self> {
        fs::create_dir_all(folder).map_err(StackError::file("create", folder))?;
        let made = Self {
            ca: folder.join("ca.pem"),
            other_ca: folder.join("other-ca.pem"),
            client: folder.join("client.pem"),
            client_key: folder.join("client.key"),
            server: folder.join("server.pem"),
            server_key: folder.join("server.key"),
        };
        let ca = authority("Housepipe local CA")?;
        let other_ca = authority("Housepipe other CA")?;

        let names: &[&str] = match server {
            ServerCertificate::OtherHost => &["kafka.example.com"],
            ServerCertificate::Valid | ServerCertificate::Expired => &["localhost", "127.0.0.1", "::1"],
        };
        let mut broker = named("broker", names)?;
        if server == ServerCertificate::Expired {
            broker.not_before = date_time_ymd(2020, 1, 1);
            broker.not_after = date_time_ymd(2021, 1, 1);
        }
        broker.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let (broker, broker_key) = signed("broker", &broker, &ca)?;
        let mut client = named(MTLS_PRINCIPAL, &[])?;
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let (client, client_key) = signed("client", &client, &ca)?;

        // Kafka reads key and chain from one file.
        let keystore = format!("{broker_key}{broker}{}", ca.pem());
        for (path, text) in [
            (&made.ca, ca.pem()),
            (&made.other_ca, other_ca.pem()),
            (&made.client, client),
            (&made.client_key, client_key),
            (&made.server, broker),
            (&made.server_key, broker_key),
            (&folder.join("broker-keystore.pem"), keystore),
        ] {
            fs::write(path, text).map_err(StackError::file("write", path))?;
        }
        Ok(made)
    }
}

fn named(common_name: &'static str, names: &[&str]) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(names).map_err(failed(common_name))?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters.use_authority_key_identifier_extension = true;
    Ok(parameters)
}

fn authority(common_name: &'static str) -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut parameters = named(common_name, &[])?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(failed(common_name))?;
    CertifiedIssuer::self_signed(parameters, key).map_err(failed(common_name))
}

/// The certificate and its key, PEM.
fn signed(
    which: &'static str,
    parameters: &CertificateParams,
    ca: &CertifiedIssuer<'static, KeyPair>,
) -> Result<(String, String)> {
    let key = KeyPair::generate().map_err(failed(which))?;
    let certificate = parameters.signed_by(&key, ca).map_err(failed(which))?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn failed(which: &'static str) -> impl FnOnce(rcgen::Error) -> StackError {
    move |source| StackError::Certificate { which, source }
}
