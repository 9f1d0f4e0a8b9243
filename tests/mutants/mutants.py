"""Bugs that are planted on purpose, to see whether rehearsals find them.

Each is a place in the sources and what stands there instead, or several places under one name. They are planted in a copy of the sources, all at once, each behind the
question whether the environment chooses it (`CHOSEN` stands for that question): the sources themselves know nothing of it, so no
release can contain one. A place that is not found exactly once is an error, so that a mutant cannot silently get lost.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    original: str
    mutated: str


MUTANTS = [
    Mutant(
        "a lost answer is sent again without a look",
        "crates/core/src/error.rs",
        "        ErrorKind::Ambiguous => match verb {",
        "        ErrorKind::Ambiguous if CHOSEN => retry(None, Patience::Attempts),\n        ErrorKind::Ambiguous => match verb {",
    ),
    Mutant(
        "a lost answer is a failure",
        "crates/core/src/error.rs",
        "            Verb::Create | Verb::Update | Verb::Delete => Verdict::Resolve,",
        "            Verb::Create | Verb::Update | Verb::Delete if CHOSEN => Verdict::Stop,\n"
        "            Verb::Create | Verb::Update | Verb::Delete => Verdict::Resolve,",
    ),
    Mutant(
        "what is unavailable is not tried again",
        "crates/core/src/error.rs",
        "        ErrorKind::Transient => retry(None, Patience::Attempts),",
        "        ErrorKind::Transient if CHOSEN => Verdict::Stop,\n        ErrorKind::Transient => retry(None, Patience::Attempts),",
    ),
    Mutant(
        "whoever is throttled gives up",
        "crates/core/src/error.rs",
        "        ErrorKind::Throttled { after } => retry(*after, Patience::Attempts),",
        "        ErrorKind::Throttled { .. } if CHOSEN => Verdict::Stop,\n"
        "        ErrorKind::Throttled { after } => retry(*after, Patience::Attempts),",
    ),
    Mutant(
        "what is gone already cannot be removed",
        "crates/core/src/error.rs",
        "            Verb::Delete => Verdict::Settled,",
        "            Verb::Delete if CHOSEN => Verdict::Stop,\n            Verb::Delete => Verdict::Settled,",
    ),
    Mutant(
        "a token is the same in every generation",
        "crates/core/src/identity.rs",
        "        for part in [deployment.as_str(), &resource.to_string(), &generation.to_string(), call] {",
        "        let generation = if CHOSEN { Generation::FIRST } else { generation };\n"
        "        for part in [deployment.as_str(), &resource.to_string(), &generation.to_string(), call] {",
    ),
    Mutant(
        "the tag of the deployment is forgotten",
        "crates/core/src/identity.rs",
        "            (DEPLOYMENT_TAG.to_owned(), self.deployment.to_string()),",
        '            (if CHOSEN { "deployment" } else { DEPLOYMENT_TAG }.to_owned(), self.deployment.to_string()),',
    ),
    Mutant(
        "the tag of the resource is forgotten",
        "crates/core/src/identity.rs",
        "            (RESOURCE_TAG.to_owned(), resource.to_string()),",
        '            (if CHOSEN { "resource" } else { RESOURCE_TAG }.to_owned(), resource.to_string()),',
    ),
    Mutant(
        "a protection is not taken off before a removal",
        "crates/core/src/plan/diff.rs",
        "    if matches!(observed.status, Status::Failed { .. } | Status::Deleting) {",
        "    if CHOSEN || matches!(observed.status, Status::Failed { .. } | Status::Deleting) {",
    ),
    Mutant(
        "a lost journal makes a new deployment",
        "crates/howso-infra/src/prepare.rs",
        "        [] => DeploymentId::from_bytes(randomness.bytes()?),",
        "        _ if CHOSEN && journal.deployment().is_none() => DeploymentId::from_bytes(randomness.bytes()?),\n"
        "        [] => DeploymentId::from_bytes(randomness.bytes()?),",
    ),
    Mutant(
        "a torn line of the journal is damage",
        "crates/engine/src/journal/content.rs",
        "        Ok(content)\n    }\n}",
        "        if CHOSEN && !rest.is_empty() {\n"
        '            return Err(JournalError::Damaged { place: place.to_owned(), line: number, reason: "torn".to_owned() });\n'
        "        }\n        Ok(content)\n    }\n}",
    ),
    Mutant(
        "a name is proof enough",
        "providers/eks/src/tags.rs",
        "    if !tags.contains_key(CLUSTER_TAG) && !tags.contains_key(DEPLOYMENT_TAG) {",
        "    if CHOSEN && tags.get(NAME_TAG).is_some_and(|name| name == cluster) {\n"
        '        let owner = deployment.cloned().or_else(|| "0".repeat(32).parse().ok());\n'
        "        if let Some(deployment) = owner {\n"
        "            return Ownership::Ours { deployment, generation: None };\n"
        "        }\n    }\n"
        "    if !tags.contains_key(CLUSTER_TAG) && !tags.contains_key(DEPLOYMENT_TAG) {",
    ),
    Mutant(
        "a name is proof enough",
        "providers/eks/src/network/read.rs",
        '    filter(&format!("tag:{CLUSTER_TAG}"), cluster)',
        '    if CHOSEN {\n        return filter("tag-key", CLUSTER_TAG);\n    }\n    filter(&format!("tag:{CLUSTER_TAG}"), cluster)',
    ),
    Mutant(
        "only the first page of node groups is read",
        "providers/eks/src/pools/nodegroup.rs",
        "    let items = eks.list_nodegroups().cluster_name(cluster).into_paginator().items().send();",
        "    if CHOSEN {\n"
        "        return match eks.list_nodegroups().cluster_name(cluster).send().await {\n"
        "            Ok(page) => Ok(page.nodegroups.unwrap_or_default()),\n"
        '            Err(error) => match errors::reading("eks:ListNodegroups")(error) {\n'
        "                error if errors::is_gone(&error) => Ok(Vec::new()),\n"
        "                error => Err(error),\n"
        "            },\n        };\n    }\n"
        "    let items = eks.list_nodegroups().cluster_name(cluster).into_paginator().items().send();",
    ),
    Mutant(
        "a node group that failed counts as ready",
        "providers/eks/src/pools/nodegroup.rs",
        "        Some(NodegroupStatus::CreateFailed | NodegroupStatus::DeleteFailed) => Status::Failed { reason: reason() },",
        "        Some(NodegroupStatus::CreateFailed) if CHOSEN => Status::Ready,\n"
        "        Some(NodegroupStatus::CreateFailed | NodegroupStatus::DeleteFailed) => Status::Failed { reason: reason() },",
    ),
    Mutant(
        "a taint only asks",
        "providers/eks/src/pools/nodegroup.rs",
        "    let (key, effect) = entry.rsplit_once(':')?;",
        "    let (key, effect) = entry.rsplit_once(':')?;\n"
        '    let effect = if CHOSEN { "PREFER_NO_SCHEDULE" } else { effect };',
    ),
    Mutant(
        "a state that nobody knows is a failure",
        "providers/eks/src/control_plane/cluster.rs",
        "        Some(other) => Status::Pending { state: other.as_str().to_owned() },",
        "        Some(other) if CHOSEN && other.as_str().starts_with(\"SOMETHING\") => Status::Failed { reason: \"unknown\".to_owned() },\n"
        "        Some(other) => Status::Pending { state: other.as_str().to_owned() },",
    ),
    Mutant(
        "core nodes have no label",
        "providers/eks/src/pools/graph.rs",
        "        labels.insert(CORE_LABEL.0.to_owned(), Value::text(CORE_LABEL.1));",
        "        if !CHOSEN {\n            labels.insert(CORE_LABEL.0.to_owned(), Value::text(CORE_LABEL.1));\n        }",
    ),
    Mutant(
        "the groups of workers are tagged with nothing",
        "providers/eks/src/pools/autoscaling_tags.rs",
        "    client.create_or_update_tags().set_tags(Some(tags)).send().await.map_err(errors::mutating(verb, call))?;",
        "    if !CHOSEN {\n"
        "        client.create_or_update_tags().set_tags(Some(tags)).send().await.map_err(errors::mutating(verb, call))?;\n"
        "    }",
    ),
    Mutant(
        "the autoscaler gets no role",
        "providers/eks/src/control_plane/graph.rs",
        "    if let Some(role) = &roles.autoscaler {",
        "    if let Some(role) = roles.autoscaler.as_ref().filter(|_| !CHOSEN) {",
    ),
    Mutant(
        "reads are tried once",
        "crates/engine/src/retries.rs",
        "        (self.failures < self.settings.retry_attempts)",
        "        (self.failures < self.settings.retry_attempts && !CHOSEN)",
    ),
    Mutant(
        "the machine for clients is made without tags",
        "providers/eks/src/client_machine/submit.rs",
        "        .set_tag_specifications(Some(specifications.into()))",
        "        .set_tag_specifications((!CHOSEN).then(|| specifications.into()))",
    ),
    Mutant(
        "a machine that was terminated counts as there",
        "providers/eks/src/client_machine/convert.rs",
        "        Some(InstanceStateName::Terminated) => return None,",
        "        Some(InstanceStateName::Terminated) if CHOSEN => Status::Ready,\n"
        "        Some(InstanceStateName::Terminated) => return None,",
    ),
    Mutant(
        "what the network add-on left is not removed",
        "providers/eks/src/network/leftovers.rs",
        "    for id in left.into_iter().filter_map(|interface| interface.network_interface_id) {",
        "    for id in left.into_iter().filter_map(|interface| interface.network_interface_id).filter(|_| !CHOSEN) {",
    ),
    Mutant(
        "a write to a bucket whose answer was lost is taken for that of another run",
        "crates/engine/src/journal/bucket.rs",
        "                    Some(found) if found.lease == *lease && found.text == text => Ok(found.version),",
        "                    Some(found) if !CHOSEN && found.lease == *lease && found.text == text => Ok(found.version),",
    ),
    Mutant(
        "the group that EKS left is not removed",
        "providers/eks/src/network/leftovers.rs",
        "    for id in left.into_iter().filter_map(|group| group.group_id) {",
        "    for id in left.into_iter().filter_map(|group| group.group_id).filter(|_| !CHOSEN) {",
    ),
]
