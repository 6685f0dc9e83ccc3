//! Access that is charged for again and again, as a device sees it.

use anyhow::{Context, Result};
use plasma_client::{Error, accept};
use plasma_proto::billing::v1::{PassKind, SubscriptionState, Trial};
use plasma_proto::error::v1::ErrorReason;
use plasma_testkit::platform::{amount, subscription};
use plasma_testkit::{ClusterKind, Onboarding};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_tried_cancelled_taken_back_and_goes_on_at_another_price() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let world = World::of_platform(kind, Onboarding::paid("Monthly", 1_000)).await?;
        let mut terms = subscription(amount("EUR", 500), 30);
        let duration = Some(prost_types::Duration { seconds: 86_400, nanos: 0 });
        terms.trial = Some(Trial { duration, converts: true });
        world.platform.publish_price(terms, None, 7_000).await?;
        let ann = world.first_device("ann", &world.endpoint(0)).await?;
        let bob = world.first_device("bob", &world.endpoint(1)).await?;

        let resolved = ann.resolve(&bob.create_link().await?).await?;
        assert!(accept(&resolved.quote).trial, "{kind:?}: the quote offers it");
        let opened = ann.open_chat(&resolved, accept(&resolved.quote)).await?;
        let chat = opened.chat.id;
        assert_eq!(opened.pass.context("a pass")?.kind(), PassKind::Trial);
        ann.send_text(chat, "on trial").await?;

        let [begun] = ann.subscriptions().await?.try_into().expect("one subscription");
        assert_eq!(begun.state(), SubscriptionState::Trialing);
        assert_eq!(begun.chat_id, chat.to_string());
        let offer = ann.quote(chat).await?;
        assert_eq!(
            offer.subscription.context("a subscription")?.subscription_id,
            begun.subscription_id
        );
        assert!(!accept(&offer.quote).trial, "{kind:?}: had once");
        let none = ann.accept_price_change(&begun).await.unwrap_err();
        assert!(matches!(none, Error::NoPriceChange), "{none:?}");

        let cancelled = ann.cancel_subscription(&begun.subscription_id).await?;
        assert!(cancelled.cancel_at_period_end, "{kind:?}");
        let undone = ann.undo_cancellation(&begun.subscription_id).await?;
        assert!(!undone.cancel_at_period_end, "{kind:?}");

        world.platform.publish_price(subscription(amount("EUR", 900), 30), None, 7_000).await?;
        let [shown] = ann.subscriptions().await?.try_into().expect("one subscription");
        assert!(!shown.price_change.as_ref().context("another price")?.accepted);
        let accepted = ann.accept_price_change(&shown).await?;
        assert!(accepted.price_change.context("another price")?.accepted, "{kind:?}");
        let foreign = bob.cancel_subscription(&begun.subscription_id).await.unwrap_err();
        assert_eq!(foreign.reason(), Some(ErrorReason::NotFound), "{kind:?}");
    }
    Ok(())
}
