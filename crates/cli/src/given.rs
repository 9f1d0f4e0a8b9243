//! What the platform is given and no specification holds: the licence by which the registry of charts knows its customers, the keys of a
//! bucket, and the logins of registries of images. From a file, else from the environment.

use camino::Utf8Path;
use howso_infra::core::spec::PlatformSpec;
use howso_infra::platform::{BucketKeys, Given, ImagePullConfig, License, NoLogins};
use secrecy::SecretString;
use serde::Deserialize;

use crate::failure::Failure;
use crate::machine::Machine;

const EMAIL_VARIABLE: &str = "HOWSO_LICENSE_EMAIL";
const ID_VARIABLE: &str = "HOWSO_LICENSE_ID";
const ACCESS_KEY_VARIABLE: &str = "HOWSO_OBJECT_STORE_ACCESS_KEY";
const SECRET_KEY_VARIABLE: &str = "HOWSO_OBJECT_STORE_SECRET_KEY";
const IMAGE_PULL_VARIABLE: &str = "HOWSO_IMAGE_PULL_CONFIG";

/// The form of the file with the licence.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LicenseFile {
    email: String,
    id: String,
}

/// What the platform is given.
pub(crate) fn find(spec: &PlatformSpec, machine: &Machine) -> Result<Given, Failure> {
    let license = match &spec.license_file {
        Some(path) => Some(read(path)?),
        None => both(machine, EMAIL_VARIABLE, ID_VARIABLE, "set both, or platform.license_file")?
            .map(|(email, id)| license(email, id)),
    };
    let keys =
        both(machine, ACCESS_KEY_VARIABLE, SECRET_KEY_VARIABLE, "set both, or make the secret platform-object-store")?;
    let bucket_keys = keys.map(|(access_key, secret_key)| BucketKeys {
        access_key: SecretString::from(access_key),
        secret_key: SecretString::from(secret_key),
    });
    Ok(Given { license, bucket_keys, image_pull: image_pull(spec, machine)? })
}

/// The logins of registries, from a file, else from the environment.
fn image_pull(spec: &PlatformSpec, machine: &Machine) -> Result<Option<ImagePullConfig>, Failure> {
    let (place, text) = match (&spec.image_pull_file, machine.variable(IMAGE_PULL_VARIABLE)) {
        (Some(path), _) => {
            let failed = |source| Failure::File { action: "read", path: path.clone(), source };
            (path.as_str(), std::fs::read_to_string(path).map_err(failed)?)
        }
        (None, Some(text)) => (IMAGE_PULL_VARIABLE, text.to_owned()),
        (None, None) => return Ok(None),
    };
    text.parse().map(Some).map_err(|why: NoLogins| {
        Failure::usage(
            format!("{place} has no logins of registries: {why}"),
            "as Docker keeps them in ~/.docker/config.json where no program keeps them for it: {\"auths\": {\"registry.example.com\": \
             {\"auth\": \"…\"}}}",
        )
    })
}

/// Two variables of which one alone is of no use.
fn both<'a>(
    machine: &'a Machine,
    first: &str,
    second: &str,
    hint: &str,
) -> Result<Option<(&'a str, &'a str)>, Failure> {
    let incomplete = |given, missing| Failure::usage(format!("{given} is set, but {missing} is not"), hint);
    match (machine.variable(first), machine.variable(second)) {
        (Some(one), Some(other)) => Ok(Some((one, other))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(incomplete(first, second)),
        (None, Some(_)) => Err(incomplete(second, first)),
    }
}

fn read(path: &Utf8Path) -> Result<License, Failure> {
    let failed = |source| Failure::File { action: "read", path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    // What the parser says quotes what it read, which may be the licence.
    let file: LicenseFile = toml::from_str(&text).map_err(|_| {
        Failure::usage(format!("{path} is not a licence"), "two lines: email = \"me@example.com\" and id = \"…\"")
    })?;
    Ok(license(&file.email, &file.id))
}

fn license(email: &str, id: &str) -> License {
    License { email: email.to_owned(), id: SecretString::from(id) }
}
