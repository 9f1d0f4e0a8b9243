//! The arguments, as clap reads them. What they mean is decided elsewhere.

mod examples;

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use howso_infra::core::sizing::platform::PLATFORMS;
use howso_infra::core::spec::Release;

/// A dedicated Kubernetes cluster for the Howso Platform, in one command.
#[derive(Debug, Parser)]
#[command(name = "howso-infra", version, propagate_version = true, max_term_width = 100)]
#[command(after_long_help = examples::MAIN)]
pub(crate) struct Arguments {
    /// How the command talks.
    #[command(flatten)]
    pub(crate) talk: TalkArguments,
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options of every verb.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct TalkArguments {
    /// How to print
    ///
    /// `human` has colours and progress bars on a terminal. `plain` is line by line, without colour. `json` is one event
    /// a line on standard output, and nothing else.
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = Output::Human)]
    pub(crate) output: Output,
    /// When to colour
    ///
    /// `auto` colours on a terminal, unless `NO_COLOR` is set.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
    /// Print data and errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print more; twice for what the program does inside
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people: colours and progress bars on a terminal
    Human,
    /// For people and logs: line by line, without colour
    Plain,
    /// For programs: one event a line
    Json,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The verbs, in the order in which a person meets them.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Write a commented howso-infra.toml
    ///
    /// Asks for what is not given as a flag when it runs on a terminal.
    #[command(after_long_help = examples::INIT)]
    Init(InitArguments),
    /// Show what `up` would do, and why
    ///
    /// Reads the cloud and changes nothing.
    #[command(after_long_help = examples::PLAN)]
    Plan(PlanArguments),
    /// Create, change or resume the cluster
    ///
    /// Plans, checks, asks, runs, looks again whether nothing is left to do, and writes a kubeconfig. Run it again to
    /// apply a changed specification, or to resume a run that did not end.
    #[command(after_long_help = examples::UP)]
    Up(UpArguments),
    /// Show what is there, what is healthy and what differs
    #[command(after_long_help = examples::STATUS)]
    Status(StatusArguments),
    /// Show only what differs; exit code 3 when anything does
    Drift(DriftArguments),
    /// Remove the cluster and everything that was made for it
    ///
    /// Plans the removal, asks for the cluster's name, removes, and then looks for what is left.
    #[command(after_long_help = examples::DOWN)]
    Down(DownArguments),
    /// Write or print the access to the cluster
    #[command(after_long_help = examples::KUBECONFIG)]
    Kubeconfig(KubeconfigArguments),
    /// Check everything that `up` and trainees need, and say how to cure what is wrong
    ///
    /// Credentials, permissions, quotas against the plan at its maximum, what the region offers, helper programs. In a cluster that is
    /// there also its nodes with their labels and taints, autoscaler, metrics, storage class and add-ons. Changes nothing.
    Doctor(DoctorArguments),
    /// Prove that pods land where they should, with pods that are removed again
    ///
    /// Pods like the replicas of a service of the platform must land on core nodes, each on another, and one like a trainee on
    /// a worker node. With --scale, also that a trainee makes a worker node appear, and that a service never does.
    Verify(VerifyArguments),
    /// Let workers of a local cluster come and go with the pods that need them
    ///
    /// Does on k3d what the Cluster Autoscaler does in a cloud, until it is interrupted: pods that wait for a worker make
    /// one appear, and a worker on which nothing runs is drained and removed after a while.
    #[command(after_long_help = examples::AUTOSCALE)]
    Autoscale(AutoscaleArguments),
    /// Rehearse a command against an emulated AWS, in virtual time
    ///
    /// The whole run in a second: the same provider, the same calls and the same output, against an AWS that this program
    /// emulates. No account, no network and no money is needed, and nothing real is asked or changed. What is not said
    /// otherwise is a cluster named howso on eks in us-east-1.
    #[cfg(feature = "eks")]
    #[command(after_long_help = examples::REHEARSE)]
    Rehearse(RehearseArguments),
    /// Which machines a workload needs: pools, waste, waiting times and costs
    ///
    /// Arithmetic on tables that are built in: asks no cloud and needs no account. Ends with the part of howso-infra.toml that asks for
    /// what it advises.
    #[command(after_long_help = examples::SIZE)]
    Size(SizeArguments),
    /// Print the values of the charts that the platform is made of, each with the reason for it
    ///
    /// As the performance guide tunes them, for the provider and the core pool of this cluster. A plan proves that they have room.
    #[command(after_long_help = examples::VALUES)]
    Values(ValuesArguments),
    /// Install, look at and remove the releases of the Howso Platform
    ///
    /// NATS, Redis, Postgres, `MinIO` and the platform itself, as the performance guide tunes them, through the program `helm`. Where the
    /// charts come from and what differs stands under [platform] in howso-infra.toml.
    #[command(subcommand)]
    Platform(PlatformVerb),
    /// Tell clients how long to wait for a trainee, and where they run
    ///
    /// Computed from how long a node takes on this provider. Prints the variable and the configuration, or puts the time into a
    /// configuration that is there, of which everything else stays as it is.
    #[command(after_long_help = examples::CLIENT)]
    Client(ClientArguments),
    /// List and show profiles
    #[command(subcommand)]
    Profile(ProfileVerb),
    /// Rebuild local knowledge of a cluster from its tags
    ///
    /// Only needed to make sure early: every other verb does the same when it finds no journal.
    Adopt(AdoptArguments),
    /// Print a shell completion script
    #[command(after_long_help = examples::COMPLETIONS)]
    Completions(CompletionsArguments),
    /// Print the manual page, or write all manual pages into a directory
    Man(ManArguments),
    /// Print the JSON schema of howso-infra.toml
    Schema,
}

