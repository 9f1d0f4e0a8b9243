//! `man`: manual pages.

use std::fs;
use std::io;

use camino::Utf8Path;
use clap::CommandFactory;
use clap_mangen::Man;

use super::Context;
use crate::arguments::{Arguments, ManArguments};
use crate::failure::Failure;

pub(super) fn run(context: &Context<'_>, arguments: ManArguments) -> Result<(), Failure> {
    let mut command = Arguments::command();
    command.build();
    let Some(directory) = arguments.directory else {
        let page = render(command).map_err(|source| failed("howso-infra.1".into(), source))?;
        context.console.text(&page);
        return Ok(());
    };
    let directory = context.machine.directory.join(directory);
    fs::create_dir_all(&directory).map_err(|source| failed(&directory, source))?;
    let mut open = vec![command];
    while let Some(command) = open.pop() {
        open.extend(command.get_subcommands().filter(|verb| verb.get_name() != "help").cloned());
        // The name of the page: `howso-infra-profile-show`.
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        let path = directory.join(format!("{name}.1"));
        let page = render(command.name(name)).and_then(|page| fs::write(&path, page));
        page.map_err(|source| failed(&path, source))?;
    }
    Ok(())
}

fn render(command: clap::Command) -> io::Result<String> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    String::from_utf8(page).map_err(io::Error::other)
}

fn failed(path: &Utf8Path, source: io::Error) -> Failure {
    Failure::File { action: "write", path: path.to_owned(), source }
}
