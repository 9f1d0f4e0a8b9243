//! What a person can get wrong: exit code 2 (1 for files that cannot be read), a message that names the place, a hint.
//! Never a panic, never a call, never a file.

use super::sandbox::Sandbox;

const GOOD: &str = "name = \"demo\"\nprovider = \"toy\"\nregion = \"here\"\n";

/// Runs `up --yes` and compares everything.
macro_rules! refused {
    ($name:ident, $sandbox:expr, $arguments:expr) => {
        #[test]
        fn $name() {
            let sandbox = $sandbox;
            let ran = sandbox.run($arguments);
            assert!(matches!(ran.code, Some(1 | 2)), "{}", ran.snapshot());
            assert_eq!(ran.stdout, "", "standard output is for data");
            assert!(sandbox.is_untouched(), "something was written");
            insta::assert_snapshot!(ran.snapshot());
        }
    };
}

/// The good file with more lines.
fn file(more: &str) -> Sandbox {
    Sandbox::with_file(&format!("{GOOD}{more}"))
}

const UP: &[&str] = &["up", "--yes"];
const ON_EKS: &[&str] = &["up", "--yes", "--provider", "eks", "--region", "us-east-1"];

refused!(nothing_said_at_all, Sandbox::new(), UP);
refused!(syntax_of_the_file, Sandbox::with_file("name = \"demo\nregion = \"here\"\n"), UP);
refused!(a_key_twice, file("name = \"other\"\n"), UP);
refused!(an_unknown_key, file("zone = 3\n"), UP);
refused!(an_unknown_key_in_a_table, file("[core]\nnodez = 3\n"), UP);
refused!(an_unknown_table, file("[worker.default]\nmax = 3\n"), UP);
refused!(text_instead_of_a_number, file("[core]\nnodes = \"three\"\n"), UP);
refused!(a_number_instead_of_text, file("[kubernetes]\nversion = 1.30\n"), UP);
refused!(a_wrong_unit, file("[core]\nmachine = { cpu = 8, memory = \"32GB\" }\n"), UP);
refused!(memory_without_a_unit, file("[core]\nmachine = { cpu = 8, memory = \"32\" }\n"), UP);
refused!(a_disk_that_is_too_small, file("[core]\nmachine = { cpu = 8, memory = \"32Gi\", disk = \"1Gi\" }\n"), UP);
refused!(
    an_unknown_architecture,
    file("[core]\nmachine = { cpu = 8, memory = \"32Gi\", architecture = \"sparc\" }\n"),
    UP
);
refused!(more_at_least_than_at_most, file("[workers.default]\nmin = 9\nmax = 3\n"), UP);
refused!(no_core_nodes, file("[core]\nnodes = 0\n"), UP);
refused!(too_many_zones, file("zones = 7\n"), UP);
refused!(a_misspelt_nat, file("[network]\nnat = \"per_zone\"\n"), UP);
refused!(a_misspelt_taint, file("[workers.default]\ntaints = [\"a=b:NoShedule\"]\n"), UP);
refused!(a_label_with_a_space, file("[core]\nlabels = { \"my label\" = \"x\" }\n"), UP);
refused!(a_tag_of_our_own, file("[tags]\n\"howso-infra/cluster\" = \"x\"\n"), UP);
refused!(a_pool_name_in_capitals, file("[workers.GPU]\nmax = 3\n"), UP);
refused!(overlapping_networks, file("[kubernetes]\napi_access = [\"10.0.0.0/8\", \"10.1.0.0/16\"]\n"), UP);
refused!(a_network_that_is_none, file("[kubernetes]\napi_access = [\"10.0.0.0/99\"]\n"), UP);
refused!(a_file_that_opens_the_endpoint, file("allow_open_endpoint = true\n"), UP);
refused!(the_whole_internet_without_permission, file("[kubernetes]\napi_access = [\"0.0.0.0/0\"]\n"), UP);
refused!(an_unknown_log, file("[kubernetes]\ncontrol_plane_logs = [\"audti\"]\n"), UP);
refused!(a_journal_that_is_no_place, file("journal = \"ftp://x\"\n"), UP);
refused!(a_duration_without_a_unit, file("[engine]\nrequest_timeout = \"30\"\n"), UP);
refused!(several_mistakes_at_once, file("zonse = 3\n[core]\nnodes = 0\n[workers.default]\nmin = 4\nmax = 2\n"), UP);
refused!(a_name_that_is_too_long, file(""), &["up", "--yes", "--name", "a-name-that-is-far-too-long-for-any-cloud"]);
refused!(a_name_in_capitals, file(""), &["up", "--yes", "--name", "Demo"]);
refused!(an_unknown_profile, file(""), &["up", "--yes", "--profile", "lagre"]);
refused!(a_profile_that_is_not_there, file(""), &["up", "--yes", "--profile", "./mine.toml"]);
refused!(a_config_that_is_not_there, file(""), &["up", "--yes", "--config", "other.toml"]);
refused!(an_assignment_without_a_value, file(""), &["up", "--yes", "--set", "core.nodes"]);
refused!(an_assignment_to_nothing, file(""), &["up", "--yes", "--set", "core.nods=3"]);
refused!(a_count_that_is_no_number, file(""), &["up", "--yes", "--worker-max", "many"]);
refused!(a_variable_that_is_no_key, file("").set("HOWSO_INFRA_CORE__NODS", "3"), UP);
refused!(a_variable_that_is_no_path, file("").set("HOWSO_INFRA__NAME", "x"), UP);
refused!(a_variable_with_a_wrong_value, file("").set("HOWSO_INFRA_CORE__NODES", "-3"), UP);
refused!(
    a_profile_that_builds_on_another,
    {
        let sandbox = file("");
        sandbox.write("here/mine.toml", "profile = \"small\"\n");
        sandbox
    },
    &["up", "--yes", "--profile", "mine.toml"]
);
refused!(
    a_saved_plan_that_is_none,
    {
        let sandbox = file("");
        sandbox.write("here/plan.json", "{\"steps\": []}");
        sandbox
    },
    &["up", "plan.json"]
);
refused!(
    a_saved_plan_of_another_version,
    {
        let sandbox = file("");
        sandbox.write("here/plan.json", "{\"schema\": 99}");
        sandbox
    },
    &["up", "plan.json"]
);
refused!(a_saved_plan_that_is_not_there, file(""), &["up", "plan.json"]);
refused!(no_verb, Sandbox::new(), &[]);
refused!(an_unknown_verb, Sandbox::new(), &["upp"]);
refused!(an_unknown_option, Sandbox::new(), &["up", "--profil", "large"]);
refused!(an_unknown_stage, file(""), &["up", "--until", "moon"]);
refused!(a_removal_without_a_name, file(""), &["down", "--yes"]);
refused!(quiet_and_verbose, file(""), &["plan", "-q", "-v"]);
refused!(an_interval_without_a_watch, file(""), &["status", "--interval", "3"]);
refused!(printing_and_merging_at_once, file(""), &["kubeconfig", "--print", "--merge"]);
refused!(a_beginning_without_anybody_to_ask, Sandbox::new(), &["init"]);
refused!(a_beginning_over_a_file_that_is_there, file(""), &["init", "--name", "demo"]);
refused!(a_beginning_with_a_bad_name, Sandbox::new(), &["init", "--name", "D", "--provider", "x", "--region", "here"]);