/// Which cluster, and what it should be. Flag wins over environment (`HOWSO_INFRA_*`), over the file, over the profile.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct SpecArguments {
    /// The specification file [default: howso-infra.toml here or in the nearest directory above]
    ///
    /// Also `HOWSO_INFRA_CONFIG`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<Utf8PathBuf>,
    /// The cluster's name
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub(crate) name: Option<String>,
    /// The platform, for example eks
    #[arg(long, value_name = "PROVIDER", value_hint = ValueHint::Other)]
    pub(crate) provider: Option<String>,
    /// Where on the platform, for example us-east-1
    #[arg(long, value_name = "REGION", value_hint = ValueHint::Other)]
    pub(crate) region: Option<String>,
    /// The profile to build on: small, medium, large, one of your own, or a path
    #[arg(long, value_name = "PROFILE", value_hint = ValueHint::FilePath)]
    pub(crate) profile: Option<String>,
    /// The minor version of Kubernetes, for example 1.34
    #[arg(long, value_name = "VERSION", value_hint = ValueHint::Other)]
    pub(crate) kubernetes_version: Option<String>,
    /// The number of core nodes
    #[arg(long, value_name = "COUNT", value_hint = ValueHint::Other)]
    pub(crate) core_nodes: Option<String>,
    /// The least number of nodes in the default worker pool
    #[arg(long, value_name = "COUNT", value_hint = ValueHint::Other)]
    pub(crate) worker_min: Option<String>,
    /// The greatest number of nodes in the default worker pool
    #[arg(long, value_name = "COUNT", value_hint = ValueHint::Other)]
    pub(crate) worker_max: Option<String>,
    /// Who reaches the Kubernetes API: auto, private, or networks such as 203.0.113.0/24
    #[arg(long, value_name = "ACCESS", value_delimiter = ',', value_hint = ValueHint::Other)]
    pub(crate) api_access: Vec<String>,
    /// Permit an API that is open to the whole internet
    #[arg(long)]
    pub(crate) allow_open_endpoint: bool,
    /// Set any other key of the specification; may be repeated
    ///
    /// For example `--set workers.gpu.max=4` or `--set 'tags."cost center"=ml'`.
    #[arg(long, value_name = "KEY=VALUE", value_hint = ValueHint::Other)]
    pub(crate) set: Vec<String>,
    /// Where journals are kept [default: $XDG_STATE_HOME/howso-infra or ~/.local/state/howso-infra]
    ///
    /// Also `HOWSO_INFRA_STATE_DIR`. Not needed to be correct: what is lost here is found again by its tags.
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub(crate) state_dir: Option<Utf8PathBuf>,
}

