//! What a client holds at a time, and the memory that follows.

use std::time::Duration;

/// Operations in flight of one client, unless its configuration says otherwise: at most so many
/// payloads are held. With payloads of 1 KiB that is 1 MiB, with the longest 1 GiB.
pub const IN_FLIGHT_MAX: usize = 1024;

/// What the connections have to tell the driver and it has not heard yet: with replies of 1 KiB
/// 0.5 MiB. Beyond it the nodes are held up.
pub const EVENTS_LEN_MAX: usize = 512;

/// What the driver takes at once before it looks at its timers.
pub(crate) const EVENTS_BATCH: usize = 128;

/// A watched node that says nothing for so long is left for another. A replica tells idle watchers each
/// second that it is there, and waits for a token for five.
pub const WATCH_SILENCE: Duration = Duration::from_secs(8);

/// How long a watch waits when no node could go on with it, at first.
pub(crate) const WATCH_BACK_OFF: Duration = Duration::from_millis(50);

/// Nodes that a client keeps connections to.
pub const NODES_MAX: usize = 256;

/// Bytes of a command: what the protocol allows.
pub const PAYLOAD_LEN_MAX: usize = althing_wire::limits::PAYLOAD_LEN_MAX;

/// Once one node is connected, the others are waited for as long again and this much longer, so
/// that the nearest of several is not missed by a hair.
pub(crate) const SETTLE_EXTRA: Duration = Duration::from_millis(10);
