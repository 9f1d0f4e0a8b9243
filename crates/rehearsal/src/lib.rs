//! An emulated AWS in this process, and everything that happens on it in virtual time: a quarter of an hour takes milliseconds,
//! costs nothing, and is the same for the same seed.
//!
//! The provider, the engine and the SDK are those of a real run; only the address that they call is another one.

mod bucket;
mod makespan;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use howso_infra::core::Plan;
use howso_infra::core::identity::{CLUSTER_TAG, DEPLOYMENT_TAG, RESOURCE_TAG};
use howso_infra::core::spec::ClusterSpec;
use howso_infra::engine::journal::LEASE;
use howso_infra::engine::{Clock, Moment, VirtualClock};
use howso_infra::{Event, Registry, Session, Surroundings};
use howso_infra_eks::EksFactory;
use howso_infra_emulator::{Emulator, ExistingNetwork, Marks};
use ipnet::Ipv4Net;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::bucket::Bucket;
use crate::makespan::Course;

pub use makespan::{Makespan, StepSpan};

pub use howso_infra_emulator::{Call, Fault, Place, PlannedFault, PolicyDocument, UnknownFault};

/// When every rehearsal begins: runs with the same seed are the same to the second.
const EPOCH: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// The addresses of a network that a specification takes for granted.
const EXISTING_CIDR: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 16);

/// The addresses of the strangers' network: those of the network that every account has at first.
const STRANGERS_CIDR: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(172, 31, 0, 0), 16);

/// The journal of another team in the same bucket.
const STRANGERS_JOURNAL: &str = "eks-us-east-1-strangers.journal";

/// What goes wrong in the rehearsal of a seed: at most `max` faults, at calls of `changes` that change something.
pub fn random_faults(seed: u64, changes: usize, max: usize) -> Vec<PlannedFault> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let possible: Vec<Fault> = Fault::of_changes().collect();
    let fault = |chance: &mut fastrand::Rng| PlannedFault {
        fault: *chance.choice(&possible).unwrap_or(&Fault::Unavailable),
        place: Place::MutatingCall(chance.usize(..changes.max(1))),
    };
    (0..chance.usize(..=max)).map(|_| fault(&mut chance)).collect()
}

/// So many faults of all kinds, each at any of `calls` to which it can happen, drawn from a seed.
pub fn random_faults_at(seed: u64, calls: &[Call], count: usize) -> Vec<PlannedFault> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let draw = |chance: &mut fastrand::Rng| {
        let fault = *chance.choice(&Fault::ALL)?;
        let possible: Vec<usize> = (0..calls.len())
            .filter(|index| calls.get(*index).is_some_and(|call| fault.applies_to(&call.name, call.mutates)))
            .collect();
        let index = *chance.choice(&possible)?;
        let (before, rest) = calls.split_at(index);
        let name = rest.first()?.name.clone();
        let number = before.iter().filter(|call| call.name == name).count();
        Some(PlannedFault { fault, place: Place::Operation { name, number } })
    };
    (0..count).filter_map(|_| draw(&mut chance)).collect()
}

/// An emulated account with a state directory beside it. Several runs, one after the other, find what those before have made.
pub struct Rehearsal {
    emulator: Emulator,
    clock: VirtualClock,
    endpoint: String,
    directory: tempfile::TempDir,
    seed: u64,
    processes: AtomicU32,
    /// Of the last plan that was carried out.
    course: Arc<Mutex<Course>>,
    /// Where the journal lies, when it is no file.
    bucket: OnceLock<Bucket>,
}

impl Rehearsal {
    /// An empty account, served on this machine alone while the runtime of the caller runs.
    ///
    /// # Errors
    ///
    /// When no port or no directory for temporary files can be had.
    pub async fn new(seed: u64) -> io::Result<Self> {
        Self::paced(seed, None).await
    }

    /// The same, in which so many virtual seconds pass in a real one; without a number, as many as can.
    ///
    /// # Errors
    ///
    /// As [`Rehearsal::new`].
    pub async fn paced(seed: u64, pace: Option<u32>) -> io::Result<Self> {
        let clock = VirtualClock::paced(EPOCH, pace);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let time = clock.clone();
        let emulator = Emulator::new(move || time.wall(), seed);
        tokio::spawn(emulator.clone().serve(listener));
        let (directory, processes, course) = (tempfile::tempdir()?, AtomicU32::new(0), Arc::default());
        Ok(Self { emulator, clock, endpoint, directory, seed, processes, course, bucket: OnceLock::new() })
    }