/// `init`.
#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// The file to write
    #[arg(value_name = "FILE", default_value = "howso-infra.toml", value_hint = ValueHint::FilePath)]
    pub(crate) file: Utf8PathBuf,
    /// Overwrite a file that is there
    #[arg(long)]
    pub(crate) force: bool,
    /// The cluster's name
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub(crate) name: Option<String>,
    /// The platform, for example eks
    #[arg(long, value_name = "PROVIDER", value_hint = ValueHint::Other)]
    pub(crate) provider: Option<String>,
    /// Where on the platform, for example us-east-1
    #[arg(long, value_name = "REGION", value_hint = ValueHint::Other)]
    pub(crate) region: Option<String>,
    /// The profile to build on: small, medium, large, one of your own, or a path
    #[arg(long, value_name = "PROFILE", value_hint = ValueHint::FilePath)]
    pub(crate) profile: Option<String>,
}

/// `plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// Save the plan for `howso-infra up FILE`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<Utf8PathBuf>,
    /// Exit with 3 when there are changes, instead of 0
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// How far to go [default: as far as there is something to do]
    #[arg(long, value_name = "STAGE", value_enum)]
    pub(crate) until: Option<Stage>,
    /// Plan to delete and make again what cannot change in place
    #[arg(long)]
    pub(crate) allow_replace: bool,
    /// Make no plan: write the permissions that the cluster needs into this directory
    ///
    /// Three documents of the platform, for example policies of IAM: `read` for everything that only looks, `apply` for making and
    /// changing, `destroy` for removing. They are taken from a rehearsal of this very specification, so nothing real is asked and
    /// no credentials are needed.
    #[cfg(feature = "eks")]
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath, conflicts_with_all = ["out", "detailed_exitcode", "until", "allow_replace"])]
    pub(crate) policy: Option<Utf8PathBuf>,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// `up`.
#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    /// A plan that `plan --out` saved; refused when it is outdated
    #[arg(value_name = "PLAN", value_hint = ValueHint::FilePath)]
    pub(crate) plan: Option<Utf8PathBuf>,
    /// How far to go [default: as far as there is something to do]
    ///
    /// A stage includes those before it.
    #[arg(long, value_name = "STAGE", value_enum)]
    pub(crate) until: Option<Stage>,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Delete and make again what cannot change in place
    #[arg(long)]
    pub(crate) allow_replace: bool,
    /// The kubeconfig to write [default: ~/.kube/howso-NAME.yaml]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) kubeconfig: Option<Utf8PathBuf>,
    /// Go on with `howso-infra autoscale`; only for local clusters
    #[arg(long, conflicts_with = "until")]
    pub(crate) autoscale: bool,
    /// With --autoscale: how long nothing must have run on a worker before it is removed
    #[arg(long, value_name = "DURATION", default_value = IDLE_FOR, value_parser = humantime::parse_duration,
          requires = "autoscale")]
    pub(crate) idle_for: Duration,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// As long as the Cluster Autoscaler waits (`--scale-down-unneeded-time`).
const IDLE_FOR: &str = "10m";

/// How far `up` goes. A stage includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Stage {
    /// The cloud's own resources
    Cloud,
    /// What runs inside the cluster: storage class, autoscaler, verification
    Cluster,
    /// The Howso releases
    Platform,
}