const SIZE: fn() -> Sandbox = Sandbox::new;

refused!(a_size_that_is_none, SIZE(), &["size", "--trainee", "huge=3"]);
refused!(a_misspelt_size, SIZE(), &["size", "--trainee", "x-larg=3"]);
refused!(a_size_without_a_count, SIZE(), &["size", "--trainee", "x-large"]);
refused!(no_trainees_of_a_size, SIZE(), &["size", "--trainee", "x-large=0"]);
refused!(less_than_no_trainees, SIZE(), &["size", "--trainee", "x-large=-2"]);
refused!(a_number_of_trainees_that_is_none, SIZE(), &["size", "--trainee", "x-large=two"]);
refused!(a_size_twice_with_nothing_between, SIZE(), &["size", "--trainee", "x-large=2,,small=3"]);
refused!(no_trainees_at_all, SIZE(), &["size"]);
refused!(an_own_size_without_memory, SIZE(), &["size", "--custom", "cpu=24"]);
refused!(an_own_size_without_cpu, SIZE(), &["size", "--custom", "memory=96Gi"]);
refused!(an_own_size_with_an_unknown_part, SIZE(), &["size", "--custom", "cpu=24,ram=96Gi"]);
refused!(an_own_size_that_says_nothing, SIZE(), &["size", "--custom", "large"]);
refused!(an_own_size_with_a_wrong_unit, SIZE(), &["size", "--custom", "cpu=24,memory=96GB"]);
refused!(an_own_size_with_half_a_cpu, SIZE(), &["size", "--custom", "cpu=0.5,memory=96Gi"]);
refused!(an_own_size_beyond_any_machine, SIZE(), &["size", "--custom", "cpu=900,memory=96Gi"]);
refused!(an_own_size_with_the_name_of_another, SIZE(), &["size", "--custom", "name=small,cpu=24,memory=96Gi"]);
refused!(a_platform_without_machines, SIZE(), &["size", "--trainee", "small=3", "--provider", "k3d"]);
refused!(a_platform_and_all_of_them, SIZE(), &["size", "--trainee", "small=3", "--provider", "eks", "--compare"]);
refused!(an_architecture_that_is_none, SIZE(), &["size", "--trainee", "small=3", "--architecture", "sparc"]);
refused!(
    an_architecture_without_machines,
    SIZE(),
    &["size", "--trainee", "small=3", "--provider", "aks", "--architecture", "arm64"]
);
refused!(more_hours_than_a_month_has, SIZE(), &["size", "--trainee", "small=3", "--busy-hours", "800"]);
refused!(a_client_that_drives_nothing, SIZE(), &["size", "--trainee", "small=3", "--client-parallel", "0"]);
refused!(a_client_beyond_any_machine, SIZE(), &["size", "--trainee", "small=3", "--client-parallel", "900"]);
refused!(a_client_and_all_platforms, SIZE(), &["size", "--trainee", "small=3", "--client-parallel", "8", "--compare"]);
refused!(trainees_of_the_file_that_are_none, file("[trainees.huge]\ncount = 3\n"), &["size"]);
refused!(trainees_with_a_mistake_in_a_plan, file("[trainees.small]\ncount = 3\ncpu = 4\n"), UP);
refused!(services_that_are_none, file("[core]\nservices = \"none\"\n"), UP);

