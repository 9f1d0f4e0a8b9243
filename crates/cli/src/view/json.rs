//! Events for programs: one JSON object a line, each with `schema`, `time` and `type`.

use howso_infra::Event;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The version of the form of events.
pub(crate) const SCHEMA: u32 = 1;

/// One line.
pub(crate) fn line(kind: &str, fields: Value, now: Timestamp) -> String {
    let mut object = Map::new();
    object.insert("schema".to_owned(), json!(SCHEMA));
    object.insert("time".to_owned(), json!(format!("{now:.3}")));
    object.insert("type".to_owned(), json!(kind));
    match fields {
        Value::Object(fields) => object.extend(fields.into_iter().filter(|(key, _)| key != "schema")),
        Value::Null => {}
        other => {
            object.insert("value".to_owned(), other);
        }
    }
    Value::Object(object).to_string()
}

/// The type and the fields of an event of the library: what the engine tells is named by its variant.
pub(crate) fn event(event: &Event) -> (String, Value) {
    match event {
        Event::Phase(phase) => ("phase".to_owned(), json!({ "phase": phase })),
        Event::ReadingAgain { error, delay_secs } => {
            ("reading_again".to_owned(), json!({ "error": error, "delay_secs": delay_secs }))
        }
        Event::Engine(event) => variant(event),
        Event::Autoscaling(event) => variant(event),
        Event::Platform(event) => variant(event),
    }
}

/// The name and the fields of an enum of structs, which serialises to an object with one key.
fn variant(event: &impl Serialize) -> (String, Value) {
    match serde_json::to_value(event) {
        Ok(Value::Object(object)) => object.into_iter().next().unwrap_or_default(),
        Ok(_) | Err(_) => ("event".to_owned(), Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use howso_infra::Phase;
    use howso_infra::core::{OperationVerb, ResourceId, StepId};

    use super::*;

    #[test]
    fn an_event_is_one_flat_line() {
        let started = howso_infra::engine::Event::StepStarted {
            step: StepId(3),
            resource: ResourceId::new("toy/machine", "a"),
            verb: OperationVerb::Create,
            expected_secs: 2.0,
        };
        let (kind, fields) = event(&Event::Engine(started));
        let line = line(&kind, fields, Timestamp::UNIX_EPOCH);
        assert!(line.starts_with(r#"{"schema":1,"time":"1970-01-01T00:00:00.000Z","type":"step_started","#), "{line}");
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["resource"], "toy/machine:a");
        assert_eq!(read["step"], 3);
        assert!(!line.contains('\n'));
    }

    #[test]
    fn a_phase_has_its_name() {
        let (kind, fields) = event(&Event::Phase(Phase::AwaitingVisibility));
        assert_eq!((kind.as_str(), &fields["phase"]), ("phase", &json!("awaiting_visibility")));
    }
}
