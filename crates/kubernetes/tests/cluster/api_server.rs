//! A real API server on a real etcd.
//!
//! Nothing else of Kubernetes runs: no controllers, no scheduler, no kubelet. Nodes, and what controllers would say about them and
//! about Deployments, are objects that the tests write: *emulated*.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::support::server::{ADMIN_TOKEN, OUR_TOKEN, OUR_USER, Server};

const START_LIMIT: Duration = Duration::from_mins(2);

const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
";

/// Starts it.
pub(crate) fn start() -> Server {
    let cache =
        PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/howso-infra/local-kubernetes/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|folder| folder.join("etcd"));
    let kube = binary("HOWSO_TESTS_KUBE", [cache.join("kube")]);
    let etcd = binary("HOWSO_TESTS_ETCD", std::iter::once(cache.join("etcd")).chain(installed));
    let directory = tempfile::tempdir().expect("a folder can be made");
    let at = |name: &str| directory.path().join(name);
    let write = |name: &str, text: &str| std::fs::write(at(name), text).expect("a file can be written");
    write("audit.yaml", AUDIT_POLICY);
    write("tokens.csv", &format!("{OUR_TOKEN},{OUR_USER},1,system:masters\n{ADMIN_TOKEN},admin,2,system:masters\n"));
    make_key(&at("accounts.key"));
    let [client, peer, secure] = free_ports();
    let store = format!("http://127.0.0.1:{client}");
    let peers = format!("http://127.0.0.1:{peer}");
    let text = |path: PathBuf| path.to_str().expect("the folder has a plain name").to_owned();
    let etcd = spawn(
        &etcd,
        &at("etcd.log"),
        &[
            format!("--data-dir={}", text(at("etcd"))),
            format!("--listen-client-urls={store}"),
            format!("--advertise-client-urls={store}"),
            format!("--listen-peer-urls={peers}"),
            format!("--initial-advertise-peer-urls={peers}"),
            format!("--initial-cluster=default={peers}"),
        ],
    );
    let accounts = text(at("accounts.key"));
    let apiserver = spawn(
        &kube,
        &at("apiserver.log"),
        &[
            "apiserver".to_owned(),
            format!("--etcd-servers={store}"),
            format!("--secure-port={secure}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            format!("--cert-dir={}", text(at("certificates"))),
            format!("--service-account-key-file={accounts}"),
            format!("--service-account-signing-key-file={accounts}"),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--token-auth-file={}", text(at("tokens.csv"))),
            "--authorization-mode=RBAC".to_owned(),
            "--service-cluster-ip-range=10.43.0.0/24".to_owned(),
            // Neither accounts nor the running of pods are looked after here.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            format!("--audit-policy-file={}", text(at("audit.yaml"))),
            format!("--audit-log-path={}", text(at("audit.log"))),
            "--audit-log-mode=blocking-strict".to_owned(),
        ],
    );
    let certificate = at("certificates").join("apiserver.crt");
    let began = Instant::now();
    let certificate_authority = loop {
        let chain = std::fs::read_to_string(&certificate).unwrap_or_default();
        // The server signs its own certificate and writes the signer's after it.
        if let Some(signer) = chain.rfind("-----BEGIN CERTIFICATE-----").filter(|place| *place > 0) {
            break STANDARD.encode(&chain[signer..]);
        }
        assert!(began.elapsed() < START_LIMIT, "{}", last_lines(&at("apiserver.log")));
        std::thread::sleep(Duration::from_millis(50));
    };
    let (log, processes) = (at("audit.log"), [etcd, apiserver]);
    Server {
        url: format!("https://127.0.0.1:{secure}"),
        certificate_authority,
        writes: Box::new(move || {
            // Their ends are the ends of the servers: see `spawn`.
            let (_directory, _processes) = (&directory, &processes);
            writes(&log)
        }),
    }
}

/// What our user has changed, by the audit log.
fn writes(log: &Path) -> Vec<String> {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let events = log.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    let is_ours = |event: &Json| event["user"]["username"] == OUR_USER;
    let is_write = |event: &Json| !matches!(event["verb"].as_str(), Some("get" | "list" | "watch"));
    let line = |event: Json| {
        let path = event["requestURI"].as_str().unwrap_or_default().split('?').next().unwrap_or_default();
        format!("{} {path} {}", event["verb"].as_str().unwrap_or_default(), event["responseStatus"]["code"])
    };
    events.filter(|event| is_ours(event) && is_write(event)).map(line).collect()
}

/// A program that the tests need: the one that the variable names, or the first of `places` that there is. Without it they fail: a
/// test that is passed over proves nothing.
fn binary(variable: &str, places: impl IntoIterator<Item = PathBuf>) -> PathBuf {
    let found = match std::env::var_os(variable) {
        Some(named) => Some(PathBuf::from(named)).filter(|path| path.is_file()),
        None => places.into_iter().find(|path| path.is_file()),
    };
    let Some(found) = found else {
        panic!("{variable} names no program, and none was built: run `tests/images/build`, which prints where they are")
    };
    found
}

/// A key with which the server signs tokens of accounts. Made anew, so that none lies in the repository.
fn make_key(path: &Path) {
    let made = Command::new("openssl").args(["genrsa", "-out"]).arg(path).arg("2048").stderr(Stdio::null()).status();
    assert!(
        made.is_ok_and(|status| status.success()),
        "`openssl genrsa` failed: install it (Debian: `apt-get install openssl`)"
    );
}

/// Starts a program that ends with this one, however this one ends: its shell waits for the end of a pipe.
fn spawn(program: &Path, log: &Path, arguments: &[String]) -> std::process::Child {
    let output = std::fs::File::create(log).expect("a log can be written");
    Command::new("sh")
        .args(["-c", "\"$0\" \"$@\" & child=$!; read -r _; kill -9 $child"])
        .arg(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(output.try_clone().expect("a log can be written"))
        .stderr(output)
        .spawn()
        .expect("a shell can be started")
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().rev().take(10).collect::<Vec<_>>().join("\n")
}

fn free_ports<const N: usize>() -> [u16; N] {
    // All are held until all are known, so that they differ.
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    held.map(|listener| listener.local_addr().expect("a port is bound").port())
}
