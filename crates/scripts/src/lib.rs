//! Stories of the protocol, told as scripts.
//!
//! A story is a text file in `stories/`: comments that tell it, commands, and below each command
//! what the cluster did. The cluster is made of the same roles as a node and the simulator
//! (`althing-roles`), driven by hand: no random choice, no clock but what the script says, and no
//! message arrives unless the script delivers it. The output is part of the file and is compared;
//! `ALTHING_REWRITE=1 cargo test -p althing-scripts` writes it anew. Then read what changed: a trace
//! that changed is a protocol that changed.
//!
//! A broken invariant (`oracles`), an assertion of a role, and a command that makes no sense (such
//! as delivering what is not in flight) fail the story, also when it is rewritten.
//!
//! # A file
//! ```text
//! # Anything: the story in plain words.
//!
//! > submit c0 put x 1
//!   n0 records vote 0.1 b0 put x 1 {} of n0 n1
//!   n0 sends PreAccept 0.1 {} to n1 n2
//! ```
//! Lines with `> ` are commands, indented lines are output, everything else is prose and stays.
//! (`datadriven`, the usual crate for this, takes three lines and a blank for each command, and has
//! a flag of its own for rewriting; the project has one.)
//!
//! A story may end its beginning with `Planted:` and faults of `althing_model::mutant`: with each of
//! them it must go otherwise.
//!
//! # Names
//! | written | means |
//! | --- | --- |
//! | `n0` | a node: proposer, voter and replica, unless the cluster says otherwise |
//! | `c0`, `c0#2` | the client whose session was opened at `n0`, and its third request |
//! | `1.3` | the vertex with sequence number 3 of proposer `n1` |
//! | `b0`, `b1`, `b2@n1` | ballots: rounds 0 and 1 are the owner's, later ones name their proposer |
//! | `{0.1 1.2-4}` | dependencies; number 0 of each proposer opened its client's session, is in the dependencies of all its commands, and is not shown |
//!
//! # Commands
//! | command | does |
//! | --- | --- |
//! | `cluster fast n=3 f=1` | starts nodes and opens a session for each proposer's client; `classic`, `classic apart` (a node for each role); `reserve=2` sequence numbers are reserved at a time, `chain=2` resources are remembered by a proposer's chain, `catch-up=1` vertices are named above a prefix and sent in an answer, `log=2` values are kept for others above what a replica's snapshot holds, `records=all` shows reservations too |
//! | `submit c0 put x 1` | `c0` submits to its own node; `submit c0 n2 put x 1` elsewhere. `put`, `get`, `del`, `inc`, `add`, `mput k v k v`, `mget k k`, and `close` (its session: a command over everything) |
//! | `open c9 n0` | a new client opens a session there |
//! | `retry c0#0 n1` | the same request again, at that node |
//! | `deliver PreAccept n0->n1 0.1` | delivers the messages in flight that match: kinds, hops (`n0->*`), vertices, in any number; several of one sort are alternatives. With `all` also what they cause, until nothing matches; with `first` one only; `reversed`, the last sent first |
//! | `drop ..`, `duplicate ..` | loses, doubles the messages that match |
//! | `hold ..`, `release ..` | takes messages out of reach of `deliver`, and back |
//! | `flight` | shows what is in flight |
//! | `cut n2`, `cut n0->n1`, `heal` | nothing is delivered to and from it, or that way, until healed |
//! | `manual-sync n1`, `sync n1 [1]`, `auto-sync n1` | appends wait for a sync; the sync of all, or of so many appends |
//! | `crash n1`, `restart n1` | what was not synced is lost; it begins with its snapshot, and what is left of its records |
//! | `down n2`, `up n2` | the others believe it down, or up again; `rtt n0 n3 20ms`: a measured round trip |
//! | `wait 500ms` | time passes: what is due is done, nothing is delivered |
//! | `barrier n1` | the replica of `n1` tells its proposer that a barrier is due: a command over everything, at which each replica that executes it cuts a snapshot |
//! | `save n1` | the snapshot that `n1` has cut is on disk, and the others are told |
//! | `install n2` | `n2` fetches the snapshot that it was offered (`SnapshotOffer`), and goes on from it |
//! | `recover n2 0.1` | the replica of `n2` tells its proposer that others wait for the vertex |
//! | `state 0.1`, `executed` | what each node knows of a vertex; in which order each replica executed |
//! | `check` | the oracles' verdict so far, and what each replica executed; `check converged`: all that run executed the same, and nothing waits |
//! | `quietly ..`, `times 3 ..` | any command, without its output, or so many times |
//!
//! A message from a role to another of its node arrives at once and is not shown, except a refusal.
//! Catch-up between replicas is a message like others (`Frontier`), sent at a restart and every few
//! seconds. Of its records a node trims away what it needs no more, as soon as it may.

mod cluster;
mod command;
mod disk;
mod effects;
mod flight;
mod node;
mod oracles;
mod report;
mod script;
mod show;
mod snapshots;

pub use script::{Failure, run};
