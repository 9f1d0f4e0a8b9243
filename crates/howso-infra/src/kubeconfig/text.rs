//! The text of a kubeconfig: writing it, and changing one entry of a list without touching the lines around it.

use std::ops::Range;

use serde_json::{Value, json};

/// How one list changes.
#[derive(Debug)]
pub(super) struct Splice {
    /// The list.
    pub(super) section: &'static str,
    /// The number of its entries before.
    pub(super) count: usize,
    /// What becomes of it.
    pub(super) change: Change,
}

/// What becomes of a list.
#[derive(Debug)]
pub(super) enum Change {
    /// This entry comes last.
    Add(Value),
    /// This entry takes the place of another one.
    Replace(usize, Value),
    /// An entry goes.
    Remove(usize),
}

/// Writes `value` as YAML that readers of YAML 1.1 and 1.2 understand alike.
pub(super) fn to_yaml(value: &Value) -> String {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let text = serde_saphyr::to_string_with_options(value, options);
    // A JSON value has text keys and finite numbers, all of which YAML can write.
    text.expect("a JSON value can be written as YAML")
}

/// Sets a top-level text field, in place when it is there.
pub(super) fn set_top_level(text: &str, key: &str, value: &str) -> String {
    let mut lines = lines(text);
    let line = to_yaml(&json!({ key: value }));
    match find_key(&lines, key) {
        Some(place) => lines[place] = line,
        None => lines.push(line),
    }
    lines.concat()
}

/// Changes one entry; [`None`] when the list is not written one entry after the other, in lines of its own.
pub(super) fn splice(text: &str, splice: &Splice) -> Option<String> {
    let mut lines = lines(text);
    let Some(head) = find_key(&lines, splice.section) else {
        let Change::Add(entry) = &splice.change else { return None };
        lines.push(format!("{}:\n{}", splice.section, item(entry, 0)));
        return Some(lines.concat());
    };
    let rest = lines[head].split_once(':')?.1.split(" #").next()?.trim();
    match rest {
        "" => {}
        "[]" | "null" | "~" => {
            lines[head] = format!("{}:\n", splice.section);
        }
        _ => return None,
    }
    let block = block(&lines, head);
    let (indent, starts) = items(&lines, block.clone())?;
    if starts.len() != splice.count {
        return None;
    }
    let range = |place: usize| {
        let end = starts.get(place + 1).copied().unwrap_or(block.end);
        starts[place]..trim(&lines, starts[place]..end)
    };
    match &splice.change {
        Change::Add(entry) => {
            lines.splice(block.end..block.end, [item(entry, indent)]);
        }
        Change::Replace(place, entry) => {
            lines.splice(range(*place), [item(entry, indent)]);
        }
        Change::Remove(place) => {
            lines.drain(range(*place));
            if splice.count == 1 {
                lines[head] = format!("{}: []\n", splice.section);
            }
        }
    }
    Some(lines.concat())
}

/// The lines with their ends; the last gets one when it has none.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
        last.push('\n');
    }
    lines
}

fn find_key(lines: &[String], key: &str) -> Option<usize> {
    lines.iter().position(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))
}

/// Whether a line is blank or a comment.
fn is_filler(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// The lines below `head` that belong to it. Comments before the next key belong to that.
fn block(lines: &[String], head: usize) -> Range<usize> {
    let start = head + 1;
    let belongs = |line: &String| is_filler(line) || line.starts_with([' ', '-']) && !line.starts_with("---");
    let length = lines[start..].iter().take_while(|line| belongs(line)).count();
    start..trim(lines, start..start + length)
}

/// The end of `range` without the blank lines and comments that it ends with.
fn trim(lines: &[String], range: Range<usize>) -> usize {
    let kept = lines[range.clone()].iter().rposition(|line| !is_filler(line));
    range.start + kept.map_or(0, |last| last + 1)
}

/// The indent of the entries of a list, and the line where each begins.
fn items(lines: &[String], block: Range<usize>) -> Option<(usize, Vec<usize>)> {
    let Some(first) = block.clone().find(|place| !is_filler(&lines[*place])) else { return Some((0, Vec::new())) };
    let indent = lines[first].find('-')?;
    let starts_item = |line: &str| {
        line.split_at_checked(indent).is_some_and(|(margin, rest)| margin.trim().is_empty() && rest.starts_with("- "))
    };
    let starts: Vec<usize> = block.filter(|place| starts_item(&lines[*place])).collect();
    (starts.first() == Some(&first)).then_some((indent, starts))
}

/// One entry as lines of a list.
fn item(entry: &Value, indent: usize) -> String {
    let margin = " ".repeat(indent);
    let lines: Vec<String> = to_yaml(&json!([entry])).lines().map(|line| format!("{margin}{line}")).collect();
    lines.join("\n") + "\n"
}
