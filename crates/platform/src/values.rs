//! Values of the charts that the platform is made of, as its performance guide tunes them, with a word on why for each.
//!
//! Source: the manifests under `performance` and `helm-openshift` of howsoai/platform-installation-examples, May 2025.

use howso_infra_core::sizing::ContainerUsers;
use howso_infra_core::sizing::services::{AUTOSCALED, autoscaled_replicas};
use howso_infra_core::spec::CORE_LABEL;
use minijinja::{Environment, UndefinedBehavior, context};

/// A release of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// Messages.
    Nats,
    /// Large messages and answers.
    Redis,
    /// Users and projects.
    Postgres,
    /// Objects.
    Minio,
    /// The platform itself.
    Platform,
}

impl Release {
    /// All of them, in the order in which they are installed.
    pub const ALL: [Self; 5] = [Self::Nats, Self::Redis, Self::Postgres, Self::Minio, Self::Platform];

    /// What people call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
            Self::Minio => "minio",
            Self::Platform => "platform",
        }
    }

    /// The name of the Helm release, by which the platform finds it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nats => "platform-nats",
            Self::Redis => "platform-redis",
            Self::Postgres => "platform-postgres",
            Self::Minio => "platform-minio",
            Self::Platform => "howso-platform",
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::Nats => include_str!("values/nats.yaml"),
            Self::Redis => include_str!("values/redis.yaml"),
            Self::Postgres => include_str!("values/postgres.yaml"),
            Self::Minio => include_str!("values/minio.yaml"),
            Self::Platform => include_str!("values/platform.yaml"),
        }
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
    pub storage_class: Option<String>,
    /// The parent domain under which the platform is reached; [`None`] to leave it to the chart.
    pub domain: Option<String>,
}

/// The values of a release, as YAML.
pub fn values(release: Release, surroundings: &Surroundings) -> String {
    let Surroundings { container_users, core_nodes, storage_class, domain } = surroundings;
    let (replicas_min, replicas_max) = autoscaled_replicas(*core_nodes);
    let context = context! {
        release => release.name(),
        openshift => *container_users == ContainerUsers::Platform,
        core_label => CORE_LABEL.0,
        core_value => CORE_LABEL.1,
        storage_class => storage_class.as_deref(),
        domain => domain.as_deref(),
        autoscaled => AUTOSCALED,
        replicas_min,
        replicas_max,
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let rendered = environment.render_str(release.template(), context);
    // The templates are a part of this program, and a test renders each in all surroundings.
    let rendered = rendered.expect("the template names nothing that is not there");
    // The engine takes the end of the last line for a part of the template's file, and not of its text.
    rendered + "\n"
}

#[cfg(test)]
mod tests;
