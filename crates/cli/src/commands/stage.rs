//! How far a command goes.

use howso_infra::core::inside::CONTENTS_KIND;
use howso_infra::core::plan::Plan;
use howso_infra::core::spec::ClusterSpec;
use howso_infra::{Session, Stage as Built};

use crate::arguments::Stage;
use crate::failure::Failure;

/// Lets a session go to a stage, or says why that is not possible. Without a wish it goes as far as there is something to do.
pub(crate) fn settle(wanted: Option<Stage>, spec: &ClusterSpec, session: Session) -> Result<(Session, Stage), Failure> {
    let last = match session.last_stage() {
        Built::Cloud => Stage::Cloud,
        Built::Cluster => Stage::Cluster,
    };
    match wanted {
        Some(Stage::Platform) if last == Stage::Cluster => Err(Failure::usage(
            "the releases of the platform are not looked at by this command",
            "see `howso-infra platform status`; `howso-infra up --until platform` installs them",
        )),
        Some(stage) if stage > last => Err(Failure::usage(
            format!("the stage `{}` does not exist for the provider {} yet", stage.as_str(), spec.provider),
            format!("the last stage is `{0}`: leave --until out, or say --until {0}", last.as_str()),
        )),
        Some(Stage::Cloud) => Ok((session.until(Built::Cloud), Stage::Cloud)),
        Some(stage) => Ok((session, stage)),
        None => Ok((session, last)),
    }
}

/// The stage for which a saved plan was made, when it is not the last one: carried out is what was shown.
pub(crate) fn of_plan(plan: &Plan) -> Option<Stage> {
    let goes_inside = plan.report.iter().any(|decision| decision.resource.kind() == CONTENTS_KIND);
    (!goes_inside).then_some(Stage::Cloud)
}
