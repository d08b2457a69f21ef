//! One look at the platform's side, whatever it is.

use super::finding::Inspection;
use super::{event_bridge, guide_webhook, process_automation};
use crate::subscriptions::Subscription;
use crate::subscriptions::platform::{Kind, Platform};
use platform::api::Api;

/// Looks at what a subscription is on its platform.
pub async fn inspect(api: &Api, subscription: &Subscription, platform: &Platform) -> Inspection {
    match &platform.kind {
        Kind::None | Kind::CxoneDigital => Inspection::unknown(),
        Kind::GuideWebhook(registration) => {
            guide_webhook::inspect(api, subscription, platform, registration).await
        }
        Kind::GenesysEventBridge(bridge) => event_bridge::inspect(api, platform, bridge).await,
        Kind::GenesysProcessAutomation(trigger) => {
            process_automation::inspect(api, subscription, platform, trigger).await
        }
    }
}
