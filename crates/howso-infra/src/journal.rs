//! Where the journal of a cluster lies.

#[cfg(feature = "bucket")]
mod bucket;

use howso_infra_core::spec::JournalLocation;
use howso_infra_engine::{Holder, Journal, JournalPlace, JournalState};

use crate::{Error, Session};

impl Session {
    pub(crate) async fn open_journal(&self) -> Result<Journal, Error> {
        let holder = Holder {
            host: self.surroundings.host.clone(),
            process_id: self.surroundings.process_id,
            started: self.clock.wall(),
        };
        Ok(Journal::open(self.journal_place().await?, holder, self.clock.clone()).await?)
    }

    pub(crate) async fn peek_journal(&self) -> Result<JournalState, Error> {
        Ok(Journal::peek(&self.journal_place().await?).await?)
    }

    /// One journal for each provider, location and cluster name, so that clusters of one name do not share one.
    async fn journal_place(&self) -> Result<JournalPlace, Error> {
        let spec = &self.spec;
        let name = format!("{}-{}-{}.journal", spec.provider, spec.location, spec.name);
        match &spec.journal {
            None => Ok(JournalPlace::File(self.surroundings.state_dir.join(name))),
            Some(location) => self.bucket(location, &name).await,
        }
    }

    #[cfg(feature = "bucket")]
    async fn bucket(&self, location: &JournalLocation, name: &str) -> Result<JournalPlace, Error> {
        bucket::place(location, name, self).await
    }

    #[cfg(not(feature = "bucket"))]
    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    async fn bucket(&self, location: &JournalLocation, _name: &str) -> Result<JournalPlace, Error> {
        Err(Error::BucketNotCompiledIn { location: location.to_string() })
    }
}
