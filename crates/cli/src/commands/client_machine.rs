//! `client --machine`: the machine for clients, which `up` makes.

use howso_infra::Stage;
use howso_infra::core::provider::ClientMachine;
use howso_infra::core::spec;
use serde_json::{Value, json};

use super::Context;
use crate::arguments::ClientArguments;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::view::Report;
use crate::view::style::{Style, lines};

pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: ClientArguments,
) -> Result<(), Failure> {
    let (spec, session) = context.open(&arguments.spec).await?;
    // The cloud alone knows this, also while nothing inside the cluster can be read.
    let found = signals.or_stop(session.until(Stage::Cloud).client_machine()).await??;
    if spec.client.is_none() && found.is_none() {
        return Err(Failure::usage(
            "the specification wants no machine for clients",
            "put `[client]` with `parallel = 8`, the trainees that are driven at the same time, into howso-infra.toml, and run \
             `howso-infra up`",
        ));
    }
    context.console.data(&MachineReport { wanted: spec.client.as_ref(), found: found.as_ref() });
    Ok(())
}

/// The machine that is wanted, and the one that is there.
struct MachineReport<'a> {
    wanted: Option<&'a spec::ClientMachine>,
    found: Option<&'a ClientMachine>,
}

impl Report for MachineReport<'_> {
    fn kind(&self) -> &'static str {
        "client_machine"
    }

    fn json(&self) -> Value {
        json!({ "wanted": self.wanted, "found": self.found })
    }

    fn text(&self, _style: Style) -> String {
        let wanted = self.wanted.map(|wanted| {
            let spec::ClientMachine { parallel, machine } = wanted;
            format!("for {parallel} trainees at a time: {} CPUs and {}", machine.cpu, machine.memory)
        });
        let Some(found) = self.found else {
            let wanted = wanted.unwrap_or_default();
            return lines([
                format!("no machine for clients is there ({wanted})"),
                "  next: howso-infra up makes it, where the platform has machines to order".to_owned(),
            ]);
        };
        let ClientMachine { physical_id, machine, state, shell, start, stop } = found;
        let machine = machine.as_deref().unwrap_or("of an unknown type");
        let purpose = wanted.unwrap_or_else(|| "no longer wanted: howso-infra up removes it".to_owned());
        let mut text = vec![format!("{physical_id}: {machine}, {state} ({purpose})")];
        if state == "stopped" {
            text.push(format!("  start it: {start}"));
        }
        text.push(format!("  open a shell: {shell}"));
        text.push(format!("  stop it, with its disk kept: {stop}"));
        lines(text)
    }
}
