//! The verbs, one file each.

mod access;
mod adopt;
mod autoscale;
mod client;
mod client_machine;
mod completions;
mod doctor;
mod down;
mod drift;
mod fix;
mod init;
mod kubeconfig;
mod man;
mod plan;
mod platform;
#[cfg(feature = "eks")]
mod policy;
mod profile;
#[cfg(feature = "eks")]
mod rehearse;
mod schema;
mod size;
mod stage;
mod status;
mod up;
mod values;
mod verify;

use std::sync::Arc;

use howso_infra::core::Plan;
use howso_infra::core::spec::ClusterSpec;
use howso_infra::{Event, Registry, Run, Session, Surroundings};

#[cfg(feature = "eks")]
use howso_infra_rehearsal::Rehearsal;

use crate::arguments::{PlatformVerb, SpecArguments, Stage, Verb};
use crate::failure::Failure;
use crate::machine::Machine;
use crate::settings;
use crate::signals::Signals;
use crate::view::Console;
use crate::view::findings::WarningsReport;

/// What every verb works with.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) registry: &'a Registry,
    pub(crate) console: &'a Arc<Console>,
    /// The emulated cloud that stands in for the real one.
    #[cfg(feature = "eks")]
    pub(crate) rehearsal: Option<&'a Rehearsal>,
}

/// Does what a verb says.
pub(crate) fn run(context: &Context<'_>, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Init(arguments) => init::run(context, arguments),
        Verb::Plan(arguments) => block_on(async |signals| Box::pin(plan::run(context, signals, arguments)).await),
        Verb::Up(arguments) => block_on(async |signals| Box::pin(up::run(context, signals, arguments)).await),
        Verb::Status(arguments) => block_on(async |signals| Box::pin(status::run(context, signals, arguments)).await),
        Verb::Drift(arguments) => block_on(async |signals| Box::pin(drift::run(context, signals, arguments)).await),
        Verb::Down(arguments) => block_on(async |signals| Box::pin(down::run(context, signals, arguments)).await),
        Verb::Kubeconfig(arguments) => {
            block_on(async |signals| Box::pin(kubeconfig::run(context, signals, arguments)).await)
        }
        Verb::Doctor(arguments) => block_on(async |signals| Box::pin(doctor::run(context, signals, arguments)).await),
        Verb::Verify(arguments) => block_on(async |signals| Box::pin(verify::run(context, signals, arguments)).await),
        Verb::Autoscale(arguments) => {
            block_on(async |signals| Box::pin(autoscale::run(context, signals, arguments)).await)
        }
        #[cfg(feature = "eks")]
        Verb::Rehearse(arguments) => {
            block_on(async |signals| Box::pin(rehearse::run(context, signals, arguments)).await)
        }
        Verb::Size(arguments) => size::run(context, &arguments),
        Verb::Values(arguments) => values::run(context, &arguments),
        Verb::Platform(verb) => block_on(async |signals| Box::pin(platform::run(context, signals, verb)).await),
        Verb::Client(arguments) if arguments.machine => {
            block_on(async |signals| Box::pin(client_machine::run(context, signals, arguments)).await)
        }
        Verb::Client(arguments) => block_on(async |signals| Box::pin(client::run(context, signals, &arguments)).await),
        Verb::Profile(verb) => profile::run(context, verb),
        Verb::Adopt(arguments) => block_on(async |signals| Box::pin(adopt::run(context, signals, arguments)).await),
        Verb::Completions(arguments) => completions::run(context, &arguments),
        Verb::Man(arguments) => man::run(context, arguments),
        Verb::Schema => schema::run(context),
    }
}

