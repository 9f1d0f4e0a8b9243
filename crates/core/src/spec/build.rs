//! From the document to the specification: every value parsed, every combination checked, every mistake collected.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use crate::spec::api_access::{overlaps, parse_network};
use crate::spec::document::Words;
use crate::spec::names::check_tag_value;
use crate::spec::tree::Node;
use crate::spec::{
    ApiAccess, ClusterSpec, ControlPlaneLog, ControlPlaneLogs, EngineDocument, EngineSettings, Invalid,
    JournalLocation, KeyPath, KubernetesSpec, Layer, NetworkSpec, Origin, ProviderName, ProviderOptions, SpecDocument,
    SpecError, SpecErrorKind, SpecWarning, SpecWarningKind, TagKey, ZoneCount,
};

/// What became of a document.
pub(crate) struct Built {
    /// The specification, as far as it could be put together: [`Some`] when there are no errors, and then complete.
    pub(crate) spec: Option<ClusterSpec>,
    pub(crate) errors: Vec<SpecError>,
    pub(crate) warnings: Vec<SpecWarning>,
}

/// Builds a specification and collects what is wrong with it.
pub(crate) struct Builder<'a> {
    tree: &'a Node,
    /// What was already reported and taken out: it is not missing.
    reported: &'a [KeyPath],
    errors: Vec<SpecError>,
    warnings: Vec<SpecWarning>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(tree: &'a Node, reported: &'a [KeyPath]) -> Self {
        Self { tree, reported, errors: Vec::new(), warnings: Vec::new() }
    }

    pub(crate) fn build(mut self, document: &SpecDocument) -> Built {
        let spec = self.spec(document);
        Built { spec, errors: self.errors, warnings: self.warnings }
    }

    /// Every part is looked at before the first that is missing ends it.
    fn spec(&mut self, document: &SpecDocument) -> Option<ClusterSpec> {
        let at = KeyPath::dotted;
        let name = self.required_text(&at("name"), document.name.as_deref());
        let provider: Option<ProviderName> = self.required_text(&at("provider"), document.provider.as_deref());
        let location = self.required_text(&at("region"), document.region.as_deref());
        let profile = self.required(&at("profile"), document.profile.clone());
        let zones = self.required(&at("zones"), document.zones);
        let zones = zones.and_then(|zones| self.accept(&at("zones"), ZoneCount::new(zones)));
        let kubernetes = self.kubernetes(document);
        let api_access = self.api_access(document);
        let deletion_protection = self.required(&at("deletion_protection"), document.deletion_protection);
        let nat = self.required(&at("network.nat"), document.network.nat);
        let core = self.core_pool(&document.core);
        let workers = self.worker_pools(&document.workers);
        let worker_image =
            document.worker_image.as_deref().and_then(|text| self.accept(&at("worker_image"), text.parse()));
        let image_pull_secret =
            document.image_pull_secret.as_deref().and_then(|text| self.accept(&at("image_pull_secret"), text.parse()));
        let trainees = self.trainees(&document.trainees);
        let platform = self.platform(&document.platform);
        let client = self.client(&document.client);
        let cost = self.cost(&document.cost);
        let autoscaler = self.required(&at("autoscaler.enabled"), document.autoscaler.enabled);
        let addons = self.required(&at("addons"), document.addons);
        let tags = self.tags(&document.tags);
        let journal = self.journal(document.journal.as_deref());
        let engine = self.engine(&document.engine);
        let options = provider.as_ref().and_then(|name| self.tree.get(&KeyPath::root().key(name.as_str()))).cloned();
        Some(ClusterSpec {
            name: name?,
            location: location?,
            profile: profile?,
            zones: zones?,
            kubernetes: kubernetes?,
            api_access: api_access?,
            deletion_protection: deletion_protection?.into(),
            network: NetworkSpec { nat: nat? },
            core: core?,
            workers: workers?,
            worker_image,
            image_pull_secret,
            trainees: trainees?,
            platform: platform?,
            client,
            cost: cost?,
            autoscaler: autoscaler?.into(),
            addons: addons?.into(),
            tags,
            journal,
            engine: engine?,
            provider_options: ProviderOptions::new(provider.clone()?, options),
            provider: provider?,
        })
    }

    fn kubernetes(&mut self, document: &SpecDocument) -> Option<KubernetesSpec> {
        let path = KeyPath::dotted("kubernetes.version");
        let version = match document.kubernetes.version.as_deref() {
            Some(text) => self.accept(&path, text.parse()).map(Some),
            None => Some(None),
        };
        let path = KeyPath::dotted("kubernetes.control_plane_logs");
        let logs = self.required(&path, document.kubernetes.control_plane_logs.as_ref());
        let control_plane_logs = match logs? {
            Words::One(word) if word == "all" => ControlPlaneLogs::All,
            Words::Many(words) if !words.is_empty() => {
                let chosen =
                    ControlPlaneLog::ALL.into_iter().filter(|log| words.iter().any(|word| word == log.as_str()));
                ControlPlaneLogs::Only(chosen.collect())
            }
            // Along the schema, the only other word is `none`; an empty list means the same.
            Words::One(_) | Words::Many(_) => ControlPlaneLogs::None,
        };
        Some(KubernetesSpec { version: version?, control_plane_logs })
    }

    fn api_access(&mut self, document: &SpecDocument) -> Option<ApiAccess> {
        let path = KeyPath::dotted("kubernetes.api_access");
        let access = match self.required(&path, document.kubernetes.api_access.as_ref())? {
            Words::One(word) if word == "private" => ApiAccess::Private,
            // Along the schema, the only other word is `auto`.
            Words::One(_) => ApiAccess::Auto,
            Words::Many(texts) => ApiAccess::from_networks(self.networks(&path, texts)?),
        };
        if access == ApiAccess::Open {
            if document.allow_open_endpoint != Some(true) {
                let hint = "name smaller networks, or permit it with --allow-open-endpoint or HOWSO_INFRA_ALLOW_OPEN_ENDPOINT=true";
                self.error(SpecErrorKind::Conflict, &path, "this opens the API to the whole internet", hint);
                return None;
            }
            self.warn(
                SpecWarningKind::OpenEndpoint,
                &path,
                "the API is open to the whole internet",
                "name smaller networks",
            );
        }
        Some(access)
    }

    fn networks(&mut self, path: &KeyPath, texts: &[String]) -> Option<Vec<IpNet>> {
        if texts.is_empty() {
            let hint = "\"private\" for no access from outside, or \"auto\"";
            self.error(SpecErrorKind::InvalidValue, path, "the list names no network", hint);
            return None;
        }
        let parsed: Vec<Option<IpNet>> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| self.accept(&path.index(index), parse_network(text)))
            .collect();
        let known: Vec<(usize, IpNet)> =
            parsed.iter().enumerate().filter_map(|(index, network)| network.map(|network| (index, network))).collect();
        let networks: Vec<IpNet> = known.iter().map(|(_, network)| *network).collect();
        let pairs = overlaps(&networks);
        for (earlier, later) in &pairs {
            let (first, second) = (networks[*earlier], networks[*later]);
            let message = if first == second {
                format!("{second} is named twice")
            } else {
                format!("{second} overlaps with {first}")
            };
            self.error(SpecErrorKind::Conflict, &path.index(known[*later].0), message, "name each address once");
        }
        (pairs.is_empty() && networks.len() == texts.len()).then_some(networks)
    }

    fn tags(&mut self, texts: &BTreeMap<String, String>) -> BTreeMap<TagKey, String> {
        let mut tags = BTreeMap::new();
        for (key, value) in texts {
            let path = KeyPath::dotted("tags").key(key);
            let parsed = self.accept_key(&path, key.parse::<TagKey>());
            if let (Some(key), Some(())) = (parsed, self.accept(&path, check_tag_value(value))) {
                tags.insert(key, value.clone());
            }
        }
        tags
    }

    /// [`None`] for the local state directory; also when the place is wrong, which is reported.
    fn journal(&mut self, text: Option<&str>) -> Option<JournalLocation> {
        let path = KeyPath::dotted("journal");
        match self.required(&path, text)? {
            "local" => None,
            url => self.accept(&path, url.parse()),
        }
    }

    fn engine(&mut self, document: &EngineDocument) -> Option<EngineSettings> {
        const MINUTE: Duration = Duration::from_mins(1);
        const TEN_MINUTES: Duration = Duration::from_mins(10);
        const SECOND: Duration = Duration::from_secs(1);
        const DAY: Duration = Duration::from_hours(24);
        const MILLISECOND: Duration = Duration::from_millis(1);
        let at = |key: &str| KeyPath::dotted("engine").key(key);
        let request_timeout = self.duration(
            &at("request_timeout"),
            document.request_timeout.as_deref(),
            Duration::from_millis(10),
            TEN_MINUTES,
        );
        let poll_min =
            self.duration(&at("poll_interval_min"), document.poll_interval_min.as_deref(), MILLISECOND, MINUTE);
        let poll_max =
            self.duration(&at("poll_interval_max"), document.poll_interval_max.as_deref(), MILLISECOND, TEN_MINUTES);
        let delay_base =
            self.duration(&at("retry_delay_base"), document.retry_delay_base.as_deref(), MILLISECOND, MINUTE);
        let delay_max =
            self.duration(&at("retry_delay_max"), document.retry_delay_max.as_deref(), MILLISECOND, TEN_MINUTES);
        let window =
            self.duration(&at("visibility_window"), document.visibility_window.as_deref(), Duration::ZERO, TEN_MINUTES);
        let deadline_max = self.duration(&at("step_deadline_max"), document.step_deadline_max.as_deref(), SECOND, DAY);
        let attempts = self.count(&at("retry_attempts"), document.retry_attempts, 1, 100);
        let parallelism = self.count(&at("parallelism"), document.parallelism, 1, 64);
        self.check_order(&at("poll_interval_min"), poll_min, &at("poll_interval_max"), poll_max);
        self.check_order(&at("retry_delay_base"), delay_base, &at("retry_delay_max"), delay_max);
        Some(EngineSettings {
            request_timeout: request_timeout?,
            poll_interval_min: poll_min?,
            poll_interval_max: poll_max?,
            retry_delay_base: delay_base?,
            retry_delay_max: delay_max?,
            retry_attempts: attempts?,
            step_deadline_max: deadline_max?,
            visibility_window: window?,
            parallelism: parallelism?,
        })
    }

    fn duration(&mut self, path: &KeyPath, text: Option<&str>, low: Duration, high: Duration) -> Option<Duration> {
        let text = self.required(path, text)?;
        let form = || format!("from {} to {}", humantime::format_duration(low), humantime::format_duration(high));
        let parsed = match humantime::parse_duration(text) {
            Ok(duration) if (low..=high).contains(&duration) => Ok(duration),
            Ok(duration) if duration < low => Err(Invalid::new(format!("\"{text}\" is too short"), form())),
            Ok(_) => Err(Invalid::new(format!("\"{text}\" is too long"), form())),
            Err(error) => Err(Invalid::new(
                format!("\"{text}\" is not a duration: {error}"),
                format!("a number with a unit such as \"500ms\", \"30s\" or \"2m\", {}", form()),
            )),
        };
        self.accept(path, parsed)
    }
}

