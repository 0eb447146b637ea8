//! The calls about tokens.

use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::http::Call;
use super::{Remote, RemoteError};
use crate::args::RoleArg;

/// All tokens: understood, and as they came.
pub(crate) struct Tokens {
    pub(crate) tokens: Vec<TokenView>,
    pub(crate) document: Box<RawValue>,
}

/// A token without itself.
#[derive(Deserialize)]
pub(crate) struct TokenView {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) created_at: String,
}

/// A token that was made: understood, and as it came.
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) document: Box<RawValue>,
}

#[derive(Deserialize)]
struct TokenList {
    tokens: Vec<TokenView>,
}

#[derive(Deserialize)]
struct MadeToken {
    name: String,
    token: String,
}

#[derive(Serialize)]
struct NewToken<'a> {
    name: &'a str,
    role: RoleArg,
}

impl Remote {
    /// All tokens by name.
    pub(crate) async fn tokens(&self) -> Result<Tokens, RemoteError> {
        let url = self.server().call(&["api", "v1", "tokens"], &[]);
        let answer = self.repeat(&Call::new(Method::GET, url)).await?;
        let TokenList { tokens } = self.parse(&answer)?;
        Ok(Tokens { tokens, document: self.parse(&answer)? })
    }

    /// Makes a token. It is asked once: one whose answer was lost is known to nobody, and is removed by its name.
    pub(crate) async fn create_token(&self, name: &str, role: RoleArg) -> Result<Made, RemoteError> {
        let call = Call::new(Method::POST, self.server().call(&["api", "v1", "tokens"], &[]));
        let body = self.body(&NewToken { name, role })?;
        let answer = self.http.ask(&Call { body: Some(body), ..call }).await.map_err(of_token)?;
        let MadeToken { name, token } = self.parse(&answer)?;
        Ok(Made { name, token, document: self.parse(&answer)? })
    }

    /// Has a token forgotten. It is asked once: one that is gone is not known the second time.
    pub(crate) async fn remove_token(&self, name: &str) -> Result<(), RemoteError> {
        let url = self.server().call(&["api", "v1", "tokens", name], &[]);
        self.http.ask(&Call::new(Method::DELETE, url)).await.map(drop)
    }
}

/// A refusal that is about a token.
fn of_token(error: RemoteError) -> RemoteError {
    match error {
        RemoteError::Refused(mut problem) => {
            problem.of_token = true;
            RemoteError::Refused(problem)
        }
        other => other,
    }
}
