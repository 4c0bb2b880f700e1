//! Which nodes are up and how far away, from the transport to the roles that want to know.

use crate::inbox::Input;
use crate::limits;
use crate::route::Router;
use crate::status::Published;
use althing_model::{NodeId, Role};
use althing_wire::Party;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Whether a node is believed up: connected, and heard of lately.
pub(crate) fn is_up(link: &althing_transport::Link, down_after: Duration) -> bool {
    link.connected && link.last_heard.is_none_or(|silence| silence <= down_after)
}

/// Looks at the links again and again, and tells the proposer and the replica what changed. To the
/// proposer a node that lost its disk is down: no fast quorum is to count on its voter, and nothing to be
/// forwarded to it.
pub(crate) async fn watch(router: Arc<Router>, published: Arc<Published>, down_after: Duration) {
    let mut told: BTreeMap<NodeId, (althing_proposer::Link, bool)> = BTreeMap::new();
    let mut ticks = interval(limits::LINKS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let lost = published.lost();
        for link in router.links() {
            let now = althing_proposer::Link {
                round_trip: link.round_trip.map(|time| time.as_micros() as u64),
                is_up: is_up(&link, down_after),
            };
            let is_lost = lost.contains(&link.node.0);
            let before = told.get(&link.node).copied();
            let was_lost = before.is_some_and(|(_, was_lost)| was_lost);
            if !is_news(before.map(|(link, _)| link).as_ref(), now) && is_lost == was_lost {
                continue;
            }
            told.insert(link.node, (now, is_lost));
            if before.map(|(link, _)| link.is_up) != Some(now.is_up) {
                let state = if now.is_up { "up" } else { "down" };
                tracing::info!("node {} is believed {state}", link.node.0);
            }
            if is_lost && !was_lost {
                tracing::warn!("node {} lost its disk: it has no vote any more", link.node.0);
            }
            if let Some(inbox) = router.inbox(Party::Node(Role::Proposer)) {
                let is_up = now.is_up && !is_lost;
                inbox.put(Input::Link(link.node, althing_proposer::Link { is_up, ..now }));
            }
            if let Some(inbox) = router.inbox(Party::Node(Role::Replica)) {
                inbox.put(Input::Link(link.node, now));
            }
            if let Some(inbox) = router.snapshots() {
                inbox.put(Input::Link(link.node, now));
            }
        }
    }
}

/// Whether a link changed by more than a role needs to know: up or down, or the round trip by a
/// twentieth.
fn is_news(told: Option<&althing_proposer::Link>, now: althing_proposer::Link) -> bool {
    let Some(told) = told else {
        return true;
    };
    if told.is_up != now.is_up {
        return true;
    }
    match (told.round_trip, now.round_trip) {
        (Some(before), Some(after)) => before.abs_diff(after) * 20 > before,
        // A node that is not connected has none, and comes back about as far away as it was.
        (before, after) => before.is_none() && after.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_proposer::Link;

    /// Broken: proposers are flooded with round trips that did not change, or never hear that a
    /// node went down.
    #[test]
    fn only_what_changed_is_told() {
        let link = |round_trip, is_up| Link { round_trip, is_up };
        let told = link(Some(10_000), true);
        assert!(is_news(None, told));
        assert!(!is_news(Some(&told), link(Some(10_500), true)));
        assert!(is_news(Some(&told), link(Some(10_501), true)));
        assert!(is_news(Some(&told), link(Some(9_000), true)));
        assert!(is_news(Some(&told), link(None, false)));
        assert!(!is_news(Some(&told), link(None, true)));
        assert!(is_news(Some(&link(None, true)), told));
    }
}
