//! Planted faults, to test the tests.
//!
//! Built with `--cfg mutants`, the environment variable `ALTHING_MUTANT` names one fault that is
//! switched on for the life of the process; built without, every fault is compiled away, and the
//! `althing` command refuses to be built with it. The simulator must catch each of them:
//! ```text
//! RUSTFLAGS='--cfg mutants' cargo run --profile swarm --target-dir target/mutants \
//!     -p althing-sim --example mutants -- --seeds 1..1000 --ops 300
//! ```
//! Each stands for a trap (T) or a section (s.) of `protocol`, or for a story of the zoo (Z) in
//! `reliability`.

/// Whether this fault is switched on.
///
/// # Panics
/// When `ALTHING_MUTANT` names none that there is.
#[cfg(mutants)]
#[inline]
pub fn is_planted(mutant: Mutant) -> bool {
    planted() == Some(mutant)
}

/// Whether this fault is switched on: never, in this build.
#[cfg(not(mutants))]
#[inline(always)]
pub const fn is_planted(_mutant: Mutant) -> bool {
    false
}

/// The fault that is switched on, if one is.
///
/// # Panics
/// When `ALTHING_MUTANT` names none that there is: a misspelt fault would be one that nobody
/// catches, or, where a panic counts as a catch, one that everybody does.
#[cfg(mutants)]
pub fn planted() -> Option<Mutant> {
    use std::sync::OnceLock;
    static PLANTED: OnceLock<Option<Mutant>> = OnceLock::new();
    *PLANTED.get_or_init(|| {
        let name = std::env::var("ALTHING_MUTANT").ok().filter(|name| !name.is_empty())?;
        let found = Mutant::named(&name);
        let known = || Mutant::ALL.map(Mutant::name).join(", ");
        Some(found.unwrap_or_else(|| panic!("ALTHING_MUTANT={name}: there are {}", known())))
    })
}

// What ships holds none, and the compiler knows it: every plant is dead code.
#[cfg(not(mutants))]
const _: () = assert!(!is_planted(Mutant::OneBallot));

macro_rules! mutants {
    ($($variant:ident $name:literal $breaks:literal $stands_for:literal;)+) => {
        /// A fault that can be planted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mutant {
            $(#[doc = concat!($breaks, " (", $stands_for, ").")] $variant,)+
        }

        impl Mutant {
            /// Every fault.
            pub const ALL: [Self; [$(Self::$variant),+].len()] = [$(Self::$variant),+];

            /// Its name in `ALTHING_MUTANT`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What is broken.
            pub const fn breaks(self) -> &'static str {
                match self { $(Self::$variant => $breaks,)+ }
            }

            /// The traps, stories of the zoo or sections of the specification that it stands for.
            pub const fn stands_for(self) -> &'static str {
                match self { $(Self::$variant => $stands_for,)+ }
            }
        }
    };
}

