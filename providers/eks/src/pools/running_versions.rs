//! Which version of its launch template a node group is as good as running.
//!
//! A template gets new versions also for tags alone, for which no node is replaced. A group that runs an older version which
//! differs from the latest in nothing else is reported as running the latest: there is nothing to do about it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::LaunchTemplateVersion;
use howso_infra_core::{Attributes, Observation, ProviderError, ResourceId, Value};

use crate::clients::Clients;
use crate::fields::text;
use crate::pools::kinds::{LAUNCH_TEMPLATE, NODEGROUP};
use crate::pools::launch_template::{replacing_data, versions};

/// The attribute of a group with the version that it runs.
const VERSION: &str = "launch_template_version";

/// What of a template decides: its latest version, and the data of that one for which nodes are replaced.
struct Latest {
    number: String,
    data: Attributes,
}

/// Reports groups whose version is as good as the latest as running that one. Reads only versions that are not the latest.
pub(super) async fn settle(clients: &Clients, observation: &mut Observation) -> Result<(), ProviderError> {
    let mut older: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let latest = latest(observation);
    for attributes in groups(observation) {
        if let Some((template, number)) = template_of(attributes)
            && latest.get(template).is_some_and(|latest| latest.number != number)
        {
            older.entry(template.to_owned()).or_default().insert(number.to_owned());
        }
    }
    for (template, numbers) in older {
        let Some(latest) = latest.get(&template) else { continue };
        let found = versions(&clients.ec2, &template, numbers.into_iter().collect()).await?;
        let as_good = found.iter().filter(|version| replacing_data(version) == latest.data);
        let as_good: BTreeSet<String> =
            as_good.filter_map(LaunchTemplateVersion::version_number).map(|number| number.to_string()).collect();
        for attributes in groups(observation) {
            if template_of(attributes).is_some_and(|(id, number)| id == template && as_good.contains(number)) {
                attributes.insert(VERSION.to_owned(), Value::text(&latest.number));
            }
        }
    }
    Ok(())
}

fn latest(observation: &Observation) -> BTreeMap<String, Latest> {
    let templates = observation.resources.iter().filter(|(id, _)| id.kind() == LAUNCH_TEMPLATE);
    templates
        .flat_map(|(_, found)| found)
        .filter_map(|template| {
            let number = text(&template.outputs, "latest_version", "").ok()?.to_owned();
            let mut data = template.attributes.clone();
            // What is the template's own and not its version's.
            data.retain(|field, _| !["name", "tags", "node_tags"].contains(&field.as_str()));
            Some((template.physical_id.clone(), Latest { number, data }))
        })
        .collect()
}

fn groups(observation: &mut Observation) -> impl Iterator<Item = &mut Attributes> {
    let is_group = |(id, _): &(&ResourceId, _)| id.kind() == NODEGROUP;
    let groups = observation.resources.iter_mut().filter(is_group);
    groups.flat_map(|(_, found)| found).map(|group| &mut group.attributes)
}

/// The template and the version that a group reports.
fn template_of(attributes: &Attributes) -> Option<(&str, &str)> {
    Some((text(attributes, "launch_template_id", "").ok()?, text(attributes, VERSION, "").ok()?))
}
