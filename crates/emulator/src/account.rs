//! The emulated account: what there is, by service and region, and the chance that names and delays things.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, LogNormal};
use serde_json::Value;

use crate::authorization::{self, Permissions, Resource};
use crate::autoscaling::AutoScaling;
use crate::ec2::Ec2;
use crate::eks::Eks;
use crate::error::ApiError;
use crate::iam::Iam;
use crate::invariants::{Made, Protection};
use crate::s3::S3;
use crate::throttling::Buckets;
use crate::transitions::{Transition, Transitions};
use crate::wire::Request;

/// The number of the account.
pub(crate) const ACCOUNT_ID: &str = "123456789012";

/// Who calls.
pub(crate) const CALLER_ARN: &str = "arn:aws:iam::123456789012:user/emulated";

/// Everything that there is.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) chance: Chance,
    pub(crate) iam: Iam,
    pub(crate) s3: S3,
    /// Those of the caller.
    pub(crate) permissions: Permissions,
    pub(crate) regions: BTreeMap<String, Region>,
    /// Where the APIs of clusters are.
    pub(crate) kubernetes: KubernetesServer,
    /// How often the caller may still call.
    pub(crate) buckets: Buckets,
    transitions: Transitions,
    /// What it was like before each change, as far as anybody wants to know.
    past: Vec<(Timestamp, Self)>,
}

/// Where the APIs of clusters are: what their addresses begin with, and who signed the certificate.
#[derive(Clone, Debug, Default)]
pub(crate) struct KubernetesServer {
    pub(crate) url: String,
    /// As PEM.
    pub(crate) authority: String,
}

/// What there is in a region.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) ec2: Ec2,
    pub(crate) eks: Eks,
    pub(crate) autoscaling: AutoScaling,
    pub(crate) kubernetes: KubernetesServer,
}

impl Account {
    pub(crate) fn new(seed: u64) -> Self {
        let chance = Chance::new(seed);
        let kubernetes = KubernetesServer::default();
        Self {
            chance,
            iam: Iam::default(),
            s3: S3::default(),
            permissions: Permissions::default(),
            regions: BTreeMap::new(),
            kubernetes,
            buckets: Buckets::default(),
            transitions: Transitions::default(),
            past: Vec::new(),
        }
    }

