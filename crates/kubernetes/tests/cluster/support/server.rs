//! A real API server on a real etcd, shared by all tests of this program; they run one after the other.
//!
//! Nothing else of Kubernetes runs: no controllers, no scheduler, no kubelet. Nodes, and what controllers would say about them and
//! about Deployments, are objects that the tests write: *emulated*.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The token of the program under test, whose user stands in the audit log.
pub(crate) const OUR_TOKEN: &str = "token-of-howso";
/// The user of [`OUR_TOKEN`].
pub(crate) const OUR_USER: &str = "howso";
/// The token of the tests themselves.
pub(crate) const ADMIN_TOKEN: &str = "token-of-admin";

const START_LIMIT: Duration = Duration::from_mins(2);

const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
";

/// Where the server is.
pub(crate) struct Server {
    pub(crate) url: String,
    /// PEM, in base64.
    pub(crate) certificate_authority: String,
    pub(crate) audit_log: PathBuf,
    _directory: tempfile::TempDir,
    /// Their ends are the ends of the servers: see [`spawn`].
    _processes: [std::process::Child; 2],
}

/// Starts the server, the first time.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

fn start() -> Server {
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
    Server {
        url: format!("https://127.0.0.1:{secure}"),
        certificate_authority,
        audit_log: at("audit.log"),
        _directory: directory,
        _processes: [etcd, apiserver],
    }
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
