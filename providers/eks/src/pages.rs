//! Reads lists to their end.

use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_async::future::pagination_stream::PaginationStream;
use howso_infra_core::ProviderError;

use crate::errors;

/// More items than any account has of one kind; a server that never ends a list is stopped here.
const ITEMS_MAX: usize = 100_000;

/// Reads all items, or fails: a list without its last page says nothing about what does not exist.
pub(crate) async fn all<T, E>(
    mut items: PaginationStream<Result<T, SdkError<E, HttpResponse>>>,
    call: &'static str,
) -> Result<Vec<T>, ProviderError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let mut found = Vec::new();
    while let Some(item) = items.next().await {
        found.push(item.map_err(errors::reading(call))?);
        if found.len() > ITEMS_MAX {
            return Err(errors::bug(call, format!("the list has more than {ITEMS_MAX} items")));
        }
    }
    Ok(found)
}
