//! Certificate authorities, of the file or of the system.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::Pem;

/// The authorities in `ca`, or those that the system trusts. The error says what is wrong with them.
pub(crate) fn roots(ca: Option<&Pem>) -> Result<Vec<CertificateDer<'static>>, String> {
    let roots = match ca {
        Some(pem) => named(pem)?,
        // Single certificates of the system that cannot be read are no reason to trust none of the others.
        None => rustls_native_certs::load_native_certs().certs,
    };
    if roots.is_empty() {
        return Err("there is no certificate authority in it; name a file in PEM, or install the system's (`ca-certificates`)"
            .to_owned());
    }
    Ok(roots)
}

fn named(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = match pem {
        Pem::Path(path) => CertificateDer::pem_file_iter(path).and_then(Iterator::collect),
        Pem::Inline(text) => CertificateDer::pem_slice_iter(text.as_bytes()).collect(),
    };
    let of = match pem {
        Pem::Path(path) => format!("`{path}` "),
        Pem::Inline(_) => String::new(),
    };
    read.map_err(|error| format!("{of}cannot be read as PEM ({error})"))
}
