//! Every message of Althing, one file per direction, and what may be sent before it is durable.
//!
//! # The way of a command, fast path
//! Round 0 of a vertex; Q is the fast quorum, the anchor is the voter beside the proposer.
//! ```text
//!  client        proposer        anchor         other voters       replica beside
//!    |  Submit      |               |                |               the proposer
//!    |------------->|  PreAccept    |                |                    |
//!    |              |-------------->| vote, fsync    |                    |
//!    |              |  PreAccepted  |                |                    |
//!    |              |<--------------|                |                    |
//!    |              |  PreAccept (with the anchor's deps and Q)           |
//!    |              |------------------------------->| vote, fsync        |
//!    |              |  PreAccepted                   |                    |
//!    |              |<-------------------------------|                    |
//!    |   all of Q answered, each dep from f of them  |                    |
//!    |              |  Conclude     |                |                    |
//!    |              |-------------->| commit, fsync  |                    |
//!    |              |               |  Learned       |                    |
//!    |              |               |------------------------------------>|
//!    |              |  Concluded    |                |                    | execute what is
//!    |              |<--------------|                |                    | reached, in order
//!    |              |  Commit                        |                    |
//!    |              |------------------------------->| fsync, Learned     |
//!    |              |  Executed                      |                    |
//!    |  Answer      |<----------------------------------------------------|
//!    |<-------------|
//! ```
//! Otherwise (disagreement, or a member of Q silent) round 1: `Accept` to the anchor first, whose
//! `Accepted` is the fence, then to all voters; f+1 `Accepted`, then `Commit`.
//!
//! # Classic path
//! ```text
//!  client        proposer      dependency nodes      acceptors         replicas
//!    |  Submit      |               |                    |                 |
//!    |------------->|  Depend       |                    |                 |
//!    |              |-------------->| index, fsync       |                 |
//!    |              |  Depended     |                    |                 |
//!    |              |<--------------|                    |                 |
//!    |              |  Accept (round 1, the union)       |                 |
//!    |              |----------------------------------->| vote, fsync     |
//!    |              |  Accepted                          |                 |
//!    |              |<-----------------------------------|                 |
//!    |              |  Commit                            |                 |
//!    |              |----------------------------------------------------->| execute
//!    |  Answer      |  Executed                          |                 |
//!    |<-------------|<-----------------------------------------------------|
//! ```
//!
//! # A read without a vertex
//! ```text
//!  client        replica        dependency nodes or voters, its own among them
//!    |  Read        |                |
//!    |------------->|  ReadDepend    |
//!    |              |--------------->| look up, record nothing
//!    |              |  ReadDepended  |
//!    |              |<---------------|
//!    |              | a majority answered: wait until the union of their answers is executed
//!    |  ReadAnswer  |                |
//!    |<-------------|                |
//! ```
//! A session's read asks nobody: it waits until what the client has seen is executed. A stale read
//! waits for nothing. Clients learn what they have seen from `Answer` and `ReadAnswer`.
//!
//! # A better placed proposer
//! For resources that several nodes' clients contend for, replicas tell the proposer beside them how
//! often each node's do, `Demand`, and proposers tell each other how far they are from all,
//! `Distances`. From both each proposer computes where its own clients' commands on such a resource
//! are best proposed; elsewhere means `Forward`, and the replica beside says when such a command was
//! executed, `Served`. Any proposer may take any command: safety does not depend on these.
//!
//! # Recovery
//! A replica that is blocked tells a proposer, `Recover`; that one runs `Prepare` / `Promised` in a
//! ballot of round 2 or higher (and, on the classic path, `Inspect` / `Inspected`), when it must a
//! dependency round `Depend` / `Depended` in the same ballot, then `Accept` / `Accepted` and
//! `Commit`. Whoever knows the outcome already answers `Chosen`. Replicas tell each other what they
//! hold, `Frontier`, and send what the other lacks, `Commit`.
//!
//! # Pruning and snapshots
//! ```text
//!  replica       its proposer    other replicas                    acceptors, dependency
//!    |  BarrierDue    |                |                            nodes, proposers
//!    |--------------->| a command over everything, like any other       |
//!    | executes it and cuts a snapshot, as all others do                |
//!    | snapshot durable                |                                |
//!    |  Frontier (with what it holds)  |                                |
//!    |-------------------------------->|                                |
//!    | f + 1 replicas hold it          |                                |
//!    |  PruneAcceptor, PruneDependency, PruneProposer                   |
//!    |----------------------------------------------------------------->| forget
//! ```
//! Whoever is asked about a vertex below its floor answers `Pruned`. A replica whose `Frontier` lacks
//! what the receiver has no more is sent a `SnapshotOffer`, and fetches the file with `SnapshotAsk` and
//! `SnapshotChunk`.
//!
//! A node with a new journal asks the others whether they know it from an earlier one, `Register` and
//! `Registered`: who lost its disk has forgotten promises, and must not vote.
//!
//! # Watching
//! A client tells a replica which changes it wants to hear of, and from where on, `Watch`. It is told,
//! `Watched`, says what it has taken in, `WatchTaken`, and is told more; until it has enough, `Unwatch`,
//! or the replica cannot go on, `WatchEnded`.
//!
//! # Durable before visible
//! Roles return [`Effects`]. A message that promises something is [`Durable`]: the only way to send
//! it is behind an [`Effects::append`]. The rest is [`Plain`].
//! ```compile_fail
//! use althing_wire::{Accepted, Effects, VoterRecord};
//! # use althing_model::*;
//! fn answer_before_the_fsync(effects: &mut Effects<VoterRecord>, vertex: VertexId) {
//!     effects.send(NodeId(1), Accepted { vertex, ballot: Ballot::classic(vertex) });
//! }
//! ```
//!
//! The identity of a sender is its connection's certificate, never a field of a message; which role
//! may send what is [`Kind`]'s table.

