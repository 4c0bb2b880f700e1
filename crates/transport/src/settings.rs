//! What an operator may set, and the QUIC configuration that follows from it.

use crate::limits;
use quinn::congestion::{BbrConfig, CubicConfig, NewRenoConfig};
use quinn::{IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};
use std::sync::Arc;
use std::time::Duration;

/// How QUIC finds out how much a path carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Congestion {
    /// The usual choice of the Internet (RFC 9438).
    #[default]
    Cubic,
    /// The older choice (RFC 9002, section 7).
    NewReno,
    /// Measures the path instead of reacting to loss. For long paths that lose packets, where the
    /// other two are slowed down by every loss; experimental in quinn.
    Bbr,
}

impl std::str::FromStr for Congestion {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "cubic" => Ok(Self::Cubic),
            "newreno" => Ok(Self::NewReno),
            "bbr" => Ok(Self::Bbr),
            _ => Err(format!("congestion control is cubic, newreno or bbr, not {name:?}")),
        }
    }
}

/// The transport's settings; the defaults suit a cluster over wide-area links. What the numbers
/// cost in memory stands in [`crate::limits`].
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How often nodes tell each other that they are there.
    pub heartbeat: Duration,
    /// A connection over which nothing is heard for this long is given up.
    pub idle_timeout: Duration,
    /// What is assumed of a path's round trip before it is measured: how soon a lost first packet
    /// is sent again.
    pub initial_round_trip: Duration,
    /// The congestion control.
    pub congestion: Congestion,
    /// Whether to hand the kernel many packets at once. It is faster; some networks drop the bursts.
    pub segmentation_offload: bool,
    /// The first wait before a lost node is dialled again.
    pub redial_min: Duration,
    /// The longest; each failure doubles the wait up to it.
    pub redial_max: Duration,
    /// See [`limits::HANDSHAKE_TIMEOUT`].
    pub handshake_timeout: Duration,
    /// See [`limits::FRAME_TIMEOUT`].
    pub frame_timeout: Duration,
    /// See [`limits::DRAIN_TIMEOUT`].
    pub drain_timeout: Duration,
    /// See [`limits::QUEUE_FRAMES_MAX`].
    pub queue_frames_max: usize,
    /// See [`limits::QUEUE_BYTES_MAX`].
    pub queue_bytes_max: usize,
    /// See [`limits::CLIENT_QUEUE_BYTES_MAX`].
    pub client_queue_bytes_max: usize,
    /// See [`limits::LANE_WINDOW`].
    pub lane_window: u32,
    /// See [`limits::SEND_WINDOW`].
    pub send_window: u64,
    /// See [`limits::CLIENT_WINDOW`].
    pub client_window: u32,
    /// See [`limits::CLIENTS_MAX`].
    pub clients_max: usize,
    /// See [`limits::CONNECTIONS_PER_CLIENT_MAX`].
    pub connections_per_client_max: usize,
    /// See [`limits::HANDSHAKES_MAX`].
    pub handshakes_max: usize,
    /// See [`limits::HANDSHAKES_UNPROVED_MAX`].
    pub handshakes_unproved_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(100),
            idle_timeout: Duration::from_secs(10),
            initial_round_trip: Duration::from_millis(100),
            congestion: Congestion::Cubic,
            segmentation_offload: true,
            redial_min: Duration::from_millis(50),
            redial_max: Duration::from_secs(2),
            handshake_timeout: limits::HANDSHAKE_TIMEOUT,
            frame_timeout: limits::FRAME_TIMEOUT,
            drain_timeout: limits::DRAIN_TIMEOUT,
            queue_frames_max: limits::QUEUE_FRAMES_MAX,
            queue_bytes_max: limits::QUEUE_BYTES_MAX,
            client_queue_bytes_max: limits::CLIENT_QUEUE_BYTES_MAX,
            lane_window: limits::LANE_WINDOW,
            send_window: limits::SEND_WINDOW,
            client_window: limits::CLIENT_WINDOW,
            clients_max: limits::CLIENTS_MAX,
            connections_per_client_max: limits::CONNECTIONS_PER_CLIENT_MAX,
            handshakes_max: limits::HANDSHAKES_MAX,
            handshakes_unproved_max: limits::HANDSHAKES_UNPROVED_MAX,
        }
    }
}