refused!(a_release_that_is_none, Sandbox::new(), &["values", "mongo"]);
refused!(a_storage_class_that_is_no_name, Sandbox::new(), &["values", "--storage-class", "my class"]);
refused!(a_domain_that_is_none, Sandbox::new(), &["values", "--domain", "x: y"]);
refused!(
    values_over_files_that_are_there,
    {
        let sandbox = file("");
        sandbox.write("here/values/platform-redis.yaml", "mine: true\n");
        sandbox
    },
    &["values", "--directory", "values"]
);
refused!(a_client_of_a_cluster_nowhere, Sandbox::new(), &["client"]);
refused!(a_client_of_an_unknown_platform, file(""), &["client"]);
refused!(a_machine_and_a_merge, file(""), &["client", "--machine", "--merge", "howso.yml"]);
refused!(a_client_machine_for_nobody, file("[client]\nparallel = 0\n"), UP);
refused!(a_client_machine_that_does_not_say_for_how_many, file("[client.machine]\ncpu = 8\n"), UP);
refused!(a_client_machine_beyond_any_machine, file("[client]\nparallel = 900\n"), ON_EKS);
refused!(
    a_client_machine_of_a_type_that_is_none,
    file("[client]\nparallel = 8\nmachine = { types = [\"m6i.4xlrge\"] }\n"),
    ON_EKS
);

/// A configuration of a client.
fn configuration(text: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("here/howso.yml", text);
    sandbox
}

const MERGE: &[&str] = &["client", "--provider", "eks", "--merge", "howso.yml"];

refused!(a_configuration_that_is_no_yaml, configuration("howso: [\n"), MERGE);
refused!(a_configuration_that_is_a_list, configuration("- a\n"), MERGE);
refused!(
    a_configuration_whose_time_is_a_word,
    configuration("howso: {options: {create_max_wait_time: soon}}\n"),
    MERGE
);
refused!(
    a_configuration_whose_time_is_less_than_none,
    configuration("howso: {options: {create_max_wait_time: -1}}\n"),
    MERGE
);
refused!(a_configuration_whose_options_are_none, configuration("howso:\n  options: 3\n"), MERGE);

const PLATFORM: &[&str] = &["platform", "up", "--yes", "--provider", "k3d", "--name", "demo", "--profile", "small"];

/// A program that is called helm and says that it is this version.
fn helm(sandbox: Sandbox, says: &str) -> Sandbox {
    sandbox.program("helm", &format!("echo '{says}'"));
    let path = sandbox.path("programs").to_str().unwrap().to_owned();
    sandbox.set("PATH", &path)
}

/// Charts in a directory, each with nothing but what makes it one.
fn charts(sandbox: &Sandbox, names: &[&str]) {
    for name in names {
        sandbox.write(&format!("here/charts/{name}/Chart.yaml"), "name: x\n");
    }
}

fn platform(more: &str) -> Sandbox {
    let sandbox = Sandbox::with_file(&format!("[platform]\ncharts = \"charts\"\n{more}"));
    charts(&sandbox, &["nats", "redis", "postgresql", "minio", "howso-platform"]);
    sandbox
}

