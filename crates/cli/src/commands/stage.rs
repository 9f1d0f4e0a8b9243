//! How far `up` goes.

use howso_infra::core::spec::ClusterSpec;

use crate::arguments::Stage;
use crate::failure::Failure;

/// The last stage that there is something to do for.
const LAST: Stage = Stage::Cloud;

/// The stage to go to, or why that is not possible.
pub(crate) fn settle(wanted: Option<Stage>, spec: &ClusterSpec) -> Result<Stage, Failure> {
    match wanted {
        Some(stage) if stage > LAST => Err(Failure::usage(
            format!("the stage `{}` does not exist for the provider {} yet", stage.as_str(), spec.provider),
            format!("the last stage is `{0}`: leave --until out, or say --until {0}", LAST.as_str()),
        )),
        Some(stage) => Ok(stage),
        None => Ok(LAST),
    }
}
