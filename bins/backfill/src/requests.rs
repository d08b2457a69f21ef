//! Stands in until `requests` of branch `commands6` is merged.

use crate::platforms::Platforms;
use broker::BrokerConfig;
use std::sync::Arc;
use store::Store;
use tokio_util::sync::CancellationToken;

pub(crate) async fn serve(
    _store: Store,
    _broker: BrokerConfig,
    _platforms: Arc<Platforms>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    stop.cancelled().await;
    Ok(())
}
