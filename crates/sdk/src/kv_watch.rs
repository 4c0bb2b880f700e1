//! Watching keys of the reference store.

use crate::kv::KvClient;
use crate::watch::{Seen, Watch, WatchError};
use althing_kv::{KvChange, changes, changes_in};
use althing_model::{Range, Scope, VertexId};
use bytes::Bytes;

/// A watch of a key, or of all keys with a prefix.
#[derive(Debug)]
pub struct KvWatch {
    scope: Scope,
    watch: Watch,
}

/// What one vertex changed: at one time, where one command changed several keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvChanges {
    /// The vertex.
    pub vertex: VertexId,
    /// What became of watched keys, in this order; at least one.
    pub changes: Vec<KvChange>,
    /// Where to go on behind it.
    pub token: Seen,
}

impl KvClient {
    /// Watches a key, behind a token or from now on: see [`crate::Client::watch`].
    ///
    /// ```no_run
    /// # use althing_sdk::{KvClient, WatchError};
    /// # async fn watch(kv: KvClient) -> Result<(), WatchError> {
    /// let mut watch = kv.watch_prefix("user/", None).await?;
    /// loop {
    ///     for change in watch.next().await?.changes {
    ///         println!("{:?}: {:?}", change.key, change.what);
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`WatchError`].
    pub async fn watch_key(
        &self,
        key: impl Into<Bytes>,
        token: Option<Seen>,
    ) -> Result<KvWatch, WatchError> {
        self.watch_scope(Scope::Resource(key.into()), token).await
    }

    /// Watches all keys that begin with a prefix; all there are, if it is empty.
    ///
    /// # Errors
    /// [`WatchError`].
    pub async fn watch_prefix(
        &self,
        prefix: impl Into<Bytes>,
        token: Option<Seen>,
    ) -> Result<KvWatch, WatchError> {
        self.watch_scope(Scope::Range(Range::prefix(prefix)), token).await
    }

    async fn watch_scope(&self, scope: Scope, token: Option<Seen>) -> Result<KvWatch, WatchError> {
        let watch = self.client().watch(changes_in(scope.clone()), token).await?;
        Ok(KvWatch { scope, watch })
    }
}

impl KvWatch {
    /// What the next vertex changed. What changed nothing after all (a swap that found another value,
    /// ..) is passed over.
    ///
    /// # Errors
    /// As [`Watch::next`].
    pub async fn next(&mut self) -> Result<KvChanges, WatchError> {
        loop {
            let told = self.watch.next().await?;
            let changes: Vec<KvChange> = told
                .changes
                .into_iter()
                .flat_map(|change| changes(change.payload, change.reply, &self.scope))
                .collect();
            if !changes.is_empty() {
                return Ok(KvChanges { vertex: told.vertex, changes, token: told.token });
            }
        }
    }

    /// Where to go on behind all that [`Self::next`] has returned.
    pub fn token(&self) -> &Seen {
        self.watch.token()
    }

    /// The same as text: see [`Watch::token_text`].
    pub fn token_text(&self) -> String {
        self.watch.token_text()
    }
}
