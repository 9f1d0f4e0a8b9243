//! What Helm is given in files for as long as it works, for the owner alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use camino::{Utf8Path, Utf8PathBuf};
use howso_infra_core::inside::PLATFORM_NAMESPACE;
use howso_infra_core::spec::ChartSource;
use howso_infra_platform::helm::Helm;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Platform;
use crate::{Error, kubeconfig};

/// What a registry of charts knows its customers by.
pub struct License {
    /// The address that the licence was given to.
    pub email: String,
    /// The licence.
    pub id: SecretString,
}

/// Helm with the files that it needs, which are gone when this is dropped. After a crash they stay until the next run; they hold no
/// more than the user's own kubeconfig and login do.
pub(super) struct HelmWithFiles {
    pub(super) helm: Helm,
}

impl Drop for HelmWithFiles {
    fn drop(&mut self) {
        for path in [Some(&self.helm.kubeconfig), self.helm.registry_config.as_ref()].into_iter().flatten() {
            // One that stays is replaced by the next run.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Platform<'_> {
    /// Helm, with access to the cluster and to the registry of the charts.
    pub(super) async fn helm(&self) -> Result<HelmWithFiles, Error> {
        let access = self.session.access().await?.ok_or(Error::NoClusterForPlatform)?;
        let directory = self.helm_directory();
        let mut helm = HelmWithFiles { helm: self.helm_without_files() };
        write(&helm.helm.kubeconfig, &kubeconfig::render(&access))?;
        if let (Some(license), ChartSource::Registry(url)) = (&self.given.license, &self.session.spec.platform.charts) {
            let path = directory.join("registry.json");
            write(&path, &login(license, url))?;
            helm.helm.registry_config = Some(path);
        }
        Ok(helm)
    }

    /// Helm, as far as it can be asked whether it is at work.
    pub(super) fn helm_without_files(&self) -> Helm {
        let output = self.helm_directory();
        let kubeconfig = output.join("kubeconfig.yaml");
        Helm { output, kubeconfig, registry_config: None, namespace: PLATFORM_NAMESPACE }
    }

    fn helm_directory(&self) -> Utf8PathBuf {
        let spec = &self.session.spec;
        let name = format!("{}-{}-{}", spec.provider, spec.location, spec.name);
        self.session.surroundings.state_dir.join("helm").join(name)
    }
}

fn write(path: &Utf8Path, text: &str) -> Result<(), Error> {
    kubeconfig::write(path, text).map_err(|source| Error::HelmFile { path: path.to_owned(), source })
}

/// A login as Docker keeps it, which Helm reads: `{"auths": {host: {"auth": base64(user:password)}}}`.
fn login(license: &License, registry: &str) -> String {
    let host = registry.trim_start_matches("oci://").split('/').next().unwrap_or_default();
    let auth = STANDARD.encode(format!("{}:{}", license.email, license.id.expose_secret()));
    json!({ "auths": { host: { "auth": auth } } }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_for_the_host_of_the_registry_alone() {
        let license = License { email: "me@a.example".to_owned(), id: SecretString::from("secret") };
        let login: serde_json::Value = serde_json::from_str(&login(&license, "oci://a.example:5000/b/c")).unwrap();
        assert_eq!(login, json!({ "auths": { "a.example:5000": { "auth": "bWVAYS5leGFtcGxlOnNlY3JldA==" } } }));
    }
}
