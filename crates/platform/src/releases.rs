//! The releases that are wanted, and what has to be done for them.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use howso_infra_core::spec::{ChartSource, ChartVersion, PlatformSpec, Release};
use sha2::{Digest, Sha256};

use crate::values::{Surroundings, values};

/// One release as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedRelease {
    /// Which one.
    pub release: Release,
    /// Where its chart comes from.
    pub source: ChartSource,
    /// The version of its chart; [`None`] for the newest.
    pub version: Option<ChartVersion>,
    /// The tuned values, as YAML.
    pub values: String,
    /// A file with the user's own values, which win.
    pub own_values: Option<Utf8PathBuf>,
    /// Tells this wish from any other: of the chart, its version and all values. 32 hexadecimal digits.
    pub digest: String,
}

/// A file or a directory could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
pub struct Unreadable {
    /// The file or directory.
    pub path: Utf8PathBuf,
    /// Why.
    pub source: io::Error,
}

/// The releases as they are wanted, in the order in which they are installed. Reads the files that the specification names, and the charts
/// when they lie in a directory.
pub fn wanted(spec: &PlatformSpec, surroundings: &Surroundings) -> Result<Vec<WantedRelease>, Unreadable> {
    let build = |release| {
        let values = values(release, surroundings);
        let version = spec.versions.get(&release).cloned();
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            // Each part with its length, so that no two lists of parts have the same digest.
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        };
        add(spec.charts.to_string().as_bytes());
        add(version.as_ref().map_or("", ChartVersion::as_str).as_bytes());
        add(values.as_bytes());
        let own_values = spec.values.get(&release).cloned();
        if let Some(path) = &own_values {
            add(&fs::read(path).map_err(|source| Unreadable { path: path.clone(), source })?);
        }
        if let ChartSource::Directory(place) = &spec.charts {
            let chart = place.join(release.chart());
            // What makes a directory a chart.
            let manifest = chart.join("Chart.yaml");
            fs::metadata(&manifest).map_err(|source| Unreadable { path: manifest, source })?;
            for file in files(&chart)? {
                add(file.strip_prefix(&chart).unwrap_or(&file).as_str().as_bytes());
                add(&fs::read(&file).map_err(|source| Unreadable { path: file, source })?);
            }
        }
        let digest = hex::encode(&digest.finalize()[..16]);
        Ok(WantedRelease { release, source: spec.charts.clone(), version, values, own_values, digest })
    };
    spec.releases().map(build).collect()
}

/// Every file below a directory, in order.
fn files(directory: &Utf8Path) -> Result<Vec<Utf8PathBuf>, Unreadable> {
    let unreadable = |source| Unreadable { path: directory.to_owned(), source };
    let mut found = Vec::new();
    for entry in directory.read_dir_utf8().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_type().map_err(unreadable)?.is_dir() {
            found.extend(files(entry.path())?);
        } else {
            found.push(entry.into_path());
        }
    }
    found.sort();
    Ok(found)
}

/// What is there of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Present {
    /// Nothing.
    Nothing,
    /// Somebody else installed it.
    Foreign,
    /// It runs as this digest wanted it.
    Deployed {
        /// The digest of the wish; [`None`] when somebody has changed it with Helm since.
        digest: Option<String>,
    },
    /// The last change failed and was not taken back.
    Failed,
    /// An installation is under way, or broke off.
    Installing,
    /// A change is under way, or broke off.
    Changing,
    /// A removal is under way, or broke off.
    Removing,
    /// Helm is at work on it on another machine, as far as anybody can tell.
    Elsewhere,
}

/// What is to be done for a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing: it is as wanted.
    Keep,
    /// To install it.
    Install,
    /// To change it.
    Change,
    /// To change it once more, because the last time failed.
    Repair,
    /// To remove what an installation or a removal that broke off left, and to install it.
    InstallAgain,
    /// To take a change back that broke off, and to change it.
    ChangeAgain,
    /// Nothing, because it is not ours.
    Leave,
    /// Nothing, because Helm is at work on it on another machine.
    Await,
}

