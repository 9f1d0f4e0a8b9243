//! Why a command could not be carried out.

use camino::Utf8PathBuf;
use howso_infra_core::inside::PLATFORM_NAMESPACE;
use howso_infra_core::spec::SpecErrors;
use howso_infra_core::{DeploymentId, ErrorKind, GraphError, ProviderError};
use howso_infra_engine::JournalError;
use howso_infra_platform::secrets::SecretContent;

/// Why a command could not be carried out. What failed while a plan ran is in [`crate::Finished`] instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The specification is wrong, seen by itself or in the light of what the cloud offers.
    #[error(transparent)]
    Spec(#[from] SpecErrors),
    /// No such provider was compiled in.
    #[error("provider `{name}` is not known")]
    UnknownProvider {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// The cloud could not be read.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The journal cannot be used; also when another run holds it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// More than one deployment carries the cluster's name, and no journal tells which one is meant.
    #[error("{} deployments carry the name of this cluster: {}", deployments.len(), list(deployments))]
    SeveralDeployments {
        /// Their ids.
        deployments: Vec<DeploymentId>,
    },
    /// A saved plan does not fit what is wanted or what is there any more.
    #[error("the saved plan is outdated: {what} changed since it was made")]
    PlanOutdated {
        /// What changed.
        what: &'static str,
    },
    /// Nothing of the cluster exists, so there is nothing to adopt.
    #[error("nothing carries the tags of a cluster named `{cluster}`")]
    NothingToAdopt {
        /// The cluster.
        cluster: String,
    },
    /// The platform's own autoscaler decides how many nodes there are.
    #[error("the nodes of {provider} are scaled by the cluster itself")]
    ScaledByPlatform {
        /// The platform.
        provider: String,
    },
    /// The cluster differs from its specification in more than the number of workers, so it is not scaled.
    #[error("the cluster is not as its specification wants it, so it is not scaled: {} would change", resources.join(", "))]
    NotAsWanted {
        /// What would change.
        resources: Vec<String>,
    },
    /// The cluster is not there yet or is somebody else's, or nothing is known of what is inside.
    #[error("there is no cluster of ours for the platform")]
    NoClusterForPlatform,
    /// A file that says how the platform is installed cannot be read.
    #[error("{}", .0)]
    PlatformFile(#[source] howso_infra_platform::releases::Unreadable),
    /// Somebody else installed releases under these names.
    #[error("{} in the namespace {PLATFORM_NAMESPACE} was installed by somebody else", releases.join(", "))]
    ForeignReleases {
        /// Their names.
        releases: Vec<&'static str>,
    },
    /// Helm is at work on another machine, with which this one shares no lease.
    #[error("helm is at work on {release}, and was not started on this machine")]
    HelmElsewhere {
        /// The release.
        release: &'static str,
    },
    /// A secret that is there lacks what the platform looks for in it.
    #[error("the secret {secret} is there, but it has no {}", keys.join(", "))]
    SecretLacks {
        /// Its name.
        secret: String,
        /// The keys that it lacks.
        keys: Vec<&'static str>,
    },
    /// A secret is not there, and nobody gave what it holds.
    #[error("the secret {secret} is not there, and nobody gave {}", given(*content))]
    SecretNotGiven {
        /// The secret.
        secret: String,
        /// What it would hold.
        content: SecretContent,
    },
    /// Trainees are at work.
    #[error("{} at work, so the platform was not removed: {}", count(trainees), trainees.join(", "))]
    TraineesAtWork {
        /// The names of their pods.
        trainees: Vec<String>,
    },
    /// A file that Helm is given cannot be written.
    #[error("cannot write {path}")]
    HelmFile {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A provider built a graph that is none.
    #[error("the provider's resource graph is broken")]
    Graph(#[from] GraphError),
    /// The bucket of the journal cannot be used.
    #[cfg(feature = "bucket")]
    #[error("the journal at {location} cannot be reached")]
    Bucket {
        /// The place.
        location: String,
        /// Why.
        source: object_store::Error,
    },
    /// What the AWS configuration names as the endpoint of S3 is none. It is not repeated: it may hold a password.
    #[cfg(feature = "bucket")]
    #[error("the endpoint that is configured for the journal at {location} is not a URL")]
    BucketEndpoint {
        /// The place.
        location: String,
    },
    /// The journal lies in a bucket, and this program was built without buckets.
    #[cfg(not(feature = "bucket"))]
    #[error("the journal lies at {location}, and this program was built without the feature `bucket`")]
    BucketNotCompiledIn {
        /// The place.
        location: String,
    },
    /// The operating system has no random numbers.
    #[error("no random number for the deployment id")]
    Random(#[from] getrandom::Error),
}

impl Error {
    /// The kind of the error of the cloud behind it.
    pub fn kind(&self) -> Option<&ErrorKind> {
        if let Self::Provider(error) = self { Some(&error.kind) } else { None }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Provider(error) => error.hint.clone(),
            Self::UnknownProvider { known, .. } => Some(format!("compiled in: {}", known.join(", "))),
            Self::SeveralDeployments { .. } => Some(
                "remove the resources of the deployment that is not wanted, or run where the journal of the wanted one is"
                    .to_owned(),
            ),
            Self::PlanOutdated { .. } => Some("make a new plan".to_owned()),
            Self::NothingToAdopt { .. } => Some("check --name, --region and the credentials' account".to_owned()),
            Self::ScaledByPlatform { .. } => Some("leave it to the cluster; this is for local clusters".to_owned()),
            Self::NotAsWanted { .. } => Some("see `howso-infra plan`, then run `howso-infra up` first".to_owned()),
            Self::NoClusterForPlatform => Some("make the cluster first: howso-infra up".to_owned()),
            Self::PlatformFile(_) => Some("correct platform.charts or platform.values".to_owned()),
            Self::ForeignReleases { .. } => Some(format!(
                "go on with Helm yourself and the values of `howso-infra values`, or remove what is yours: helm uninstall RELEASE --namespace {PLATFORM_NAMESPACE}"
            )),
            Self::HelmElsewhere { .. } => Some(
                "wait for it; what broke off there is put right there at once, and from here 20 minutes after it began".to_owned(),
            ),
            Self::SecretLacks { secret, .. } => Some(format!(
                "add what it lacks, or remove it to have it made: kubectl delete secret {secret} --namespace {PLATFORM_NAMESPACE}"
            )),
            Self::SecretNotGiven { content, .. } => Some(match content {
                SecretContent::ImagePull => "set platform.image_pull_file or HOWSO_IMAGE_PULL_CONFIG, or make the secret".to_owned(),
                SecretContent::BucketKeys | SecretContent::Passwords => {
                    "set HOWSO_OBJECT_STORE_ACCESS_KEY and HOWSO_OBJECT_STORE_SECRET_KEY, or make the secret".to_owned()
                }
            }),
            Self::TraineesAtWork { .. } => Some("let them end, or say --force-workloads".to_owned()),
            Self::HelmFile { .. } => Some("choose another place with --state-dir".to_owned()),
            Self::Journal(error) => error.hint(),
            #[cfg(feature = "bucket")]
            Self::Bucket { .. } => Some("check the bucket's name, AWS_REGION and the credentials".to_owned()),
            #[cfg(feature = "bucket")]
            Self::BucketEndpoint { .. } => Some("correct AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile".to_owned()),
            #[cfg(not(feature = "bucket"))]
            Self::BucketNotCompiledIn { .. } => Some("build with `--features bucket`".to_owned()),
            Self::Spec(_) | Self::Graph(_) | Self::Random(_) => None,
        }
    }
}

fn count(trainees: &[String]) -> String {
    match trainees.len() {
        1 => "1 trainee is".to_owned(),
        several => format!("{several} trainees are"),
    }
}

fn list(deployments: &[DeploymentId]) -> String {
    deployments.iter().map(DeploymentId::as_str).collect::<Vec<_>>().join(", ")
}

/// What a secret would hold.
fn given(content: SecretContent) -> &'static str {
    match content {
        SecretContent::Passwords => "its passwords",
        SecretContent::BucketKeys => "the keys of the bucket",
        SecretContent::ImagePull => "the logins of registries",
    }
}
