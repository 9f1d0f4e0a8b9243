//! Checks, by reads alone, whether a plan can succeed, and reports everything it finds at once.

use howso_infra_core::plan::{Action, Direction};
use howso_infra_core::provider::Facts;
use howso_infra_core::spec::ClusterSpec;
use howso_infra_core::{ErrorKind, Finding, Plan, Severity};

use crate::facts::K3dFacts;
use crate::kinds::CLUSTER;
use crate::options::K3dOptions;
use crate::program::{INSTALL_HINT, OLDEST, Program};
use crate::survey::is_free;

/// Checks what the plan needs. A plan without steps needs nothing.
pub(crate) async fn preflight(
    program: &Program,
    spec: &ClusterSpec,
    options: &K3dOptions,
    facts: &Facts,
    plan: &Plan,
) -> Vec<Finding> {
    if plan.steps.is_empty() {
        return Vec::new();
    }
    let mut findings = vec![installed(program).await];
    let makes_cluster =
        plan.steps.iter().any(|step| step.resource.kind() == CLUSTER && matches!(step.action, Action::Create { .. }));
    let replaces_cluster =
        plan.steps.iter().any(|step| step.resource.kind() == CLUSTER && matches!(step.action, Action::Delete { .. }));
    // The ports of a cluster that goes first are its own.
    if plan.direction == Direction::Up && makes_cluster && !replaces_cluster {
        findings.extend(ports(options).await);
    }
    if plan.direction == Direction::Up && plan.steps.iter().any(|step| gives_images(&step.action)) {
        let missing = K3dFacts::from_facts(facts).map(|facts| facts.images_missing).unwrap_or_default();
        findings.extend(missing.iter().map(|name| image_missing(name)));
    }
    if spec.deletion_protection.is_on() && makes_cluster {
        findings.push(Finding {
            severity: Severity::Note,
            subject: "deletion protection".to_owned(),
            message: "Docker has none: whoever may use Docker may remove the cluster".to_owned(),
            cure: None,
            kind: None,
        });
    }
    findings
}

/// Whether a node gets images by it.
fn gives_images(action: &Action) -> bool {
    match action {
        Action::Update { changes, .. } => changes.iter().any(|change| change.field == "images"),
        Action::Create { .. } | Action::Delete { .. } | Action::AwaitReady { .. } | Action::AwaitGone { .. } => false,
    }
}

fn image_missing(name: &str) -> Finding {
    Finding {
        severity: Severity::Blocking,
        message: "Docker does not have it, so no node can be given it".to_owned(),
        cure: Some(format!("`docker pull {name}` or build it; or take it out of k3d.images")),
        subject: format!("image: {name}"),
        kind: Some(ErrorKind::Invalid { field: Some("k3d.images".to_owned()) }),
    }
}

/// Whether k3d is here and new enough.
async fn installed(program: &Program) -> Finding {
    let subject = "program: k3d".to_owned();
    let blocking = |message: String, cure: Option<String>| Finding {
        severity: Severity::Blocking,
        subject: "program: k3d".to_owned(),
        message,
        cure,
        kind: Some(ErrorKind::Failed),
    };
    match program.version().await {
        Ok(version) if version < OLDEST => {
            blocking(format!("release {version} is too old"), Some(INSTALL_HINT.to_owned()))
        }
        Ok(version) => {
            let message = format!("release {version}");
            Finding { severity: Severity::Good, subject, message, cure: None, kind: None }
        }
        Err(error) => blocking(error.message, error.hint),
    }
}

/// Whether the ports that somebody chose are free. Those that this program chooses are.
async fn ports(options: &K3dOptions) -> Vec<Finding> {
    let registry_port = options.registry_port.filter(|_| options.registry);
    let chosen =
        [("http_port", options.http_port), ("https_port", options.https_port), ("registry_port", registry_port)];
    let mut findings = Vec::new();
    for (name, port) in chosen {
        let Some(port) = port else { continue };
        if !is_free(options.listen, port).await {
            findings.push(Finding {
                severity: Severity::Blocking,
                subject: format!("port: {port}"),
                message: format!("something already listens at {}", std::net::SocketAddr::new(options.listen, port)),
                cure: Some(format!("stop it, choose another k3d.{name}, or leave it out to get one that is free")),
                kind: Some(ErrorKind::Conflict { owner: "whatever listens there".to_owned() }),
            });
        }
    }
    findings
}
