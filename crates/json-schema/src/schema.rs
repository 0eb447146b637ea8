//! A compiled schema.

use std::sync::Arc;

use crate::accept::Acceptor;
use crate::draft::Draft;
use crate::error::SchemaError;
use crate::library::{Documents, Library};
use crate::limits::Limits;
use crate::options::{Names, Options};

/// A compiled schema. A clone is cheap and shares everything, also between threads.
#[derive(Debug, Clone)]
pub struct Schema(pub(crate) Arc<Compiled>);

#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) draft: Draft,
    pub(crate) limits: Limits,
    pub(crate) names: Names,
    pub(crate) library: Library,
    pub(crate) acceptor: Option<Acceptor>,
}

impl Schema {
    /// Compiles the text of a schema. `references` are the schemas that it refers to, each with its name: what a registry
    /// lists as the schema's references, and theirs.
    ///
    /// A `$ref` is resolved through the document itself and the references alone, by the name as it stands in the `$ref`, by the
    /// URI that it is resolved to, or by the id that a reference has. Nothing is ever fetched.
    ///
    /// # Errors
    /// What is no schema, what refers to something that is not there, and what costs more than the limits allow.
    ///
    /// ```
    /// use housepipe_json_schema::{Options, Schema, SchemaError};
    ///
    /// let order = r#"{"type": "object", "properties": {"to": {"$ref": "address.json"}}}"#;
    /// let address = r#"{"type": "object", "required": ["city"]}"#;
    /// assert!(Schema::compile(order, [("address.json", address)], &Options::default()).is_ok());
    ///
    /// let none: [(&str, &str); 0] = [];
    /// let error = Schema::compile(order, none, &Options::default()).unwrap_err();
    /// assert!(matches!(error, SchemaError::UnknownReference { reference, .. } if reference == "address.json"));
    /// ```
    pub fn compile<N, T>(
        text: &str,
        references: impl IntoIterator<Item = (N, T)>,
        options: &Options,
    ) -> Result<Schema, SchemaError>
    where
        N: AsRef<str>,
        T: AsRef<str>,
    {
        let documents = Documents::read(text, references, options)?;
        let library = Library::compile(&documents, options)?;
        let acceptor = Acceptor::compile(&documents, options);
        Ok(Schema(Arc::new(Compiled {
            draft: documents.draft(),
            limits: options.limits,
            names: options.names,
            library,
            acceptor,
        })))
    }

    /// Bytes that the compiled schema takes, about, for whoever keeps many of them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let acceptor = self.0.acceptor.as_ref().map_or(0, Acceptor::bytes);
        size_of::<Compiled>() + self.0.library.bytes() + acceptor
    }

    /// The draft that the schema is of.
    #[must_use]
    pub fn draft(&self) -> Draft {
        self.0.draft
    }
}