/// `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// Look again and again, until interrupted
    #[arg(long)]
    pub(crate) watch: bool,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 15, requires = "watch",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) interval: u64,
    /// How far to look [default: as far as there is something to do]
    #[arg(long, value_name = "STAGE", value_enum)]
    pub(crate) until: Option<Stage>,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// `drift`.
#[derive(Debug, Args)]
pub(crate) struct DriftArguments {
    /// How far to look [default: as far as there is something to do]
    #[arg(long, value_name = "STAGE", value_enum)]
    pub(crate) until: Option<Stage>,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// `down`.
#[derive(Debug, Args)]
pub(crate) struct DownArguments {
    /// Do not ask: the name of the cluster to remove
    #[arg(long, short, value_name = "NAME", value_hint = ValueHint::Other)]
    pub(crate) yes: Option<String>,
    /// Stop what others run in the cluster, and remove it even when its API cannot be asked what that is
    #[arg(long)]
    pub(crate) force_workloads: bool,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// `kubeconfig`.
#[derive(Debug, Args)]
pub(crate) struct KubeconfigArguments {
    /// Print it instead of writing it
    #[arg(long, conflicts_with_all = ["merge", "path"])]
    pub(crate) print: bool,
    /// Put the entries into your own kubeconfig (KUBECONFIG, or ~/.kube/config), keeping everything else
    #[arg(long)]
    pub(crate) merge: bool,
    /// The file to write or to merge into [default: ~/.kube/howso-NAME.yaml]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) path: Option<Utf8PathBuf>,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// First cure what is safe to cure
    ///
    /// Objects inside the cluster that are ours and missing or changed, tags, and clients that give up too soon. What makes, stops,
    /// replaces or costs anything is left to `howso-infra up`.
    #[arg(long)]
    pub(crate) fix: bool,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// An image that waits, without privileges.
pub(crate) const CANARY_IMAGE: &str = "registry.k8s.io/pause:3.10";

/// `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
    /// Let a worker node appear; it may cost money until it goes again
    #[arg(long)]
    pub(crate) scale: bool,
    /// The image of the pods: one that waits, without privileges
    #[arg(long, value_name = "IMAGE", default_value = CANARY_IMAGE)]
    pub(crate) image: String,
}

/// `autoscale`.
#[derive(Debug, Args)]
pub(crate) struct AutoscaleArguments {
    /// How long nothing must have run on a worker before it is removed, for example 90s
    #[arg(long, value_name = "DURATION", default_value = IDLE_FOR, value_parser = humantime::parse_duration)]
    pub(crate) idle_for: Duration,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// `rehearse`.
#[cfg(feature = "eks")]
#[derive(Debug, Args)]
pub(crate) struct RehearseArguments {
    /// The command to rehearse
    #[arg(value_name = "COMMAND", value_enum)]
    pub(crate) command: Rehearsed,
    /// Let something go wrong, for example answer-lost@12; may be repeated. `list` explains what there is
    ///
    /// When the command fails because of it, the same command is given again, at most three times. answer-lost@every lets it go
    /// wrong at each call in turn, in as many rehearsals, and prints a table like --runs. With --runs, `none` lets nothing go wrong and
    /// `random` draws one for each seed, at any call; said twice it draws two.
    #[arg(long, value_name = "FAULT", value_hint = ValueHint::Other)]
    pub(crate) fault: Vec<String>,
    /// What names and durations are drawn from: the same for the same
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many rehearsals, each with the next seed, and without --fault each with faults of its own
    ///
    /// Prints a table of how they ended. Exits with 1 when any was not done after three more times, or not as one in which nothing
    /// goes wrong.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) runs: u64,
    /// Let the emulated cloud allow only what this document allows; may be repeated
    ///
    /// For example the policies that `plan --policy` has written, or those that you were given: whether they suffice is known before
    /// anything real is tried.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) policy: Vec<Utf8PathBuf>,
    /// Write what happened as a page for a browser
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<Utf8PathBuf>,
    /// How fast virtual time passes
    #[arg(long, value_name = "SPEED", value_enum, default_value_t = Speed::Max)]
    pub(crate) speed: Speed,
    /// Begin with a cluster that was made with this setting; may be repeated
    ///
    /// For example `--from kubernetes.version=1.33` to rehearse an upgrade. Nothing goes wrong while it is made.
    #[arg(long, value_name = "KEY=VALUE", value_hint = ValueHint::Other)]
    pub(crate) from: Vec<String>,
    /// How far to go [default: as far as can be rehearsed]
    #[arg(long, value_name = "STAGE", value_enum)]
    pub(crate) until: Option<Stage>,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// How fast virtual time passes.
#[cfg(feature = "eks")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Speed {
    /// A second in a second
    Real,
    /// A minute in a second, like a film
    Fast,
    /// As fast as this machine can
    Max,
}

#[cfg(feature = "eks")]
impl Speed {
    /// How many virtual seconds pass in a real one; nothing for as many as can.
    pub(crate) fn pace(self) -> Option<u32> {
        match self {
            Self::Real => Some(1),
            Self::Fast => Some(60),
            Self::Max => None,
        }
    }
}

/// What can be rehearsed.
#[cfg(feature = "eks")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rehearsed {
    /// Show what `up` would do, on an empty account or --from another cluster
    Plan,
    /// Create the cluster, on an empty account or --from another cluster
    Up,
    /// Create the cluster, then remove it
    Down,
}

/// `size`.
#[derive(Debug, Args)]
pub(crate) struct SizeArguments {
    /// How many trainees of a size run at the same time, for example x-large=20,small=100; may be repeated
    ///
    /// Without it and --custom, those under [trainees] in howso-infra.toml.
    #[arg(long, value_name = "SIZE=COUNT", value_delimiter = ',', value_hint = ValueHint::Other)]
    pub(crate) trainee: Vec<String>,
    /// Trainees of a size of your own, for example cpu=24,memory=96Gi,count=2; may be repeated with another name=
    #[arg(long, value_name = "KEY=VALUE,...", value_hint = ValueHint::Other)]
    pub(crate) custom: Vec<String>,
    /// Where the cluster runs
    #[arg(long, value_name = "PROVIDER", default_value = "eks", value_parser = platform_names(), conflicts_with = "compare")]
    pub(crate) provider: String,
    /// Compare all clouds
    #[arg(long)]
    pub(crate) compare: bool,
    /// The processors: `x86_64` or `arm64`
    #[arg(long, value_name = "ARCHITECTURE", default_value = "x86_64", value_hint = ValueHint::Other)]
    pub(crate) architecture: String,
    /// How many hours of a month all of them run [default: `cost.busy_hours`, which is 160]
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u64).range(0..=730))]
    pub(crate) busy_hours: Option<u64>,
    /// Also advise a machine for a client that drives so many trainees at the same time
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1000), conflicts_with = "compare")]
    pub(crate) client_parallel: Option<u32>,
    /// The specification file [default: howso-infra.toml here or in the nearest directory above]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<Utf8PathBuf>,
}

