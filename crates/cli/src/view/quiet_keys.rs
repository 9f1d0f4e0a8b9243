//! What typing does to the bars.

use std::io;

/// Keeps keys from disturbing what is drawn on the terminal behind standard error; they still interrupt.
///
/// A terminal shows what is typed (`^C`, a new line) where the cursor is, and throws away output on its way when Ctrl-C is typed.
/// After either, bars that are drawn from where the cursor was stay on the screen. See termios(3), `ECHO` and `NOFLSH`.
#[derive(Default)]
pub(crate) struct QuietKeys {
    before: Option<terminal::Modes>,
}

impl QuietKeys {
    /// Begins. A terminal that cannot be asked stays as it is: bars out of place are no reason to stop.
    pub(crate) fn begin(&mut self) {
        if self.before.is_none() {
            self.before = terminal::quieten().unwrap_or(None);
        }
    }

    /// Leaves the terminal as it was before.
    pub(crate) fn end(&mut self) {
        if let Some(before) = self.before.take() {
            // A terminal that is gone needs nothing.
            let _ = terminal::restore(before);
        }
    }
}

impl Drop for QuietKeys {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(unix)]
mod terminal {
    use super::io;
    use rustix::process::getpgrp;
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcgetpgrp, tcsetattr};

    /// Those of the modes below that were on.
    pub(super) type Modes = LocalModes;

    const CHANGED: LocalModes = LocalModes::ECHO.union(LocalModes::NOFLSH);
    const WANTED: LocalModes = LocalModes::NOFLSH;

    /// Sets the modes and returns those before; nothing when the terminal is another's.
    pub(super) fn quieten() -> io::Result<Option<Modes>> {
        let before = tcgetattr(io::stderr())?.local_modes & CHANGED;
        Ok(set(WANTED)?.then_some(before))
    }

    pub(super) fn restore(before: Modes) -> io::Result<()> {
        set(before).map(|_| ())
    }

    /// Sets these modes and no others, which somebody else may have changed meanwhile. Whether it was done: a process in the
    /// background would be stopped for trying.
    fn set(wanted: Modes) -> io::Result<bool> {
        let terminal = io::stderr();
        if tcgetpgrp(&terminal)? != getpgrp() {
            return Ok(false);
        }
        let mut modes = tcgetattr(&terminal)?;
        modes.local_modes.remove(CHANGED);
        modes.local_modes.insert(wanted);
        tcsetattr(&terminal, OptionalActions::Now, &modes)?;
        Ok(true)
    }
}

#[cfg(not(unix))]
mod terminal {
    use super::io;

    /// The consoles of other systems show nothing while nobody reads a line, and throw nothing away.
    pub(super) enum Modes {}

    pub(super) fn quieten() -> io::Result<Option<Modes>> {
        Ok(None)
    }

    pub(super) fn restore(before: Modes) -> io::Result<()> {
        match before {}
    }
}
