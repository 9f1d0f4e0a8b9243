//! `status`: what is there.

use std::time::Duration;

use super::{Context, stage};
use crate::arguments::StatusArguments;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::view::status::StatusReport;

pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: StatusArguments,
) -> Result<(), Failure> {
    let (spec, session) = context.open(&arguments.spec).await?;
    let (session, _) = stage::settle(arguments.until, &spec, session)?;
    loop {
        let status = signals.or_stop(session.status()).await??;
        if arguments.watch {
            context.console.start_page();
        }
        context.console.data(&StatusReport { spec: &spec, status: &status, differences_only: false });
        if !arguments.watch {
            return Ok(());
        }
        signals.or_stop(tokio::time::sleep(Duration::from_secs(arguments.interval))).await?;
    }
}
