//! What a relay may hold, and the memory that it implies.

use std::time::Duration;

/// The most links of one relay. Each costs a socket and a histogram of about 20 KB: 20 MB.
pub const LINKS_MAX: usize = 1024;

/// The most clients of one link at a time; a datagram of a further one is dropped as overflow.
///
/// Each costs a socket. One client must not be able to take all descriptors from the others.
pub const CLIENTS_PER_LINK_MAX: usize = 1024;

/// The most clients of all links together: as many sockets, up to [`SOCKET_BUFFER_LEN`] each way.
pub const CLIENTS_MAX: usize = 4096;

/// Datagrams in flight, at most, unless the configuration says otherwise.
///
/// At 100 bytes of bookkeeping each: 26 MB. Enough for 650,000 datagrams a second at 400 ms.
pub const QUEUE_DATAGRAMS_MAX: usize = 1 << 18;

/// Bytes of datagrams in flight, at most, unless the configuration says otherwise: 256 MiB.
///
/// Enough for 5 Gbit/s at 400 ms.
pub const QUEUE_BYTES_MAX: usize = 256 << 20;

/// The kernel buffers asked for at each socket, in bytes: 4 MiB, of which the kernel may grant less.
///
/// Kernels default to about 200 KB, which a burst fills while the thread waits for a core. The
/// memory is taken only while datagrams are in it.
pub const SOCKET_BUFFER_LEN: usize = 4 << 20;

/// How long a client may be silent before its upstream socket closes, unless configured.
///
/// Longer than the idle time after which a QUIC connection is given up by default.
pub const CLIENT_IDLE_MAX: Duration = Duration::from_secs(60);

/// The greatest delay or jitter of one direction: ten minutes, in microseconds.
///
/// A longer one is a mistake of unit.
pub const DELAY_US_MAX: u64 = 600_000_000;

/// The largest UDP datagram.
pub(crate) const DATAGRAM_LEN_MAX: usize = 65_535;

/// Datagrams read from one socket before the others have their turn.
pub(crate) const READ_BATCH_MAX: usize = 64;

/// Datagrams sent before sockets are read again, so that a backlog does not overflow their buffers.
pub(crate) const SEND_BATCH_MAX: usize = 256;

/// Ready sockets that one wait reports. Those beyond it are reported by the next.
pub(crate) const READY_BATCH_MAX: usize = 256;
