//! How text looks: colours, signs, durations, amounts.

use std::time::Duration;

use anstyle::{AnsiColor, Effects};

use crate::arguments::{Color, Output, TalkArguments};
use crate::machine::Machine;

/// How text looks on one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// Whether to colour.
    pub(crate) colour: bool,
    /// Whether signs beyond ASCII may be used.
    pub(crate) unicode: bool,
    /// Whether to show details.
    pub(crate) verbose: bool,
}

impl Style {
    /// The style of a stream.
    pub(crate) fn new(talk: TalkArguments, machine: &Machine, is_terminal: bool) -> Self {
        let capable = is_terminal && machine.variable("NO_COLOR").is_none() && machine.variable("TERM") != Some("dumb");
        let colour = match (talk.output, talk.color) {
            (Output::Plain | Output::Json, _) | (Output::Human, Color::Never) => false,
            (Output::Human, Color::Always) => true,
            (Output::Human, Color::Auto) => capable,
        };
        Self { colour, unicode: talk.output == Output::Human, verbose: talk.verbose > 0 }
    }

    fn paint(self, style: anstyle::Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// For what matters.
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint(Effects::BOLD.into(), text)
    }

    /// For what is less important.
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint(Effects::DIMMED.into(), text)
    }

    /// For danger and failure.
    pub(crate) fn red(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default() | Effects::BOLD, text)
    }

    /// For success and what is new.
    pub(crate) fn green(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// For change and caution.
    pub(crate) fn yellow(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default(), text)
    }

    /// `unicode`, or what stands for it in ASCII.
    pub(crate) fn sign(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { unicode } else { ascii }
    }

    /// The sign of success.
    pub(crate) fn good(self) -> String {
        self.green(self.sign("✓", "ok"))
    }

    /// The sign of failure.
    pub(crate) fn bad(self) -> String {
        self.red(self.sign("✗", "failed"))
    }
}

/// A duration for people: `14 min`, `1 h 5 min`, `48 s`, `0.4 s`.
pub(crate) fn duration(secs: f64) -> String {
    // Durations of nonsense (negative, not a number) come out as none.
    let duration = Duration::try_from_secs_f64(secs).unwrap_or_default();
    let whole = duration.as_secs() + u64::from(duration.subsec_millis() >= 500);
    match whole {
        0..=9 => format!("{:.1} s", duration.as_secs_f64()),
        10..=99 => format!("{whole} s"),
        100..=3599 => format!("{} min", (whole + 30) / 60),
        3600.. => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// An amount per hour: `$1.34/h`.
pub(crate) fn hourly(millidollars: u64) -> String {
    let cents = (millidollars + 5) / 10;
    format!("${}.{:02}/h", cents / 100, cents % 100)
}

/// Whole dollars, with a comma between thousands.
pub(crate) fn dollars(millidollars: u64) -> String {
    format!("${}", grouped((millidollars + 500) / 1000))
}

fn grouped(number: u64) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", grouped(number / 1000), number % 1000) }
}

/// `1 step`, `2 steps`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Adds a line to a text.
pub(crate) fn add_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// A text of whole lines.
pub(crate) fn lines(lines: impl IntoIterator<Item = String>) -> String {
    let mut text = String::new();
    for line in lines {
        add_line(&mut text, &line);
    }
    text
}

/// Cuts a text to a number of characters.
pub(crate) fn shorten(text: &str, longest: usize) -> String {
    let text = text.replace('\n', " ");
    if text.chars().count() <= longest {
        return text;
    }
    text.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_exact_as_people_need() {
        let all =
            [(0.04, "0.0 s"), (0.4, "0.4 s"), (9.4, "9.4 s"), (48.2, "48 s"), (622.0, "10 min"), (3900.0, "1 h 5 min")];
        for (secs, text) in all {
            assert_eq!(duration(secs), text);
        }
        assert_eq!(duration(f64::NAN), "0.0 s");
    }

    #[test]
    fn amounts_are_rounded_to_cents() {
        assert_eq!((hourly(1_344), hourly(16_695), hourly(4)), ("$1.34/h".into(), "$16.70/h".into(), "$0.00/h".into()));
    }

    #[test]
    fn colour_needs_a_terminal_that_wants_it() {
        let talk = |output, color| TalkArguments { output, color, quiet: false, verbose: 0 };
        let colour = |talk, variables: &[(&str, &str)], terminal| {
            let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Style::new(talk, &Machine { variables, ..Machine::default() }, terminal).colour
        };
        let auto = talk(Output::Human, Color::Auto);
        assert!(colour(auto, &[], true));
        assert!(!colour(auto, &[], false));
        assert!(!colour(auto, &[("NO_COLOR", "1")], true));
        assert!(!colour(auto, &[("TERM", "dumb")], true));
        assert!(colour(talk(Output::Human, Color::Always), &[("NO_COLOR", "1")], false));
        assert!(!colour(talk(Output::Human, Color::Never), &[], true));
        assert!(!colour(talk(Output::Plain, Color::Always), &[], true));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shorten("äöü\nß", 4), "äöü…");
        assert_eq!(shorten("äöü", 3), "äöü");
    }
}
