//! Checks the machines that a user asks for, before any request.

use howso_infra_core::sizing::catalogue::EKS;
use howso_infra_core::spec::{ClusterSpec, KeyPath, Machine, SpecError, SpecErrorKind};

use crate::catalogue::choice::candidates;

/// How many near names an error lists.
const SUGGESTIONS: usize = 3;

/// Returns what is wrong with the machine of each pool and that for clients: a shape that none has, and types that are unknown, repeated or of
/// another architecture.
pub(crate) fn check_machines(spec: &ClusterSpec) -> Vec<SpecError> {
    let core = (KeyPath::dotted("core.machine"), &spec.core.machine);
    let workers = spec
        .workers
        .iter()
        .map(|(name, pool)| (KeyPath::dotted("workers").key(name.as_str()).key("machine"), &pool.machine));
    let check = |(path, machine): (KeyPath, &Machine)| match machine.types.as_slice() {
        [] => check_shape(path, machine).into_iter().collect(),
        [_, ..] => check_types(&path.key("types"), machine),
    };
    let client = spec.client.iter().map(|client| (KeyPath::dotted("client.machine"), &client.machine));
    std::iter::once(core).chain(workers).chain(client).flat_map(check).collect()
}

/// A shape that no machine has, in any region.
fn check_shape(path: KeyPath, machine: &Machine) -> Option<SpecError> {
    if !candidates(machine).is_empty() {
        return None;
    }
    let alike = EKS.types().iter().filter(|known| known.automatic && known.architecture == machine.architecture);
    let largest = alike.max_by_key(|known| (known.memory_mebibytes, known.vcpus))?;
    Some(SpecError {
        kind: SpecErrorKind::InvalidValue,
        path,
        message: format!(
            "there is no instance type with {} vCPUs and {} on {}",
            machine.cpu, machine.memory, machine.architecture
        ),
        hint: Some(format!(
            "ask for a smaller machine; the one with most memory is {} with {} vCPUs and {}Gi",
            largest.name,
            largest.vcpus,
            largest.memory_mebibytes / 1024
        )),
        origin: None,
    })
}

fn check_types(path: &KeyPath, machine: &Machine) -> Vec<SpecError> {
    let mut errors = Vec::new();
    for (index, name) in machine.types.iter().enumerate() {
        let error = |kind, message, hint| SpecError { kind, path: path.index(index), message, hint, origin: None };
        if machine.types[..index].contains(name) {
            errors.push(error(SpecErrorKind::InvalidValue, format!("instance type {name} is named twice"), None));
        }
        match EKS.find(name) {
            None => {
                let message = format!("there is no instance type {name} that a node group can use");
                errors.push(error(SpecErrorKind::InvalidValue, message, Some(nearest(name))));
            }
            Some(found) if found.architecture != machine.architecture => {
                let message = format!("{name} is {}, but the machine is {}", found.architecture, machine.architecture);
                let hint = format!("set `architecture = \"{}\"` or name other types", found.architecture);
                errors.push(error(SpecErrorKind::Conflict, message, Some(hint)));
            }
            Some(_) => {}
        }
    }
    errors
}

/// The names that come closest.
fn nearest(name: &str) -> String {
    let mut names: Vec<_> =
        EKS.types().iter().map(|known| (strsim::damerau_levenshtein(name, &known.name), known.name.as_str())).collect();
    names.sort_unstable();
    let names: Vec<_> = names.iter().take(SUGGESTIONS).map(|(_, name)| *name).collect();
    format!("nearest: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use howso_infra_core::spec::{Architecture, Cpu, Gibibytes};

    use super::*;

    fn machine(types: &[&str]) -> Machine {
        Machine {
            cpu: Cpu::new(16).unwrap(),
            memory: "64Gi".parse().unwrap(),
            architecture: Architecture::X86_64,
            disk: Gibibytes::new(100).unwrap(),
            types: types.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    fn errors(types: &[&str]) -> Vec<String> {
        let path = KeyPath::dotted("core.machine.types");
        check_types(&path, &machine(types)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn known_types_pass() {
        assert_eq!(errors(&["m6i.4xlarge", "m7i-flex.4xlarge"]), Vec::<String>::new());
    }

    #[test]
    fn a_shape_that_no_machine_has_is_told_the_largest() {
        let check = |cpu| {
            let machine = Machine { cpu: Cpu::new(cpu).unwrap(), ..machine(&[]) };
            check_shape(KeyPath::dotted("core.machine"), &machine).map(|error| error.to_string())
        };
        assert_eq!(check(16), None);
        let found = check(1000).unwrap();
        assert!(found.contains("there is no instance type with 1000 vCPUs and "), "{found}");
    }

    #[test]
    fn an_unknown_type_is_told_its_nearest() {
        let found = errors(&["m6i.4xlrge"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("core.machine.types[0]: there is no instance type m6i.4xlrge"), "{}", found[0]);
        assert!(found[0].contains("nearest: m6i.4xlarge, "), "{}", found[0]);
    }

    #[test]
    fn repeated_types_and_other_architectures_are_refused_together() {
        let found = errors(&["m6i.4xlarge", "m6i.4xlarge", "m7g.4xlarge"]);
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("named twice") && found[1].contains("m7g.4xlarge is arm64"), "{found:?}");
    }
}
