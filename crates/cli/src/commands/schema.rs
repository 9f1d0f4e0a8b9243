//! `schema`: the JSON schema of the specification file.

use howso_infra::core::spec::json_schema;

use super::Context;
use crate::failure::Failure;

#[expect(clippy::unnecessary_wraps, reason = "every verb has the same form")]
pub(super) fn run(context: &Context<'_>) -> Result<(), Failure> {
    let schema = json_schema(&context.registry.schemas());
    context.console.text(&format!("{schema:#}\n"));
    Ok(())
}
