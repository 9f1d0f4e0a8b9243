use howso_infra::core::spec::{ApiAccess, Layer, Resolved};

use super::*;

/// A machine in a directory of its own, with a home beside it.
struct Sandbox {
    _guard: tempfile::TempDir,
    machine: Machine,
}

impl Sandbox {
    fn new() -> Self {
        let guard = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        let directory = root.join("project/deep/inside");
        fs::create_dir_all(&directory).unwrap();
        let variables = BTreeMap::from([("HOME".to_owned(), root.join("home").into_string())]);
        Self { _guard: guard, machine: Machine { variables, directory, ..Machine::default() } }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.machine.variables.insert(name.to_owned(), value.to_owned());
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.machine.directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn load(&self, arguments: &SpecArguments) -> Result<Resolved, Failure> {
        load(arguments, &self.machine, &Registry::empty())
    }
}

const FILE: &str = "name = \"file\"\nprovider = \"toy\"\nregion = \"here\"\n";

fn origin(resolved: &Resolved, path: &str) -> String {
    resolved.origins.get(path).unwrap().to_string()
}

#[test]
fn flag_wins_over_environment_over_file_over_profile_over_default() {
    let mut sandbox = Sandbox::new();
    sandbox.write("howso-infra.toml", &format!("{FILE}profile = \"medium\"\n[workers.default]\nmax = 5\n"));
    let max = |sandbox: &Sandbox, arguments: &SpecArguments| {
        let resolved = sandbox.load(arguments).unwrap();
        (resolved.spec.workers.values().next().unwrap().max, origin(&resolved, "workers.default.max"))
    };
    let mut arguments = SpecArguments::default();
    assert_eq!(max(&sandbox, &arguments), (5, "howso-infra.toml:6:7".to_owned()));
    sandbox.set("HOWSO_INFRA_WORKERS__DEFAULT__MAX", "6");
    assert_eq!(max(&sandbox, &arguments), (6, "HOWSO_INFRA_WORKERS__DEFAULT__MAX".to_owned()));
    arguments.worker_max = Some("7".to_owned());
    assert_eq!(max(&sandbox, &arguments), (7, "--worker-max".to_owned()));
    arguments.set = vec!["workers.default.max=9".to_owned()];
    assert_eq!(max(&sandbox, &arguments), (9, "--set workers.default.max".to_owned()));
    let resolved = sandbox.load(&arguments).unwrap();
    assert!(origin(&resolved, "core.nodes").starts_with("profile medium:"));
    assert_eq!(origin(&resolved, "addons"), "default");
}

#[test]
fn the_nearest_file_above_is_read_and_a_named_one_instead_of_it() {
    let mut sandbox = Sandbox::new();
    sandbox.write("../../howso-infra.toml", FILE);
    let name = |sandbox: &Sandbox, arguments: &SpecArguments| sandbox.load(arguments).unwrap().spec.name.to_string();
    let arguments = SpecArguments::default();
    assert_eq!(name(&sandbox, &arguments), "file");
    sandbox.write("../howso-infra.toml", &FILE.replace("file", "nearer"));
    assert_eq!(name(&sandbox, &arguments), "nearer");
    sandbox.write("other.toml", &FILE.replace("file", "other"));
    sandbox.set("HOWSO_INFRA_CONFIG", "other.toml");
    assert_eq!(name(&sandbox, &arguments), "other");
    let arguments = SpecArguments { config: Some("../howso-infra.toml".into()), ..arguments };
    assert_eq!(name(&sandbox, &arguments), "nearer");
    let arguments = SpecArguments { config: Some("absent.toml".into()), ..arguments };
    assert!(matches!(sandbox.load(&arguments), Err(Failure::File { action: "read", .. })));
}

#[test]
fn a_profile_of_the_users_own_wins_over_a_built_in_one() {
    let mut sandbox = Sandbox::new();
    sandbox.write("howso-infra.toml", FILE);
    let arguments = SpecArguments { profile: Some("large".to_owned()), ..SpecArguments::default() };
    let nodes = |sandbox: &Sandbox| sandbox.load(&arguments).unwrap().spec.core.nodes;
    assert_eq!(nodes(&sandbox), 3);
    let own = "[core]\nnodes = 5\nmachine = { cpu = 8, memory = \"32Gi\" }\n[workers.default]\nmax = 1\nmachine = { cpu = 8, memory = \"32Gi\" }\n";
    sandbox.write("../../../home/.config/howso-infra/profiles/large.toml", own);
    assert_eq!(nodes(&sandbox), 5);
    sandbox.write("xdg/howso-infra/profiles/large.toml", &own.replace('5', "6"));
    let xdg = sandbox.machine.directory.join("xdg").into_string();
    sandbox.set("XDG_CONFIG_HOME", &xdg);
    assert_eq!(nodes(&sandbox), 6);
}

#[test]
fn a_profile_may_be_a_file() {
    let sandbox = Sandbox::new();
    sandbox.write("howso-infra.toml", FILE);
    sandbox.write("mine.toml", "zones = 3\n[core]\nnodes = 4\nmachine = { cpu = 8, memory = \"32Gi\" }\n[workers.default]\nmax = 1\nmachine = { cpu = 8, memory = \"32Gi\" }\n");
    let arguments = SpecArguments { profile: Some("./mine.toml".to_owned()), ..SpecArguments::default() };
    let resolved = sandbox.load(&arguments).unwrap();
    assert_eq!(resolved.spec.core.nodes, 4);
    assert!(origin(&resolved, "core.nodes").starts_with("./mine.toml:3:"), "{}", origin(&resolved, "core.nodes"));
}

#[test]
fn access_is_one_word_or_a_list_of_networks() {
    let sandbox = Sandbox::new();
    sandbox.write("howso-infra.toml", FILE);
    let access = |words: &[&str]| {
        let api_access = words.iter().map(|word| (*word).to_owned()).collect();
        sandbox.load(&SpecArguments { api_access, ..SpecArguments::default() })
    };
    assert_eq!(access(&["private"]).unwrap().spec.api_access, ApiAccess::Private);
    assert!(matches!(access(&["203.0.113.0/24"]).unwrap().spec.api_access, ApiAccess::Cidrs(list) if list.len() == 1));
    assert!(
        matches!(access(&["203.0.113.0/24", "198.51.100.0/24"]).unwrap().spec.api_access, ApiAccess::Cidrs(list) if list.len() == 2)
    );
    assert!(matches!(access(&["publik"]), Err(Failure::Spec(_))));
    assert!(matches!(access(&["0.0.0.0/0"]), Err(Failure::Spec(_))), "the whole internet needs --allow-open-endpoint");
}

#[test]
fn what_is_wrong_in_several_layers_is_reported_together() {
    let mut sandbox = Sandbox::new();
    sandbox.write("howso-infra.toml", "name = \n");
    sandbox.set("HOWSO_INFRA___NAME", "x");
    let arguments = SpecArguments { set: vec!["nonsense".to_owned()], ..SpecArguments::default() };
    let Err(Failure::Spec(errors)) = sandbox.load(&arguments) else { panic!("must fail") };
    let layers: Vec<_> = errors.errors.iter().map(|error| error.origin.clone().unwrap().layer).collect();
    assert!(matches!(layers[..], [Layer::File { .. }, Layer::Environment { .. }, Layer::Flag { .. }]), "{layers:?}");
}

#[test]
fn a_file_that_is_no_page_of_text_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("howso-infra.toml", &"#".repeat(2 << 20));
    assert!(matches!(sandbox.load(&SpecArguments::default()), Err(Failure::File { .. })));
}
