//! A directory and a home of its own for the program, and nothing else of the machine.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

pub(crate) struct Sandbox {
    directory: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// How the program ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let sandbox = Self { directory: tempfile::tempdir().unwrap(), variables: Vec::new() };
        fs::create_dir(sandbox.path("home")).unwrap();
        fs::create_dir(sandbox.path("here")).unwrap();
        sandbox
    }

    /// A sandbox with a specification file.
    pub(crate) fn with_file(text: &str) -> Self {
        let sandbox = Self::new();
        sandbox.write("here/howso-infra.toml", text);
        sandbox
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a program into the directory `programs`.
    pub(crate) fn program(&self, name: &str, commands: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = format!("programs/{name}");
        self.write(&path, &format!("#!/bin/sh\n{commands}\n"));
        fs::set_permissions(self.path(&path), fs::Permissions::from_mode(0o700)).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_howso-infra"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path("home"))
            .envs(self.variables.iter().cloned())
            .current_dir(self.path("here"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let text = |bytes| self.without_paths(&String::from_utf8(bytes).unwrap());
        let ran = Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) };
        assert!(!ran.stderr.contains("panicked at"), "{}", ran.stderr);
        ran
    }

    /// The text without what differs from run to run.
    fn without_paths(&self, text: &str) -> String {
        let directory = self.directory.path();
        let real = directory.canonicalize().unwrap();
        text.replace(real.to_str().unwrap(), "[DIR]").replace(directory.to_str().unwrap(), "[DIR]")
    }

    /// Whether nothing was written but what the test itself wrote into `here`.
    pub(crate) fn is_untouched(&self) -> bool {
        fs::read_dir(self.path("home")).unwrap().next().is_none()
    }
}

impl Ran {
    /// Exit code, standard output and standard error together.
    pub(crate) fn snapshot(&self) -> String {
        let mut text = String::new();
        let code = self.code.map_or_else(|| "killed".to_owned(), |code| code.to_string());
        writeln!(text, "exit code: {code}").unwrap();
        for (name, content) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            writeln!(text, "----- {name} -----").unwrap();
            text.push_str(content);
        }
        text
    }
}
