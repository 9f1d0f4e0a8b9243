//! `size`: which machines a workload needs.

use howso_infra::core::sizing::client::{cheapest, virtual_cpus};
use howso_infra::core::sizing::platform::PLATFORMS;
use howso_infra::core::sizing::{Advice, Platform, Prices, Question, Trainees, advise};
use howso_infra::core::spec::{Architecture, ClusterSpec, CostSpec, Layers};

use super::{Context, profile};
use crate::arguments::{SizeArguments, SpecArguments};
use crate::failure::Failure;
use crate::settings;
use crate::view::size::{ClientAdvice, ComparisonReport, SizeReport};

pub(super) fn run(context: &Context<'_>, arguments: &SizeArguments) -> Result<(), Failure> {
    let architecture: Architecture =
        arguments.architecture.parse().map_err(|invalid: howso_infra::core::spec::Invalid| {
            Failure::usage(invalid.message, format!("--architecture takes {}", invalid.hint.unwrap_or_default()))
        })?;
    let (trainees, assumed) = trainees(context, arguments)?;
    let (busy_hours_per_month, prices) =
        (arguments.busy_hours.unwrap_or(assumed.busy_hours_per_month.into()), &assumed.prices);
    let ask = |platform: &'static Platform| {
        let question = Question { platform, architecture, trainees: &trainees, busy_hours_per_month, prices };
        advise(&question)
    };
    if arguments.compare {
        let answers = PLATFORMS.map(|platform| (platform.name, ask(platform)));
        context.console.data(&ComparisonReport { answers: &answers, trainees: &trainees });
        return Ok(());
    }
    let platform = PLATFORMS.into_iter().find(|platform| platform.name == arguments.provider);
    // The names that are accepted are those of the platforms.
    let platform = platform.expect("the platform is one of those that are accepted");
    let advice: Advice = ask(platform).map_err(|none| {
        Failure::usage(none.to_string(), "ask for smaller trainees, another --architecture or another --provider")
    })?;
    let client =
        arguments.client_parallel.map(|parallel| client(platform, architecture, parallel, prices)).transpose()?;
    context.console.data(&SizeReport { advice: &advice, trainees: &trainees, architecture, client });
    Ok(())
}

/// Those of the flags; without any, those of the specification. What is assumed of costs is always that of the specification.
fn trainees(context: &Context<'_>, arguments: &SizeArguments) -> Result<(Vec<Trainees>, CostSpec), Failure> {
    let resolve = |layers| -> Result<ClusterSpec, Failure> {
        let layers = settings::with_profile(layers, context.machine)?;
        Ok(profile::resolve_as_far_as_possible(context, layers)?.spec)
    };
    let specification = SpecArguments { config: arguments.config.clone(), ..SpecArguments::default() };
    let ClusterSpec { mut trainees, cost, .. } = resolve(settings::layers(&specification, context.machine)?)?;
    if !arguments.trainee.is_empty() || !arguments.custom.is_empty() {
        let layers = arguments.trainee.iter().try_fold(Layers::new(), |layers, text| named(layers, text))?;
        let layers = arguments.custom.iter().try_fold(layers, |layers, text| custom(layers, text))?;
        trainees = resolve(layers)?.trainees;
    }
    if trainees.is_empty() {
        let hint = "--trainee x-large=20,small=100, or [trainees] in howso-infra.toml";
        return Err(Failure::usage("nobody says which trainees are to run", hint));
    }
    Ok((trainees, cost))
}

/// `x-large=20`.
fn named(layers: Layers, text: &str) -> Result<Layers, Failure> {
    match text.split_once('=') {
        Some((size, count)) => Ok(layers.flag("--trainee", &format!("trainees.{size}.count"), count)?),
        None => Err(Failure::usage(
            format!("`{text}` does not say how many trainees there are"),
            "a size and how many of it run at the same time, for example --trainee x-large=20",
        )),
    }
}

/// `cpu=24,memory=96Gi,count=2,name=mine`.
fn custom(layers: Layers, text: &str) -> Result<Layers, Failure> {
    let wrong = |message: String| {
        Failure::usage(message, "for example --custom cpu=24,memory=96Gi, and, if wanted, count=2 and name=mine")
    };
    let (mut name, mut count, mut cpu, mut memory) = ("custom", "1", None, None);
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("name", value)) => name = value,
            Some(("count", value)) => count = value,
            Some(("cpu", value)) => cpu = Some(value),
            Some(("memory", value)) => memory = Some(value),
            Some((key, _)) => return Err(wrong(format!("`{key}` is no part of a size"))),
            None => return Err(wrong(format!("`{part}` says nothing of a size"))),
        }
    }
    let missing = |key: &str| wrong(format!("`{text}` does not say its {key}"));
    let (cpu, memory) = (cpu.ok_or_else(|| missing("cpu"))?, memory.ok_or_else(|| missing("memory"))?);
    [("count", count), ("cpu", cpu), ("memory", memory)].into_iter().try_fold(layers, |layers, (key, value)| {
        Ok(layers.flag("--custom", &format!("trainees.{name}.{key}"), value)?)
    })
}

/// A core for every trainee that is driven at the same time, and some for the client's own work.
fn client(
    platform: &Platform,
    architecture: Architecture,
    parallel: u32,
    prices: &Prices,
) -> Result<ClientAdvice, Failure> {
    let cpus = virtual_cpus(parallel);
    let machine = cheapest(platform, architecture, parallel, prices).ok_or_else(|| {
        Failure::usage(format!("no machine of {} has {cpus} CPUs", platform.name), "a smaller --client-parallel")
    })?;
    Ok(ClientAdvice { parallel, cpus, machine: machine.name.clone(), price_microdollars: prices.of(machine) })
}