mutants! {
    // Acceptors: promises and votes.
    OneBallot "one_ballot" "a promise overwrites the ballot of the vote" "T4, Z1";
    VoteBelowPromise "vote_below_promise" "a vote is cast below a promise" "s. 10";
    VoteIsNoPromise "vote_is_no_promise" "a vote does not promise its ballot" "s. 10";
    PromiseHidesVote "promise_hides_vote" "a promise does not tell the vote" "s. 10";
    AcceptorPromiseForgotten "acceptor_promise_forgotten" "an acceptor forgets its promises at a restart" "I5, Z4";
    RefusalNotSent "refusal_not_sent" "who prepares or proposes in too low a ballot is not told" "T10, Z14";

    // Voters.
    VoteAfterPromise "vote_after_promise" "a vote of round 0 after a recovery was promised" "T3";
    ConcludeAfterPromise "conclude_after_promise" "the anchor concludes round 0 after a higher promise" "T15, s. 4 d1";
    ConcludedWhateverWasChosen "concluded_whatever_was_chosen" "the anchor says that it concluded, though another value was chosen" "s. 4 step 3";
    AnchorsAnswerNotJoined "anchors_answer_not_joined" "the other voters leave the anchor's answer out of theirs" "s. 4 step 2";
    VoterAnswersAfresh "voter_answers_afresh" "a repeated request is answered with dependencies computed anew" "T2, s. 1";
    VoterIndexForgotten "voter_index_forgotten" "a voter forgets at a restart what its votes entered in the index" "I5, Z4, s. 12";
    VoterPromiseForgotten "voter_promise_forgotten" "a voter forgets at a restart the promises of phase 1" "I5, Z4";
    VoteBallotOverwritten "vote_ballot_overwritten" "at a restart the promise overwrites the ballot of the vote" "Z2";
    FastCommitForgotten "fast_commit_forgotten" "a voter forgets its commits at a restart" "T1";

    // What is sent before its record is on disk.
    PreAcceptedEarly "pre_accepted_early" "a vote of round 0 is told before it is on disk" "I5, Z4, s. 12";
    AcceptedEarly "accepted_early" "a vote of a later round is told before it is on disk" "I5, Z4, s. 12";
    PromisedEarly "promised_early" "a promise is told before it is on disk" "I5, Z4, s. 12";
    DependedEarly "depended_early" "a dependency answer is told before it is on disk" "I5, Z4, s. 12";
    ConcludedEarly "concluded_early" "a fast commit is told before it is on disk" "T1";
    PrepareEarly "prepare_early" "a recovery asks before its attempt is on disk" "T14";
    ReservedEarly "reserved_early" "sequence numbers are used before they are reserved on disk" "T5, Z9";

    // Commands for a better placed proposer.
    ForwardedAsNew "forwarded_as_new" "a proposer gives a forwarded request another id" "T8, s. 7";
    TakenBackAsNew "taken_back_as_new" "a forwarded request that is taken back gets another id" "T8, s. 7";
    ServedSwapped "served_swapped" "a forwarded command gets the reply of another one of its batch" "I3";

    // The conflict index, and sets of dependencies.
    LatestByArrival "latest_by_arrival" "the latest vertex of a column is the one that came last" "T17";
    WriteIgnoresReads "write_ignores_reads" "a higher mode does not see the lower ones on its resource" "I2";
    ReadIgnoresWrites "read_ignores_writes" "a lower mode does not see the higher ones on its resource" "I2";
    ModesShareAnEntry "modes_share_an_entry" "a column has one entry a resource, for all modes" "s. 5";
    EverythingNotEntered "everything_not_entered" "a command over everything is a dependency of no command but those over everything" "s. 5";
    EverythingMissesTheLatest "everything_misses_the_latest" "a command over everything misses the latest of each column" "s. 5";
    DependencyIndexForgotten "dependency_index_forgotten" "a dependency node forgets its index at a restart" "I5, Z4, s. 12";
    UnionLosesExtras "union_loses_extras" "a union keeps the left side's extras only, if it has some" "I2";
    PrefixNotGrown "prefix_not_grown" "extras that touch the prefix are dropped instead of joined to it" "I2, s. 5";

    // Quorums.
    DependencyQuorumTooSmall "dependency_quorum_too_small" "the classic path takes one dependency answer less than a majority" "I2, s. 12";
    SlowQuorumTooSmall "slow_quorum_too_small" "the slow path takes one answer less than a majority" "I2, s. 4 step 4";
    ConsultQuorumTooSmall "consult_quorum_too_small" "a recovery takes one dependency answer less than a majority" "I2, s. 4 d1";
    Phase1QuorumTooSmall "phase1_quorum_too_small" "a recovery goes on with one promise too few" "I1, s. 4";
    Phase2QuorumTooSmall "phase2_quorum_too_small" "f votes choose a value" "I1, s. 12";
    FastQuorumTooSmall "fast_quorum_too_small" "fast quorums have one member too few" "s. 4 step 1";
    FastQuorumIncomplete "fast_quorum_incomplete" "the fast path concludes without one of the quorum" "s. 4 step 3";
    FastThresholdMinusOne "fast_threshold_minus_one" "f - 1 reports of a dependency suffice for the fast path (no fault where f = 1)" "s. 12";
    AnswerFromOutsideTheQuorum "answer_from_outside_the_quorum" "answers from outside the fast quorum count" "T2";
    QuorumChangedOnResend "quorum_changed_on_resend" "who is asked again is told another fast quorum" "T2";
    StaleVotesCounted "stale_votes_counted" "votes of an earlier attempt count for the current one" "T14";
    StalePromisesCounted "stale_promises_counted" "promises of an earlier attempt count for the current one" "T14";

    // Recovery.
    FenceAssumed "fence_assumed" "round 1 begins, and counts the anchor's vote, before the anchor voted" "T15";
    AttemptNotRecorded "attempt_not_recorded" "attempts leave no record" "T14";
    BallotUsedForTwoAttempts "ballot_used_for_two_attempts" "after a commit the rounds begin anew" "T14";
    LowestVoteAdopted "lowest_vote_adopted" "a recovery adopts the vote of the lowest ballot" "s. 4 b";
    NoopAlthoughVoted "noop_although_voted" "a recovery proposes noop though it learnt votes of round 0" "s. 12";
    OneFastVoteAdopted "one_fast_vote_adopted" "a recovery adopts one vote of round 0 as it is" "Z5, Z8, s. 12";
    RebuiltAlthoughTheAnchorAnswered "rebuilt_although_the_anchor_answered" "d2 where the anchor answered" "s. 4 d1";
    RebuiltAlthoughOneHadNoVote "rebuilt_although_one_had_no_vote" "d2 where a member of the quorum had no vote" "s. 4 d1";
    ConsultedAlthoughTheAnchorIsSilent "consulted_although_the_anchor_is_silent" "d1 where only d2 is right" "s. 4 d2";
    RebuiltFromOutsideTheQuorum "rebuilt_from_outside_the_quorum" "d2 counts answers from outside the quorum" "T2";
    RecoveryForgetsAnswers "recovery_forgets_answers" "the union of d1 leaves out what phase 1 learnt" "s. 4 d1";

    // The proposer's sequence, chain and commands.
    VertexReused "vertex_reused" "a restarted proposer uses sequence numbers again" "T5, Z9";
    NoChain "no_chain" "no dependency on the own previous vertex" "T6, s. 5 C1";
    ChainSkipsReads "chain_skips_reads" "reads are not linked into the chain" "T6, s. 5 C1";
    ChainForgottenAtRestart "chain_forgotten_at_restart" "a chain forgotten at a restart is not replaced" "T18";
    ChainOverflowForgotten "chain_overflow_forgotten" "a chain forgotten for want of room is not replaced" "T18";
    EverythingNotInChain "everything_not_in_chain" "a command over everything is not the previous on every resource" "s. 5 C1";
    NoopWithEmptyDeps "noop_with_empty_deps" "a noop depends on nothing" "T7, Z3, s. 5 C2";
    SessionOpeningNoDependency "session_opening_no_dependency" "a command does not depend on the opening of its session" "s. 7";
    AcceptsNotResent "accepts_not_resent" "votes that were not cast are not asked for again" "liveness";
    AnswersSwapped "answers_swapped" "the commands of a batch get each other's replies" "I3";
    ProposedAgainAsNew "proposed_again_as_new" "a command proposed again gets a new request id" "s. 7";

    // Replicas.
    ExecutedBeforeCommitted "executed_before_committed" "a vertex is executed before its dependencies are committed" "Z6, s. 6";
    ExecutedOnDirectDependencies "executed_on_direct_dependencies" "a vertex is executed when its direct dependencies are committed" "T11, Z6";
    ComponentUnordered "component_unordered" "a component is executed in the order in which it was found" "s. 6, s. 12";
    ComponentsMerged "components_merged" "all that is ready is executed as one component" "s. 6";
    PrefixReadAsItsLast "prefix_read_as_its_last" "of a prefix only the last vertex is waited for" "T7, s. 5";
    WaitersForgotten "waiters_forgotten" "only one of those that wait for a vertex is tried again" "Z13, liveness";
    CommitsNotRecorded "commits_not_recorded" "a replica apart from voters records nothing" "I5";
    CatchUpNotSent "catch_up_not_sent" "what another replica lacks is not sent" "liveness";
    FrontierHidesHoles "frontier_hides_holes" "a replica with holes asks for none of them" "liveness";
    BlockedNeverAsked "blocked_never_asked" "the recovery of what blocks is never asked for" "Z7, liveness";

    // Pruning and snapshots.
    PrunedAnsweredAsFresh "pruned_answered_as_fresh" "below its floor a voter answers as if it had never heard of the vertex" "T16, s. 5";
    FloorLeftOut "floor_left_out" "answers leave the floor out, with pruning per resource" "I6, T16, Z15";
    FloorForgottenAtRestart "floor_forgotten_at_restart" "a restarted voter has no floor" "T16, I6";
    PrunedHeldByOne "pruned_held_by_one" "a replica has everyone forget what it alone holds" "I6, s. 5";
    HeldBeforeSaved "held_before_saved" "a replica says that it holds a snapshot which is not on disk" "I5, s. 5";
    PrunedTakenForNothing "pruned_taken_for_nothing" "a recovery that is told of pruning takes it for a promise without a vote" "T16";
    PromiseNotRewritten "promise_not_rewritten" "a voter that is pruned writes its votes again and not its promises" "I5, T4";
    TrimmedBeforeRewritten "trimmed_before_rewritten" "the journal is trimmed when a role is pruned, before all that it keeps is written again" "I5";
    SnapshotCutLate "snapshot_cut_late" "a snapshot says that it ends at its barrier, and holds what was executed after" "I3, s. 5";
    SnapshotWithoutSessions "snapshot_without_sessions" "an installed snapshot leaves the session table as it was" "I3, T8";
    InstalledOverExecuted "installed_over_executed" "a replica installs a snapshot although it executed its barrier" "I3, s. 5";
    AttemptsForgotten "attempts_forgotten" "a proposer that is pruned does not write its attempts again" "T14";
    LostDiskVotes "lost_disk_votes" "a node that lost its disk votes like any other" "I5, P6";

    // Transactions of the key-value store.
    TransactionReadsUntold "transaction_reads_untold" "a transaction's footprint leaves out the keys that it only reads" "strict serializability";
    TransactionBranchUntold "transaction_branch_untold" "a transaction's footprint leaves out its second branch" "strict serializability";
    TransactionHalfDone "transaction_half_done" "a transaction that fails keeps what it did before" "strict serializability";

    // Exactly once.
    DuplicateExecuted "duplicate_executed" "a request in a second vertex takes effect again" "T8, Z10";
    HighestSequencePerClient "highest_sequence_per_client" "a session keeps its highest sequence only" "T9";
    DuplicateGetsLatestReply "duplicate_gets_latest_reply" "a repeated request gets the reply to the latest of its session" "T8, s. 7";
    SessionsOfABatchShared "sessions_of_a_batch_shared" "the sessions that a batch opens are one" "s. 7";
    RetryIsANewRequest "retry_is_a_new_request" "a client's retry gets a new request id" "s. 7, Z10";
    UnknownTakenForFailed "unknown_taken_for_failed" "a client says that an operation failed, of which it knows nothing" "s. 7";
    OverloadHidesAttempts "overload_hides_attempts" "a client says that an operation failed, since one attempt was turned away" "s. 7";
}

impl Mutant {
    /// The fault of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| mutant.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Broken: two faults would share a name, and one of them never be planted.
    #[test]
    fn names_are_distinct_and_lead_back() {
        let names: BTreeSet<_> = Mutant::ALL.into_iter().map(Mutant::name).collect();
        assert_eq!(names.len(), Mutant::ALL.len());
        assert!(Mutant::ALL.into_iter().all(|it| Mutant::named(it.name()) == Some(it)));
        assert_eq!(Mutant::named("no_such_fault"), None);
    }
}
