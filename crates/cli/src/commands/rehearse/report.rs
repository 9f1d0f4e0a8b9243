//! What a rehearsal shows beyond what the command itself shows.

use std::collections::BTreeMap;

use howso_infra_rehearsal::{Fault, PlannedFault};
use serde_json::{Value, json};

use super::Performance;
use crate::arguments::RehearseArguments;
use crate::view::Report;
use crate::view::style::{Style, add_line, counted, duration};

/// What can go wrong on purpose.
pub(super) struct Catalogue;

impl Report for Catalogue {
    fn kind(&self) -> &'static str {
        "faults"
    }

    fn json(&self) -> Value {
        let fault = |fault: Fault| json!({ "name": fault.name(), "meaning": fault.meaning() });
        json!({ "faults": Fault::ALL.map(fault) })
    }

    fn text(&self, _style: Style) -> String {
        let width = Fault::ALL.map(|fault| fault.name().len()).into_iter().max().unwrap_or_default();
        let mut text = String::new();
        for fault in Fault::ALL {
            add_line(&mut text, &format!("{:width$}  {}", fault.name(), fault.meaning()));
        }
        text + "\nFAULT@12                  at the call of this number that changes something\n\
                FAULT@ec2:CreateVpc       at the first call of an operation\n\
                FAULT@ec2:CreateVpc#2     at the second\n\
                FAULT@5%                  at five of a hundred calls to which it can happen, drawn from the seed\n\
                FAULT@every               at each call that changes something, one in each of as many rehearsals\n\
                FAULT@every-read          at each call that reads, likewise\n\
                FAULT@every-kind-of-read  at the first and the last of each operation that reads, likewise\n\
                FAULT@every-ec2:CreateVpc at each call of an operation, likewise\n\
                none                      nothing goes wrong (with --runs)\n\
                random                    any of them at any call, drawn from the seed; twice for two (with --runs)\n"
    }
}

/// What a rehearsal shows beyond what the command itself shows.
pub(super) struct RehearsalReport<'a> {
    pub(super) arguments: &'a RehearseArguments,
    pub(super) faults: &'a [PlannedFault],
    pub(super) performance: &'a Performance,
}

impl RehearsalReport<'_> {
    /// How many calls there were by service, reads and changes apart.
    fn by_service(&self) -> BTreeMap<&str, (usize, usize)> {
        let mut counted = BTreeMap::new();
        for call in &self.performance.calls {
            let service = call.name.split(':').next().unwrap_or_default();
            let (reads, changes) = counted.entry(service).or_insert((0, 0));
            *(if call.mutates { changes } else { reads }) += 1;
        }
        counted
    }
}

impl Report for RehearsalReport<'_> {
    fn kind(&self) -> &'static str {
        "rehearsal"
    }

    fn json(&self) -> Value {
        let calls: BTreeMap<&str, Value> = self
            .by_service()
            .into_iter()
            .map(|(service, (reads, changes))| (service, json!({ "reads": reads, "changes": changes })))
            .collect();
        json!({
            "command": self.arguments.command.as_str(), "emulated": true, "seed": self.arguments.seed,
            "virtual_secs": self.performance.passed.as_secs_f64(), "calls": calls, "operations": self.performance.by_operation(),
            "repetitions": self.performance.repetitions, "cost_max_millidollars": self.performance.cost_max_millidollars,
            "faults": self.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "throttled": self.performance.throttled, "violations": self.performance.violations,
            "makespan": self.performance.makespan.as_ref().map(|makespan| {
                let path = makespan.critical_path.iter();
                let path = path.map(|(resource, needed)| json!({ "resource": resource, "secs": needed.as_secs_f64() }));
                json!({
                    "secs": makespan.taken.as_secs_f64(), "shortest_secs": makespan.shortest.as_secs_f64(),
                    "critical_path": path.collect::<Vec<_>>(),
                })
            }),
        })
    }

    fn text(&self, style: Style) -> String {
        let took = duration(self.performance.passed.as_secs_f64());
        let mut text =
            format!("rehearsal of {}: {} of virtual time\n", style.bold(self.arguments.command.as_str()), took);
        let services = self.by_service();
        let (reads, changes) = services.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let calls = counted(reads + changes, "call", "calls");
        let parts: Vec<String> =
            services.iter().map(|(service, (reads, changes))| format!("{service} {reads} + {changes}")).collect();
        add_line(&mut text, &format!("  {calls}: {reads} reads and {changes} changes ({})", parts.join(", ")));
        if let Some(makespan) = &self.performance.makespan {
            let path = makespan.critical_path.iter();
            let path: Vec<String> =
                path.map(|(resource, needed)| format!("{resource} {}", duration(needed.as_secs_f64()))).collect();
            let (taken, shortest) = (makespan.taken.as_secs_f64(), makespan.shortest.as_secs_f64());
            let more = (taken / shortest - 1.0) * 100.0;
            add_line(&mut text, &format!("  its steps took {}, {more:.1} % longer than they had to", duration(taken)));
            add_line(&mut text, &format!("  what decides: {}", path.join(", ")));
        }
        if let Some(millidollars) = self.performance.cost_max_millidollars {
            let cents = millidollars.div_ceil(10);
            let price = format!("${}.{:02}", cents / 100, cents % 100);
            add_line(
                &mut text,
                &format!(
                    "  {price} at most by the prices of the plan, if it had been real: the whole cluster, and a worker, all that time"
                ),
            );
        }
        if !self.faults.is_empty() {
            let names: Vec<String> = self.faults.iter().map(ToString::to_string).collect();
            let again = match self.performance.repetitions {
                0 => "the command was given once".to_owned(),
                some => format!("the command was given {} more", counted(some, "time", "times")),
            };
            add_line(&mut text, &format!("  {} went wrong on purpose; {again}", names.join(", ")));
        }
        if self.performance.throttled > 0 {
            let calls = counted(self.performance.throttled, "call", "calls");
            add_line(&mut text, &format!("  {calls} came more often than AWS allows, and had to be made again"));
        }
        for violation in &self.performance.violations {
            add_line(&mut text, &format!("  {} {violation}", style.bad()));
        }
        text
    }
}