/// What the parts share.
impl Builder<'_> {
    fn is_reported(&self, path: &KeyPath) -> bool {
        self.reported.iter().any(|reported| reported.contains(path) || path.contains(reported))
    }

    /// The value, or an error that it is missing.
    pub(crate) fn required<T>(&mut self, path: &KeyPath, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.is_reported(path) {
            let variable = path.to_string().to_uppercase().replace('.', "__");
            let flag = match path.segments().len() {
                1 => format!("--{path}"),
                _ => format!("--set {path}=…"),
            };
            self.errors.push(SpecError {
                kind: SpecErrorKind::Missing,
                path: path.clone(),
                message: "this is required".to_owned(),
                hint: Some(format!("set it in the file, with {flag}, or as HOWSO_INFRA_{variable}")),
                origin: self.enclosing_origin(path),
            });
        }
        value
    }

    /// What set the table in which `path` is missing; [`None`] when that is the whole document or built in.
    fn enclosing_origin(&self, path: &KeyPath) -> Option<Origin> {
        let (_, outer) = path.segments().split_last()?;
        let enclosing: KeyPath = outer.iter().cloned().collect();
        let node = self.tree.get(&enclosing).filter(|_| !outer.is_empty())?;
        (node.key_origin != Origin::built_in()).then(|| node.key_origin.clone())
    }

    fn required_text<T: FromStr<Err = Invalid>>(&mut self, path: &KeyPath, text: Option<&str>) -> Option<T> {
        let text = self.required(path, text)?;
        self.accept(path, text.parse())
    }

    /// A whole number with bounds.
    pub(crate) fn count(&mut self, path: &KeyPath, number: Option<u64>, low: u32, high: u32) -> Option<u32> {
        let number = self.required(path, number)?;
        let fitting = u32::try_from(number).ok().filter(|count| (low..=high).contains(count));
        self.accept(
            path,
            fitting.ok_or_else(|| Invalid::new(format!("{number} is not possible"), format!("from {low} to {high}"))),
        )
    }

    /// What was parsed; a mistake is reported at the value.
    pub(crate) fn accept<T>(&mut self, path: &KeyPath, parsed: Result<T, Invalid>) -> Option<T> {
        let origin = self.tree.get_or_enclosing(path).origin.clone();
        self.accept_at(path, origin, parsed)
    }

    /// What was parsed; a mistake is reported at the key.
    pub(crate) fn accept_key<T>(&mut self, path: &KeyPath, parsed: Result<T, Invalid>) -> Option<T> {
        let origin = self.tree.get_or_enclosing(path).key_origin.clone();
        self.accept_at(path, origin, parsed)
    }

    fn accept_at<T>(&mut self, path: &KeyPath, origin: Origin, parsed: Result<T, Invalid>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(Invalid { message, hint }) => {
                let kind = SpecErrorKind::InvalidValue;
                self.errors.push(SpecError { kind, path: path.clone(), message, hint, origin: Some(origin) });
                None
            }
        }
    }

    pub(crate) fn error(
        &mut self,
        kind: SpecErrorKind,
        path: &KeyPath,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.errors.push(SpecError {
            kind,
            path: path.clone(),
            message: message.into(),
            hint: Some(hint.into()),
            origin: self.origin(path),
        });
    }

    pub(crate) fn warn(
        &mut self,
        kind: SpecWarningKind,
        path: &KeyPath,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.warnings.push(SpecWarning {
            kind,
            path: path.clone(),
            message: message.into(),
            hint: Some(hint.into()),
            origin: self.origin(path),
        });
    }

    /// What set the value at `path`.
    pub(crate) fn origin(&self, path: &KeyPath) -> Option<Origin> {
        self.tree.get(path).map(|node| node.origin.clone())
    }

    /// Reports `low` above `high`, at whichever a higher layer set, and says where the other was set.
    pub(crate) fn check_order<T: PartialOrd>(
        &mut self,
        low_path: &KeyPath,
        low: Option<T>,
        high_path: &KeyPath,
        high: Option<T>,
    ) {
        let (Some(low), Some(high)) = (low, high) else { return };
        if low <= high {
            return;
        }
        let text = |path: &KeyPath| self.tree.get(path).map_or_else(String::new, Node::to_toml_text);
        let rank = |path: &KeyPath| self.origin(path).map_or(0, |origin| origin.layer.rank());
        let (path, relation, other) = if rank(low_path) > rank(high_path) {
            (low_path, "more", high_path)
        } else {
            (high_path, "less", low_path)
        };
        let message = format!("{} is {relation} than {other} ({})", text(path), text(other));
        let hint = match self.origin(other) {
            Some(origin) if origin.layer != Layer::Default => format!("{other} is set by {origin}"),
            Some(_) | None => format!("{other} is built in; set it too"),
        };
        self.error(SpecErrorKind::Conflict, path, message, hint);
    }
}
