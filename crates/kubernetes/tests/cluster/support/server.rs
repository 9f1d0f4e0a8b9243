//! The API server of this program's tests, which share it; they run one after the other.

use std::sync::OnceLock;

/// The token of the program under test, whose user stands in the record of the server.
pub(crate) const OUR_TOKEN: &str = "token-of-howso";
/// The user of [`OUR_TOKEN`].
pub(crate) const OUR_USER: &str = "howso";
/// The token of the tests themselves.
pub(crate) const ADMIN_TOKEN: &str = "token-of-admin";

/// A server that runs until this program ends.
pub(crate) struct Server {
    pub(crate) url: String,
    /// PEM, in base64.
    pub(crate) certificate_authority: String,
    /// Everything that [`OUR_USER`] has changed so far: verb, path and status.
    pub(crate) writes: Box<dyn Fn() -> Vec<String> + Send + Sync>,
}

/// Starts the server, the first time.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(crate::api_server::start)
}
