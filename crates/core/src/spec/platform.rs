//! The releases of the Howso Platform: where their charts come from and what differs from the tuned values.

use std::collections::BTreeMap;
use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};

use crate::spec::build::Builder;
use crate::spec::document::PerRelease;
use crate::spec::labels::is_dns_subdomain;
use crate::spec::names::checked_string;
use crate::spec::{Invalid, KeyPath, ObjectStoreDocument, PlatformDocument};

checked_string! {
    /// A name as the name service and Kubernetes have it: lower-case letters, digits and hyphens, with dots between its parts, which
    /// YAML takes for a text and nothing else because it begins with a letter.
    DnsName, check_dns_name
}

checked_string! {
    /// The version of a chart, or a range of versions: <https://helm.sh/docs/topics/charts/#charts-and-versioning>.
    ChartVersion, check_chart_version
}

checked_string! {
    /// The name of a bucket, by the rules of S3, which are the strictest:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
    BucketName, check_bucket_name
}

fn check_bucket_name(text: &str) -> Result<(), Invalid> {
    let is_edge = |edge: Option<char>| edge.is_some_and(|edge| edge.is_ascii_lowercase() || edge.is_ascii_digit());
    let fits = (3..=63).contains(&text.len())
        && text.chars().all(|each| each.is_ascii_lowercase() || each.is_ascii_digit() || "-.".contains(each))
        && is_edge(text.chars().next())
        && is_edge(text.chars().next_back())
        && !text.contains("..");
    if fits {
        return Ok(());
    }
    Err(Invalid::new(
        format!("`{}` is not the name of a bucket", text.escape_debug()),
        "3 to 63 lower-case letters, digits, hyphens and dots, beginning and ending with a letter or digit",
    ))
}

fn check_dns_name(text: &str) -> Result<(), Invalid> {
    if is_dns_subdomain(text) && text.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Ok(());
    }
    Err(Invalid::new(
        format!("`{}` is no name", text.escape_debug()),
        "lower-case letters, digits, hyphens and dots, beginning with a letter",
    ))
}

fn check_chart_version(text: &str) -> Result<(), Invalid> {
    let is_version = text.starts_with(|first: char| first.is_ascii_digit() || "v^~<>=*".contains(first))
        && text.chars().all(|each| each.is_ascii_alphanumeric() || " .,-+^~<>=*|".contains(each));
    if is_version {
        return Ok(());
    }
    Err(Invalid::new(
        format!("`{}` is not the version of a chart", text.escape_debug()),
        "a semantic version such as \"1.2.3\", or a range such as \"~1.2\"",
    ))
}

/// A release of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    /// The name of its chart.
    pub fn chart(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Redis => "redis",
            Self::Postgres => "postgresql",
            Self::Minio => "minio",
            Self::Platform => "howso-platform",
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Where charts come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChartSource {
    /// A registry, as `oci://host/path`, in which each chart has its own name.
    Registry(String),
    /// A repository with an index, as `https://host/path`.
    Repository(String),
    /// A directory with a directory or an archive for each chart.
    Directory(Utf8PathBuf),
}

impl std::str::FromStr for ChartSource {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let accepted = "\"oci://HOST/PATH\", \"https://HOST/PATH\", or a directory";
        let url = || text.trim_end_matches('/').to_owned();
        match text.split_once("://") {
            Some((_, rest)) if rest.is_empty() || rest.starts_with('/') || rest.contains(char::is_whitespace) => {
                Err(Invalid::new(format!("`{}` names no host", text.escape_debug()), accepted))
            }
            // Whoever can read a URL in a file, a log or the arguments of a program would read it too.
            Some((_, rest)) if rest.contains('@') => Err(Invalid::new(
                "a user or a password in a URL would be seen by others",
                "leave it out; log in with `helm registry login`",
            )),
            Some(("oci", _)) => Ok(Self::Registry(url())),
            Some(("https", _)) => Ok(Self::Repository(url())),
            Some((scheme, _)) => Err(Invalid::new(format!("charts cannot be taken from {scheme}://"), accepted)),
            None if text.is_empty() => Err(Invalid::new("this is empty", accepted)),
            None => Ok(Self::Directory(Utf8Path::new(text).to_owned())),
        }
    }
}