/// What is to be done so that `present` becomes what `digest` wants.
pub fn decide(present: &Present, digest: &str) -> Action {
    match present {
        Present::Nothing => Action::Install,
        Present::Foreign => Action::Leave,
        Present::Deployed { digest: Some(present) } if present == digest => Action::Keep,
        Present::Deployed { .. } => Action::Change,
        Present::Failed => Action::Repair,
        Present::Installing | Present::Removing => Action::InstallAgain,
        Present::Changing => Action::ChangeAgain,
        Present::Elsewhere => Action::Await,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use howso_infra_core::sizing::ContainerUsers;
    use howso_infra_core::spec::ObjectStore;

    use super::*;

    const CALM: Surroundings = Surroundings {
        container_users: ContainerUsers::Manifest,
        core_nodes: 3,
        storage_class: None,
        domain: None,
        object_store: None,
        image_pull_secret: None,
    };

    fn spec(charts: ChartSource) -> PlatformSpec {
        PlatformSpec {
            charts,
            versions: BTreeMap::default(),
            values: BTreeMap::default(),
            domain: None,
            storage_class: None,
            object_store: None,
            license_file: None,
            image_pull_file: None,
        }
    }

    /// Every input of a release changes its digest, and only its own.
    #[test]
    fn a_digest_follows_every_input_of_its_release() {
        let directory = tempfile::tempdir().unwrap();
        let place = Utf8Path::from_path(directory.path()).unwrap();
        for release in Release::ALL {
            fs::create_dir_all(place.join(release.chart()).join("templates")).unwrap();
            fs::write(place.join(release.chart()).join("Chart.yaml"), "name: x").unwrap();
        }
        let digests = |spec: &PlatformSpec| -> Vec<String> {
            wanted(spec, &CALM).unwrap().into_iter().map(|wanted| wanted.digest).collect()
        };
        let changed = |one: &[String], other: &[String]| -> Vec<Release> {
            let pairs = Release::ALL.into_iter().zip(one.iter().zip(other));
            pairs.filter(|(_, (one, other))| one != other).map(|(release, _)| release).collect()
        };
        let mut spec = spec(ChartSource::Directory(place.to_owned()));
        let first = digests(&spec);
        assert!(first.iter().all(|digest| digest.len() == 32));
        assert_eq!(digests(&spec), first);
        fs::write(place.join("redis/templates/a.yaml"), "kind: X").unwrap();
        let second = digests(&spec);
        assert_eq!(changed(&first, &second), [Release::Redis]);
        spec.versions.insert(Release::Nats, "1.2.3".parse().unwrap());
        let third = digests(&spec);
        assert_eq!(changed(&second, &third), [Release::Nats]);
        let own = place.join("own.yaml");
        fs::write(&own, "a: 1").unwrap();
        spec.values.insert(Release::Minio, own.clone());
        let fourth = digests(&spec);
        assert_eq!(changed(&third, &fourth), [Release::Minio]);
        fs::write(&own, "a: 2").unwrap();
        assert_eq!(changed(&fourth, &digests(&spec)), [Release::Minio]);
        spec.charts = ChartSource::Registry("oci://a.example/b".to_owned());
        assert_eq!(changed(&fourth, &digests(&spec)).len(), 5);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let missing = spec(ChartSource::Directory("no-such-place".into()));
        assert_eq!(wanted(&missing, &CALM).unwrap_err().path, "no-such-place/nats/Chart.yaml");
        let mut values = spec(ChartSource::Registry("oci://a.example/b".to_owned()));
        values.values.insert(Release::Redis, "no-such-file".into());
        assert_eq!(wanted(&values, &CALM).unwrap_err().path, "no-such-file");
    }

    #[test]
    fn only_what_is_as_wanted_is_kept_and_what_is_not_ours_is_left() {
        let deployed = |digest: Option<&str>| Present::Deployed { digest: digest.map(str::to_owned) };
        let rows = [
            (Present::Nothing, Action::Install),
            (Present::Foreign, Action::Leave),
            (deployed(Some("a")), Action::Keep),
            (deployed(Some("b")), Action::Change),
            (deployed(None), Action::Change),
            (Present::Failed, Action::Repair),
            (Present::Installing, Action::InstallAgain),
            (Present::Removing, Action::InstallAgain),
            (Present::Changing, Action::ChangeAgain),
            (Present::Elsewhere, Action::Await),
        ];
        for (present, action) in rows {
            assert_eq!(decide(&present, "a"), action, "{present:?}");
        }
    }

    #[test]
    fn with_a_bucket_there_is_no_minio() {
        let mut spec = spec(ChartSource::Registry("oci://a.example/b".to_owned()));
        spec.object_store = Some(ObjectStore {
            endpoint: "https://a.example".parse().unwrap(),
            bucket: "data".parse().unwrap(),
            region: None,
        });
        let releases: Vec<Release> = wanted(&spec, &CALM).unwrap().into_iter().map(|wanted| wanted.release).collect();
        assert_eq!(releases, [Release::Nats, Release::Redis, Release::Postgres, Release::Platform]);
    }
}
