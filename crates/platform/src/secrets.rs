//! The secrets that must be there before the charts.

use howso_infra_core::inside::{PLATFORM_NAMESPACE, SYSTEM_NAMESPACE, SecretName};
use howso_infra_core::spec::ClusterSpec;

use crate::values::{OBJECT_STORE_KEYS, OBJECT_STORE_SECRET};

/// A secret that is there before the charts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedSecret {
    /// Its name, which the values name.
    pub name: SecretName,
    /// Its keys.
    pub keys: &'static [&'static str],
    /// What its keys hold.
    pub content: SecretContent,
}

/// The key under which Kubernetes looks for the logins of registries.
const IMAGE_PULL_KEY: &str = ".dockerconfigjson";

/// What a secret holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretContent {
    /// Passwords, each drawn at random.
    Passwords,
    /// The keys of a bucket, which somebody gives.
    BucketKeys,
    /// The logins of registries of images, which somebody gives.
    ImagePull,
}

/// The secret of `MinIO`.
const MINIO_SECRET: &str = "platform-minio";

/// Every secret that this program may make for a cluster, by the names and keys that the charts look for
/// (howsoai/platform-installation-examples, `helm-basic/README.md`), and Kubernetes.
pub fn every_secret(spec: &ClusterSpec) -> Vec<WantedSecret> {
    let in_platform = |name: &str, keys, content| WantedSecret {
        name: SecretName { namespace: PLATFORM_NAMESPACE, name: name.to_owned() },
        keys,
        content,
    };
    let mut secrets = vec![
        in_platform(MINIO_SECRET, &["rootUser", "rootPassword"], SecretContent::Passwords),
        in_platform("platform-postgres-postgresql", &["postgres-password"], SecretContent::Passwords),
        in_platform("platform-redis", &["redis-password"], SecretContent::Passwords),
        in_platform(OBJECT_STORE_SECRET, &OBJECT_STORE_KEYS, SecretContent::BucketKeys),
    ];
    if let Some(name) = &spec.image_pull_secret {
        // The worker image is fetched by a pod of Kubernetes' own namespace, and a secret is for its own alone.
        let loader = spec.worker_image.is_some().then_some(SYSTEM_NAMESPACE);
        secrets.extend([PLATFORM_NAMESPACE].into_iter().chain(loader).map(|namespace| WantedSecret {
            name: SecretName { namespace, name: name.to_string() },
            keys: &[IMAGE_PULL_KEY],
            content: SecretContent::ImagePull,
        }));
    }
    secrets
}

/// The secrets that the platform of this cluster wants.
pub fn wanted_secrets(spec: &ClusterSpec) -> Vec<WantedSecret> {
    let has_store = spec.platform.object_store.is_some();
    let mut secrets = every_secret(spec);
    secrets.retain(|secret| match secret.content {
        SecretContent::BucketKeys => has_store,
        SecretContent::Passwords => secret.name.name != MINIO_SECRET || !has_store,
        SecretContent::ImagePull => true,
    });
    secrets
}

#[cfg(test)]
mod tests {
    use howso_infra_core::spec::{Layers, embedded_profile, resolve};

    use super::*;

    fn names(more: &str) -> Vec<String> {
        let file = format!("name = \"demo\"\nprovider = \"eks\"\nregion = \"us-east-1\"\n{more}");
        let layers = Layers::new().profile("small", None, embedded_profile("small").unwrap()).unwrap();
        let providers = [("eks".to_owned(), schemars::Schema::from(true).into())].into();
        let resolved = resolve(&layers.file("demo.toml".into(), &file).unwrap(), &providers);
        let spec = resolved.unwrap_or_else(|errors| panic!("{errors}")).spec;
        wanted_secrets(&spec).into_iter().map(|secret| secret.name.to_string()).collect()
    }

    #[test]
    fn with_a_bucket_there_is_none_of_minio() {
        assert_eq!(names(""), ["platform-minio", "platform-postgres-postgresql", "platform-redis"]);
        let store = "[platform.object_store]\nendpoint = \"https://a.example\"\nbucket = \"data\"\n";
        assert_eq!(names(store), ["platform-postgres-postgresql", "platform-redis", "platform-object-store"]);
    }

    #[test]
    fn images_are_fetched_wherever_a_pod_of_one_is() {
        assert_eq!(names("image_pull_secret = \"registry\"\n")[3..], ["registry"]);
        let loader = "image_pull_secret = \"registry\"\nworker_image = \"a.example/worker:1\"\n";
        assert_eq!(names(loader)[3..], ["registry", "kube-system/registry"]);
    }
}
