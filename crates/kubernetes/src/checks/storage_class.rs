//! A claim that names no class gets one.

use howso_infra_core::{Attributes, ProviderError};
use serde_json::Value as Json;

use super::{Verdict, text};
use crate::errors::Call;
use crate::list;
use crate::object::collection;
use crate::objects::DEFAULT_CLASS;
use crate::transport::Api;

pub(super) async fn judge(api: &Api, attributes: &Attributes) -> Result<Verdict, ProviderError> {
    let path = collection("storage.k8s.io/v1", "storageclasses", None);
    let classes = list::all(api, &Call::read("list storageclasses.storage.k8s.io"), &path, None).await?;
    Ok(default(&classes, text(attributes, "class")))
}

/// `wanted` is the class that must be the default; any will do when it is empty.
///
/// Of several defaults Kubernetes takes the newest, so that a second one decides by its age.
fn default(classes: &[Json], wanted: &str) -> Verdict {
    let is_default = |class: &&Json| {
        class.pointer("/metadata/annotations").and_then(|marks| marks.get(DEFAULT_CLASS)?.as_str()) == Some("true")
    };
    let defaults: Vec<&str> =
        classes.iter().filter(is_default).filter_map(|class| class.pointer("/metadata/name")?.as_str()).collect();
    match defaults.as_slice() {
        [] => Verdict::Waits("no storage class is the default".to_owned()),
        [only] if wanted.is_empty() || *only == wanted => Verdict::Passes,
        [only] => Verdict::Waits(format!("the default storage class is {only}, not {wanted}")),
        several => Verdict::Waits(format!(
            "several storage classes are the default ({}); take the mark off all but one: kubectl annotate storageclass NAME {DEFAULT_CLASS}-",
            several.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn class(name: &str, mark: &str) -> Json {
        json!({ "metadata": { "name": name, "annotations": { DEFAULT_CLASS: mark } } })
    }

    #[test]
    fn exactly_one_class_is_the_default_and_it_is_the_wanted_one() {
        let rows: [(&[Json], &str, bool); 6] = [
            (&[class("gp3", "true"), class("gp2", "false")], "gp3", true),
            (&[class("local-path", "true")], "", true),
            (&[], "", false),
            (&[class("gp3", "false")], "gp3", false),
            (&[class("gp2", "true")], "gp3", false),
            (&[class("gp3", "true"), class("gp2", "true")], "gp3", false),
        ];
        for (classes, wanted, passes) in rows {
            let verdict = default(classes, wanted);
            assert_eq!(verdict == Verdict::Passes, passes, "{classes:?} {verdict:?}");
        }
    }
}
