//! Kubeconfig files: one of our own, or our entries in one of the user's.
//!
//! What a kubeconfig may hold: <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>. No credential of a cloud is
//! ever written, only the program that gets one; a cluster on this machine has a certificate and nothing else. Every entry of ours carries an extension that says so, as those of minikube
//! do, so that an entry of somebody else is never mistaken for ours.

mod file;
mod merge;
mod text;

use howso_infra_core::provider::{Access, KubeconfigUser};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

pub use file::write;
pub use merge::{MergeError, merge, unmerge};

/// The name of the extension that marks our entries.
const MARK: &str = "howso-infra";

/// The lists of a kubeconfig, with the field of each entry that holds its content.
const SECTIONS: [(&str, &str); 3] = [("clusters", "cluster"), ("contexts", "context"), ("users", "user")];

/// Writes a kubeconfig that holds nothing but this access.
pub fn render(access: &Access) -> String {
    let mut document = json!({ "apiVersion": "v1", "kind": "Config" });
    for ((section, field), content) in SECTIONS.into_iter().zip(contents(access)) {
        document[section] = json!([entry(access, field, content)]);
    }
    document["current-context"] = json!(access.context);
    text::to_yaml(&document)
}

/// Whether a kubeconfig holds nothing but entries of ours.
pub fn is_ours(text: &str) -> bool {
    let Ok(document) = serde_saphyr::from_str::<Value>(text) else { return false };
    let has_mark = |content: &Value| {
        let extensions = content["extensions"].as_array();
        extensions.is_some_and(|extensions| extensions.iter().any(|extension| extension["name"] == MARK))
    };
    SECTIONS.into_iter().all(|(section, field)| {
        let entries = document[section].as_array();
        entries.is_some_and(|entries| !entries.is_empty() && entries.iter().all(|entry| has_mark(&entry[field])))
    })
}

/// One entry of a list, marked as ours.
fn entry(access: &Access, field: &str, mut content: Value) -> Value {
    content["extensions"] = json!([{ "name": MARK, "extension": { "provider": MARK } }]);
    json!({ "name": access.context, field: content })
}

/// The contents of our entries, in the order of [`SECTIONS`].
fn contents(access: &Access) -> [Value; 3] {
    let cluster = json!({ "server": access.server, "certificate-authority-data": access.certificate_authority });
    let context = json!({ "cluster": access.context, "user": access.context });
    [cluster, context, user(&access.user)]
}

fn user(user: &KubeconfigUser) -> Value {
    let exec = match user {
        KubeconfigUser::Exec(exec) => exec,
        KubeconfigUser::ClientCertificate { certificate, key } => {
            return json!({ "client-certificate-data": certificate, "client-key-data": key.expose_secret() });
        }
    };
    let environment: Vec<Value> =
        exec.environment.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({ "exec": {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": exec.command,
        "args": exec.arguments,
        "env": environment,
        "installHint": exec.install_hint,
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": false,
    } })
}

#[cfg(test)]
mod tests {
    use howso_infra_core::provider::ExecCredential;

    use super::*;

    pub(super) fn access() -> Access {
        Access {
            server: "https://0123.gr7.us-east-1.eks.amazonaws.com".to_owned(),
            certificate_authority: "LS0tLS1CRUdJTg==".to_owned(),
            context: "demo@us-east-1.eks".to_owned(),
            user: KubeconfigUser::Exec(ExecCredential {
                command: "aws".to_owned(),
                arguments: ["eks", "get-token", "--cluster-name", "demo"].map(str::to_owned).to_vec(),
                environment: vec![("AWS_PROFILE".to_owned(), "on".to_owned())],
                install_hint: "install the AWS CLI:\nhttps://aws.amazon.com/cli/".to_owned(),
            }),
        }
    }

    #[test]
    fn a_kubeconfig_holds_the_access_and_reads_back_as_written() {
        let text = render(&access());
        let document: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(document["current-context"], "demo@us-east-1.eks");
        assert_eq!(document["clusters"][0]["cluster"]["server"], "https://0123.gr7.us-east-1.eks.amazonaws.com");
        assert_eq!(document["clusters"][0]["cluster"]["certificate-authority-data"], "LS0tLS1CRUdJTg==");
        let exec = &document["users"][0]["user"]["exec"];
        assert_eq!(exec["args"], json!(["eks", "get-token", "--cluster-name", "demo"]));
        assert_eq!(exec["env"], json!([{ "name": "AWS_PROFILE", "value": "on" }]));
        assert_eq!(exec["installHint"], "install the AWS CLI:\nhttps://aws.amazon.com/cli/");
        for (section, field) in SECTIONS {
            assert_eq!(document[section][0]["name"], "demo@us-east-1.eks", "{section}");
            assert_eq!(document[section][0][field]["extensions"][0]["name"], MARK, "{section}");
        }
    }

    #[test]
    fn a_file_is_ours_only_when_every_entry_is() {
        let ours = render(&access());
        assert!(is_ours(&ours));
        assert!(!is_ours(&ours.replacen(MARK, "minikube", 1)));
        for other in ["", "a: [", "{}", "clusters: []\ncontexts: []\nusers: []\n"] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn a_cluster_on_this_machine_is_reached_with_its_certificate() {
        let (certificate, key) = ("Y2VydA==".to_owned(), "a2V5".to_owned().into());
        let access = Access { user: KubeconfigUser::ClientCertificate { certificate, key }, ..access() };
        let document: Value = serde_saphyr::from_str(&render(&access)).unwrap();
        assert_eq!(document["users"][0]["user"]["client-certificate-data"], "Y2VydA==");
        assert_eq!(document["users"][0]["user"]["client-key-data"], "a2V5");
        assert!(!format!("{access:?}").contains("a2V5"), "the key is shown");
    }

    /// Readers of YAML 1.1, as in Kubernetes clients, take a bare `on` for a truth value.
    #[test]
    fn texts_that_older_readers_misread_are_quoted() {
        assert!(render(&access()).lines().any(|line| matches!(line.trim(), "value: \"on\"" | "value: 'on'")));
    }
}
