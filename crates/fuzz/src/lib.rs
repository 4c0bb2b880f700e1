//! Fuzzing: bytes that no honest peer, disk or operator wrote, and honest messages at the wrong
//! time.
//!
//! # What is shown
//! | target | fed with | must hold |
//! | --- | --- | --- |
//! | `frame` | a stream in pieces of any size | no panic; pieces and whole give the same frames; no memory for what has not arrived |
//! | `message`, `record` | a kind and a body | no panic; what decodes encodes to something that decodes to it; memory in proportion to the body |
//! | `journal` | a journal, then edits of its files | no panic; it is refused, or gives a prefix of what was committed, and all of it when one byte changed |
//! | `node_config`, `client_file`, `planet`, `identity`, `kv` | texts and payloads that users write | no panic; what is read is written and read back as the same |
//! | `resp` | what Redis clients send, in pieces of any size | no panic; pieces and whole give the same requests and the same answers; no memory for what has not arrived |
//! | `snapshot` | pieces of a store or of a session table, or a header | no panic; what is restored is written and restored as the same; memory in proportion to the pieces |
//! | `snapshot_file` | a snapshot, then edits of its file; offers and chunks of peers that lie | no panic; it is refused, or gives what was written; an honest peer is enough, whatever others sent before |
//! | `registry` | a registry's file; what other nodes tell of themselves, restarts | no panic; what is read is written and read back as the same; a first number is never forgotten, and one that lost its disk stays so |
//! | `voter`, `dependency`, `acceptor`, `proposer`, `replica`, `client` | messages that a decoder and the senders' table let through, deadlines, links, prunes, snapshots, restarts with trimmed journals, in any order | no panic; whatever the role says, its peers' decoders take; a restart forgets nothing that was synced, and no ballot is begun with twice |
//!
//! A target is a function of bytes alone ([`Target::run`]), so one input means the same to the
//! driver on the stable toolchain ([`Fuzzer`], `src/main.rs`), to the tests, which replay `corpus/`,
//! and to libFuzzer (`coverage/`, for those who have nightly). It panics where its property does
//! not hold.
//!
//! # What roles are not fed with
//! Peers crash, lose and delay; they do not lie (`model`'s glossary, `committed`, `ballot`). Two
//! values committed in one vertex, or proposed in one ballot, are no input but a safety violation,
//! upon which roles stop on purpose. So the inputs of roles come from a [`scope::Scope`], in which
//! every vertex has one value that is ever committed and every ballot one that is ever proposed.
//! Everything else is arbitrary: who, when, how often, how stale. The other way round, decoders get
//! lies without limit.

pub mod allocation;
mod corpus;
mod fuzzer;
mod mutation;
mod outcomes;
mod scope;
mod shrink;
mod target;
mod targets;
mod world;

pub use corpus::Corpus;
pub use fuzzer::{Failure, Fuzzer};
pub use outcomes::Outcomes;
pub use target::{TARGETS, Target};
