//! The API server of this project's own emulator, also without controllers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::mpsc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use howso_infra_emulator::ApiServer;

use crate::support::server::{ADMIN_TOKEN, OUR_TOKEN, OUR_USER, Server};

/// Starts it on a thread of its own, which ends with this program: it outlives the runtime of any test.
pub(crate) fn start() -> Server {
    let users = [(OUR_TOKEN, OUR_USER), (ADMIN_TOKEN, "admin")];
    let users = users.map(|(token, user)| (token.to_owned(), user.to_owned()));
    let api = ApiServer::new(BTreeMap::from(users));
    let (sender, listening) = mpsc::channel();
    let serving = api.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be had");
        let told = move |url, authority: String| sender.send((url, authority)).expect("somebody waits");
        runtime.block_on(serving.serve(Ipv4Addr::LOCALHOST.into(), told)).expect("it can be served");
    });
    let (url, authority) = listening.recv().expect("it listens");
    let writes = move || {
        let ours = api.writes().into_iter().filter(|write| write.user == OUR_USER);
        ours.map(|write| format!("{} {} {}", write.verb, write.path, write.status)).collect()
    };
    Server { url, certificate_authority: STANDARD.encode(authority), writes: Box::new(writes) }
}
