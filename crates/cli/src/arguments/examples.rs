//! The examples at the end of each help.

pub(super) const MAIN: &str = "\
Examples:
  howso-infra up --name howso --provider eks --region us-east-1 --profile large
  howso-infra plan
  howso-infra down

Every key of howso-infra.toml is also a variable: HOWSO_INFRA_ and the key in capitals, with __ for
dots (HOWSO_INFRA_CORE__NODES=3).

Exit codes: 0 done, 1 failed, 2 wrong usage or specification, 3 there are changes, 4 partly done
(run it again), 5 credentials or permission, 6 quota or capacity, 7 something foreign is in the
way, 8 another run holds the lease, 9 removed but something is left, 130 interrupted.";

pub(super) const INIT: &str = "\
Examples:
  howso-infra init
  howso-infra init --name howso --provider eks --region us-east-1 --profile large";

pub(super) const PLAN: &str = "\
Examples:
  howso-infra plan
  howso-infra plan --out plan.json && howso-infra up plan.json
  howso-infra plan --worker-max 40 --detailed-exitcode";

pub(super) const UP: &str = "\
Examples:
  howso-infra up
  howso-infra up --profile large --provider eks --region us-east-1 --name howso --yes
  howso-infra up plan.json
  howso-infra up --output json --yes | jq -r .type";

pub(super) const STATUS: &str = "\
Examples:
  howso-infra status
  howso-infra status --watch --interval 30";

pub(super) const DOWN: &str = "\
Examples:
  howso-infra down
  howso-infra down --yes howso";

pub(super) const AUTOSCALE: &str = "\
Examples:
  howso-infra autoscale --provider k3d --name local
  howso-infra autoscale --idle-for 2m
  howso-infra up --provider k3d --name local --autoscale";

pub(super) const KUBECONFIG: &str = "\
Examples:
  howso-infra kubeconfig && export KUBECONFIG=~/.kube/howso-demo.yaml
  howso-infra kubeconfig --merge
  howso-infra kubeconfig --print > access.yaml";

#[cfg(feature = "eks")]
pub(super) const REHEARSE: &str = "\
Examples:
  howso-infra rehearse up --profile large
  howso-infra rehearse down --profile small
  howso-infra rehearse up --fault list
  howso-infra rehearse up --fault answer-lost@eks:CreateCluster --seed 7
  howso-infra rehearse up --runs 500";

pub(super) const SIZE: &str = "\
Examples:
  howso-infra size --trainee x-large=20,small=100
  howso-infra size --trainee xx-large=4 --custom cpu=24,memory=96Gi --compare
  howso-infra size --trainee medium=8 --client-parallel 8 --output json";

pub(super) const VALUES: &str = "\
Examples:
  howso-infra values nats
  howso-infra values --directory values --domain howso.example.com
  howso-infra values redis --provider openshift > redis.yaml";

pub(super) const PLATFORM_UP: &str = "\
Examples:
  howso-infra platform up
  howso-infra platform up --set platform.charts=./charts --yes
  howso-infra up --until platform";

pub(super) const PLATFORM_DOWN: &str = "\
Examples:
  howso-infra platform down
  howso-infra platform down --delete-data --yes howso";

pub(super) const CLIENT: &str = "\
Examples:
  howso-infra client --provider eks
  howso-infra client --merge ~/.howso/howso.yml
  howso-infra client --measured
  howso-infra client --machine";

pub(super) const PROFILE: &str = "\
Examples:
  howso-infra profile show large
  howso-infra profile show --explain
  howso-infra profile show large > ~/.config/howso-infra/profiles/ours.toml";

pub(super) const COMPLETIONS: &str = "\
Examples:
  howso-infra completions bash > ~/.local/share/bash-completion/completions/howso-infra
  howso-infra completions zsh > ~/.zfunc/_howso-infra
  howso-infra completions fish > ~/.config/fish/completions/howso-infra.fish";
