//! Progress bars on a terminal: one line a step in flight below an overall bar; what is finished scrolls away as lines.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use howso_infra::core::{Plan, StepId};
use howso_infra::engine::Event as EngineEvent;
use howso_infra::{Event, Phase};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::view::eta::Eta;
use crate::view::plain;
use crate::view::quiet_keys::QuietKeys;
use crate::view::style::{Style, duration};

/// How often bars move.
const TICK: Duration = Duration::from_millis(120);

/// More steps in flight than this are counted instead of shown, so that the bars fit on a screen.
const SHOWN_MAX: usize = 12;

/// The bars of one command.
pub(crate) struct Bars {
    multi: MultiProgress,
    /// Absent where nobody types.
    keys: Option<QuietKeys>,
    style: Style,
    /// The present phase, when it has a line of its own.
    phase: Option<ProgressBar>,
    overall: Option<ProgressBar>,
    eta: Arc<Mutex<Eta>>,
    steps: BTreeMap<StepId, ProgressBar>,
}

impl Bars {
    /// On the terminal behind standard error.
    pub(crate) fn on_standard_error(style: Style) -> Self {
        Self::new(ProgressDrawTarget::stderr(), Some(QuietKeys::default()), style)
    }

    fn new(target: ProgressDrawTarget, keys: Option<QuietKeys>, style: Style) -> Self {
        Self {
            multi: MultiProgress::with_draw_target(target),
            keys,
            style,
            phase: None,
            overall: None,
            eta: Arc::default(),
            steps: BTreeMap::new(),
        }
    }

    /// Gets to know the plan that will run.
    pub(crate) fn expect(&mut self, plan: &Plan) {
        self.eta = Arc::new(Mutex::new(Eta::new(plan)));
    }

    /// Prints above the bars of a run; without a run, in their place.
    pub(crate) fn print(&mut self, text: &str) {
        if self.overall.is_none() {
            self.clear();
            super::print_error_line(text);
            return;
        }
        // A terminal that has gone away is no reason to stop a run.
        let _ = self.multi.println(text);
    }

