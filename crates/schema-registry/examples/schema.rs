//! Prints a schema of a registry and the names of those that it refers to:
//! `cargo run -p housepipe-schema-registry --example schema -- http://localhost:8081/subjects/orders-value`.
//! `REGISTRY_USER` and `REGISTRY_PASSWORD` are its credentials, where it wants some.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::process::ExitCode;

use housepipe_schema_registry::{Address, Credentials, Registry, RegistryConfig, RegistryError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(address) = std::env::args().nth(1) else {
        eprintln!("usage: schema URL");
        return ExitCode::from(2);
    };
    match print(&address).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error} ({:?})", error.class());
            ExitCode::FAILURE
        }
    }
}

async fn print(address: &str) -> Result<(), RegistryError> {
    let address: Address = address.parse()?;
    let mut config = RegistryConfig::at(&address);
    if let (Ok(username), Ok(password)) = (std::env::var("REGISTRY_USER"), std::env::var("REGISTRY_PASSWORD"))
    {
        config.credentials = Credentials::Basic { username, password: password.into() };
    }
    let registry = Registry::new(config)?;
    let schema = registry.fetch(&address.target).await?;
    let resolved = registry.resolve(&schema).await?;
    println!("schema {} ({:?})", schema.id, schema.kind);
    for name in resolved.references.keys() {
        println!("refers to {name}");
    }
    println!("{}", schema.text);
    Ok(())
}
