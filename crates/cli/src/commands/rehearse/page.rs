//! A rehearsal as a page for a browser: one file, without scripts, in light and dark, to be printed as well.

use std::collections::BTreeSet;
use std::time::Duration;

use howso_infra::core::ResourceId;
use howso_infra_rehearsal::{PlannedFault, StepSpan};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Performance, WHAT_IT_IS};
use crate::arguments::RehearseArguments;
use crate::view::plain;
use crate::view::style::{counted, duration};

const STYLE: &str = include_str!("page.css");

/// The sizes of the chart, in its own units.
const WIDTH: f64 = 1000.0;
/// No font that a browser takes by itself needs more for a letter of the names.
const LETTER_WIDTH: f64 = 6.2;
const GAP: f64 = 6.0;
const ROW_HEIGHT: f64 = 15.0;
const AXIS_HEIGHT: f64 = 20.0;
/// What takes no time is seen all the same.
const BAR_WIDTH_MIN: f64 = 1.5;

/// Between two lines of the axis: the first that leaves at most ten.
const AXIS_STEPS_SECS: [f64; 8] = [1.0, 5.0, 15.0, 60.0, 120.0, 300.0, 600.0, 3600.0];
const AXIS_LINES_MAX: f64 = 10.0;

/// The page.
pub(super) fn page(arguments: &RehearseArguments, faults: &[PlannedFault], performance: &Performance) -> String {
    let command = arguments.command.as_str();
    let title = format!("Rehearsal of {command}");
    let path = performance.makespan.as_ref().map(|makespan| makespan.critical_path.as_slice()).unwrap_or_default();
    let critical: BTreeSet<&ResourceId> = path.iter().map(|(resource, _)| resource).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                p.quiet { (WHAT_IT_IS) }
                (summary(arguments, faults, performance))
                @if !path.is_empty() {
                    h2 { "What decides how long it takes" }
                    ol { @for (resource, needed) in path { li { (resource) ", " (duration(needed.as_secs_f64())) } } }
                }
                @if !performance.spans.is_empty() {
                    h2 { "Steps in their time" }
                    p.quiet { "Orange decides; a stroke is a look that showed that a step was still under way." }
                    div.scroll { (chart(&performance.spans, &critical)) }
                    h2 { "Steps" }
                    div.scroll { (table(&performance.spans)) }
                }
                h2 { "Calls" }
                div.scroll { (calls(performance)) }
            }
        }
    };
    page.into_string()
}

fn summary(arguments: &RehearseArguments, faults: &[PlannedFault], performance: &Performance) -> Markup {
    let names: Vec<String> = faults.iter().map(ToString::to_string).collect();
    html! {
        dl {
            dt { "Outcome" }
            @match &performance.done {
                Ok(()) => dd { "done" },
                Err(failure) => dd.bad { (failure) },
            }
            dt { "Virtual time" } dd { (duration(performance.passed.as_secs_f64())) }
            @if let Some(makespan) = &performance.makespan {
                dt { "Its steps" }
                dd {
                    (duration(makespan.taken.as_secs_f64())) "; "
                    (duration(makespan.shortest.as_secs_f64())) " at the least"
                }
            }
            dt { "Seed" } dd { (arguments.seed) }
            @if !names.is_empty() {
                dt { "Went wrong on purpose" } dd { (names.join(", ")) }
                dt { "Given again" }
                dd {
                    (counted(performance.repetitions, "time", "times"))
                    @if performance.repetitions > 0 { "; what follows is the last run" }
                }
            }
            @for violation in &performance.violations { dt { "Must not be" } dd.bad { (violation) } }
        }
    }
}

fn chart(spans: &[StepSpan], critical: &BTreeSet<&ResourceId>) -> Markup {
    let last = spans.iter().filter_map(|span| span.end).chain(spans.iter().map(|span| span.begin)).max();
    let total = last.unwrap_or_default().as_secs_f64().max(1.0);
    let letters = spans.iter().map(|span| span.resource.to_string().len()).max().unwrap_or_default();
    let names = std::iter::repeat_n(LETTER_WIDTH, letters).sum::<f64>() + GAP;
    let place = |time: Duration| names + (WIDTH - names) * time.as_secs_f64() / total;
    let step = AXIS_STEPS_SECS.into_iter().find(|step| total / step <= AXIS_LINES_MAX).unwrap_or(total);
    let lines = std::iter::successors(Some(0.0), |line| Some(line + step)).take_while(|line| *line < total);
    // Each row is as far down as there are rows above it.
    let tops = std::iter::successors(Some(AXIS_HEIGHT), |top| Some(top + ROW_HEIGHT));
    let bottom = tops.clone().nth(spans.len()).unwrap_or_default();
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {bottom}")) role="img" aria-label="Steps in their time; the table below says the same" {
            @for line in lines {
                @let x = place(Duration::from_secs_f64(line));
                line.axis x1=(x) x2=(x) y1=(AXIS_HEIGHT - 5.0) y2=(bottom) {}
                text x=(x + 3.0) y=(AXIS_HEIGHT - 8.0) { (duration(line)) }
            }
            @for (span, top) in spans.iter().zip(tops) {
                @let (begin, end) = (place(span.begin), place(span.end.unwrap_or(last.unwrap_or_default())));
                @let class = match &span.failure {
                    Some(_) => "failed",
                    None if critical.contains(&span.resource) => "critical",
                    None => "bar",
                };
                text x=(names - GAP) y=(top + ROW_HEIGHT - 4.0) text-anchor="end" { (span.resource) }
                rect class=(class) x=(begin) y=(top + 2.0) width=((end - begin).max(BAR_WIDTH_MIN)) height=(ROW_HEIGHT - 4.0) rx="1.5" {}
                @for look in &span.looks {
                    @let x = place(*look);
                    line.look x1=(x) x2=(x) y1=(top + 5.0) y2=(top + ROW_HEIGHT - 5.0) {}
                }
            }
        }
    }
}

fn table(spans: &[StepSpan]) -> Markup {
    let seconds = |time: Duration| format!("{:.1}", time.as_secs_f64());
    html! {
        table {
            thead {
                tr {
                    th { "Resource" } th { "What" }
                    th.number { "Begins, s" } th.number { "Takes, s" } th.number { "Looks" } th { "Outcome" }
                }
            }
            tbody {
                @for span in spans {
                    tr {
                        td { (span.resource) }
                        td { (plain::past(span.verb)) }
                        td.number { (seconds(span.begin)) }
                        td.number { @if let Some(end) = span.end { (seconds(end.saturating_sub(span.begin))) } }
                        td.number { (span.looks.len()) }
                        @match (&span.failure, span.end) {
                            (Some(failure), _) => td.bad { (failure) },
                            (None, Some(_)) => td { "done" },
                            (None, None) => td.quiet { "not known" },
                        }
                    }
                }
            }
        }
    }
}

fn calls(performance: &Performance) -> Markup {
    html! {
        table {
            thead { tr { th { "Operation" } th.number { "Calls" } } }
            tbody { @for (name, count) in performance.by_operation() { tr { td { (name) } td.number { (count) } } } }
        }
    }
}
