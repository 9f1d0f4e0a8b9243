//! What the program finds around it: the environment, directories, the terminal. Read once, passed on from here.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use camino::{Utf8Path, Utf8PathBuf};

use crate::failure::Failure;

/// What the program finds around it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    /// The environment variables. Those that are not UTF-8 are none of ours.
    pub(crate) variables: BTreeMap<String, String>,
    /// Where the command was typed.
    pub(crate) directory: Utf8PathBuf,
    /// Whether a person can answer on standard input.
    pub(crate) can_answer: bool,
    /// Whether standard output goes to a terminal.
    pub(crate) stdout_is_terminal: bool,
    /// Whether standard error goes to a terminal.
    pub(crate) stderr_is_terminal: bool,
}

impl Machine {
    /// Looks around.
    pub(crate) fn here() -> Result<Self, Failure> {
        let directory = std::env::current_dir().ok().and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
        let Some(directory) = directory else {
            return Err(Failure::usage(
                "the current directory does not exist or its name is not UTF-8",
                "change to another directory",
            ));
        };
        let stderr_is_terminal = std::io::stderr().is_terminal();
        let mut variables = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => {
                    variables.insert(name, value);
                }
                (Ok(name), Err(_)) if name.starts_with("HOWSO_INFRA_") => {
                    return Err(Failure::usage(format!("the value of {name} is not UTF-8"), "set it to readable text"));
                }
                _ => {}
            }
        }
        Ok(Self {
            variables,
            directory,
            can_answer: std::io::stdin().is_terminal() && stderr_is_terminal,
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal,
        })
    }

    /// A variable that is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The home directory.
    pub(crate) fn home(&self) -> Result<&Utf8Path, Failure> {
        let home = self.variable("HOME").or_else(|| self.variable("USERPROFILE")).map(Utf8Path::new);
        home.ok_or_else(|| Failure::usage("there is no home directory", "set HOME"))
    }

    /// `$variable/howso-infra`, or `~/fallback/howso-infra`. The XDG specification wants relative paths to be ignored.
    fn xdg(&self, variable: &str, fallback: &str) -> Result<Utf8PathBuf, Failure> {
        let given = self.variable(variable).map(Utf8Path::new).filter(|path| path.is_absolute());
        let base = match given {
            Some(path) => path.to_owned(),
            None => self.home()?.join(fallback),
        };
        Ok(base.join("howso-infra"))
    }

    /// Where journals are kept.
    pub(crate) fn state_dir(&self, given: Option<&Utf8Path>) -> Result<Utf8PathBuf, Failure> {
        let given = given.or_else(|| self.variable("HOWSO_INFRA_STATE_DIR").map(Utf8Path::new));
        match given {
            Some(path) => Ok(self.directory.join(path)),
            None => self.xdg("XDG_STATE_HOME", ".local/state"),
        }
    }

    /// Where the user's own profiles lie.
    pub(crate) fn profile_dir(&self) -> Result<Utf8PathBuf, Failure> {
        Ok(self.xdg("XDG_CONFIG_HOME", ".config")?.join("profiles"))
    }

    /// Whether a program of this name can be run.
    pub(crate) fn has_program(&self, name: &str) -> bool {
        let path = self.variable("PATH").unwrap_or_default();
        name.contains('/') && Utf8Path::new(name).is_file()
            || std::env::split_paths(path).any(|directory| directory.join(name).is_file())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(variables: &[(&str, &str)]) -> Machine {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Machine { variables, directory: "/here".into(), ..Machine::default() }
    }

    #[test]
    fn the_state_directory_is_the_flag_else_the_variable_else_that_of_xdg_else_of_the_home() {
        let all = [("HOME", "/home/me"), ("XDG_STATE_HOME", "/xdg"), ("HOWSO_INFRA_STATE_DIR", "state")];
        assert_eq!(machine(&all).state_dir(Some("/flag".into())).unwrap(), "/flag");
        assert_eq!(machine(&all).state_dir(None).unwrap(), "/here/state");
        assert_eq!(machine(&all[..2]).state_dir(None).unwrap(), "/xdg/howso-infra");
        assert_eq!(machine(&all[..1]).state_dir(None).unwrap(), "/home/me/.local/state/howso-infra");
        assert!(matches!(machine(&[]).state_dir(None), Err(Failure::Usage { .. })));
    }

    #[test]
    fn a_relative_directory_of_xdg_is_ignored() {
        let machine = machine(&[("HOME", "/home/me"), ("XDG_CONFIG_HOME", "config")]);
        assert_eq!(machine.profile_dir().unwrap(), "/home/me/.config/howso-infra/profiles");
    }

    #[test]
    fn an_empty_variable_is_as_good_as_none() {
        assert_eq!(machine(&[("NO_COLOR", "")]).variable("NO_COLOR"), None);
    }
}