impl Settings {
    /// Whether the settings fit together; says what does not.
    pub fn check(&self) -> Result<(), String> {
        let rules = [
            (!self.heartbeat.is_zero(), "the heartbeat interval must not be zero"),
            (
                self.heartbeat.saturating_mul(3) <= self.idle_timeout,
                "the idle timeout must be at least three heartbeats",
            ),
            (
                self.idle_timeout <= Duration::from_secs(24 * 3600),
                "the idle timeout must be at most a day",
            ),
            (
                !self.redial_min.is_zero() && self.redial_min <= self.redial_max,
                "the shortest wait before redialling must be above zero and at most the longest",
            ),
            (
                !self.initial_round_trip.is_zero(),
                "the round trip assumed at first must not be zero",
            ),
            (self.queue_frames_max > 0, "a queue must hold at least one frame"),
            (
                self.lane_window >= 16 << 10 && self.client_window >= 16 << 10,
                "receive windows must be at least 16 KiB",
            ),
            (self.send_window >= 16 << 10, "the send window must be at least 16 KiB"),
            (
                self.handshakes_max > 0 && self.clients_max > 0,
                "handshakes and clients must be allowed at least one each",
            ),
            (self.connections_per_client_max > 0, "a client must be allowed a connection"),
        ];
        match rules.iter().find(|(kept, _)| !kept) {
            Some((_, rule)) => Err((*rule).to_owned()),
            None => Ok(()),
        }
    }

    /// The receive window of a whole link between nodes.
    pub(crate) fn node_window(&self) -> VarInt {
        VarInt::from_u64(u64::from(self.lane_window) * u64::from(limits::NODE_LANES))
            .expect("a u32 times 5 is below 2^62")
    }

    /// For connections that others dial: who they are is not known yet, so the windows are a
    /// client's; those of a node are widened once it has proved to be one.
    pub(crate) fn accepting(&self) -> Arc<TransportConfig> {
        let mut config = self.base(limits::NODE_LANES);
        config.receive_window(VarInt::from_u32(self.client_window));
        config.send_window(u64::from(self.client_window));
        Arc::new(config)
    }

    /// For connections that we dial to a node.
    pub(crate) fn dialling(&self) -> Arc<TransportConfig> {
        let mut config = self.base(limits::NODE_LANES);
        config.receive_window(self.node_window());
        config.send_window(self.send_window);
        Arc::new(config)
    }

    fn base(&self, lanes: u8) -> TransportConfig {
        let mut config = TransportConfig::default();
        config
            .max_concurrent_uni_streams(VarInt::from_u32(lanes.into()))
            .max_concurrent_bidi_streams(VarInt::from_u32(0))
            .datagram_receive_buffer_size(None)
            .stream_receive_window(VarInt::from_u32(self.lane_window))
            .max_idle_timeout(Some(
                IdleTimeout::try_from(self.idle_timeout).expect("checked: at most a day"),
            ))
            .keep_alive_interval(Some(self.idle_timeout / 4))
            .initial_rtt(self.initial_round_trip)
            .mtu_discovery_config(Some(MtuDiscoveryConfig::default()))
            .ack_frequency_config(None)
            .enable_segmentation_offload(self.segmentation_offload);
        match self.congestion {
            Congestion::Cubic => {
                config.congestion_controller_factory(Arc::new(CubicConfig::default()))
            }
            Congestion::NewReno => {
                config.congestion_controller_factory(Arc::new(NewRenoConfig::default()))
            }
            Congestion::Bbr => config.congestion_controller_factory(Arc::new(BbrConfig::default())),
        };
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: the defaults do not fit together, or nonsense is taken.
    #[test]
    fn defaults_fit_together_and_nonsense_does_not() {
        assert_eq!(Settings::default().check(), Ok(()));
        let nonsense = [
            Settings { heartbeat: Duration::ZERO, ..Settings::default() },
            Settings { idle_timeout: Duration::from_millis(200), ..Settings::default() },
            Settings { redial_min: Duration::from_secs(3), ..Settings::default() },
            Settings { lane_window: 0, ..Settings::default() },
            Settings { idle_timeout: Duration::MAX, ..Settings::default() },
        ];
        for settings in nonsense {
            assert!(settings.check().is_err(), "{settings:?}");
        }
        assert_eq!("bbr".parse(), Ok(Congestion::Bbr));
        assert!("vegas".parse::<Congestion>().is_err());
    }
}
