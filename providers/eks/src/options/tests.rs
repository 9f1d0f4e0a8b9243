//! Every check of the options, by what it says.

use howso_infra_core::spec::{ClusterSpec, Layers, ProviderSchemas, SpecErrors, embedded_profile, resolve};

use crate::options::EksOptions;

/// The specification that a file gives on top of a profile.
pub(crate) fn specification(profile: &str, more: &str) -> Result<ClusterSpec, SpecErrors> {
    let schemas = ProviderSchemas::from([("eks".to_owned(), schemars::schema_for!(EksOptions).into())]);
    let head = format!("name = \"demo\"\nprovider = \"eks\"\nregion = \"us-east-1\"\nprofile = \"{profile}\"\n");
    let layers = Layers::new()
        .profile(profile, None, embedded_profile(profile).unwrap())?
        .file("howso-infra.toml".into(), &(head + more))?;
    resolve(&layers, &schemas).map(|resolved| resolved.spec)
}

/// What is wrong with a specification.
fn errors(more: &str) -> String {
    let options = specification("small", more).and_then(|spec| EksOptions::from_spec(&spec));
    options.err().map(|errors| errors.to_string()).unwrap_or_default()
}

/// Each case with what is said about it.
fn refused(cases: &[&str]) -> String {
    let told = |case: &&str| {
        let errors = errors(case);
        assert!(!errors.is_empty(), "accepted:\n{case}");
        format!("{}\n{errors}\n", case.trim_end())
    };
    cases.iter().map(told).collect::<Vec<_>>().join("\n")
}

#[test]
fn no_options_are_fine() {
    assert_eq!(errors(""), "");
}

#[test]
fn all_options_together_are_fine() {
    let more = r#"
[eks]
zones = ["us-east-1a", "us-east-1b"]
admins = ["arn:aws:iam::123456789012:role/team/Admin", "arn:aws:iam::123456789012:user/ann"]
kms_key = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
[eks.network]
cidr = "10.7.0.0/18"
service_cidr = "192.168.0.0/20"
[eks.iam]
path = "/howso/"
permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
cluster_role = "arn:aws:iam::123456789012:role/cluster"
[eks.addons]
metrics_server = false
[eks.nodes]
session_manager = true
"#;
    assert_eq!(errors(more), "");
}

#[test]
fn the_wrong_network_is_told_with_its_place() {
    let twice = "[eks.network]\nvpc = \"vpc-01234567\"\nprivate_subnets = [\"subnet-01234567\", \"subnet-01234567\", \"sub\"]\n\
                 public_subnets = [\"subnet-01234567\"]\n";
    let told = refused(&[
        "[eks.network]\nprivate_subnets = [\"subnet-0123456789abcdef0\"]\n",
        "[eks.network]\nvpc = \"vpc-1\"\ncidr = \"10.0.0.0/16\"\n",
        twice,
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn the_wrong_addresses_are_told_with_their_place() {
    let told = refused(&[
        "[eks.network]\ncidr = \"10.0.0.1/16\"\n",
        "[eks.network]\ncidr = \"8.8.0.0/24\"\n",
        "[eks.network]\ncidr = \"10.0.0.0/8\"\n",
        "[eks.network]\ncidr = \"10.0.0.0/33\"\n",
        "[eks.network]\nservice_cidr = \"10.42.128.0/20\"\n",
        "[eks]\naddress_service = \"http://checkip.amazonaws.com\"\n",
        "[eks]\naddress_service = \"checkip.amazonaws.com\"\n",
        "[eks]\naddress_service = \"https://ann:secret@example.com\"\n",
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn the_wrong_identities_are_told_with_their_place() {
    let told = refused(&[
        "[eks]\nadmins = [\"ann\"]\n",
        "[eks]\nadmins = [\"arn:aws:sts::123456789012:assumed-role/Admin/ann\"]\n",
        "[eks]\nadmins = [\"arn:aws:iam::123456789012:root\"]\n",
        "[eks]\nkms_key = \"alias/mine\"\n",
        "[eks]\nkms_key = \"arn:aws:kms:eu-west-1:123456789012:key/1\"\n",
        "[eks.iam]\npath = \"howso\"\nnode_role = \"node\"\npermissions_boundary = \"b\"\n",
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn the_wrong_zones_are_told_with_their_place() {
    let told = refused(&[
        "zones = 1\n",
        "[eks]\nzones = [\"us-west-2a\", \"us-east-1b\", \"us-east-1b\"]\n",
        "[eks]\nzones = [\"us-east-1a\", \"us-east-1b\"]\nnetwork.vpc = \"vpc-01234567\"\n\
         network.private_subnets = [\"subnet-01234567\", \"subnet-89abcdef\"]\n",
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn what_only_other_platforms_can_do_is_refused() {
    let told = refused(&["[kubernetes]\napi_access = [\"2001:db8::/32\"]\n"]);
    insta::assert_snapshot!(told);
}

#[test]
fn unknown_keys_and_types_are_told_their_nearest() {
    let told = refused(&["[eks.addons]\nmetric_server = false\n", "[core.machine]\ntypes = [\"m6i.2xlarg\"]\n"]);
    insta::assert_snapshot!(told);
}
