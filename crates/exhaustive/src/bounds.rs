//! How much of the world a model holds, and under which names.

use althing_model::{NodeId, Path};
use std::fmt;

/// The limits of a model. Within them every behaviour is explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How commands are committed.
    pub path: Path,
    /// Which recoveries are asked for.
    pub recoveries: Recoveries,
    /// Ballots of round 2 or higher that a proposer uses in a vertex of the other one.
    pub attempts: u32,
    /// The same in a vertex of its own, of its own accord: after a refusal, or where it is asked. A
    /// restart adds the one that it begins with.
    pub own_attempts: u32,
    /// Crashes with restart, of all nodes together.
    pub crashes: u8,
    /// Commands that a proposer's client submits: one in each life, up to this many lives.
    pub commands: u8,
    /// Whether the second proposer has a command too.
    pub rival: bool,
    /// [`althing_proposer::Limits::reserve_len`]. With 0 a life of a proposer has one sequence
    /// number and no more, with 1 as many as it has use for, and a restart finds one unused.
    pub reserve_len: u64,
    /// Which fast quorums are chosen.
    pub quorums: FastQuorums,
    /// Whether voters are told of commits. Untold, they answer recoveries as if nobody had told
    /// them, which is the larger choice of behaviours but for those after a `Chosen`.
    pub commits: bool,
    /// Whether proposers hear of what ends their work on a vertex though nothing could follow from
    /// it within the bounds but commits: of votes, of refusals, of what others committed. Unheard,
    /// a proposer goes on for ever, which again is the larger choice; the votes are counted by the
    /// model.
    pub outcomes: bool,
    /// What is deliberately wrong with the world, to test the model.
    pub flaw: Option<Flaw>,
}

/// Which recoveries are asked for, at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Recoveries {
    /// None but those of a restart.
    None,
    /// The second proposer may be asked to recover the first one's vertices.
    One,
    /// Either proposer may be asked to recover the other's vertices.
    Others,
    /// Either proposer may be asked to recover any vertex, its own included.
    Any,
}

/// Which fast quorums the proposers choose: their own voter and one other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FastQuorums {
    /// Both proposers choose the third voter.
    Third,
    /// Each chooses the other one's voter.
    EachOther,
    /// The first chooses the second's voter, the second the third voter.
    Ring,
    /// All four combinations, one after the other.
    All,
}

/// A fault of the world that the roles do not survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Flaw {
    /// A restart finds an empty disk at the voter, dependency node and acceptor.
    ForgetfulDisk,
}

impl Bounds {
    /// Whether `proposer` may be asked to recover vertices of `owner`.
    pub(crate) fn may_recover(&self, proposer: NodeId, owner: NodeId) -> bool {
        match self.recoveries {
            Recoveries::None => false,
            Recoveries::One => (proposer, owner) == (NodeId(1), NodeId(0)),
            Recoveries::Others => proposer != owner,
            Recoveries::Any => true,
        }
    }

    /// Whether a proposer's work on a vertex may as well not end, `attempts` made in it.
    pub(crate) fn may_go_on(&self, proposer: NodeId, owner: NodeId, attempts: u32) -> bool {
        // An end makes room for another recovery of the vertex, or, if it is a noop, for proposing
        // the commands again where a sequence number is left for them.
        !self.outcomes
            && !self.commits
            && self.reserve_len == 0
            && (attempts >= self.attempts_in(proposer, owner) || !self.may_recover(proposer, owner))
    }

    /// How many attempts `proposer` may make in vertices of `owner`.
    pub(crate) fn attempts_in(&self, proposer: NodeId, owner: NodeId) -> u32 {
        if proposer == owner { self.own_attempts } else { self.attempts }
    }

    /// The bounds of that name: `ci`, two rival commands and a recovery; `duel`, a single command
    /// whose vertex is recovered again and again; `small`, the first with a crash; `deep`, with a
    /// crash and recoveries by either.
    pub fn named(name: &str, path: Path) -> Option<Self> {
        let ci = Self {
            path,
            recoveries: Recoveries::One,
            attempts: 1,
            own_attempts: 0,
            crashes: 0,
            commands: 1,
            rival: true,
            reserve_len: 0,
            quorums: FastQuorums::EachOther,
            commits: false,
            outcomes: true,
            flaw: None,
        };
        Some(match name {
            "ci" => ci,
            "duel" => Self { rival: false, attempts: 2, own_attempts: 1, ..ci },
            "small" => Self { crashes: 1, outcomes: false, ..ci },
            "deep" => Self {
                crashes: 1,
                own_attempts: 1,
                recoveries: Recoveries::Others,
                outcomes: false,
                ..ci
            },
            _ => return None,
        })
    }

    /// The names that [`Self::named`] knows.
    pub const NAMES: [&'static str; 4] = ["ci", "duel", "small", "deep"];
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path, recoveries, attempts, own_attempts, crashes, commands, reserve_len, ..
        } = self;
        let whose = if self.rival { "a proposer" } else { "of the first" };
        write!(
            f,
            "{path} path, 2 proposers, 3 voters, {commands} conflicting command(s) {whose}, \
             {crashes} crash(es) with restart, recoveries {recoveries:?} with {attempts} ballot(s) \
             a proposer in the other's vertex and {own_attempts} in its own, reserve_len {reserve_len}"
        )?;
        if *path == Path::Fast {
            write!(f, ", fast quorums {:?}", self.quorums)?;
        }
        write!(f, ", commits {}", if self.commits { "delivered" } else { "not delivered" })?;
        write!(f, ", outcomes {}", if self.outcomes { "heard of" } else { "not heard of" })?;
        if let Some(flaw) = self.flaw {
            write!(f, ", FLAW {flaw:?}")?;
        }
        Ok(())
    }
}
