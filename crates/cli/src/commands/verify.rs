//! `verify`: pods of each sort land where they should.

use howso_infra::Scaling;

use super::Context;
use crate::arguments::VerifyArguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::view::findings::FindingsReport;

pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: VerifyArguments,
) -> Result<(), Failure> {
    let (_, session) = context.open(&arguments.spec).await?;
    let scaling = if arguments.scale { Scaling::FromPresent } else { Scaling::AsIs };
    let verified = signals.or_stop(session.verify(scaling, &arguments.image)).await;
    // Also after an interrupt and after an error, which are then the news.
    let removed = session.remove_canaries().await;
    let findings = verified??;
    removed?;
    context.console.data(&FindingsReport { findings: &findings, complete: true });
    match Exit::of_findings(&findings) {
        Exit::Done => Ok(()),
        _ => Err(Failure::Found(findings)),
    }
}