    /// The account.
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// The clock of everything that happens here.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clock.clone())
    }

    /// Lets a session happen here: in virtual time, and the same for the same seed.
    #[must_use]
    pub fn stage(&self, session: Session) -> Session {
        let process = u64::from(self.processes.load(Ordering::Relaxed));
        let session = session.with_clock(self.clock()).with_seed(self.seed.wrapping_add(process));
        if let Some(bucket) = self.bucket.get() {
            return session.with_bucket(Arc::clone(&bucket.store));
        }
        session
    }

    /// Lets everything be there that a specification takes for granted, an existing network, roles and a bucket that the user brings,
    /// and what another team has in the account. All of it belongs to somebody else, and whatever is made beside it carries the tags of
    /// its owner.
    ///
    /// # Errors
    ///
    /// When the emulated cloud has no place for it.
    pub fn provide(&self, spec: &ClusterSpec) -> io::Result<()> {
        // A table of text keys.
        let options = serde_json::to_value(&spec.provider_options).unwrap_or_default();
        let given: Given = serde_json::from_value(options)?;
        if let Some(vpc) = given.network.vpc {
            let Network { private_subnets, public_subnets, .. } = given.network;
            let cidr = EXISTING_CIDR;
            let network = ExistingNetwork { vpc, cidr, private_subnets, public_subnets, tags: BTreeMap::new() };
            self.emulator.provide_network(spec.location.as_str(), &network).map_err(io::Error::other)?;
        }
        let Roles { cluster, node, ebs_csi, autoscaler, client } = given.iam;
        let (of_machines, of_pods) = ("ec2.amazonaws.com", "pods.eks.amazonaws.com");
        let roles = [
            (cluster, "eks.amazonaws.com"),
            (node, of_machines),
            (ebs_csi, of_pods),
            (autoscaler, of_pods),
            (client, of_machines),
        ];
        for (role, service) in roles {
            if let Some(arn) = role {
                self.emulator.provide_role(&arn, service);
            }
        }
        self.provide_strangers(spec)?;
        if let Some(location) = &spec.journal {
            self.provide_bucket(&location.bucket, spec)?;
        }
        let required = [CLUSTER_TAG, DEPLOYMENT_TAG, RESOURCE_TAG].map(str::to_owned).to_vec();
        self.emulator.watch(Marks { required, identity: RESOURCE_TAG.to_owned() });
        Ok(())
    }

    /// What another team has in the account, named and tagged as nearly as can be like what the specification makes.
    fn provide_strangers(&self, spec: &ClusterSpec) -> io::Result<()> {
        let (name, region) = (&spec.name, &spec.location);
        let tag = |key: &str, value: String| (key.to_owned(), value);
        let tags = BTreeMap::from([
            tag("Name", name.to_string()),
            tag(CLUSTER_TAG, format!("{name}-2")),
            tag(DEPLOYMENT_TAG, "0".repeat(32)),
            tag(RESOURCE_TAG, "ec2/vpc:main".to_owned()),
            tag(&format!("kubernetes.io/cluster/{name}"), "shared".to_owned()),
        ]);
        let network = ExistingNetwork {
            vpc: "vpc-00000000000000001".to_owned(),
            cidr: STRANGERS_CIDR,
            tags,
            private_subnets: vec!["subnet-00000000000000001".to_owned(), "subnet-00000000000000002".to_owned()],
            public_subnets: vec!["subnet-00000000000000003".to_owned()],
        };
        self.emulator.provide_network(region.as_str(), &network).map_err(io::Error::other)?;
        for role in [format!("{name}-2-{region}-cluster"), format!("{name}-{region}-cluster-2")] {
            self.emulator.provide_role(&format!("arn:aws:iam::123456789012:role/{role}"), "eks.amazonaws.com");
        }
        Ok(())
    }

    /// The bucket of the journal, in which another team has one as well.
    fn provide_bucket(&self, bucket: &str, spec: &ClusterSpec) -> io::Result<()> {
        let region = spec.location.as_str();
        self.emulator.provide_bucket(region, bucket);
        self.emulator.provide_object(bucket, STRANGERS_JOURNAL, "");
        let opened = Bucket::at(&self.endpoint, region, bucket).map_err(io::Error::other)?;
        // A specification names one bucket, and is provided for once.
        let _ = self.bucket.set(opened);
        Ok(())
    }

    /// Says what is carried out next.
    pub fn expect(&self, plan: &Plan) {
        *lock(&self.course) = Course::of(plan);
    }

    /// What is to be told of everything that happens.
    pub fn observer(&self) -> impl Fn(&Event) + Send + Sync + use<> {
        let (course, clock) = (Arc::clone(&self.course), self.clock.clone());
        move |event| {
            if let Event::Engine(event) = event {
                lock(&course).note(event, clock.wall());
            }
        }
    }

    /// The steps of the last plan that began, in that order.
    pub fn spans(&self) -> Vec<StepSpan> {
        lock(&self.course).spans()
    }

    /// How long the last plan took; nothing when not all of it was done.
    pub fn makespan(&self) -> Option<Makespan> {
        lock(&self.course).makespan(&self.emulator.transitions())
    }

    /// How much virtual time has passed.
    pub fn passed(&self) -> Duration {
        self.clock.now().since(Moment::START)
    }

    /// The providers that can be rehearsed, each at its emulated cloud.
    pub fn registry(&self) -> Registry {
        Registry::empty().with(Arc::new(EksFactory::at(&self.endpoint)))
    }

    /// The page that tells visitors their address: an address of this machine on the emulated internet.
    pub fn address_service(&self) -> String {
        format!("{}{}", self.endpoint, howso_infra_emulator::ADDRESS_PATH)
    }

    /// A directory of files that belong to this rehearsal, and vanish with it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Waits until a run that a death has dropped has let go of its journal. A process that dies does that at once; here a write that
    /// was under way still comes to its end.
    ///
    /// # Errors
    ///
    /// When a file of the directory cannot be read.
    pub async fn bury(&self) -> io::Result<()> {
        // What the run had given to another thread before has begun once this has, and holds its file.
        tokio::task::spawn_blocking(|| ()).await?;
        tokio::time::sleep(Duration::from_millis(1)).await;
        for entry in fs::read_dir(self.directory())? {
            let path = entry?.path();
            if !path.is_file() {
                continue;
            }
            while let Err(TryLockError::WouldBlock) = File::open(&path)?.try_lock() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Ok(())
    }

    /// Waits until a lease has ended that a run that has died still holds. The lock of a file ends with its process.
    pub async fn outlast_lease(&self) {
        if self.bucket.get().is_some() {
            let hold = self.clock.hold();
            self.clock.sleep(LEASE).await;
            drop(hold);
        }
    }

    /// Loses the journal of a run that has died, and everything else that it knew.
    ///
    /// # Errors
    ///
    /// When a file of the directory cannot be removed.
    pub fn lose_journal(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.directory())? {
            fs::remove_file(entry?.path())?;
        }
        if let Some(bucket) = self.bucket.get() {
            self.emulator.lose_objects(&bucket.name, |key| key != STRANGERS_JOURNAL);
        }
        Ok(())
    }

    /// Cuts off half of the last line of the journal of a run that has died, as a write does that was under way. An object is written
    /// whole or not at all.
    ///
    /// # Errors
    ///
    /// When a file of the directory cannot be written.
    pub fn tear_journal(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.directory())? {
            let path = entry?.path();
            let text = fs::read(&path)?;
            let last = text.trim_ascii_end().iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            fs::write(&path, &text[..last + (text.len() - last) / 2])?;
        }
        Ok(())
    }

    /// The surroundings of another process on the machine from which the cloud is used.
    ///
    /// # Errors
    ///
    /// When the path of the directory is no UTF-8.
    pub fn surroundings(&self) -> io::Result<Surroundings> {
        let state_dir = self.directory().to_path_buf().try_into();
        let state_dir = state_dir.map_err(|error| io::Error::new(io::ErrorKind::InvalidFilename, error))?;
        let process_id = self.processes.fetch_add(1, Ordering::Relaxed) + 1;
        self.emulator.begin_caller();
        Ok(Surroundings { state_dir, host: "rehearsal".to_owned(), process_id })
    }
}

/// Whoever panicked while it noted something leaves a note less.
fn lock(course: &Mutex<Course>) -> MutexGuard<'_, Course> {
    course.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a specification takes for granted, as far as it is in its `[eks]` table.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Given {
    network: Network,
    iam: Roles,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Network {
    vpc: Option<String>,
    private_subnets: Vec<String>,
    public_subnets: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Roles {
    #[serde(rename = "cluster_role")]
    cluster: Option<String>,
    #[serde(rename = "node_role")]
    node: Option<String>,
    #[serde(rename = "ebs_csi_role")]
    ebs_csi: Option<String>,
    #[serde(rename = "autoscaler_role")]
    autoscaler: Option<String>,
    #[serde(rename = "client_role")]
    client: Option<String>,
}