    /// How many objects there are of each kind that a customer makes.
    pub(crate) fn inventory(&mut self, now: Timestamp) -> BTreeMap<&'static str, usize> {
        let names: Vec<String> = self.regions.keys().cloned().collect();
        let mut counted = BTreeMap::new();
        for name in names {
            let (region, ..) = self.region(&name, now);
            for (kind, count) in region.ec2.inventory().into_iter().chain(region.eks.inventory()) {
                *counted.entry(kind).or_default() += count;
            }
        }
        counted.extend(self.iam.inventory());
        counted.retain(|_, count| *count > 0);
        counted
    }

    /// The identifier or ARN of every object.
    pub(crate) fn identifiers(&self) -> impl Iterator<Item = &str> {
        let regions = self.regions.values();
        let in_regions = regions.flat_map(|region| region.ec2.identifiers().chain(region.eks.identifiers()));
        in_regions.chain(self.iam.identifiers()).chain(self.s3.identifiers())
    }

    /// An object as it is described, by its identifier or ARN.
    pub(crate) fn described(&self, id: &str) -> Option<Value> {
        let mut regions = self.regions.values();
        let in_regions = regions.find_map(|region| region.ec2.described(id).or_else(|| region.eks.described(id)));
        in_regions.or_else(|| self.iam.described(id)).or_else(|| self.s3.described(id))
    }

    /// What customers make, in all regions.
    pub(crate) fn made(&self) -> impl Iterator<Item = Made<'_>> {
        let in_regions = self.regions.values().flat_map(|region| region.ec2.made().chain(region.eks.made()));
        in_regions.chain(self.iam.made())
    }

    /// How well each control plane is protected, by ARN.
    pub(crate) fn protections(&self) -> impl Iterator<Item = (String, Protection)> {
        self.regions.values().flat_map(|region| region.eks.protections())
    }

    /// Notes what takes a while from `now` on.
    pub(crate) fn note_transitions(&mut self, now: Timestamp) {
        let regions = self.regions.values();
        let changing = regions.flat_map(|region| region.ec2.changing().chain(region.eks.changing()));
        self.transitions.note(changing, now);
    }

    /// What took a while so far.
    pub(crate) fn transitions(&self) -> Vec<Transition> {
        self.transitions.all()
    }

    /// Remembers what it is like before something changes at `now`.
    pub(crate) fn remember(&mut self, now: Timestamp) {
        let past = std::mem::take(&mut self.past);
        let present = self.clone();
        self.past = past;
        self.past.push((now, present));
    }

    /// What it was like at a moment, as far as it was remembered.
    pub(crate) fn at(&self, moment: Timestamp) -> Self {
        let since = self.past.iter().find(|(when, _)| *when > moment);
        since.map_or_else(|| Self { past: Vec::new(), ..self.clone() }, |(_, account)| account.clone())
    }

    /// Says where the APIs of clusters are from now on.
    pub(crate) fn serve_kubernetes(&mut self, server: &KubernetesServer) {
        self.kubernetes = server.clone();
        for region in self.regions.values_mut() {
            region.kubernetes = server.clone();
        }
    }

    /// Whether the caller may make a call, as things are at `now`.
    pub(crate) fn authorize(&mut self, request: &Request, now: Timestamp) -> Result<(), ApiError> {
        if matches!(self.permissions, Permissions::Everything) {
            return Ok(());
        }
        // The region is there afterwards, and what it is compared with is borrowed beside it.
        self.region(&request.region, now);
        let region = &self.regions[&request.region];
        self.permissions.check(request, region, &self.iam)
    }

    /// What a request names, of what there is at `now`.
    pub(crate) fn named(&mut self, request: &Request, now: Timestamp) -> Vec<Resource> {
        self.region(&request.region, now);
        authorization::named(request, &self.regions[&request.region], &self.iam)
    }

    /// A region as it is at `now`, and what all regions share.
    pub(crate) fn region(&mut self, name: &str, now: Timestamp) -> (&mut Region, &Iam, &mut Chance) {
        let make = || Region {
            name: name.to_owned(),
            ec2: Ec2::new(name),
            eks: Eks::default(),
            autoscaling: AutoScaling::default(),
            kubernetes: self.kubernetes.clone(),
        };
        let region = self.regions.entry(name.to_owned()).or_insert_with(make);
        region.ec2.pass_time(now);
        Eks::pass_time(region, &mut self.chance, now);
        (region, &self.iam, &mut self.chance)
    }
}

/// Chance that is the same for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A name such as `vpc-0123456789abcdef0`.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}-0{}", self.letters(16))
    }

    /// That many letters of hexadecimal numbers.
    pub(crate) fn letters(&mut self, count: usize) -> String {
        let mut bytes = vec![0; count.div_ceil(2)];
        self.0.fill_bytes(&mut bytes);
        let mut letters = hex::encode(bytes);
        letters.truncate(count);
        letters
    }

    /// An identifier such as AWS writes: 8-4-4-4-12 letters.
    pub(crate) fn uuid(&mut self) -> String {
        [8, 4, 4, 4, 12].map(|length| self.letters(length)).join("-")
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        // The tiny preference for small numbers is nobody's concern here.
        self.0.next_u32() % end.max(1)
    }

    /// How long something takes: log-normal with this median and spread, and never more than four times the median.
    pub(crate) fn duration(&mut self, median_secs: f64, sigma: f64) -> Duration {
        // Medians and spreads are constants of this crate.
        let distribution = LogNormal::new(median_secs.ln(), sigma).expect("the spread is a number");
        Duration::from_secs_f64(distribution.sample(&mut self.0).min(4.0 * median_secs))
    }
}

/// A moment after another.
pub(crate) fn after(moment: Timestamp, duration: Duration) -> Timestamp {
    // No run is so long that time ends.
    moment + SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
