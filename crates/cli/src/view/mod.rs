//! Views: they are told what happens and what was found out, and print it. They never ask for anything to be done.

pub(crate) mod errors;
mod eta;
pub(crate) mod findings;
mod fit;
mod human;
mod json;
pub(crate) mod plain;
pub(crate) mod plan;
pub(crate) mod platform;
mod quiet_keys;
pub(crate) mod size;
pub(crate) mod status;
pub(crate) mod style;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use howso_infra::core::Plan;
use howso_infra::core::spec::{Origins, SpecErrors};
use howso_infra::engine::Clock;
use howso_infra::{Event, Phase};
use jiff::Timestamp;
use serde_json::{Value, json};

#[cfg(feature = "eks")]
use crate::arguments::Color;
use crate::arguments::{Output, TalkArguments};
use crate::machine::Machine;
use human::Bars;
use plain::Retries;
use style::Style;

/// Something that was found out and can be shown to people and to programs.
pub(crate) trait Report {
    /// The type of its event.
    fn kind(&self) -> &'static str;

    /// The fields of its event.
    fn json(&self) -> Value;

    /// What people read: whole lines.
    fn text(&self, style: Style) -> String;
}

/// Where everything that is printed goes through.
pub(crate) struct Console {
    output: Output,
    quiet: bool,
    is_silent: bool,
    stdout_style: Style,
    stderr_style: Style,
    bars: Option<Mutex<Bars>>,
    /// Whether a phase was told already.
    has_begun: AtomicBool,
    retries: Mutex<Retries>,
    /// The clock whose time events have; that of this machine, when nothing else was said.
    clock: OnceLock<Arc<dyn Clock>>,
    /// Where the values of the specification come from, to point at those that are wrong.
    origins: OnceLock<Origins>,
    /// The first failure to write to standard output.
    stdout_error: Mutex<Option<io::Error>>,
}

impl Console {
    pub(crate) fn new(talk: TalkArguments, machine: &Machine) -> Self {
        let stderr_style = Style::new(talk, machine, machine.stderr_is_terminal);
        // Lines of the log would tear bars apart.
        let bars = machine.stderr_is_terminal
            && talk.output == Output::Human
            && !talk.quiet
            && talk.verbose == 0
            && machine.variable("TERM") != Some("dumb");
        Self {
            output: talk.output,
            quiet: talk.quiet,
            is_silent: false,
            stdout_style: Style::new(talk, machine, machine.stdout_is_terminal),
            stderr_style,
            bars: bars.then(|| Mutex::new(Bars::on_standard_error(stderr_style))),
            has_begun: AtomicBool::new(false),
            retries: Mutex::default(),
            clock: OnceLock::new(),
            origins: OnceLock::new(),
            stdout_error: Mutex::new(None),
        }
    }

    /// One that prints nothing.
    #[cfg(feature = "eks")]
    pub(crate) fn silent() -> Self {
        let talk = TalkArguments { output: Output::Plain, color: Color::Never, quiet: true, verbose: 0 };
        Self { is_silent: true, ..Self::new(talk, &Machine::default()) }
    }

    /// Gives events the time of another clock, from the first call on.
    #[cfg(feature = "eks")]
    pub(crate) fn tell_time_of(&self, clock: Arc<dyn Clock>) {
        let _ = self.clock.set(clock);
    }

    /// Gets to know where the values of the specification come from; the first ones stay.
    pub(crate) fn remember(&self, origins: &Origins) {
        self.origins.get_or_init(|| origins.clone());
    }

    /// Adds where the values were set that are wrong.
    pub(crate) fn locate(&self, errors: SpecErrors) -> SpecErrors {
        match self.origins.get() {
            Some(origins) => origins.locate(errors),
            None => errors,
        }
    }

    /// Whether a question can be shown between the output.
    pub(crate) fn is_for_people(&self) -> bool {
        self.output != Output::Json
    }

    /// Shows what happens while a command works.
    pub(crate) fn event(&self, event: &Event) {
        if self.output == Output::Json {
            let (kind, fields) = json::event(event);
            return self.json_line(&kind, fields);
        }
        // Reading once more, as a part of another phase, is no news.
        let is_news = match event {
            Event::Phase(phase) => !self.has_begun.swap(true, Ordering::Relaxed) || *phase != Phase::Reading,
            Event::ReadingAgain { .. } | Event::Engine(_) | Event::Autoscaling(_) | Event::Platform(_) => true,
        };
        if self.quiet || !is_news {
            return;
        }
        if let Some(mut bars) = self.bars() {
            return bars.event(event);
        }
        // Who wants to know more gets to know every retry.
        let is_news = self.stderr_style.verbose || self.retries().is_news(event);
        if let Some(line) = plain::line(event, self.stderr_style).filter(|_| is_news) {
            print_error_line(&line);
        }
    }