/// The source as it is written.
impl fmt::Display for ChartSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(url) | Self::Repository(url) => formatter.write_str(url),
            Self::Directory(path) => formatter.write_str(path.as_str()),
        }
    }
}

/// How a store is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear: only within the cluster or a network of one's own.
    Http,
    /// Encrypted.
    Https,
}

impl Scheme {
    /// As URLs have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// Its host, with a port where that is not the usual one.
    pub authority: String,
}

impl std::str::FromStr for Endpoint {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let accepted = "a URL with nothing but the host, such as \"https://s3.us-east-1.amazonaws.com\"";
        // It is not repeated where it may hold a password.
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Invalid::new("this is no URL", accepted));
        };
        let authority = rest.trim_end_matches('/');
        let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
        if !is_dns_subdomain(host) || port.is_some_and(|port| port.parse::<std::num::NonZeroU16>().is_err()) {
            return Err(Invalid::new("this has more or less than a host and a port", accepted));
        }
        let scheme = match scheme {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return Err(Invalid::new("stores are spoken to by http or https", accepted)),
        };
        Ok(Self { scheme, authority: authority.to_owned() })
    }
}

/// A bucket in place of the release of `MinIO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectStore {
    /// Where the store is.
    pub endpoint: Endpoint,
    /// The bucket.
    pub bucket: BucketName,
    /// Its region; [`None`] for stores that have none.
    pub region: Option<DnsName>,
}

/// The releases of the platform. Paths are as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformSpec {
    /// Where the charts come from.
    pub charts: ChartSource,
    /// The versions of the charts; the newest of those that are not named.
    pub versions: BTreeMap<Release, ChartVersion>,
    /// Files with values that win over the tuned ones.
    pub values: BTreeMap<Release, Utf8PathBuf>,
    /// The parent domain under which the platform is reached; [`None`] to leave it to the chart.
    pub domain: Option<DnsName>,
    /// The storage class of the volumes; [`None`] for the cluster's default.
    pub storage_class: Option<DnsName>,
    /// A bucket in place of the release of `MinIO`.
    pub object_store: Option<ObjectStore>,
    /// A file with the licence, by which the registry knows its customers; [`None`] for the environment, or for whoever logged in.
    pub license_file: Option<Utf8PathBuf>,
    /// A file with the logins of which the image pull secret is made; [`None`] for the environment, or where the secret is there.
    pub image_pull_file: Option<Utf8PathBuf>,
}

impl PlatformSpec {
    /// The releases that are wanted, in the order in which they are installed.
    pub fn releases(&self) -> impl Iterator<Item = Release> {
        let has_store = self.object_store.is_some();
        Release::ALL.into_iter().filter(move |release| *release != Release::Minio || !has_store)
    }

    /// The paths, each with its key.
    pub fn paths_mut(&mut self) -> Vec<(String, &mut Utf8PathBuf)> {
        let mut paths: Vec<(String, &mut Utf8PathBuf)> = Vec::new();
        if let ChartSource::Directory(path) = &mut self.charts {
            paths.push(("platform.charts".to_owned(), path));
        }
        paths.extend(
            self.values.iter_mut().map(|(release, path)| (format!("platform.values.{}", release.as_str()), path)),
        );
        paths.extend(self.license_file.iter_mut().map(|path| ("platform.license_file".to_owned(), path)));
        paths.extend(self.image_pull_file.iter_mut().map(|path| ("platform.image_pull_file".to_owned(), path)));
        paths
    }
}

