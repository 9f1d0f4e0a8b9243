//! The licence by which the registry of charts knows its customers: from a file, else from the environment.

use camino::Utf8Path;
use howso_infra::core::spec::PlatformSpec;
use howso_infra::platform::License;
use secrecy::SecretString;
use serde::Deserialize;

use crate::failure::Failure;
use crate::machine::Machine;

const EMAIL_VARIABLE: &str = "HOWSO_LICENSE_EMAIL";
const ID_VARIABLE: &str = "HOWSO_LICENSE_ID";

/// The form of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LicenseFile {
    email: String,
    id: String,
}

/// The licence; [`None`] when nobody gave one, and the user's own login is used.
pub(crate) fn find(spec: &PlatformSpec, machine: &Machine) -> Result<Option<License>, Failure> {
    if let Some(path) = &spec.license_file {
        return read(path).map(Some);
    }
    match (machine.variable(EMAIL_VARIABLE), machine.variable(ID_VARIABLE)) {
        (Some(email), Some(id)) => Ok(Some(license(email, id))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(incomplete(EMAIL_VARIABLE, ID_VARIABLE)),
        (None, Some(_)) => Err(incomplete(ID_VARIABLE, EMAIL_VARIABLE)),
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

fn incomplete(given: &str, missing: &str) -> Failure {
    Failure::usage(format!("{given} is set, but {missing} is not"), "set both, or platform.license_file")
}
