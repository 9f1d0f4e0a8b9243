//! The releases of the platform: what is to be done, and what was.

use howso_infra::core::spec::ClusterSpec;
use howso_infra::platform::{
    Action, Data, Installed, PlatformPlan, ReleasePlan, Removal, Removed, SecretAction, SecretContent,
};
use serde_json::{Value, json};

use crate::view::Report;
use crate::view::style::{Style, add_line, counted};

/// The width of the column of names.
const NAMES_WIDTH: usize = 36;

/// What has to be done for the platform.
pub(crate) struct PlatformReport<'a> {
    pub(crate) spec: &'a ClusterSpec,
    pub(crate) plan: &'a PlatformPlan,
}

impl Report for PlatformReport<'_> {
    fn kind(&self) -> &'static str {
        "platform"
    }

    fn json(&self) -> Value {
        json!({ "cluster": self.spec.name, "secrets": self.plan.secrets, "releases": self.plan.releases })
    }

    fn text(&self, style: Style) -> String {
        let title = format!("the platform on {} ({})", self.spec.name, self.spec.provider);
        let mut text = format!("{}    {}\n", style.bold(&title), counts(self.plan));
        for secret in &self.plan.secrets {
            let (sign, what) = match secret.action {
                SecretAction::Keep => ("=", "is kept"),
                SecretAction::Draw => ("+", "passwords, drawn once and never shown"),
                SecretAction::Give if secret.content == SecretContent::ImagePull => {
                    ("+", "the logins of registries, as they were given")
                }
                SecretAction::Ask if secret.content == SecretContent::ImagePull => {
                    ("!", "the logins of registries are needed")
                }
                SecretAction::Give => ("+", "the keys of the bucket, as they were given"),
                SecretAction::Ask => ("!", "the keys of the bucket are needed"),
            };
            add_line(&mut text, &format!("  {sign} {:<NAMES_WIDTH$}{what}", format!("secret {}", secret.name)));
        }
        for release in &self.plan.releases {
            let ReleasePlan { name, chart, version, action, .. } = release;
            let version = version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
            let why = why(*action).map(|why| format!("   ({why})")).unwrap_or_default();
            let line = format!("  {} {:<NAMES_WIDTH$}{chart}{version}{why}", sign(*action), format!("release {name}"));
            add_line(&mut text, &line);
        }
        text
    }
}

/// How much there is to do.
pub(crate) fn counts(plan: &PlatformPlan) -> String {
    let count = |wanted: &[Action]| plan.releases.iter().filter(|release| wanted.contains(&release.action)).count();
    let install = count(&[Action::Install, Action::InstallAgain]);
    let change = count(&[Action::Change, Action::ChangeAgain, Action::Repair]);
    format!("{install} to install, {change} to change, {} as wanted", count(&[Action::Keep]))
}

fn sign(action: Action) -> &'static str {
    match action {
        Action::Keep => "=",
        Action::Install | Action::InstallAgain => "+",
        Action::Change | Action::ChangeAgain | Action::Repair => "~",
        Action::Leave | Action::Await => "!",
    }
}

fn why(action: Action) -> Option<&'static str> {
    match action {
        Action::Keep | Action::Install | Action::Change => None,
        Action::Repair => Some("the last change failed"),
        Action::InstallAgain => Some("an installation or a removal broke off"),
        Action::ChangeAgain => Some("a change broke off"),
        Action::Leave => Some("somebody else installed it"),
        Action::Await => Some("helm is at work on it on another machine"),
    }
}

/// What is done to a release.
pub(crate) fn past(action: Action) -> &'static str {
    match action {
        Action::Keep | Action::Leave | Action::Await => "kept",
        Action::Install | Action::InstallAgain => "installed",
        Action::Change | Action::ChangeAgain | Action::Repair => "changed",
    }
}

/// How `platform up` ended well.
pub(crate) struct InstalledReport<'a> {
    pub(crate) spec: &'a ClusterSpec,
    pub(crate) installed: &'a Installed,
}

