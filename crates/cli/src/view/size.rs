//! Which machines a workload needs, as a person reads it.

use howso_infra::core::sizing::advice::{CoreAdvice, HOURS_PER_MONTH, PoolAdvice, SizeAdvice};
use howso_infra::core::sizing::{Advice, NoAdvice, Trainees, services};
use howso_infra::core::spec::Architecture;
use howso_infra_platform::client::WAIT_VARIABLE;
use serde::Serialize;
use serde_json::{Value, json};

use crate::view::Report;
use crate::view::fit::sizes;
use crate::view::style::{Style, add_line, dollars, hourly};

/// What is advised.
pub(crate) struct SizeReport<'a> {
    pub(crate) advice: &'a Advice,
    pub(crate) trainees: &'a [Trainees],
    pub(crate) architecture: Architecture,
    pub(crate) client: Option<ClientAdvice>,
}

/// A machine for the client.
#[derive(Debug, Serialize)]
pub(crate) struct ClientAdvice {
    /// How many trainees it drives at the same time.
    pub(crate) parallel: u32,
    /// How many virtual CPUs that takes.
    pub(crate) cpus: u32,
    /// The machine.
    pub(crate) machine: String,
    /// Its price in millionths of a US dollar per hour.
    pub(crate) price_microdollars: Option<u64>,
}

/// Stands for a price that no source gives.
const UNKNOWN_PRICE: &str = "a price that is not known here";

impl Report for SizeReport<'_> {
    fn kind(&self) -> &'static str {
        "size"
    }

    fn json(&self) -> Value {
        json!({
            "trainees": self.trainees, "advice": self.advice, "client": self.client, "assumed": services::ASSUMED,
            "fragment": self.advice.fragment(self.trainees, self.architecture),
        })
    }

    fn text(&self, style: Style) -> String {
        let Advice { platform, price_basis, core, workers, .. } = self.advice;
        let mut text = String::new();
        let title = format!("{} on {platform}", sizes(self.trainees));
        add_line(&mut text, &format!("{}    {price_basis}", style.bold(&title)));
        add_line(&mut text, &format!("  core     {}", core_line(core)));
        for pool in workers {
            pool_lines(&mut text, pool, style);
        }
        for line in self.waits().into_iter().chain(self.costs()).chain(self.client.as_ref().map(client_line)) {
            add_line(&mut text, &format!("  {line}"));
        }
        add_line(&mut text, &format!("  {}", style.dim(services::ASSUMED)));
        text.push('\n');
        text + &self.advice.fragment(self.trainees, self.architecture)
    }
}

impl SizeReport<'_> {
    fn waits(&self) -> [String; 2] {
        let Advice { node_wait_median_secs, node_wait_p99_secs, client_wait_secs, .. } = self.advice;
        [
            format!(
                "a trainee that needs a new node waits {node_wait_median_secs} s, and one of a hundred more than {node_wait_p99_secs} s"
            ),
            format!("so let clients wait: {WAIT_VARIABLE}={client_wait_secs}"),
        ]
    }

    fn costs(&self) -> Vec<String> {
        let costs = self.advice.cost.map_or_else(
            || format!("costs {UNKNOWN_PRICE}"),
            |cost| {
                format!(
                    "costs {} idle, {} at the peak, {} a month with {} h at the peak",
                    hourly(cost.idle_millidollars_per_hour),
                    hourly(cost.peak_millidollars_per_hour),
                    dollars(cost.month_millidollars),
                    cost.busy_hours_per_month,
                )
            },
        );
        let warm = self.advice.workers.iter().map(|pool| {
            let price = dollars(pool.warm_node_millidollars_per_month);
            format!("min = 1 in {}, so that the first trainees need not wait, costs {price} a month", pool.name)
        });
        std::iter::once(costs).chain(warm).collect()
    }
}

fn core_line(core: &CoreAdvice) -> String {
    let CoreAdvice { cpu, memory_gibibytes, fit } = core;
    format!(
        "{} {} ({cpu} CPUs, {memory_gibibytes}Gi), which hold the services also when one is lost",
        fit.nodes, fit.machine
    )
}

fn pool_lines(text: &mut String, pool: &PoolAdvice, style: Style) {
    let PoolAdvice { name, machine, cpu, memory_gibibytes, nodes_at_peak, nodes_at_least, largest, .. } = pool;
    let bound = if nodes_at_least == nodes_at_peak {
        "no packing needs fewer".to_owned()
    } else {
        format!("no packing needs fewer than {nodes_at_least}")
    };
    let largest = largest.as_ref().map(|size| format!("; holds up to {size}")).unwrap_or_default();
    add_line(
        text,
        &format!("  {name:<8} 0 to {nodes_at_peak} {machine} ({cpu} CPUs, {memory_gibibytes}Gi); {bound}{largest}"),
    );
    for SizeAdvice { count, fit, .. } in &pool.sizes {
        let percent = fit.unused_permille.div_ceil(10);
        // A quarter of every node is worth a thought.
        let unused = format!("{percent} % unused");
        let unused = if percent >= 25 { style.yellow(&unused) } else { unused };
        add_line(
            text,
            &format!("             {count} {}, {} on a node by themselves, {unused}", fit.size, fit.per_node),
        );
    }
}

fn client_line(client: &ClientAdvice) -> String {
    let ClientAdvice { parallel, cpus, machine, price_microdollars } = client;
    let price = price_microdollars.map_or_else(|| UNKNOWN_PRICE.to_owned(), |price| hourly(price.div_ceil(1000)));
    format!(
        "a client that drives {parallel} trainees at a time wants {cpus} CPUs: {machine} at {price}, near the cluster"
    )
}

/// The same trainees on all clouds.
pub(crate) struct ComparisonReport<'a> {
    pub(crate) answers: &'a [(&'static str, Result<Advice, NoAdvice>)],
    pub(crate) trainees: &'a [Trainees],
}

impl Report for ComparisonReport<'_> {
    fn kind(&self) -> &'static str {
        "sizes"
    }

    fn json(&self) -> Value {
        let answer = |(name, answer): &(&'static str, Result<Advice, NoAdvice>)| match answer {
            Ok(advice) => json!({ "provider": name, "advice": advice }),
            Err(none) => json!({ "provider": name, "error": none.to_string() }),
        };
        json!({ "trainees": self.trainees, "answers": self.answers.iter().map(answer).collect::<Vec<_>>() })
    }

    fn text(&self, style: Style) -> String {
        let mut text = format!("{}\n", style.bold(&sizes(self.trainees)));
        for (name, answer) in self.answers {
            let line = match answer {
                Ok(advice) => comparison(advice),
                Err(none) => style.yellow(&none.to_string()),
            };
            add_line(&mut text, &format!("  {name:<10} {line}"));
        }
        text
    }
}

fn comparison(advice: &Advice) -> String {
    let pools: Vec<String> =
        advice.workers.iter().map(|pool| format!("{} {}", pool.nodes_at_peak, pool.machine)).collect();
    let cost = advice.cost.map_or_else(
        || "price not known".to_owned(),
        |cost| {
            let (peak, month) = (hourly(cost.peak_millidollars_per_hour), dollars(cost.month_millidollars));
            format!(
                "{peak} at the peak, {month} a month of {HOURS_PER_MONTH} h with {} at the peak",
                cost.busy_hours_per_month
            )
        },
    );
    let Advice { node_wait_p99_secs, price_basis, .. } = advice;
    format!("{}; {cost}; p99 of the wait {node_wait_p99_secs} s ({price_basis})", pools.join(" and "))
}
