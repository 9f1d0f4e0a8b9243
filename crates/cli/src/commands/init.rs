//! `init`: a commented specification file to begin with.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use camino::Utf8Path;
use howso_infra::core::spec::{
    ClusterName, DEFAULT_PROFILE, EMBEDDED_PROFILES, Invalid, Layers, Location, ProviderName, SpecError, SpecErrorKind,
    SpecErrors, resolve,
};

use super::Context;
use crate::arguments::InitArguments;
use crate::consent::ask_now;
use crate::failure::Failure;
use crate::settings::{own_profiles, with_profile};

/// What the file says.
struct Answers {
    name: String,
    provider: String,
    /// Absent on a platform that has one place only.
    region: Option<String>,
    profile: String,
}

pub(super) fn run(context: &Context<'_>, arguments: InitArguments) -> Result<(), Failure> {
    let path = context.machine.directory.join(&arguments.file);
    if path.exists() && !arguments.force {
        return Err(exists(&arguments.file));
    }
    let answers = collect(context, &arguments)?;
    let text = render(&answers);
    check(context, &arguments.file, &text)?;
    match write(&path, &text, arguments.force) {
        Ok(()) => {}
        // Somebody was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(exists(&arguments.file)),
        Err(source) => return Err(Failure::File { action: "write", path: arguments.file, source }),
    }
    context.console.note(format!("wrote {}\n  next: howso-infra doctor, then howso-infra up", arguments.file));
    Ok(())
}

fn exists(file: &Utf8Path) -> Failure {
    Failure::usage(format!("{file} is there already"), "choose another file, or overwrite it with --force")
}

/// What is not given as a flag is asked for; without a terminal, everything that is missing is named at once.
fn collect(context: &Context<'_>, arguments: &InitArguments) -> Result<Answers, Failure> {
    let can_ask = context.machine.can_answer && context.console.is_for_people();
    let providers = context.registry.names();
    let has_regions = |provider: &str| context.registry.get(provider).is_none_or(|it| it.only_location().is_none());
    let mut needed = vec![("--name", &arguments.name), ("--provider", &arguments.provider)];
    if arguments.provider.as_deref().is_none_or(has_regions) {
        needed.push(("--region", &arguments.region));
    }
    let missing: Vec<&str> = needed.iter().filter(|(_, value)| value.is_none()).map(|(flag, _)| *flag).collect();
    if !can_ask && !missing.is_empty() {
        let message = format!("{} must be given where nobody can be asked", missing.join(", "));
        let hint = "howso-infra init --name howso --provider eks --region us-east-1 --profile large";
        return Err(Failure::usage(message, format!("for example: {hint}")));
    }
    let known_provider = |text: &str| {
        text.parse::<ProviderName>()?;
        let hint = format!("compiled in: {}", providers.join(", "));
        let unknown = || Invalid { message: format!("provider `{text}` is not known"), hint: Some(hint) };
        if providers.contains(&text) { Ok(()) } else { Err(unknown()) }
    };
    let question = |question, flag, given: &Option<String>, default, check: &dyn Fn(&str) -> Result<(), Invalid>| {
        settle(context, can_ask, Question { text: question, flag, default }, given.as_deref(), check)
    };
    let mut profiles = EMBEDDED_PROFILES.map(str::to_owned).to_vec();
    profiles
        .extend(own_profiles(context.machine)?.into_keys().filter(|name| !EMBEDDED_PROFILES.contains(&name.as_str())));
    let profile_question = format!("Profile: {}, or a path?", profiles.join(", "));
    let name = question("Name of the cluster?", "--name", &arguments.name, Some("howso"), &|text| {
        text.parse::<ClusterName>().map(|_| ())
    })?;
    let first = providers.first().copied();
    let provider = question("Platform?", "--provider", &arguments.provider, first, &known_provider)?;
    let region = if has_regions(&provider) || arguments.region.is_some() {
        let is_location = |text: &str| text.parse::<Location>().map(|_| ());
        Some(question("Region?", "--region", &arguments.region, None, &is_location)?)
    } else {
        None
    };
    // Whether the profile exists is checked with the whole file.
    let profile = question(&profile_question, "--profile", &arguments.profile, Some(DEFAULT_PROFILE), &|_| Ok(()))?;
    Ok(Answers { name, provider, region, profile })
}