    /// Takes all bars away, for a question or at the end.
    pub(crate) fn clear(&mut self) {
        for bar in self.phase.take().into_iter().chain(self.overall.take()) {
            bar.finish_and_clear();
        }
        for (_, bar) in std::mem::take(&mut self.steps) {
            bar.finish_and_clear();
        }
        let _ = self.multi.clear();
        if let Some(keys) = &mut self.keys {
            keys.end();
        }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::Phase(phase) => self.begin_phase(*phase),
            Event::ReadingAgain { delay_secs, .. } => {
                if let Some(bar) = &self.phase {
                    let text = format!("something could not be read, again in {}", duration(*delay_secs));
                    bar.set_message(self.style.yellow(&text));
                }
                if self.style.verbose
                    && let Some(line) = plain::line(event, self.style)
                {
                    self.print(&line);
                }
            }
            Event::Autoscaling(_) | Event::Platform(_) => {
                if let Some(line) = plain::line(event, self.style) {
                    self.print(&line);
                }
            }
            Event::Engine(engine) => {
                self.follow(engine);
                if is_line(engine, self.style)
                    && let Some(line) = plain::line(event, self.style)
                {
                    self.print(&line);
                }
            }
        }
    }

    fn begin_phase(&mut self, phase: Phase) {
        if let Some(bar) = self.phase.take() {
            bar.finish_and_clear();
        }
        if let Some(text) = plain::phase_text(phase) {
            self.phase = Some(self.spinner("{spinner} {msg}", text));
        }
    }

    fn spinner(&mut self, template: &str, message: &str) -> ProgressBar {
        self.quieten();
        let bar = self.multi.add(ProgressBar::new_spinner());
        bar.set_style(style(template).tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "]));
        bar.set_message(self.style.dim(message));
        bar.enable_steady_tick(TICK);
        bar
    }

    /// Has keys disturb nothing while bars are there.
    fn quieten(&mut self) {
        if let Some(keys) = &mut self.keys {
            keys.begin();
        }
    }

    /// Brings the bars up to date.
    fn follow(&mut self, event: &EngineEvent) {
        match event {
            EngineEvent::RunStarted { steps, .. } => self.overall = Some(self.overall_bar(*steps)),
            EngineEvent::StepStarted { step, resource, verb, expected_secs } => {
                self.eta().start(*step, Instant::now());
                if self.steps.len() < SHOWN_MAX {
                    let bar = self.spinner("  {spinner} {prefix} {elapsed:>4} {wide_msg}", "");
                    bar.set_prefix(format!("{resource} {}", plain::present(*verb)));
                    bar.set_message(self.style.dim(&format!("of about {}", duration(*expected_secs))));
                    self.steps.insert(*step, bar);
                }
            }
            EngineEvent::Progress { step, state, .. } => self.note(*step, &self.style.dim(state)),
            EngineEvent::SlowerThanUsual { step, expected_secs, .. } => {
                let text = format!("slower than usual ({})", duration(*expected_secs));
                self.note(*step, &self.style.yellow(&text));
            }
            EngineEvent::Retrying { step, delay_secs, .. } => {
                let text = format!("tries again in {}", duration(*delay_secs));
                self.note(*step, &self.style.yellow(&text));
            }
            EngineEvent::Resolving { step, .. } => {
                self.note(*step, &self.style.yellow("finding out what became of a lost answer"));
            }
            EngineEvent::StepSettled { step, .. }
            | EngineEvent::StepFailed { step, .. }
            | EngineEvent::StepSkipped { step, .. } => self.end_step(*step),
            EngineEvent::Adopted { .. } | EngineEvent::Interrupted { .. } => {}
            EngineEvent::RunFinished { .. } => self.clear(),
        }
    }

    fn overall_bar(&mut self, steps: usize) -> ProgressBar {
        self.quieten();
        let bar = self.multi.insert(0, ProgressBar::new(steps as u64));
        let eta = Arc::clone(&self.eta);
        let remaining = move |_: &ProgressState, writer: &mut dyn std::fmt::Write| {
            let secs = eta.lock().unwrap_or_else(PoisonError::into_inner).remaining_secs(Instant::now());
            // A formatter into memory does not fail.
            let _ = write!(writer, "{}", duration(secs));
        };
        let template = "[{bar:30}] {pos} of {len} steps, {elapsed} so far, about {remaining} to go";
        bar.set_style(style(template).progress_chars("=> ").with_key("remaining", remaining));
        bar.enable_steady_tick(TICK);
        bar
    }

    /// Says what a step is doing, beside how long it usually takes.
    fn note(&self, step: StepId, text: &str) {
        if let Some(bar) = self.steps.get(&step) {
            let before = bar.message();
            let expected = before.split(" · ").next().unwrap_or_default();
            bar.set_message(format!("{expected} · {text}"));
        }
    }

    fn end_step(&mut self, step: StepId) {
        self.eta().end(step);
        if let Some(bar) = self.steps.remove(&step) {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
        if let Some(overall) = &self.overall {
            overall.inc(1);
        }
    }

    fn eta(&self) -> std::sync::MutexGuard<'_, Eta> {
        // The lock is held for a moment at a time and nothing panics meanwhile.
        self.eta.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an event is also worth a line that stays.
fn is_line(event: &EngineEvent, style: Style) -> bool {
    match event {
        EngineEvent::StepSettled { .. }
        | EngineEvent::StepFailed { .. }
        | EngineEvent::Adopted { .. }
        | EngineEvent::Resolving { .. }
        | EngineEvent::SlowerThanUsual { .. }
        | EngineEvent::Interrupted { .. }
        | EngineEvent::RunFinished { .. } => true,
        EngineEvent::RunStarted { .. }
        | EngineEvent::StepStarted { .. }
        | EngineEvent::Progress { .. }
        | EngineEvent::Retrying { .. }
        | EngineEvent::StepSkipped { .. } => style.verbose,
    }
}

fn style(template: &str) -> ProgressStyle {
    let template = ProgressStyle::with_template(template);
    template.expect("the templates of this file are well-formed")
}

#[cfg(test)]
mod tests {
    use howso_infra::core::OperationVerb;
    use howso_infra::engine::Counts;
    use indicatif::InMemoryTerm;

    use super::*;
    use crate::samples;

    #[test]
    fn a_run_shows_steps_in_flight_and_leaves_only_lines_behind() {
        let terminal = InMemoryTerm::new(20, 100);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let mut bars = Bars::new(target, None, Style { colour: false, unicode: true, verbose: false });
        let prepared = samples::creation();
        let (first, second) = (&prepared.plan.steps[0], &prepared.plan.steps[1]);
        let verb = OperationVerb::Create;
        let tell = |bars: &mut Bars, event| bars.event(&Event::Engine(event));
        bars.expect(&prepared.plan);
        tell(&mut bars, EngineEvent::RunStarted { steps: prepared.plan.steps.len(), expected_secs: 695.0 });
        for step in [first, second] {
            let (step, resource) = (step.id, step.resource.clone());
            tell(&mut bars, EngineEvent::StepStarted { step, resource, verb, expected_secs: 600.0 });
        }
        let (step, resource) = (first.id, first.resource.clone());
        tell(&mut bars, EngineEvent::StepSettled { step, resource, verb, elapsed_secs: 4.0 });
        let (step, resource, state) = (second.id, second.resource.clone(), "CREATING".to_owned());
        tell(&mut bars, EngineEvent::Progress { step, resource, state, elapsed_secs: 20.0 });
        bars.overall.as_ref().unwrap().force_draw();
        bars.steps[&second.id].force_draw();
        let screen = terminal.contents();
        assert!(screen.contains("✓ toy/network:main created in 4.0 s"), "{screen}");
        assert!(screen.contains("1 of 4 steps, 0s so far, about 12 min to go"), "{screen}");
        assert!(screen.contains("toy/cluster:main is being created   0s of about 10 min · CREATING"), "{screen}");
        assert!(!screen.contains("toy/network:main is being created"), "{screen}");
        tell(&mut bars, EngineEvent::RunFinished { counts: Counts::default(), elapsed_secs: 8.0 });
        let screen = terminal.contents();
        assert!(!screen.contains("to go") && !screen.contains("is being"), "{screen}");
        assert!(screen.contains("✓ toy/network:main created in 4.0 s"), "{screen}");
    }
}
