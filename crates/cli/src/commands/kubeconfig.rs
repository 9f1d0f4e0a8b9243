//! `kubeconfig`: access to the cluster.

use howso_infra::Stage;
use howso_infra::core::provider::Access;
use howso_infra::kubeconfig::render;
use serde_json::{Value, json};

use super::Context;
use super::access::{self, Written};
use crate::arguments::KubeconfigArguments;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::view::Report;
use crate::view::style::Style;

pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: KubeconfigArguments,
) -> Result<(), Failure> {
    let (spec, session) = context.open(&arguments.spec).await?;
    // The cloud alone knows this, also while nothing inside the cluster can be read.
    let access = signals.or_stop(session.until(Stage::Cloud).access()).await??.ok_or(Failure::NoAccess)?;
    let path = arguments.path.as_deref();
    if arguments.print {
        context.console.data(&Printed(&access));
    } else if arguments.merge {
        let written = access::merge(context.machine, &access, path)?;
        context.console.say(&WrittenReport { written: &written, merged: true });
    } else {
        let written = access::write_own(context.machine, &spec, &access, path)?;
        context.console.say(&WrittenReport { written: &written, merged: false });
    }
    Ok(())
}

/// The kubeconfig itself.
struct Printed<'a>(&'a Access);

impl Report for Printed<'_> {
    fn kind(&self) -> &'static str {
        "kubeconfig"
    }

    fn json(&self) -> Value {
        let Access { server, certificate_authority, context, user: _ } = self.0;
        let access = json!({ "server": server, "certificate_authority": certificate_authority, "context": context });
        json!({ "access": access, "kubeconfig": render(self.0) })
    }

    fn text(&self, _style: Style) -> String {
        render(self.0)
    }
}

/// Where it was written.
struct WrittenReport<'a> {
    written: &'a Written,
    merged: bool,
}

impl Report for WrittenReport<'_> {
    fn kind(&self) -> &'static str {
        "result"
    }

    fn json(&self) -> Value {
        let Written { path, context, .. } = self.written;
        json!({ "command": "kubeconfig", "kubeconfig": path, "context": context, "merged": self.merged })
    }

    fn text(&self, style: Style) -> String {
        let Written { path, context, .. } = self.written;
        let mut text = if self.merged {
            format!("merged into {path}\n  next: kubectl --context {context} get nodes\n")
        } else {
            format!("written to {path}\n  next: export KUBECONFIG={path} && kubectl get nodes\n")
        };
        text += &self.written.missing_program_line(style);
        text
    }
}
