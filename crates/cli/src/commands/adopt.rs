//! `adopt`: local knowledge from tags.

use howso_infra::core::spec::ClusterSpec;
use howso_infra::{Adopted, Stage};
use serde_json::{Value, json};

use super::Context;
use crate::arguments::AdoptArguments;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::view::Report;
use crate::view::style::{Style, counted};

pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: AdoptArguments,
) -> Result<(), Failure> {
    let (spec, session) = context.open(&arguments.spec).await?;
    // The cloud alone knows this, also while nothing inside the cluster can be read.
    let adopted = signals.or_stop(session.until(Stage::Cloud).adopt()).await??;
    context.console.data(&AdoptReport { spec: &spec, adopted: &adopted });
    Ok(())
}

struct AdoptReport<'a> {
    spec: &'a ClusterSpec,
    adopted: &'a Adopted,
}

impl Report for AdoptReport<'_> {
    fn kind(&self) -> &'static str {
        "result"
    }

    fn json(&self) -> Value {
        let Adopted { deployment, resources } = self.adopted;
        json!({ "command": "adopt", "cluster": self.spec.name, "deployment": deployment, "resources": resources })
    }

    fn text(&self, style: Style) -> String {
        let resources = counted(self.adopted.resources, "resource", "resources");
        format!("{} {} is deployment {}, with {resources}\n", style.good(), self.spec.name, self.adopted.deployment)
    }
}