/// One question.
#[derive(Clone, Copy)]
struct Question<'a> {
    text: &'a str,
    flag: &'static str,
    default: Option<&'a str>,
}

/// The given value, or the answer; a bad answer is asked for again.
fn settle(
    context: &Context<'_>,
    can_ask: bool,
    question: Question<'_>,
    given: Option<&str>,
    check: &dyn Fn(&str) -> Result<(), Invalid>,
) -> Result<String, Failure> {
    const ATTEMPTS_MAX: usize = 5;
    let Question { text, flag, default } = question;
    let unfit =
        |Invalid { message, hint }: Invalid| Failure::usage(format!("{flag}: {message}"), hint.unwrap_or_default());
    if let Some(given) = given.or(default.filter(|_| !can_ask)) {
        return check(given).map(|()| given.to_owned()).map_err(unfit);
    }
    let mut attempt = 1;
    loop {
        let answer = ask_now(context.console, text, default)?;
        match check(&answer) {
            Ok(()) => return Ok(answer),
            Err(invalid) if attempt == ATTEMPTS_MAX => return Err(unfit(invalid)),
            Err(Invalid { message, hint }) => {
                let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
                context.console.note(format!("  {message}{hint}"));
                attempt += 1;
            }
        }
    }
}

/// The text must be a specification, whatever was answered.
fn check(context: &Context<'_>, file: &Utf8Path, text: &str) -> Result<(), Failure> {
    let layers = with_profile(Layers::new().file(file.to_owned(), text)?, context.machine)?;
    match resolve(&layers, &context.registry.schemas()) {
        Ok(_) => Ok(()),
        Err(errors) => {
            // A profile of the user's may need more than this file says; the user will see when planning.
            let is_ours = |error: &SpecError| error.kind != SpecErrorKind::Missing;
            let ours: Vec<SpecError> = errors.errors.into_iter().filter(is_ours).collect();
            if ours.is_empty() { Ok(()) } else { Err(SpecErrors::from(ours).into()) }
        }
    }
}

fn render(answers: &Answers) -> String {
    let Answers { name, provider, region, profile } = answers;
    let quote = |text: &str| toml::Value::from(text).to_string();
    let mut text = String::new();
    let region = region.iter().map(|region| ("region", region));
    let keys = [("name", name), ("provider", provider)].into_iter().chain(region).chain([("profile", profile)]);
    text.push_str("# What `howso-infra up` builds. Flags and HOWSO_INFRA_* variables win over this file.\n");
    text.push_str(
        "# All keys: howso-infra schema. Where each value comes from: howso-infra profile show --explain.\n\n",
    );
    for (key, value) in keys {
        // Writing into memory does not fail.
        let _ = writeln!(text, "{key:<8} = {}", quote(value));
    }
    text.push_str(TEMPLATE);
    text
}

/// What most people change sooner or later, commented out.
const TEMPLATE: &str = r#"
# [kubernetes]
# version = "1.34"                        # default: the newest in standard support
# api_access = ["203.0.113.0/24"]         # default: "auto", private plus your own address; or "private"

# [core]                                  # the platform's own services
# nodes = 3
# machine = { cpu = 8, memory = "32Gi" }

# [workers.default]                       # trainees; any number of pools, each with its own name
# min = 0
# max = 8
# machine = { cpu = 16, memory = "64Gi" }

# [tags]                                  # on everything that is created
# team = "ml-platform"
"#;

/// Writes the file at once; without `overwrite` never over another.
fn write(path: &Utf8Path, text: &str, overwrite: bool) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    let mut builder = tempfile::Builder::new();
    // A specification holds no secret; it is meant to be shared.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(".howso-infra-").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    let persisted = if overwrite { file.persist(path) } else { file.persist_noclobber(path) };
    persisted.map(|_| ()).map_err(|error| error.error)
}
