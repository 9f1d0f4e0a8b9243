//! What a check found, as a table.

use howso_infra::core::spec::SpecWarning;
use howso_infra::core::{Finding, Severity};
use serde_json::{Value, json};

use crate::view::Report;
use crate::view::style::{Style, add_line, counted, lines};

/// What a check found.
pub(crate) struct FindingsReport<'a> {
    pub(crate) findings: &'a [Finding],
    /// Whether also to show what was found good.
    pub(crate) complete: bool,
}

impl Report for FindingsReport<'_> {
    fn kind(&self) -> &'static str {
        "findings"
    }

    fn json(&self) -> Value {
        json!({ "findings": self.findings })
    }

    fn text(&self, style: Style) -> String {
        let mut shown: Vec<&Finding> = self.findings.iter().filter(|finding| self.is_shown(finding, style)).collect();
        // The worst comes last, where a person looks first.
        shown.sort_by_key(|finding| finding.severity);
        let mut text = String::new();
        for finding in shown {
            add_line(
                &mut text,
                &format!("  {} {}: {}", sign(finding.severity, style), finding.subject, finding.message),
            );
            if let Some(cure) = &finding.cure {
                add_line(&mut text, &format!("      hint: {cure}"));
            }
        }
        if self.complete {
            text += &self.sum(style);
        }
        text
    }
}

impl FindingsReport<'_> {
    /// Whether there is nothing that would be shown.
    pub(crate) fn is_silent(&self) -> bool {
        !self.complete && self.findings.iter().all(|finding| finding.severity <= Severity::Note)
    }

    fn is_shown(&self, finding: &Finding, style: Style) -> bool {
        match finding.severity {
            Severity::Good | Severity::Note => self.complete || style.verbose,
            Severity::Warning | Severity::Blocking => true,
        }
    }

    fn sum(&self, style: Style) -> String {
        let count = |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
        let warnings = counted(count(Severity::Warning), "warning", "warnings");
        match count(Severity::Blocking) {
            0 => style.green(&format!("nothing is in the way, {warnings}")) + "\n",
            blocking => style.red(&format!("{blocking} in the way, {warnings}")) + "\n",
        }
    }
}

fn sign(severity: Severity, style: Style) -> String {
    match severity {
        Severity::Good => style.good(),
        Severity::Note => style.dim("note"),
        Severity::Warning => style.yellow("warning"),
        Severity::Blocking => style.bad(),
    }
}

/// What is odd about a specification.
pub(crate) struct WarningsReport<'a>(pub(crate) &'a [SpecWarning]);

impl Report for WarningsReport<'_> {
    fn kind(&self) -> &'static str {
        "warnings"
    }

    fn json(&self) -> Value {
        let warning = |warning: &SpecWarning| {
            json!({
                "path": warning.path.to_string(), "message": warning.message, "hint": warning.hint,
                "origin": warning.origin.as_ref().map(ToString::to_string),
            })
        };
        json!({ "warnings": self.0.iter().map(warning).collect::<Vec<_>>() })
    }

    fn text(&self, style: Style) -> String {
        lines(self.0.iter().map(|warning| format!("{} {warning}", style.yellow("warning:"))))
    }
}
