//! What Docker and k3d say, as an [`ErrorKind`]: one table of texts for both, because k3d passes on what Docker tells it.

use bollard::errors::Error;
use howso_infra_core::{ErrorKind, OperationVerb, ProviderError};

const DOCKER_HINT: &str =
    "start Docker and see whether `docker info` answers; DOCKER_HOST says where it is, when it is elsewhere";

const PORT_HINT: &str =
    "stop what uses the port, or choose another with --set k3d.http_port, k3d.https_port or k3d.registry_port";

/// A text that Docker or k3d says, what it means, and what to do about it. The first that fits counts.
struct Row {
    says: &'static str,
    kind: fn(&str) -> ErrorKind,
    hint: &'static str,
}

/// Texts of Docker 20.10 to 28 and of k3d 5.9.
const TABLE: &[Row] = &[
    Row {
        says: "is already in progress",
        kind: |_| ErrorKind::Busy { by: "Docker, which removes it already".to_owned() },
        hint: REMOVAL_HINT,
    },
    Row { says: "port is already allocated", kind: |text| ErrorKind::Conflict { owner: port(text) }, hint: PORT_HINT },
    Row { says: "address already in use", kind: |text| ErrorKind::Conflict { owner: port(text) }, hint: PORT_HINT },
    Row {
        says: "no space left on device",
        kind: |_| ErrorKind::Quota { what: "disk space of Docker".to_owned() },
        hint: "make room: `docker system df` shows what takes it, `docker system prune` removes what nothing uses",
    },
    Row {
        says: "cluster with that name already exists",
        kind: |_| ErrorKind::Conflict { owner: "another k3d cluster".to_owned() },
        hint: "choose another name, or remove that cluster with `k3d cluster delete`",
    },
    Row {
        says: "registry node with that name already exists",
        kind: |_| ErrorKind::Conflict { owner: "another registry".to_owned() },
        hint: "remove that registry with `k3d registry delete`, or leave ours out with --set k3d.registry=false",
    },
    Row {
        says: "permission denied while trying to connect",
        kind: |_| ErrorKind::Permission { action: "use Docker".to_owned() },
        hint: "your user may not use Docker: https://docs.docker.com/engine/install/linux-postinstall/",
    },
    Row { says: "cannot connect to the docker daemon", kind: |_| ErrorKind::Failed, hint: DOCKER_HINT },
    Row { says: "error during connect", kind: |_| ErrorKind::Failed, hint: DOCKER_HINT },
    Row { says: "dial unix", kind: |_| ErrorKind::Failed, hint: DOCKER_HINT },
    Row { says: "connection refused", kind: |_| ErrorKind::Failed, hint: DOCKER_HINT },
    Row {
        says: "manifest unknown",
        kind: |_| ErrorKind::Invalid { field: Some("k3d.image".to_owned()) },
        hint: IMAGE_HINT,
    },
    Row {
        says: "no such image",
        kind: |_| ErrorKind::Invalid { field: Some("k3d.image".to_owned()) },
        hint: IMAGE_HINT,
    },
    Row {
        says: "pull access denied",
        kind: |_| ErrorKind::Invalid { field: Some("k3d.image".to_owned()) },
        hint: IMAGE_HINT,
    },
    Row {
        says: "repository does not exist",
        kind: |_| ErrorKind::Invalid { field: Some("k3d.image".to_owned()) },
        hint: IMAGE_HINT,
    },
    Row { says: "failed to pull image", kind: |_| ErrorKind::Failed, hint: PULL_HINT },
    Row { says: "failed to create node", kind: |_| ErrorKind::Failed, hint: RESUME_HINT },
];

const REMOVAL_HINT: &str = "see what Docker is at with `docker ps --all`";
const IMAGE_HINT: &str = "check the name with `docker pull`; --set k3d.image=… names another, and --kubernetes-version a version that exists";
const PULL_HINT: &str =
    "check the network, and whether `docker pull` gets the image; it may also be loaded with `docker load`";
const RESUME_HINT: &str = "the same command begins again with what is missing";

/// What a text of Docker or k3d means; what no row knows is `otherwise`.
pub(crate) fn from_text(call: &str, text: &str, otherwise: ErrorKind) -> ProviderError {
    let lower = text.to_lowercase();
    match TABLE.iter().find(|row| lower.contains(row.says)) {
        Some(row) => ProviderError::new((row.kind)(text), call, text).with_hint(row.hint),
        None => ProviderError::new(otherwise, call, text),
    }
}

/// The port that a text speaks of, for example in `Bind for 127.0.0.1:80 failed: port is already allocated`.
fn port(text: &str) -> String {
    let is_address = |word: &&str| {
        word.rsplit_once(':')
            .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let words = text.split_whitespace().map(|word| word.trim_matches([':', ',', '"', '\'']));
    words.clone().find(is_address).map_or_else(|| "the port".to_owned(), |word| format!("what listens at {word}"))
}

/// Turns the error of a read of Docker into ours, for `map_err`.
pub(crate) fn reading(call: &'static str) -> impl FnOnce(Error) -> ProviderError {
    mutating(OperationVerb::Observe, call)
}

/// Turns the error of a call of Docker into ours, for `map_err`.
pub(crate) fn mutating(verb: OperationVerb, call: &'static str) -> impl FnOnce(Error) -> ProviderError {
    move |error| {
        let lost = match verb {
            OperationVerb::Observe => ErrorKind::Transient,
            OperationVerb::Create | OperationVerb::Update | OperationVerb::Delete => ErrorKind::Ambiguous,
        };
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                let mut ours = from_text(call, message.trim(), of_status(status_code));
                ours.code = Some(status_code.to_string());
                ours
            }
            Error::SocketNotFoundError(_) => unreachable(call, &error),
            Error::HyperLegacyError { ref err } if err.is_connect() => {
                let denied = source_kind(err).is_some_and(|kind| kind == std::io::ErrorKind::PermissionDenied);
                if denied {
                    from_text(call, "permission denied while trying to connect to Docker", ErrorKind::Failed)
                } else {
                    unreachable(call, &error)
                }
            }
            Error::RequestTimeoutError => ProviderError::new(lost, call, "Docker did not answer in time"),
            Error::HyperLegacyError { .. } | Error::HyperResponseError { .. } | Error::IOError { .. } => {
                ProviderError::new(lost, call, with_causes(&error))
            }
            other => ProviderError::new(ErrorKind::Bug, call, with_causes(&other)),
        }
    }
}