fn platform_names() -> PossibleValuesParser {
    PLATFORMS.iter().map(|platform| platform.name).into()
}

/// `values`.
#[derive(Debug, Args)]
pub(crate) struct ValuesArguments {
    /// The release [default: all]
    #[arg(value_name = "RELEASE", value_parser = release_names())]
    pub(crate) release: Option<String>,
    /// Write a file for each release into this directory, instead of printing
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub(crate) directory: Option<Utf8PathBuf>,
    /// The storage class of the volumes [default: the default one of the cluster]
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub(crate) storage_class: Option<String>,
    /// The domain under which the platform is reached, for example howso.example.com
    #[arg(long, value_name = "DOMAIN", value_hint = ValueHint::Hostname)]
    pub(crate) domain: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

fn release_names() -> PossibleValuesParser {
    Release::ALL.map(Release::as_str).into()
}

/// `platform`.
#[derive(Debug, Subcommand)]
pub(crate) enum PlatformVerb {
    /// Make the secrets, and install or change the releases
    ///
    /// Passwords are made once, at random, and never shown; secrets that are there are kept. A release that fails is taken back. The
    /// same command goes on where another one ended.
    #[command(after_long_help = examples::PLATFORM_UP)]
    Up(PlatformUpArguments),
    /// Show the releases, and what keeps them from running
    Status(PlatformStatusArguments),
    /// Remove the releases; their volumes and passwords stay
    #[command(after_long_help = examples::PLATFORM_DOWN)]
    Down(PlatformDownArguments),
}

/// `platform up`.
#[derive(Debug, Args)]
pub(crate) struct PlatformUpArguments {
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// `platform status`.
#[derive(Debug, Args)]
pub(crate) struct PlatformStatusArguments {
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// `platform down`.
#[derive(Debug, Args)]
pub(crate) struct PlatformDownArguments {
    /// Do not ask: the name of the cluster whose platform is removed
    #[arg(long, short, value_name = "NAME", value_hint = ValueHint::Other)]
    pub(crate) yes: Option<String>,
    /// Also delete the volumes of the releases, and the passwords that open them
    #[arg(long)]
    pub(crate) delete_data: bool,
    /// Remove it even while trainees are at work
    #[arg(long)]
    pub(crate) force_workloads: bool,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// `client`.
#[derive(Debug, Args)]
pub(crate) struct ClientArguments {
    /// Tell of the machine for clients: what it is, whether it runs, and how to get onto it
    ///
    /// It is made by `up` when the specification has a table `[client]`.
    #[arg(long, conflicts_with = "merge")]
    pub(crate) machine: bool,
    /// Ask the cluster how long a worker took when `verify --scale` last made one appear, and count with it where it is more than usual
    #[arg(long, conflicts_with = "machine")]
    pub(crate) measured: bool,
    /// Put the time into this configuration of a client, for example ~/.howso/howso.yml; a new one is made
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) merge: Option<Utf8PathBuf>,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// `profile`.
#[derive(Debug, Subcommand)]
pub(crate) enum ProfileVerb {
    /// List the profiles that are built in and your own
    ///
    /// Your own lie in $XDG_CONFIG_HOME/howso-infra/profiles or ~/.config/howso-infra/profiles, and win over those that
    /// are built in.
    List,
    /// Print a profile, or where every value of the specification comes from
    #[command(after_long_help = examples::PROFILE)]
    Show(Box<ProfileShowArguments>),
}

/// `profile show`.
#[derive(Debug, Args)]
pub(crate) struct ProfileShowArguments {
    /// The profile: a name or a path [default: the one that the specification names]
    #[arg(value_name = "PROFILE", value_hint = ValueHint::FilePath)]
    pub(crate) profile_name: Option<String>,
    /// Print every value of the whole specification with what set it
    #[arg(long)]
    pub(crate) explain: bool,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// `adopt`.
#[derive(Debug, Args)]
pub(crate) struct AdoptArguments {
    /// Which cluster.
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
}

/// `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// Write all pages here, instead of printing the main one
    #[arg(value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub(crate) directory: Option<Utf8PathBuf>,
}

#[cfg(feature = "eks")]
impl Rehearsed {
    /// The command as it is typed.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl Stage {
    /// The stage as it is typed.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Cluster => "cluster",
            Self::Platform => "platform",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_option_says_what_it_does() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} of {}", argument.get_id(), command.get_name());
            }
            for verb in command.get_subcommands() {
                assert!(verb.get_about().is_some(), "{}", verb.get_name());
                check(verb);
            }
        }
        check(&Arguments::command());
    }
}
