//! How to reach the Kubernetes API.

use howso_infra_core::provider::{Access, ExecCredential, KubeconfigUser};
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
        user: KubeconfigUser::Exec(ExecCredential {
            command: "aws".to_owned(),
            arguments: arguments.map(str::to_owned).to_vec(),
            environment: profile.into_iter().chain([regional]).collect(),
            install_hint: INSTALL_HINT.to_owned(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use howso_infra_core::{Attributes, DeploymentId, Observed, Ownership};

    use super::*;
    use crate::options::tests::specification;

    fn observation(status: Status, outputs: &[(&str, &str)]) -> Observation {
        let mut observation = Observation::default();
        let outputs = outputs.iter().map(|(name, value)| ((*name).to_owned(), Value::text(*value)));
        let deployment = DeploymentId::from_bytes([1; 16]);
        let cluster = Observed {
            physical_id: "arn".to_owned(),
            ownership: Ownership::Ours { deployment, generation: None },
            status,
            attributes: Attributes::new(),
            outputs: outputs.collect(),
        };
        observation.insert(cluster_id(), cluster);
        observation
    }

    const READY: [(&str, &str); 2] = [("endpoint", "https://e"), ("certificate_authority", "")];

    #[test]
    fn access_asks_the_aws_command_line_for_a_token_with_the_same_profile() {
        let spec = specification("small", "").unwrap();
        let access = access(&spec, Some("team"), &observation(Status::Ready, &READY)).unwrap();
        assert_eq!(access.context, "demo@us-east-1.eks");
        let KubeconfigUser::Exec(exec) = access.user else { panic!("{access:?}") };
        assert_eq!(exec.arguments.join(" "), "eks get-token --output json --cluster-name demo --region us-east-1");
        assert!(exec.environment.contains(&("AWS_PROFILE".to_owned(), "team".to_owned())));
    }

    #[test]
    fn there_is_no_access_before_the_address_is_known_or_after_the_end() {
        let spec = specification("small", "").unwrap();
        let pending = Status::Pending { state: "CREATING".to_owned() };
        assert!(access(&spec, None, &observation(pending, &[])).is_none());
        assert!(access(&spec, None, &observation(Status::Deleting, &READY)).is_none());
        assert!(access(&spec, None, &Observation::default()).is_none());
    }
}