fn of_status(status: u16) -> ErrorKind {
    match status {
        404 => ErrorKind::Gone,
        409 => ErrorKind::Conflict { owner: String::new() },
        400 => ErrorKind::Invalid { field: None },
        429 => ErrorKind::Throttled { after: None },
        503 => ErrorKind::Transient,
        500..=599 => ErrorKind::Failed,
        _ => ErrorKind::Bug,
    }
}

/// Docker cannot be reached at all: nothing was sent, and asking again at once would not help.
fn unreachable(call: &str, error: &Error) -> ProviderError {
    let message = format!("Docker cannot be reached: {}", with_causes(error));
    ProviderError::new(ErrorKind::Failed, call, message).with_hint(DOCKER_HINT)
}

fn source_kind(error: &dyn std::error::Error) -> Option<std::io::ErrorKind> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<std::io::Error>() {
            return Some(error.kind());
        }
        source = cause.source();
    }
    None
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// A kind, call or attribute that this provider does not know: a mistake of ours.
pub(crate) fn bug(call: &str, message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorKind::Bug, call, message)
}

/// An error that says that something does not exist becomes [`None`].
pub(crate) fn if_there<T>(result: Result<T, ProviderError>) -> Result<Option<T>, ProviderError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind == ErrorKind::Gone => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_reached_and_leads_somewhere() {
        let texts = [
            ("removal of container k3d-a-registry is already in progress", "removes it already"),
            ("driver failed: Bind for 127.0.0.1:80 failed: port is already allocated", "what listens at 127.0.0.1:80"),
            ("listen tcp4 127.0.0.1:443: bind: address already in use", "what listens at 127.0.0.1:443"),
            ("write /var/lib/docker/tmp: no space left on device", "disk"),
            ("Failed to create cluster 'a' because a cluster with that name already exists", "another k3d cluster"),
            ("A registry node with that name already exists", "another registry"),
            ("Got permission denied while trying to connect to the Docker daemon socket", "use Docker"),
            ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock", "Failed"),
            ("error during connect: Post \"http://docker.sock/v1.41/containers/create\": EOF", "Failed"),
            ("dial unix /var/run/docker.sock: connect: no such file or directory", "Failed"),
            ("dial tcp 127.0.0.1:2375: connect: connection refused", "Failed"),
            ("manifest unknown: manifest unknown", "k3d.image"),
            ("No such image: rancher/k3s:v0", "k3d.image"),
            ("pull access denied for x, may require docker login", "k3d.image"),
            ("repository does not exist or may require 'docker login'", "k3d.image"),
            ("docker failed to pull image 'x': EOF", "Failed"),
            ("failed setup of server/agent node: failed to create node: unable to apply caps", "Failed"),
        ];
        assert_eq!(texts.len(), TABLE.len());
        for (row, (text, meaning)) in TABLE.iter().zip(texts) {
            let error = from_text("k3d", text, ErrorKind::Bug);
            assert!(format!("{:?}", error.kind).contains(meaning), "{text}: {:?}", error.kind);
            assert_eq!(error.hint.as_deref(), Some(row.hint), "{text}");
        }
        assert_eq!(from_text("k3d", "what is this", ErrorKind::Failed).kind, ErrorKind::Failed);
    }

    #[test]
    fn a_status_of_docker_has_its_meaning() {
        let error = |status_code| Error::DockerResponseServerError { status_code, message: "text".to_owned() };
        let kind = |status| reading("docker")(error(status)).kind;
        assert_eq!(kind(404), ErrorKind::Gone);
        assert!(matches!(kind(409), ErrorKind::Conflict { .. }));
        assert_eq!(kind(400), ErrorKind::Invalid { field: None });
        assert_eq!(kind(429), ErrorKind::Throttled { after: None });
        assert_eq!(kind(503), ErrorKind::Transient);
        assert_eq!(kind(500), ErrorKind::Failed);
        assert_eq!(kind(418), ErrorKind::Bug);
    }

    #[test]
    fn an_answer_that_did_not_come_is_doubtful_only_for_what_changes_something() {
        let kind = |verb| mutating(verb, "docker")(Error::RequestTimeoutError).kind;
        assert_eq!(kind(OperationVerb::Observe), ErrorKind::Transient);
        assert_eq!(kind(OperationVerb::Create), ErrorKind::Ambiguous);
    }

    #[test]
    fn a_docker_that_does_not_run_is_not_asked_again() {
        let error = reading("docker")(Error::SocketNotFoundError("/var/run/docker.sock".to_owned()));
        assert_eq!((error.kind, error.hint.as_deref()), (ErrorKind::Failed, Some(DOCKER_HINT)));
    }
}
