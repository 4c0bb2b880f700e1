//! Whether the relay's thread runs before others.

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Asks that the calling thread run at once when it wakes, whatever else wants its core (round robin
/// real-time scheduling, least priority). Says whether the system permits it.
///
/// Where nodes keep all cores busy, a thread without it waits for the end of somebody's time slice:
/// milliseconds, that the nodes would take for a longer way.
pub(crate) fn take() -> bool {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy).is_ok()
}