refused!(helm_is_absent, platform("").set("PATH", "/nowhere"), PLATFORM);
refused!(helm_is_too_old, helm(platform(""), "v3.12.3+g3a31588"), PLATFORM);
refused!(helm_is_something_else, helm(platform(""), "a ship"), PLATFORM);
refused!(
    helm_is_absent_for_a_cluster,
    platform("").set("PATH", "/nowhere"),
    &["up", "--until", "platform", "--yes", "--provider", "k3d", "--name", "demo", "--profile", "small"]
);
refused!(a_license_file_that_is_not_there, platform("license_file = \"license.toml\"\n"), PLATFORM);
refused!(
    a_license_file_that_is_none,
    {
        let sandbox = platform("license_file = \"license.toml\"\n");
        sandbox.write("here/license.toml", "id: canary-of-a-licence\n");
        sandbox
    },
    PLATFORM
);
refused!(logins_that_are_not_there, platform("image_pull_file = \"docker.json\"\n"), PLATFORM);
refused!(
    logins_that_are_none,
    {
        let sandbox = platform("image_pull_file = \"docker.json\"\n");
        sandbox.write("here/docker.json", "user: canary-of-a-login\n");
        sandbox
    },
    PLATFORM
);
refused!(
    logins_that_a_program_keeps,
    platform("").set("HOWSO_IMAGE_PULL_CONFIG", r#"{"auths": {"a.example": {}}, "credsStore": "desktop"}"#),
    PLATFORM
);
refused!(a_pull_secret_in_capitals, file("image_pull_secret = \"Registry\"\n"), PLATFORM);
refused!(half_a_license, platform("").set("HOWSO_LICENSE_EMAIL", "me@example.com"), PLATFORM);
refused!(the_other_half_of_a_license, platform("").set("HOWSO_LICENSE_ID", "canary-of-a-licence"), PLATFORM);
refused!(half_of_the_keys_of_a_bucket, platform("").set("HOWSO_OBJECT_STORE_ACCESS_KEY", "canary"), PLATFORM);
refused!(
    a_store_that_is_no_url,
    file("[platform.object_store]\nendpoint = \"s3.amazonaws.com\"\nbucket = \"data\"\n"),
    PLATFORM
);
refused!(a_store_without_a_bucket, file("[platform.object_store]\nendpoint = \"https://a.example\"\n"), PLATFORM);
refused!(
    a_store_with_a_password,
    file("[platform.object_store]\nendpoint = \"https://me:hunter2@a.example\"\nbucket = \"data\"\n"),
    PLATFORM
);
refused!(charts_that_are_not_there, file("[platform]\ncharts = \"no-such-charts\"\n"), PLATFORM);
refused!(values_of_ones_own_that_are_not_there, platform("[platform.values]\nredis = \"redis.yaml\"\n"), PLATFORM);
refused!(charts_over_plain_http, file("[platform]\ncharts = \"http://charts.example.com\"\n"), PLATFORM);
refused!(charts_with_a_password, file("[platform]\ncharts = \"oci://me:hunter2@charts.example.com\"\n"), PLATFORM);
refused!(a_chart_version_that_is_none, file("[platform.versions]\nnats = \"latest\"\n"), PLATFORM);
refused!(a_version_of_no_release, file("[platform.versions]\nmysql = \"8.0.0\"\n"), PLATFORM);
refused!(a_storage_class_in_capitals, file("[platform]\nstorage_class = \"Fast\"\n"), PLATFORM);
refused!(a_release_as_a_verb, file(""), &["platform", "nats"]);
refused!(
    the_name_of_another_cluster,
    platform(""),
    &["platform", "down", "--provider", "k3d", "--name", "demo", "--profile", "small", "--yes", "other"]
);
refused!(the_platform_in_a_rehearsal, Sandbox::new(), &["rehearse", "up", "--until", "platform"]);
refused!(
    the_status_of_the_platform,
    file(""),
    &["status", "--until", "platform", "--provider", "k3d", "--name", "demo"]
);
refused!(a_plan_of_the_platform, file(""), &["plan", "--until", "platform", "--provider", "k3d", "--name", "demo"]);

#[test]
fn a_license_is_not_repeated_where_it_is_wrong() {
    let sandbox = platform("license_file = \"license.toml\"\n");
    sandbox.write("here/license.toml", "id: canary-of-a-licence\n");
    assert!(!sandbox.run(PLATFORM).snapshot().contains("canary"));
}
