//! Where the journal of a cluster lies.

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
        Ok(Journal::open(self.journal_place()?, holder, self.clock.clone()).await?)
    }

    pub(crate) async fn peek_journal(&self) -> Result<JournalState, Error> {
        Ok(Journal::peek(&self.journal_place()?).await?)
    }

    /// One journal for each provider, location and cluster name, so that clusters of one name do not share one.
    fn journal_place(&self) -> Result<JournalPlace, Error> {
        let spec = &self.spec;
        let name = format!("{}-{}-{}.journal", spec.provider, spec.location, spec.name);
        match &spec.journal {
            None => Ok(JournalPlace::File(self.surroundings.state_dir.join(name))),
            Some(location) => bucket(location, &name),
        }
    }
}

/// Credentials, region and endpoint of the bucket come from the standard `AWS_*` variables.
#[cfg(feature = "bucket")]
fn bucket(location: &JournalLocation, name: &str) -> Result<JournalPlace, Error> {
    use std::sync::Arc;

    use howso_infra_core::spec::JournalScheme;
    use object_store::aws::AmazonS3Builder;
    use object_store::path::Path;

    let JournalScheme::S3 = location.scheme;
    let refused = |source| Error::Bucket { location: location.to_string(), source };
    // Without encryption only where the user's own endpoint is without it.
    let store = AmazonS3Builder::from_env().with_bucket_name(&location.bucket).with_allow_http(true).build();
    let path = Path::parse(format!("{}/{name}", location.prefix)).map_err(|error| refused(error.into()))?;
    Ok(JournalPlace::Bucket { store: Arc::new(store.map_err(refused)?), path })
}

#[cfg(not(feature = "bucket"))]
fn bucket(location: &JournalLocation, _name: &str) -> Result<JournalPlace, Error> {
    Err(Error::BucketNotCompiledIn { location: location.to_string() })
}