impl Builder<'_> {
    /// The releases.
    pub(crate) fn platform(&mut self, document: &PlatformDocument) -> Option<PlatformSpec> {
        let path = KeyPath::dotted("platform");
        let charts = self.required(&path.key("charts"), document.charts.as_deref());
        let charts = charts.and_then(|text| self.accept(&path.key("charts"), text.parse()));
        let mut name = |key: &str, text: &Option<String>| match text {
            Some(text) => self.accept(&path.key(key), text.parse()).map(Some),
            None => Some(None),
        };
        let domain = name("domain", &document.domain);
        let storage_class = name("storage_class", &document.storage_class);
        let versions = self.per_release(&path.key("versions"), &document.versions, str::parse);
        let values = self.per_release(&path.key("values"), &document.values, file);
        let object_store = match &document.object_store {
            Some(store) => self.object_store(&path.key("object_store"), store).map(Some),
            None => Some(None),
        };
        let mut file = |key: &str, text: &Option<String>| match text {
            Some(text) => self.accept(&path.key(key), file(text)).map(Some),
            None => Some(None),
        };
        let license_file = file("license_file", &document.license_file);
        let image_pull_file = file("image_pull_file", &document.image_pull_file);
        Some(PlatformSpec {
            charts: charts?,
            versions: versions?,
            values: values?,
            domain: domain?,
            storage_class: storage_class?,
            object_store: object_store?,
            license_file: license_file?,
            image_pull_file: image_pull_file?,
        })
    }

    fn object_store(&mut self, path: &KeyPath, document: &ObjectStoreDocument) -> Option<ObjectStore> {
        let endpoint = self.required(&path.key("endpoint"), document.endpoint.as_deref());
        let endpoint = endpoint.and_then(|text| self.accept(&path.key("endpoint"), text.parse()));
        let bucket = self.required(&path.key("bucket"), document.bucket.as_deref());
        let bucket = bucket.and_then(|text| self.accept(&path.key("bucket"), text.parse()));
        let region = match &document.region {
            Some(text) => self.accept(&path.key("region"), text.parse()).map(Some),
            None => Some(None),
        };
        Some(ObjectStore { endpoint: endpoint?, bucket: bucket?, region: region? })
    }

    /// What is said of some releases.
    fn per_release<T>(
        &mut self,
        path: &KeyPath,
        documents: &PerRelease,
        parse: impl Fn(&str) -> Result<T, Invalid>,
    ) -> Option<BTreeMap<Release, T>> {
        let given = Release::ALL.into_iter().filter_map(|release| Some((release, documents.get(release)?)));
        let parsed: Vec<Option<(Release, T)>> = given
            .map(|(release, text)| Some((release, self.accept(&path.key(release.as_str()), parse(text))?)))
            .collect();
        parsed.into_iter().collect()
    }
}

fn file(text: &str) -> Result<Utf8PathBuf, Invalid> {
    if text.is_empty() {
        return Err(Invalid::new("this is empty", "the path of a file"));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_come_from_registries_repositories_and_directories() {
        let parse = |text: &str| text.parse::<ChartSource>();
        assert_eq!(parse("oci://a.example/b/"), Ok(ChartSource::Registry("oci://a.example/b".to_owned())));
        assert_eq!(parse("https://a.example"), Ok(ChartSource::Repository("https://a.example".to_owned())));
        assert_eq!(parse("../charts"), Ok(ChartSource::Directory("../charts".into())));
        for wrong in
            ["", "oci://", "https:///charts", "http://a.example", "ftp://a.example", "oci://me:secret@a.example/b"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(!parse("oci://me:hunter2@a.example/b").unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn names_are_texts_in_yaml_whatever_they_are() {
        for good in ["gp3", "howso.example.com", "local-path"] {
            assert!(good.parse::<DnsName>().is_ok(), "{good}");
        }
        for wrong in ["", "1e3", "Gp3", "a b", "a..b", "-a", "a: b", "a."] {
            assert!(wrong.parse::<DnsName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_store_is_a_host_and_a_port_and_nothing_else() {
        let parse = |text: &str| text.parse::<Endpoint>();
        let aws = parse("https://s3.us-east-1.amazonaws.com/").unwrap();
        assert_eq!((aws.scheme, aws.authority.as_str()), (Scheme::Https, "s3.us-east-1.amazonaws.com"));
        assert_eq!(parse("http://store:9000").unwrap().authority, "store:9000");
        for wrong in
            ["", "store", "https://", "https://a/b", "s3://a", "https://a:0", "https://a:b", "https://me:hunter2@a"]
        {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{wrong}");
        }
    }

    #[test]
    fn versions_and_ranges_are_accepted_and_options_are_not() {
        for good in ["1.2.3", "v1.2.3-rc.1+build", "~1.2", ">=1.0, <2.0", "^1 || ^2"] {
            assert!(good.parse::<ChartVersion>().is_ok(), "{good}");
        }
        for wrong in ["", "--devel", "latest", "1.2.3\n", "1;2"] {
            assert!(wrong.parse::<ChartVersion>().is_err(), "{wrong}");
        }
    }
}
