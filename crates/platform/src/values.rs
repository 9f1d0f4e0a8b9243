//! Values of the charts that the platform is made of, as its performance guide tunes them, with a word on why for each.
//!
//! Source: the manifests under `performance` and `helm-openshift` of howsoai/platform-installation-examples, May 2025.

use howso_infra_core::sizing::services::{AUTOSCALED, autoscaled_replicas};
use howso_infra_core::sizing::{ContainerUsers, Platform};
use howso_infra_core::spec::{CORE_LABEL, ClusterSpec, DnsName, ObjectStore, Release};
use minijinja::{Environment, UndefinedBehavior, context};

/// The secret with the keys of a bucket.
pub const OBJECT_STORE_SECRET: &str = "platform-object-store";

/// What that secret has: the access key and the secret key.
pub const OBJECT_STORE_KEYS: [&str; 2] = ["accessKey", "secretKey"];

/// The template of a release's values.
fn template(release: Release) -> &'static str {
    match release {
        Release::Nats => include_str!("values/nats.yaml"),
        Release::Redis => include_str!("values/redis.yaml"),
        Release::Postgres => include_str!("values/postgres.yaml"),
        Release::Minio => include_str!("values/minio.yaml"),
        Release::Platform => include_str!("values/platform.yaml"),
    }
}

/// What the values depend on.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Who chooses the users that containers run as.
    pub container_users: ContainerUsers,
    /// How many core nodes there are.
    pub core_nodes: u32,
    /// The storage class of the volumes; [`None`] for the cluster's default.
    pub storage_class: Option<DnsName>,
    /// The parent domain under which the platform is reached; [`None`] to leave it to the chart.
    pub domain: Option<DnsName>,
    /// A bucket in place of `MinIO`.
    pub object_store: Option<ObjectStore>,
    /// The secret with which nodes fetch images; [`None`] where no registry asks for one.
    pub image_pull_secret: Option<DnsName>,
}

impl Surroundings {
    /// What the values of this cluster depend on.
    pub fn of(spec: &ClusterSpec) -> Self {
        let platform = Platform::named(spec.provider.as_str());
        Self {
            container_users: platform.map_or(ContainerUsers::Manifest, |platform| platform.container_users),
            core_nodes: spec.core.nodes,
            storage_class: spec.platform.storage_class.clone(),
            domain: spec.platform.domain.clone(),
            object_store: spec.platform.object_store.clone(),
            image_pull_secret: spec.image_pull_secret.clone(),
        }
    }
}

/// The values of a release, as YAML.
pub fn values(release: Release, surroundings: &Surroundings) -> String {
    let Surroundings { container_users, core_nodes, storage_class, domain, object_store, image_pull_secret } =
        surroundings;
    let (replicas_min, replicas_max) = autoscaled_replicas(*core_nodes);
    let context = context! {
        release => release.name(),
        openshift => *container_users == ContainerUsers::Platform,
        core_label => CORE_LABEL.0,
        core_value => CORE_LABEL.1,
        storage_class => storage_class.as_ref().map(DnsName::as_str),
        domain => domain.as_ref().map(DnsName::as_str),
        object_store => object_store.as_ref().map(|store| context! {
            scheme => store.endpoint.scheme.as_str(),
            endpoint => store.endpoint.authority.as_str(),
            bucket => store.bucket.as_str(),
            region => store.region.as_ref().map(DnsName::as_str),
            secret => OBJECT_STORE_SECRET,
            access_key => OBJECT_STORE_KEYS[0],
            secret_key => OBJECT_STORE_KEYS[1],
        }),
        image_pull_secret => image_pull_secret.as_ref().map(DnsName::as_str),
        autoscaled => AUTOSCALED,
        replicas_min,
        replicas_max,
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let rendered = environment.render_str(template(release), context);
    // The templates are a part of this program, and a test renders each in all surroundings.
    let rendered = rendered.expect("the template names nothing that is not there");
    // The engine takes the end of the last line for a part of the template's file, and not of its text.
    rendered + "\n"
}

#[cfg(test)]
mod tests;
