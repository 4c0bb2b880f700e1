//! A property that did not hold.

/// A broken property, with an account of who did what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{property}: {account}")]
pub struct Violation {
    /// The oracle's name.
    pub property: &'static str,
    /// Which vertex, key or request, and both values or orders.
    pub account: String,
}

impl Violation {
    /// Names the property and tells what happened.
    pub fn new(property: &'static str, account: impl Into<String>) -> Self {
        let account = account.into();
        Self { property, account }
    }
}