    /// Gets to know the plan that will run.
    pub(crate) fn expect(&self, plan: &Plan) {
        if let Some(mut bars) = self.bars() {
            bars.expect(plan);
        }
    }

    /// Prints what the command was asked for: standard output.
    pub(crate) fn data(&self, report: &dyn Report) {
        self.clear();
        match self.output {
            Output::Json => self.json_line(report.kind(), report.json()),
            Output::Human | Output::Plain => self.write_out(&report.text(self.stdout_style)),
        }
    }

    /// Prints a text that is the same for people and programs, such as a schema or a script: standard output.
    pub(crate) fn text(&self, text: &str) {
        self.write_out(text);
    }

    /// Prints what a person should know meanwhile: standard error, unless only data is wanted.
    pub(crate) fn say(&self, report: &dyn Report) {
        match self.output {
            Output::Json => self.json_line(report.kind(), report.json()),
            Output::Human | Output::Plain if self.quiet => {}
            Output::Human | Output::Plain => self.print_error(&report.text(self.stderr_style)),
        }
    }

    /// Prints what will be done. When consent is asked for, also when only data is wanted: nobody consents to the unseen.
    pub(crate) fn propose(&self, report: &dyn Report, will_ask: bool) {
        if self.quiet && will_ask && self.is_for_people() {
            self.print_error(&report.text(self.stderr_style));
        } else {
            self.say(report);
        }
    }

    /// Prints a short remark: standard error, unless only data is wanted.
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.say(&Note(text.into()));
    }

    /// Prints what went wrong, also when only data is wanted.
    pub(crate) fn failure(&self, report: &dyn Report) {
        self.clear();
        match self.output {
            Output::Json => self.json_line(report.kind(), report.json()),
            Output::Human | Output::Plain => self.print_error(&report.text(self.stderr_style)),
        }
    }

    /// Shows a question, without a line end, also when only data is wanted.
    pub(crate) fn question(&self, text: &str) {
        self.clear();
        let mut stderr = io::stderr().lock();
        // Without a terminal nobody is asked.
        let _ = write!(stderr, "{} ", self.stderr_style.bold(text)).and_then(|()| stderr.flush());
    }

    /// Clears the terminal before the next look of a watch.
    pub(crate) fn start_page(&self) {
        if self.stdout_style.colour {
            self.write_out("\x1b[2J\x1b[H");
        }
    }

    /// Takes the bars away.
    pub(crate) fn clear(&self) {
        if let Some(mut bars) = self.bars() {
            bars.clear();
        }
    }

    /// The first failure to write to standard output. A reader that has gone away (`| head`) is none.
    pub(crate) fn stdout_error(&self) -> Option<io::Error> {
        let error = self.stdout_error.lock().unwrap_or_else(PoisonError::into_inner).take();
        error.filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }

    fn bars(&self) -> Option<MutexGuard<'_, Bars>> {
        // The lock is held only while something is drawn.
        self.bars.as_ref().map(|bars| bars.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn retries(&self) -> MutexGuard<'_, Retries> {
        self.retries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn json_line(&self, kind: &str, fields: Value) {
        let now = self.clock.get().map_or_else(Timestamp::now, |clock| clock.wall());
        self.write_out(&(json::line(kind, fields, now) + "\n"));
    }

    fn print_error(&self, text: &str) {
        if self.is_silent {
            return;
        }
        match self.bars() {
            Some(mut bars) => bars.print(text.trim_end_matches('\n')),
            None => print_error_line(text.trim_end_matches('\n')),
        }
    }

    /// After a failure nothing more is written; what runs goes on.
    fn write_out(&self, text: &str) {
        if self.is_silent {
            return;
        }
        let mut error = self.stdout_error.lock().unwrap_or_else(PoisonError::into_inner);
        if error.is_none() {
            let mut stdout = io::stdout().lock();
            *error = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).err();
        }
    }
}

/// A standard error that is gone is no reason to stop.
fn print_error_line(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A short remark.
struct Note(String);

impl Report for Note {
    fn kind(&self) -> &'static str {
        "note"
    }

    fn json(&self) -> Value {
        json!({ "message": self.0 })
    }

    fn text(&self, _style: Style) -> String {
        format!("{}\n", self.0)
    }
}
