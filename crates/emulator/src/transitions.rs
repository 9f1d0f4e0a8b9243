//! What takes a while: when it was asked for, and when it is so.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// What somebody asked for and what became true a while later, whether or not anybody looked then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The tags of what it happens to.
    pub tags: BTreeMap<String, String>,
    /// When it was asked for.
    pub begin: Timestamp,
    /// When it is so.
    pub end: Timestamp,
}

/// An object that becomes something else at some time.
pub(crate) struct Changing {
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) end: Timestamp,
    pub(crate) needs: Needs,
}

/// How something depends on nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    /// It is so as soon as there are nodes, and not before.
    Nodes,
    /// It is the nodes.
    AreNodes,
}

/// What took a while so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transitions(Vec<(Transition, Needs)>);

impl Transitions {
    /// Notes what is under way at `now` and was not before.
    pub(crate) fn note(&mut self, changing: impl Iterator<Item = Changing>, now: Timestamp) {
        for Changing { tags, end, needs } in changing {
            let is_noted = self.0.iter().any(|(noted, _)| noted.end == end && noted.tags == tags);
            if !is_noted {
                self.0.push((Transition { tags, begin: now, end }, needs));
            }
        }
    }

    /// Each, in the order in which they began.
    pub(crate) fn all(&self) -> Vec<Transition> {
        let nodes =
            self.0.iter().filter(|(_, needs)| *needs == Needs::AreNodes).map(|(transition, _)| transition.end).min();
        let complete = |(transition, needs): &(Transition, Needs)| {
            let end = match (needs, nodes) {
                (Needs::Nodes, Some(nodes)) => transition.end.max(nodes),
                _ => transition.end,
            };
            Transition { end, ..transition.clone() }
        };
        self.0.iter().map(complete).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::constant(second, 0)
    }

    fn changing(name: &str, end: i64, needs: Needs) -> Changing {
        Changing { tags: BTreeMap::from([("name".to_owned(), name.to_owned())]), end: second(end), needs }
    }

    #[test]
    fn what_needs_nodes_is_so_once_the_first_are_there() {
        let mut noted = Transitions::default();
        noted.note([changing("dns", 15, Needs::Nodes), changing("proxy", 12, Needs::Nothing)].into_iter(), second(0));
        // Seen again while it is under way.
        noted.note([changing("dns", 15, Needs::Nodes)].into_iter(), second(5));
        noted.note([changing("a", 120, Needs::AreNodes), changing("b", 90, Needs::AreNodes)].into_iter(), second(10));
        let spans: Vec<(i64, i64)> =
            noted.all().iter().map(|noted| (noted.begin.as_second(), noted.end.as_second())).collect();
        assert_eq!(spans, [(0, 90), (0, 12), (10, 120), (10, 90)]);
    }
}
