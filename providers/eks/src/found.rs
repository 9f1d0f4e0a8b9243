//! What EC2 describes, before it is known whose it is.

use howso_infra_core::{Attributes, Status, Value};

use crate::tags::{self, Tags};

/// One resource.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) physical_id: String,
    pub(crate) tags: Tags,
    pub(crate) status: Status,
    pub(crate) attributes: Attributes,
    pub(crate) outputs: Attributes,
}

/// Collects the fields that EC2 reports; what it does not report is no field.
#[derive(Default)]
pub(crate) struct Fields(pub(crate) Attributes);

impl Fields {
    pub(crate) fn text(self, field: &str, value: Option<&str>) -> Self {
        self.value(field, value.map(Value::text))
    }

    pub(crate) fn boolean(self, field: &str, value: Option<bool>) -> Self {
        self.value(field, value.map(Value::Bool))
    }

    pub(crate) fn value(mut self, field: &str, value: Option<Value>) -> Self {
        self.0.extend(value.map(|value| (field.to_owned(), value)));
        self
    }

    pub(crate) fn tags(self, tags: &Tags) -> Self {
        self.value("tags", Some(tags::attribute(tags)))
    }
}
