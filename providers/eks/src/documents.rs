//! JSON documents as attributes: compared by what they say, not by how they are spelled.

use howso_infra_core::{Attributes, Value};

/// Reads a JSON text as an attribute; [`None`] for what is no JSON.
pub(crate) fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().map(|json| Value::from_json(&json))
}

/// Writes an attribute as JSON.
pub(crate) fn to_text(value: &Value) -> String {
    value.to_json().to_string()
}

/// The fields of a policy whose values are sets, written as one text or as a list in any order.
const SETS: [&str; 4] = ["Action", "NotAction", "Resource", "NotResource"];

/// Brings an IAM policy into one form: IAM gives back what was written, and the same policy can be written in many ways.
pub(crate) fn canonical_policy(policy: &Value) -> Value {
    let Value::Map(fields) = policy else { return policy.clone() };
    let mut fields = fields.clone();
    if let Some(statements) = fields.get("Statement") {
        let mut statements: Vec<_> = list(statements).iter().map(canonical_statement).collect();
        statements.sort();
        fields.insert("Statement".to_owned(), Value::List(statements));
    }
    Value::Map(fields)
}

fn canonical_statement(statement: &Value) -> Value {
    let Value::Map(fields) = statement else { return statement.clone() };
    let canonical = fields.iter().map(|(field, value)| {
        let value = match field.as_str() {
            field if SETS.contains(&field) => sorted(value),
            "Principal" | "NotPrincipal" => each(value, &sorted),
            "Condition" => each(value, &|keys| each(keys, &sorted)),
            _ => value.clone(),
        };
        (field.clone(), value)
    });
    Value::Map(canonical.collect())
}

fn each(value: &Value, change: &dyn Fn(&Value) -> Value) -> Value {
    let Value::Map(fields) = value else { return change(value) };
    Value::Map(fields.iter().map(|(field, value)| (field.clone(), change(value))).collect::<Attributes>())
}

fn sorted(value: &Value) -> Value {
    let mut items = list(value);
    items.sort();
    items.dedup();
    Value::List(items)
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::List(items) => items.clone(),
        Value::Bool(_) | Value::Integer(_) | Value::Text(_) | Value::Map(_) | Value::Reference(_) => {
            vec![value.clone()]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Value {
        canonical_policy(&parse(text).unwrap())
    }

    #[test]
    fn policies_that_say_the_same_are_equal() {
        let one = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":["b:B","a:A"],"Resource":"*","Condition":{"StringEquals":{"k":"v"}}},
            {"Effect":"Allow","Action":"c:C","Principal":{"Service":"x"}}]}"#;
        let other = r#"{"Statement":[
            {"Principal":{"Service":["x"]},"Action":["c:C"],"Effect":"Allow"},
            {"Effect":"Allow","Action":["a:A","b:B","a:A"],"Resource":["*"],"Condition":{"StringEquals":{"k":["v"]}}}],
            "Version":"2012-10-17"}"#;
        assert_eq!(canonical(one), canonical(other));
    }

    #[test]
    fn policies_that_say_something_else_differ() {
        let base = canonical(r#"{"Statement":{"Effect":"Allow","Action":"a:A","Resource":"*"}}"#);
        for other in [
            r#"{"Statement":{"Effect":"Deny","Action":"a:A","Resource":"*"}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":["a:A","b:B"],"Resource":"*"}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":"a:A","Resource":"*","Condition":{"Bool":{"k":"true"}}}}"#,
            r#"{"Statement":{"Effect":"Allow","NotAction":"a:A","Resource":"*"}}"#,
        ] {
            assert_ne!(canonical(other), base, "{other}");
        }
    }

    #[test]
    fn a_document_survives_writing_and_reading() {
        let text = r#"{"a":[1,true,"x"],"b":{"c":"d"}}"#;
        assert_eq!(to_text(&parse(text).unwrap()), text);
        assert_eq!(parse("{"), None);
    }
}