impl Report for InstalledReport<'_> {
    fn kind(&self) -> &'static str {
        "result"
    }

    fn json(&self) -> Value {
        json!({ "command": "platform up", "cluster": self.spec.name, "done": self.installed.done })
    }

    fn text(&self, style: Style) -> String {
        let name = style.bold(self.spec.name.as_str());
        let done = match self.installed.done {
            0 => "is as wanted, nothing was changed".to_owned(),
            some => format!("is as wanted after {}", counted(some, "release", "releases")),
        };
        let next = format!("howso-infra client --name {} tells clients how long to wait", self.spec.name);
        format!("{} the platform on {name} {done}\n  next:   {next}\n", style.good())
    }
}

/// What a removal of the platform would remove.
pub(crate) struct RemovalReport<'a> {
    pub(crate) spec: &'a ClusterSpec,
    pub(crate) removal: &'a Removal,
    pub(crate) data: Data,
}

impl Report for RemovalReport<'_> {
    fn kind(&self) -> &'static str {
        "platform"
    }

    fn json(&self) -> Value {
        let Removal { releases, foreign, claims, secrets, trainees } = self.removal;
        let claims: Vec<&str> = claims.iter().map(|claim| claim.name.as_str()).collect();
        json!({
            "cluster": self.spec.name, "remove": releases, "foreign": foreign, "volume_claims": claims, "secrets": secrets,
            "trainees": trainees, "delete_data": self.data == Data::Delete,
        })
    }

    fn text(&self, style: Style) -> String {
        let Removal { releases, foreign, claims, secrets, trainees: _ } = self.removal;
        let title = format!("the platform on {} ({})", self.spec.name, self.spec.provider);
        let mut text =
            format!("{}    {} to remove\n", style.bold(&title), counted(releases.len(), "release", "releases"));
        for release in releases {
            add_line(&mut text, &format!("  - release {release}"));
        }
        for release in foreign {
            add_line(
                &mut text,
                &format!("  ! {:<NAMES_WIDTH$}stays: somebody else installed it", format!("release {release}")),
            );
        }
        let (sign, fate) = match self.data {
            Data::Keep => ("=", "stays".to_owned()),
            Data::Delete => ("-", style.red("is deleted, and cannot be brought back")),
        };
        for claim in claims {
            let name = format!("volume claim {}", claim.name);
            add_line(&mut text, &format!("  {sign} {name:<NAMES_WIDTH$} {fate} ({})", claim.size));
        }
        for secret in secrets {
            add_line(&mut text, &format!("  {sign} {:<NAMES_WIDTH$} {fate}", format!("secret {secret}")));
        }
        text
    }
}

/// How `platform down` ended well.
pub(crate) struct RemovedReport<'a> {
    pub(crate) spec: &'a ClusterSpec,
    pub(crate) removed: &'a Removed,
}

impl Report for RemovedReport<'_> {
    fn kind(&self) -> &'static str {
        "result"
    }

    fn json(&self) -> Value {
        let Removed { done, kept_claims, kept_secrets, .. } = self.removed;
        json!({
            "command": "platform down", "cluster": self.spec.name, "done": done, "kept_volume_claims": kept_claims,
            "kept_secrets": kept_secrets,
        })
    }

    fn text(&self, style: Style) -> String {
        let Removed { done, kept_claims, kept_secrets, .. } = self.removed;
        let name = style.bold(self.spec.name.as_str());
        let mut text = match done {
            0 => format!("{} nothing of the platform runs on {name}\n", style.good()),
            some => {
                format!("{} the platform on {name} is gone: {}\n", style.good(), counted(*some, "release", "releases"))
            }
        };
        let kept_secrets: Vec<String> = kept_secrets.iter().map(ToString::to_string).collect();
        for (what, kept) in [("volume claims", kept_claims.join(", ")), ("secrets", kept_secrets.join(", "))] {
            if !kept.is_empty() {
                add_line(&mut text, &format!("  kept:   {what} {kept}"));
            }
        }
        if !kept_claims.is_empty() {
            let next = "howso-infra platform down --delete-data deletes them; platform up finds them as they were";
            add_line(&mut text, &format!("  next:   {next}"));
        }
        text
    }
}