/// The command that resumes a verb which changes things.
pub(crate) fn resume(verb: &Verb) -> Option<&'static str> {
    match verb {
        Verb::Up(arguments) if arguments.until == Some(Stage::Platform) => Some("howso-infra up --until platform"),
        Verb::Up(_) => Some("howso-infra up"),
        Verb::Down(_) => Some("howso-infra down"),
        Verb::Autoscale(_) => Some("howso-infra autoscale"),
        Verb::Doctor(arguments) if arguments.fix => Some("howso-infra doctor --fix"),
        Verb::Platform(PlatformVerb::Up(_)) => Some("howso-infra platform up"),
        Verb::Platform(PlatformVerb::Down(_)) => Some("howso-infra platform down"),
        Verb::Init(_)
        | Verb::Plan(_)
        | Verb::Status(_)
        | Verb::Drift(_)
        | Verb::Kubeconfig(_)
        | Verb::Doctor(_)
        | Verb::Verify(_)
        | Verb::Platform(PlatformVerb::Status(_))
        | Verb::Size(_)
        | Verb::Values(_)
        | Verb::Client(_)
        | Verb::Profile(_)
        | Verb::Adopt(_)
        | Verb::Completions(_)
        | Verb::Man(_)
        | Verb::Schema => None,
        #[cfg(feature = "eks")]
        Verb::Rehearse(_) => None,
    }
}

/// Runs what waits for clouds and people.
fn block_on<W>(work: W) -> Result<(), Failure>
where
    W: AsyncFnOnce(&mut Signals) -> Result<(), Failure>,
{
    // The outside is looked at when nothing inside can go on, and not after so many steps: then the same rehearsal is the same to
    // the byte, however long anything takes on another thread.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().event_interval(u32::MAX).global_queue_interval(u32::MAX);
    let runtime = runtime.build().map_err(Failure::Runtime)?;
    // Without a budget, for what waits because one is used up goes on in another order.
    let result = runtime.block_on(tokio::task::unconstrained(async {
        let mut signals = Signals::listen().map_err(Failure::Runtime)?;
        work(&mut signals).await
    }));
    // A question that nobody answered must not keep the process alive.
    runtime.shutdown_background();
    result
}

/// Gives the lease free of a run that will not be carried out. Why it will not is the news, so a failure is only noted.
async fn release(context: &Context<'_>, run: Run<'_>) {
    if let Err(error) = run.release().await {
        context.console.note(format!("the lease was not given free and runs out by itself: {error}"));
    }
}

impl Context<'_> {
    /// Says what is carried out next.
    pub(crate) fn expect(&self, plan: &Plan) {
        self.console.expect(plan);
        #[cfg(feature = "eks")]
        if let Some(rehearsal) = self.rehearsal {
            rehearsal.expect(plan);
        }
    }

    /// Whether an emulated cloud stands in for the real one.
    #[cfg_attr(not(feature = "eks"), expect(clippy::unused_self, reason = "with the feature it is looked at"))]
    pub(crate) fn is_rehearsal(&self) -> bool {
        #[cfg(feature = "eks")]
        return self.rehearsal.is_some();
        #[cfg(not(feature = "eks"))]
        return false;
    }

    /// Puts the specification together and opens its cluster. Sends no request.
    pub(crate) async fn open(&self, arguments: &SpecArguments) -> Result<(ClusterSpec, Session), Failure> {
        let resolved = settings::load(arguments, self.machine, self.registry)?;
        self.console.remember(&resolved.origins);
        if !resolved.warnings.is_empty() {
            self.console.say(&WarningsReport(&resolved.warnings));
        }
        let surroundings = self.surroundings(arguments)?;
        let console = Arc::clone(self.console);
        let session = Session::open(resolved.spec.clone(), self.registry, surroundings).await;
        let session = session?;
        #[cfg(feature = "eks")]
        if let Some(rehearsal) = self.rehearsal {
            let note = rehearsal.observer();
            let observer = move |event: &Event| {
                note(event);
                console.event(event);
            };
            return Ok((resolved.spec, rehearsal.stage(session.on_event(Arc::new(observer)))));
        }
        let session = session.on_event(Arc::new(move |event: &Event| console.event(event)));
        Ok((resolved.spec, session))
    }

    fn surroundings(&self, arguments: &SpecArguments) -> Result<Surroundings, Failure> {
        #[cfg(feature = "eks")]
        if let Some(rehearsal) = self.rehearsal {
            return rehearsal.surroundings().map_err(Failure::Runtime);
        }
        Ok(Surroundings {
            state_dir: self.machine.state_dir(arguments.state_dir.as_deref())?,
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            process_id: std::process::id(),
        })
    }
}
