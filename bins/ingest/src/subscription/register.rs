//! Sets a subscription up on its platform, or says how to.

use super::outcome::{Done, Mode, Pushed};
use super::{event_bridge, guide_webhook, process_automation};
use crate::subscriptions::Subscription;
use crate::subscriptions::platform::{Kind, Platform};
use platform::api::Api;

/// Creates what is absent, changes what differs, and leaves the rest alone.
pub async fn register(
    api: Option<&Api>,
    subscription: &Subscription,
    platform: &Platform,
    pushed: Pushed,
    mode: Mode<'_>,
) -> Done {
    match (&platform.kind, api) {
        (Kind::None, _) => by_hand(platform, "set up the sender"),
        (Kind::CxoneDigital, _) => by_hand(
            platform,
            "CXone Digital has no public API for event webhooks: in its administration, add an event webhook",
        ),
        (Kind::GenesysEventBridge(bridge), api) => {
            event_bridge::register(api, subscription, platform, bridge).await
        }
        (Kind::GuideWebhook(_) | Kind::GenesysProcessAutomation(_), None) => by_hand(
            platform,
            "[subscription.platform.credentials] is missing, so nothing can be registered from here: do it by hand",
        ),
        (Kind::GuideWebhook(registration), Some(api)) => {
            guide_webhook::register(api, subscription, platform, registration, pushed, mode).await
        }
        (Kind::GenesysProcessAutomation(trigger), Some(api)) => {
            process_automation::register(api, subscription, platform, trigger, mode).await
        }
    }
}

fn by_hand(platform: &Platform, what: &str) -> Done {
    let url = platform
        .delivery_url
        .as_ref()
        .map_or("the URL of this subscription's path", |url| url.as_str());
    let mut text = format!("{what} that posts JSON to {url}");
    if !platform.topics.is_empty() {
        text = format!("{text}, for {}", platform.topics.join(", "));
    }
    if let Some(proof) = &platform.proof {
        text = format!("{text}; each delivery carries {}", proof.words());
    }
    Done {
        by_hand: vec![
            text,
            "it is to expect 2xx within 5 s, and to send again after 429, 5xx and no answer"
                .to_owned(),
        ],
        ..Done::default()
    }
}
