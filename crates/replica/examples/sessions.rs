//! What open sessions cost: memory, and a snapshot of their table.
//!
//! ```sh
//! cargo run --release -p althing-replica --example sessions -- [SESSIONS [REPLIES [REPLY_BYTES]]]
//! ```
//! 100,000 sessions unless said otherwise, each with one reply of 100 bytes that nobody has
//! acknowledged. The allocator is that of the `althing` command; memory is what the kernel counts as
//! resident (Linux). While a snapshot is read, another command is executed for every session.

use althing_model::{
    Epoch, NodeId, Operation, Pieces, Reply, RequestId, SessionId, StateMachine, Unrestorable,
    VertexId,
};
use althing_replica::Sessions;
use anyhow::{Context, ensure};
use bytes::Bytes;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Answers every command with that many bytes.
struct Answering(usize);

impl StateMachine for Answering {
    fn apply(&mut self, _: &[u8]) -> Bytes {
        vec![7; self.0].into()
    }

    fn digest(&self) -> u64 {
        0
    }

    fn snapshot(&self) -> Pieces {
        Box::new(std::iter::empty())
    }

    fn restore(&mut self, _: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise| match arguments.next() {
        None => Ok(otherwise),
        Some(text) => text.parse().with_context(|| format!("{text:?} is no number")),
    };
    let (count, replies, reply_bytes) = (number(100_000)?, number(1)?, number(100)?);
    ensure!(count > 0 && replies > 0, "there must be a session, and a reply");
    let mut machine = Answering(reply_bytes as usize);
    let mut sessions = Sessions::default();
    let empty = resident()?;
    let opened: Vec<SessionId> =
        (0..count).map(|seq| open(&mut sessions, seq, &mut machine)).collect();
    eprintln!("opened {count} sessions");
    let mut executing = Executing::default();
    for sequence in 0..replies {
        executing.one_each(&mut sessions, &opened, sequence, &mut machine);
    }
    let list_bytes = (count as usize * size_of::<SessionId>()) as u64;
    let per_session = (resident()? - empty).saturating_sub(list_bytes) / count;
    eprintln!("executed {replies} commands for each");

    let begun = Instant::now();
    let snapshot = sessions.snapshot();
    let call = begun.elapsed();
    let mut meanwhile = Executing::default();
    let (pieces, reading) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let begun = Instant::now();
            let pieces: Vec<Bytes> = snapshot.collect();
            (pieces, begun.elapsed())
        });
        meanwhile.one_each(&mut sessions, &opened, replies, &mut machine);
        reader.join().expect("reading does not fail")
    });
    eprintln!("read a snapshot");

    let begun = Instant::now();
    let restored = Sessions::restore(&mut pieces.iter().cloned())?;
    let restoring = begun.elapsed();
    assert_eq!(restored.len(), sessions.len());
    let is_executed = |sequence| restored.is_executed(RequestId { session: opened[0], sequence });
    assert!(is_executed(replies - 1) && !is_executed(replies), "another table was restored");
    let snapshot_bytes: usize = pieces.iter().map(Bytes::len).sum();
    let micros = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e6);
    let seconds = |time: Duration| format!("{:.3}", time.as_secs_f64());
    for (name, value) in [
        ("sessions", count.to_string()),
        ("replies of each", replies.to_string()),
        ("memory, bytes per session", per_session.to_string()),
        ("execute, us", micros(executing.mean())),
        ("execute, longest us", micros(executing.longest)),
        ("snapshot, call us", micros(call)),
        ("snapshot, bytes", snapshot_bytes.to_string()),
        ("snapshot, s", seconds(reading)),
        ("execute meanwhile, us", micros(meanwhile.mean())),
        ("execute meanwhile, longest us", micros(meanwhile.longest)),
        ("restore, s", seconds(restoring)),
    ] {
        println!("{name:<32} {value:>12}");
    }
    Ok(())
}

fn vertex(seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer: NodeId(1), seq }
}

fn open(sessions: &mut Sessions, seq: u64, machine: &mut Answering) -> SessionId {
    match sessions.execute(vertex(seq), 0, &Operation::OpenSession, machine) {
        Reply::Opened(session) => session,
        other => unreachable!("opening opens, and does not answer {other:?}"),
    }
}

/// How long executing took.
#[derive(Default)]
struct Executing {
    count: u32,
    total: Duration,
    longest: Duration,
}

impl Executing {
    /// A command for each session.
    fn one_each(
        &mut self,
        sessions: &mut Sessions,
        opened: &[SessionId],
        sequence: u64,
        machine: &mut Answering,
    ) {
        // In the order in which they were opened neighbours would share what is copied. A prime, so
        // that each has its turn.
        let stride = 2_654_435_761;
        for step in 0..opened.len() {
            let request = RequestId { session: opened[step * stride % opened.len()], sequence };
            let payload = Bytes::from_static(b"command");
            let operation = Operation::Apply { request, acknowledged_below: 0, payload };
            let begun = Instant::now();
            sessions.execute(vertex(u64::MAX), 0, &operation, machine);
            let took = begun.elapsed();
            self.count += 1;
            self.total += took;
            self.longest = self.longest.max(took);
        }
    }

    fn mean(&self) -> Duration {
        self.total / self.count.max(1)
    }
}

/// Bytes of this process that are in memory.
fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")
        .context("the memory of a process is read from /proc, which Linux alone has")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib.context("/proc/self/status has no VmRSS")?.parse()?;
    Ok(kib << 10)
}
