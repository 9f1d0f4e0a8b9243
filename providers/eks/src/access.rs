//! How to reach the Kubernetes API.

use howso_infra_core::provider::{Access, ExecCredential};
use howso_infra_core::spec::ClusterSpec;
use howso_infra_core::{Observation, Status, Value};

use crate::control_plane::cluster_id;

/// What to do when the AWS command line is missing.
const INSTALL_HINT: &str =
    "install the AWS command line: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html";

/// Tells how to reach the cluster; [`None`] before its control plane is usable.
///
/// `profile` is the AWS profile in use, which the program that prints tokens must use too.
pub(crate) fn access(spec: &ClusterSpec, profile: Option<&str>, observation: &Observation) -> Option<Access> {
    let cluster = observation.one(&cluster_id())?;
    if matches!(cluster.status, Status::Deleting | Status::Failed { .. }) {
        return None;
    }
    let output = |name: &str| cluster.outputs.get(name).and_then(Value::as_text).map(str::to_owned);
    let (name, region) = (spec.name.as_str(), spec.location.as_str());
    let arguments = ["eks", "get-token", "--output", "json", "--cluster-name", name, "--region", region];
    let profile = profile.map(|profile| ("AWS_PROFILE".to_owned(), profile.to_owned()));
    // Tokens of the global endpoint are not accepted everywhere.
    let regional = ("AWS_STS_REGIONAL_ENDPOINTS".to_owned(), "regional".to_owned());
    Some(Access {
        server: output("endpoint")?,
        certificate_authority: output("certificate_authority")?,
        context: format!("{name}@{region}.eks"),
        exec: ExecCredential {
            command: "aws".to_owned(),
            arguments: arguments.map(str::to_owned).to_vec(),
            environment: profile.into_iter().chain([regional]).collect(),
            install_hint: INSTALL_HINT.to_owned(),
        },
    })
}
