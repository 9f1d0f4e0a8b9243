//! `values`: what the charts of the platform are told.

use camino::Utf8Path;
use howso_infra::core::spec::Release;
use howso_infra_platform::values::{Surroundings, values};
use serde_json::{Value, json};

use super::{Context, profile};
use crate::arguments::ValuesArguments;
use crate::failure::Failure;
use crate::settings;
use crate::view::Report;
use crate::view::style::Style;

pub(super) fn run(context: &Context<'_>, arguments: &ValuesArguments) -> Result<(), Failure> {
    let mut layers = settings::layers(&arguments.spec, context.machine)?;
    let flags = [
        ("--storage-class", "platform.storage_class", &arguments.storage_class),
        ("--domain", "platform.domain", &arguments.domain),
    ];
    for (flag, path, value) in flags {
        if let Some(value) = value {
            layers = layers.flag(flag, path, toml::Value::from(value.clone()))?;
        }
    }
    let layers = settings::with_profile(layers, context.machine)?;
    let spec = profile::resolve_as_far_as_possible(context, layers)?.spec;
    let surroundings = Surroundings::of(&spec);
    let is_wanted = |release: &Release| arguments.release.as_deref().is_none_or(|name| name == release.as_str());
    let texts: Vec<(Release, String)> =
        Release::ALL.into_iter().filter(is_wanted).map(|release| (release, values(release, &surroundings))).collect();
    if let Some(directory) = &arguments.directory {
        return write(context, directory, &texts);
    }
    context.console.data(&ValuesReport(&texts));
    Ok(())
}

/// A file for each release, none of which may be there: somebody may have changed it.
fn write(context: &Context<'_>, directory: &Utf8Path, texts: &[(Release, String)]) -> Result<(), Failure> {
    let target = context.machine.directory.join(directory);
    let file = |release: Release| format!("{}.yaml", release.name());
    let present: Vec<String> =
        texts.iter().map(|(release, _)| file(*release)).filter(|name| target.join(name).exists()).collect();
    if !present.is_empty() {
        let message = format!("{} is there already: {}", directory, present.join(", "));
        return Err(Failure::usage(message, "choose another directory, or remove what is not needed"));
    }
    let failed = |path: &Utf8Path, source| Failure::File { action: "write", path: path.to_owned(), source };
    std::fs::create_dir_all(&target).map_err(|source| failed(directory, source))?;
    for (release, text) in texts {
        let path = target.join(file(*release));
        std::fs::write(&path, text).map_err(|source| failed(&path, source))?;
        context.console.note(format!("wrote {}", directory.join(file(*release))));
    }
    Ok(())
}

/// Values of releases.
struct ValuesReport<'a>(&'a [(Release, String)]);

impl Report for ValuesReport<'_> {
    fn kind(&self) -> &'static str {
        "values"
    }

    fn json(&self) -> Value {
        let releases: Vec<Value> =
            self.0.iter().map(|(release, text)| json!({ "release": release.name(), "values": text })).collect();
        json!({ "releases": releases })
    }

    fn text(&self, _style: Style) -> String {
        let texts: Vec<&str> = self.0.iter().map(|(_, text)| text.as_str()).collect();
        texts.join("---\n")
    }
}
