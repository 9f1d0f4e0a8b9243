//! What Helm complains of, by one table. Helm has no codes, only texts.

use howso_infra_core::spec::Release;
use howso_infra_core::{ErrorKind, ProviderError};

const LICENSE_HINT: &str = "the registry knows its customers by their licence: set platform.license_file, or HOWSO_LICENSE_EMAIL and \
                            HOWSO_LICENSE_ID, or log in with `helm registry login`";

/// What a text of Helm means: the words by which it is known, the kind, and what to do.
type Row = (&'static [&'static str], fn(Release) -> ErrorKind, &'static str);

/// The first row of which all words are found counts. The texts are those of Helm 3 and of the libraries that it passes on.
const ROWS: &[Row] = &[
    (
        &["another operation (install/upgrade/rollback) is in progress"],
        |_| ErrorKind::Busy { by: "helm".to_owned() },
        "wait for it; if nothing is at work any more, run the command again",
    ),
    (
        &["invalid ownership metadata"],
        |_| ErrorKind::Conflict { owner: String::new() },
        "something of the same name is there already: remove it if it is yours",
    ),
    (
        &["forbidden", "cannot"],
        |_| ErrorKind::Permission { action: "what the chart makes".to_owned() },
        "ask an administrator of the cluster",
    ),
    (&["Kubernetes cluster unreachable"], |_| ErrorKind::Transient, "check the network, and `howso-infra doctor`"),
    (&["response status code 401"], |_| ErrorKind::Auth, LICENSE_HINT),
    (&["response status code 403"], |_| ErrorKind::Auth, LICENSE_HINT),
    (&["401 Unauthorized"], |_| ErrorKind::Auth, LICENSE_HINT),
    (&["denied:"], |_| ErrorKind::Auth, LICENSE_HINT),
    (&["unauthorized"], |_| ErrorKind::Auth, LICENSE_HINT),
    (&["don't meet the specifications of the schema"], values, "correct the file of platform.values"),
    (&["no such host"], |_| ErrorKind::Transient, "check platform.charts, and the network"),
    (&["dial tcp"], |_| ErrorKind::Transient, "check platform.charts, and the network"),
    (
        &["version", "not found"],
        versions,
        "leave platform.versions out for the newest, or name one that `helm search` or the registry lists",
    ),
    (&["could not locate a version"], versions, "leave platform.versions out for the newest"),
    (&["Unable to locate any tags"], charts, "check platform.charts"),
    (&[": not found"], versions, "check platform.charts and platform.versions"),
    (&["Chart.yaml file is missing"], charts, "each chart has a directory of its own name in that of platform.charts"),
    (&["path", "not found"], charts, "each chart has a directory of its own name in that of platform.charts"),
    (
        &["timed out waiting for the condition"],
        |_| ErrorKind::Deadline,
        "see `howso-infra platform status`, then run the command again",
    ),
    (
        &["context deadline exceeded"],
        |_| ErrorKind::Deadline,
        "see `howso-infra platform status`, then run the command again",
    ),
];

fn invalid(key: &str) -> ErrorKind {
    ErrorKind::Invalid { field: Some(format!("platform.{key}")) }
}

fn values(release: Release) -> ErrorKind {
    invalid(&format!("values.{}", release.as_str()))
}

fn versions(release: Release) -> ErrorKind {
    invalid(&format!("versions.{}", release.as_str()))
}

fn charts(_: Release) -> ErrorKind {
    invalid("charts")
}

/// The error that a failed call was about.
pub(super) fn failed(call: &str, release: Release, output: &str) -> ProviderError {
    let complaint = complaint(output);
    let row = ROWS.iter().find(|(words, _, _)| words.iter().all(|word| complaint.contains(word)));
    match row {
        Some((_, kind, hint)) => ProviderError::new(kind(release), call, complaint).with_hint(*hint),
        None => ProviderError::new(ErrorKind::Failed, call, complaint)
            .with_hint("see `howso-infra platform status`; the same command goes on"),
    }
}

/// From the line with `Error:` to the end; all of it when there is none.
fn complaint(output: &str) -> String {
    let output = output.trim();
    let text = match output.find("Error: ") {
        Some(begin) => &output[begin + "Error: ".len()..],
        None => output,
    };
    if text.is_empty() { "it ended without a word".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts as Helm 3.22 printed them, and what the rest of the program makes of them.
    #[test]
    fn texts_of_helm_are_understood() {
        let kind = |output: &str| failed("helm upgrade", Release::Nats, output).kind;
        let versions = ErrorKind::Invalid { field: Some("platform.versions.nats".to_owned()) };
        let rows: [(&str, ErrorKind); 7] = [
            (
                "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
                ErrorKind::Busy { by: "helm".to_owned() },
            ),
            ("Error: chart \"nats\" version \"9.9.9\" not found in https://a.example repository", versions.clone()),
            ("Error: oci://a.example/nats:9.9.9: not found", versions),
            ("Error: path \"charts/nats\" not found", ErrorKind::Invalid { field: Some("platform.charts".to_owned()) }),
            (
                "Error: failed to authorize: failed to fetch anonymous token: response status code 401: unauthorized",
                ErrorKind::Auth,
            ),
            (
                "Error: release platform-nats failed, and has been uninstalled due to atomic being set: context deadline exceeded",
                ErrorKind::Deadline,
            ),
            ("Error: something new", ErrorKind::Failed),
        ];
        for (output, expected) in rows {
            assert_eq!(kind(output), expected, "{output}");
        }
        assert_eq!(failed("helm", Release::Nats, "").message, "it ended without a word");
        assert_eq!(failed("helm", Release::Nats, "WARNING: x\nError: this\nand that").message, "this\nand that");
    }
}