mod acceptor_to_proposer;
mod client_to_proposer;
mod client_to_replica;
mod codec;
mod dependency_to_proposer;
mod effect;
pub mod frame;
mod generated;
mod ignored;
pub mod limits;
mod message;
mod node_to_node;
mod proposer_to_acceptor;
mod proposer_to_client;
mod proposer_to_dependency;
mod proposer_to_proposer;
mod proposer_to_replica;
mod proposer_to_voter;
mod record;
mod registry;
mod replica_to_acceptor;
mod replica_to_client;
mod replica_to_dependency;
mod replica_to_proposer;
mod replica_to_replica;
mod replica_to_watcher;
mod rewriting;
mod snapshot;
mod voter_to_proposer;
mod voter_to_replica;
mod watcher_to_replica;

pub use acceptor_to_proposer::{Accepted, Chosen, FastQuorum, Promised, Pruned, Refused, Vote};
pub use client_to_proposer::Submit;
pub use client_to_replica::{Consistency, Read};
pub use codec::{DecodeError, Fault, decode_token, encode_token};
pub use dependency_to_proposer::{Depended, Held, Inspected};
pub use effect::{Address, ClientId, Durable, Effect, Effects, Plain, Then};
pub use ignored::Ignored;
pub use message::{Kind, Message, Party};
pub use node_to_node::{Register, Registered};
pub use proposer_to_acceptor::{Accept, Prepare};
pub use proposer_to_client::{Answer, Outcome};
pub use proposer_to_dependency::{Depend, Inspect};
pub use proposer_to_proposer::{Distances, Forward, Relay, Relayed, Reserved};
pub use proposer_to_replica::Commit;
pub use proposer_to_voter::{Conclude, PreAccept};
pub use record::{
    AcceptorRecord, DependencyRecord, NodeRecord, ProposerRecord, ReplicaRecord, VoterRecord,
};
pub use registry::{RegistryState, Standing};
pub use replica_to_acceptor::{PruneAcceptor, PruneDependency, PruneProposer};
pub use replica_to_client::{ReadAnswer, ReadDelay, ReadOutcome};
pub use replica_to_dependency::{ReadDepend, ReadDepended, ReadScope};
pub use replica_to_proposer::{BarrierDue, Demand, Executed, Recover, Served};
pub use replica_to_replica::{Frontier, SnapshotAsk, SnapshotChunk, SnapshotOffer, StateDigest};
pub use replica_to_watcher::{Change, WatchEnd, WatchEnded, Watched};
pub use rewriting::Rewriting;
pub use snapshot::SnapshotHeader;
pub use voter_to_proposer::{Concluded, PreAccepted};
pub use voter_to_replica::Learned;
pub use watcher_to_replica::{Unwatch, Watch, WatchTaken};
