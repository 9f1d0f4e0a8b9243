//! Launch templates: numbered versions of what instances are made from.

use serde_json::{Map, Value, json};

use crate::account::ACCOUNT_ID;
use crate::ec2::{Call, Kind, describe};
use crate::error::{Answer, ApiError};
use crate::wire::seconds;

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let tags = call.tags(Kind::LaunchTemplate)?;
    let name = call.text("LaunchTemplateName").to_owned();
    if call.ec2.with(Kind::LaunchTemplate, "LaunchTemplateName", &name).next().is_some() {
        let message = "Launch template name already in use.";
        return Err(ApiError::new("InvalidLaunchTemplateName.AlreadyExistsException", message));
    }
    let first = version(call, 1, call.parameters["LaunchTemplateData"].clone());
    let template = json!({
        "LaunchTemplateName": name,
        "CreateTime": seconds(call.now),
        "CreatedBy": creator(),
        "DefaultVersionNumber": 1,
        "LatestVersionNumber": 1,
    });
    let (id, created) = call.add(Kind::LaunchTemplate, template, tags);
    call.ec2.get_mut(Kind::LaunchTemplate, &id)?.versions.push(first);
    Ok(json!({ "LaunchTemplate": created }))
}

pub(super) fn create_version(call: &mut Call<'_>) -> Answer {
    let id = named(call)?;
    let data = call.parameters["LaunchTemplateData"].clone();
    let template = call.ec2.get(Kind::LaunchTemplate, &id)?;
    let number = template.versions.len() + 1;
    let data = match call.text("SourceVersion") {
        "" => data,
        source => {
            let found =
                template.versions.iter().find(|version| version["VersionNumber"].as_u64() == source.parse().ok());
            let mut base = found.ok_or_else(|| no_version(source))?["LaunchTemplateData"].clone();
            let changes = data.as_object().cloned().unwrap_or_default();
            base.as_object_mut().into_iter().for_each(|base| base.extend(changes.clone()));
            base
        }
    };
    let made = version(call, number, data);
    let template = call.ec2.get_mut(Kind::LaunchTemplate, &id)?;
    template.versions.push(made.clone());
    template.value.insert("LatestVersionNumber".to_owned(), json!(number));
    let described = described(call, &id, &made)?;
    Ok(json!({ "LaunchTemplateVersion": described }))
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = named(call)?;
    let gone = call.ec2.remove(Kind::LaunchTemplate, &id)?;
    Ok(json!({ "LaunchTemplate": gone.described() }))
}

pub(super) fn describe(call: &mut Call<'_>) -> Answer {
    for name in call.texts("LaunchTemplateNames") {
        if call.ec2.with(Kind::LaunchTemplate, "LaunchTemplateName", name).next().is_none() {
            return Err(no_name(name));
        }
    }
    let names: Vec<String> = call.texts("LaunchTemplateNames").into_iter().map(str::to_owned).collect();
    let mut answer = describe::describe(call, Kind::LaunchTemplate, "LaunchTemplates", "LaunchTemplateIds")?;
    if let Some(list) = answer["LaunchTemplates"].as_array_mut().filter(|_| !names.is_empty()) {
        list.retain(|template| names.iter().any(|name| template["LaunchTemplateName"] == **name));
    }
    Ok(answer)
}

pub(super) fn describe_versions(call: &mut Call<'_>) -> Answer {
    let id = named(call)?;
    let template = call.ec2.get(Kind::LaunchTemplate, &id)?;
    let wanted = call.texts("Versions");
    let mut numbers = Vec::new();
    for version in &wanted {
        let number = match *version {
            "$Latest" => template.value["LatestVersionNumber"].as_u64(),
            "$Default" => template.value["DefaultVersionNumber"].as_u64(),
            number => number.parse().ok(),
        };
        let exists = |number: &u64| template.versions.iter().any(|version| version["VersionNumber"] == *number);
        numbers.push(number.filter(exists).ok_or_else(|| no_version(version))?);
    }
    let is_wanted = |version: &&Value| {
        wanted.is_empty() || version["VersionNumber"].as_u64().is_some_and(|number| numbers.contains(&number))
    };
    // The newest come first.
    let versions: Vec<Value> = template.versions.iter().rev().filter(is_wanted).cloned().collect();
    let versions = versions.iter().map(|version| described(call, &id, version)).collect::<Result<Vec<_>, _>>()?;
    describe::page(call, "LaunchTemplateVersions", &versions)
}

fn version(call: &Call<'_>, number: usize, data: Value) -> Value {
    let mut version = Map::new();
    version.insert("VersionNumber".to_owned(), json!(number));
    version.insert("CreateTime".to_owned(), json!(seconds(call.now)));
    version.insert("CreatedBy".to_owned(), json!(creator()));
    version.insert("LaunchTemplateData".to_owned(), data);
    if let Some(text) = call.parameters.get("VersionDescription") {
        version.insert("VersionDescription".to_owned(), text.clone());
    }
    Value::Object(version)
}

/// A version with what is told of its template.
fn described(call: &Call<'_>, id: &str, version: &Value) -> Answer {
    let template = call.ec2.get(Kind::LaunchTemplate, id)?;
    let mut described = version.clone();
    described["LaunchTemplateId"] = json!(id);
    described["LaunchTemplateName"] = template.value["LaunchTemplateName"].clone();
    described["DefaultVersion"] = json!(version["VersionNumber"] == template.value["DefaultVersionNumber"]);
    Ok(described)
}

/// The template that a call names by identifier or name.
fn named(call: &Call<'_>) -> Result<String, ApiError> {
    match (call.text("LaunchTemplateId"), call.text("LaunchTemplateName")) {
        ("", "") => Err(ApiError::new("MissingParameter", "Either a launch template ID or a name must be given.")),
        ("", name) => {
            let found = call.ec2.with(Kind::LaunchTemplate, "LaunchTemplateName", name).next();
            found.map(|(id, _)| id.clone()).ok_or_else(|| no_name(name))
        }
        (id, _) => call.ec2.get(Kind::LaunchTemplate, id).map(|_| id.to_owned()),
    }
}

fn no_name(name: &str) -> ApiError {
    let message = format!("The specified launch template, with template name {name}, does not exist.");
    ApiError::new("InvalidLaunchTemplateName.NotFoundException", message)
}

fn no_version(version: &str) -> ApiError {
    let message = format!("Could not find launch template version {version}");
    ApiError::new("InvalidLaunchTemplateId.VersionNotFound", message)
}

fn creator() -> String {
    format!("arn:aws:iam::{ACCOUNT_ID}:user/emulated")
}
