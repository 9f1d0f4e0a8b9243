//! `plan --policy`: the permissions that a cluster needs, taken from a rehearsal of its whole life.

use std::collections::BTreeSet;

use camino::Utf8Path;
use howso_infra::core::Permissions;
use howso_infra::core::spec::ClusterSpec;
use howso_infra::kubeconfig::write;
use serde_json::{Value, json};

use super::{Context, rehearse};
use crate::arguments::SpecArguments;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::view::Report;
use crate::view::style::{Style, add_line};

pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    directory: &Utf8Path,
    spec_arguments: &SpecArguments,
) -> Result<(), Failure> {
    let (spec, session) = context.open(spec_arguments).await?;
    let nobody = || {
        let message = format!("{} asks nobody for permissions", spec.provider);
        Failure::usage(message, "leave --policy out")
    };
    session.permissions(&BTreeSet::new()).ok_or_else(nobody)?;
    let calls = rehearse::calls_of_a_life(context, signals, spec_arguments).await?;
    let permissions = session.permissions(&calls).ok_or_else(nobody)?;
    let report = PolicyReport { spec: &spec, directory, permissions: &permissions };
    let path = context.machine.directory.join(directory);
    let failed = |source| Failure::File { action: "write", path: path.clone(), source };
    std::fs::create_dir_all(&path).map_err(failed)?;
    for document in report.documents() {
        // A document has text keys only, so it can be written as JSON.
        let text = serde_json::to_string_pretty(document.content).expect("a document serialises to JSON");
        let file = path.join(document.file_name());
        write(&file, &(text + "\n")).map_err(|source| Failure::File { action: "write", path: file.clone(), source })?;
    }
    context.console.data(&report);
    Ok(())
}

/// Which documents were written.
struct PolicyReport<'a> {
    spec: &'a ClusterSpec,
    directory: &'a Utf8Path,
    permissions: &'a Permissions,
}

/// A document, and what it is for.
struct Document<'a> {
    name: &'static str,
    purpose: &'static str,
    content: &'a Value,
}

impl PolicyReport<'_> {
    fn documents(&self) -> Vec<Document<'_>> {
        let Permissions { read, apply, client, destroy } = self.permissions;
        let of_client = client.iter().map(|content| Document {
            name: "client",
            purpose: "to make and change the machine for clients, besides both: up",
            content,
        });
        let mut documents = vec![
            Document { name: "read", purpose: "to look: plan, status, drift, doctor", content: read },
            Document { name: "apply", purpose: "to make and change, besides `read`: up", content: apply },
        ];
        documents.extend(of_client);
        documents.push(Document {
            name: "destroy",
            purpose: "to remove, besides `read`: down, and an up that removes",
            content: destroy,
        });
        documents
    }
}

impl Document<'_> {
    fn file_name(&self) -> String {
        format!("{}.json", self.name)
    }
}

impl Report for PolicyReport<'_> {
    fn kind(&self) -> &'static str {
        "policies"
    }

    fn json(&self) -> Value {
        json!({ "cluster": self.spec.name, "directory": self.directory, "policies": self.permissions })
    }

    fn text(&self, style: Style) -> String {
        let mut text = format!("permissions for {}, taken from a rehearsal\n", style.bold(self.spec.name.as_str()));
        for document in self.documents() {
            let path = self.directory.join(document.file_name());
            add_line(&mut text, &format!("  {path}  {}", style.dim(document.purpose)));
        }
        let hint = "howso-infra rehearse up --policy FILE --policy FILE tells whether policies suffice";
        add_line(&mut text, &style.dim(hint));
        text
    }
}
