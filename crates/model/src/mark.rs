//! Marks: named places in the code, so that tests and the simulator can see that they were reached.
//!
//! A run that never recovered a vertex says nothing about recovery, however green it is. Each mark
//! is hit by a handler test, which it names, and by a soak of the simulator; one that is not is a
//! hole in the generator.
//!
//! A role stays a pure function of what it is given although it hits marks: nothing in it reads
//! them back, no effect and no state depends on them, and they are taken by whoever drives the role,
//! on the same thread. One costs two or three nanoseconds; all are always compiled in, so that what
//! is tested is what ships.
//!
//! ```
//! use althing_model::mark::{self, Mark};
//! mark::take();
//! mark::hit(Mark::FastPathTimedOut);
//! assert!(mark::take().contains(Mark::FastPathTimedOut));
//! assert!(mark::take().is_empty());
//! ```

use std::cell::Cell;
use std::fmt;

thread_local! {
    static HIT: Cell<Bits> = const { Cell::new([0; 2]) };
}

/// Notes that a place was reached on this thread.
#[inline]
pub fn hit(mark: Mark) {
    let (word, bit) = mark.bit();
    let mut hit = HIT.get();
    hit[word] |= bit;
    HIT.set(hit);
}

/// Takes the marks hit on this thread since the last call.
pub fn take() -> Marks {
    Marks(HIT.take())
}

/// A set of marks.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Marks(Bits);

/// A bit for each mark, of at most 256.
type Bits = [u128; 2];

impl Marks {
    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == [0; 2]
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether a mark is one of them.
    pub fn contains(self, mark: Mark) -> bool {
        let (word, bit) = mark.bit();
        self.0[word] & bit != 0
    }

    /// The marks of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self([self.0[0] | other.0[0], self.0[1] | other.0[1]])
    }

    /// The marks, in the order in which they are declared.
    pub fn iter(self) -> impl Iterator<Item = Mark> {
        Mark::ALL.into_iter().filter(move |mark| self.contains(*mark))
    }

    /// The marks that are not among them.
    #[must_use]
    pub fn missing(self) -> Self {
        Mark::ALL.into_iter().filter(|mark| !self.contains(*mark)).collect()
    }
}

impl FromIterator<Mark> for Marks {
    fn from_iter<T: IntoIterator<Item = Mark>>(marks: T) -> Self {
        let one = |mark: Mark| {
            let (word, bit) = mark.bit();
            let mut bits = [0; 2];
            bits[word] = bit;
            Self(bits)
        };
        marks.into_iter().map(one).fold(Self::default(), Self::union)
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Mark::name)).finish()
    }
}

macro_rules! marks {
    ($($file:literal { $($variant:ident $name:literal $what:literal $test:literal;)+ })+) => {
        /// A place in the code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mark {
            $($(#[doc = concat!($what, "; hit by `", $test, "` in `crates/", $file, "`.")] $variant,)+)+
        }

        impl Mark {
            /// Every mark.
            pub const ALL: [Self; [$($(Self::$variant),+),+].len()] = [$($(Self::$variant),+),+];

            /// Its name in reports.
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$variant => $name,)+)+ }
            }

            /// What has happened where it is hit.
            pub const fn what(self) -> &'static str {
                match self { $($(Self::$variant => $what,)+)+ }
            }

            /// The handler test that hits it: its file under `crates`, and its name.
            pub const fn test(self) -> (&'static str, &'static str) {
                match self { $($(Self::$variant => ($file, $test),)+)+ }
            }
        }
    };
}

marks! {
    "proposer/tests/marks.rs" {
        RequestRepeated "request_repeated" "a request came again while it was queued or proposed" "a_full_queue_and_a_repeated_request";
        QueueFull "queue_full" "a command was turned away" "a_full_queue_and_a_repeated_request";
        BatchFull "batch_full" "a batch had no room for the next command" "a_full_batch_waits_for_its_numbers";
        NumbersAwaited "numbers_awaited" "commands waited until sequence numbers were reserved" "a_full_batch_waits_for_its_numbers";
        RestartedWithHoles "restarted_with_holes" "a proposer began with vertices that an earlier life left open" "a_restart_recovers_its_holes";
        ProposedAgain "proposed_again" "a command got another vertex, since its own became a noop" "what_others_committed";
        ExecutedInFlight "executed_in_flight" "a vertex was executed while its proposer still worked on it" "what_others_committed";
        ExecutedUnasked "executed_unasked" "replies came for which nobody waited" "what_others_committed";
        UnansweredForgotten "unanswered_forgotten" "clients were not answered for long, and forgotten" "clients_that_gave_up_are_forgotten";
        ChainOverflow "chain_overflow" "a full chain was forgotten" "the_chain_s_three_ways";
        ChainPrefix "chain_prefix" "a forgotten link was replaced by the whole prefix" "the_chain_s_three_ways";
        ChainEverything "chain_everything" "the previous vertex on a resource was one over everything" "the_chain_s_three_ways";
        FastDespiteDifference "fast_despite_difference" "answers differed, and the fast path concluded all the same" "the_fast_path_s_ends";
        FastThresholdMissed "fast_threshold_missed" "a dependency had too few reporters for the fast path" "the_fast_path_s_ends";
        FastPathTimedOut "fast_path_timed_out" "a member of the fast quorum was silent for long" "the_fast_path_s_ends";
        FastPathHopeless "fast_path_hopeless" "a vertex began with a member of its fast quorum down" "the_fast_path_s_ends";
        FastPathCut "fast_path_cut" "a member of a fast quorum went down while it was awaited" "the_fast_path_s_ends";
        FenceRefused "fence_refused" "the anchor had promised a recovery, and refused round 1" "the_anchor_refuses";
        ConclusionRefused "conclusion_refused" "the anchor had promised a recovery, and refused to conclude" "the_anchor_refuses";
        AnchoringRefused "anchoring_refused" "round 0 was refused before its quorum had answered" "the_anchor_refuses";
        AnswerLate "answer_late" "an answer of round 0 came after the vertex had gone on" "what_comes_late_or_twice";
        VoteLate "vote_late" "a vote came for an attempt that was over" "what_comes_late_or_twice";
        VoteRepeated "vote_repeated" "a vote came again" "what_comes_late_or_twice";
        PromiseLate "promise_late" "a promise came for an attempt that was over" "what_comes_late_or_twice";
        AcceptsResent "accepts_resent" "too few had voted, and were asked again" "nobody_answers";
        PreparesResent "prepares_resent" "too few had promised, and were asked again" "nobody_answers";
        AnchorAskedAgain "anchor_asked_again" "the anchor was silent, and was asked again" "nobody_answers";
        DependenciesAskedAgain "dependencies_asked_again" "too few had answered a dependency round, and were asked again" "nobody_answers";
    }
    "proposer/tests/recovery_marks.rs" {
        RecoveryRefused "recovery_refused" "a recovery was refused for a higher one" "duelling_recoveries";
        RecoveryResumed "recovery_resumed" "a refused attempt was made again in a higher round" "duelling_recoveries";
        RecoveryRepeated "recovery_repeated" "a recovery was asked for that was in flight" "duelling_recoveries";
        RecoveryPostponed "recovery_postponed" "a recovery waited until there was room" "duelling_recoveries";
        RecoveryLearntCommit "recovery_learnt_commit" "case a: a recovery learnt the committed value" "recovery_case_by_case";
        RecoveryAdoptedVote "recovery_adopted_vote" "case b: a recovery adopted the vote of the highest ballot" "recovery_case_by_case";
        RecoveryFoundNothing "recovery_found_nothing" "case c: nobody in the quorum had voted" "recovery_case_by_case";
        RecoveryAnchorAnswered "recovery_anchor_answered" "case d1: the anchor answered" "recovery_case_by_case";
        RecoveryMemberWithoutVote "recovery_member_without_vote" "case d1: the anchor was silent, and a member of the quorum had no vote" "recovery_case_by_case";
        RecoveryRebuilt "recovery_rebuilt" "case d2: the answers of the fast quorum were proposed" "recovery_case_by_case";
        ClassicFoundNothing "classic_found_nothing" "classic: nobody voted and no dependency node held the command" "classic_recovery_case_by_case";
        ClassicConsulted "classic_consulted" "classic: a dependency node held the command" "classic_recovery_case_by_case";
    }
    "voter/tests/marks.rs" {
        PreAcceptRefused "pre_accept_refused" "a vote of round 0 was refused after a promise" "promised_to_a_recovery";
        ConcludeRefused "conclude_refused" "the anchor refused to conclude after a promise" "promised_to_a_recovery";
        DependRefused "depend_refused" "a recovery's dependency round was refused after a promise" "promised_to_a_recovery";
        PrepareRefused "prepare_refused" "a promise was refused after a higher one" "promised_to_a_recovery";
        AcceptRefused "accept_refused" "a vote was refused after a promise" "promised_to_a_recovery";
        PreAcceptRepeated "pre_accept_repeated" "a request of round 0 came again, and was answered from the record" "answers_from_the_record";
        DependRecorded "depend_recorded" "a dependency round found an answer that was computed before" "answers_from_the_record";
        ConcludeRepeated "conclude_repeated" "the anchor was asked to conclude what it had concluded" "answers_from_the_record";
        AskedOfCommitted "asked_of_committed" "a committed vertex was asked about, and its value told" "answers_from_the_record";
        CommitRepeated "commit_repeated" "a voter was told of a commit that it knew" "answers_from_the_record";
        VoteOverwrites "vote_overwrites" "a vote of a later round took the place of one of round 0" "a_later_round_and_an_early_answer";
        ComputedForRecovery "computed_for_recovery" "a voter that had not seen a command computed its dependencies for a recovery" "a_later_round_and_an_early_answer";
    }
    "voter/tests/pruning.rs" {
        AskedOfPruned "asked_of_pruned" "a voter was asked about a vertex below its floor" "below_the_floor_nothing_is_fresh";
        CommitOfPruned "commit_of_pruned" "a commit came for a vertex below a voter's floor" "below_the_floor_nothing_is_fresh";
        PrunedInRewriting "pruned_in_rewriting" "a voter was pruned while it wrote down again what it keeps" "a_rewrite_goes_bit_by_bit_and_begins_again";
        VoterRewritten "voter_rewritten" "a voter had written down again all that it keeps" "a_rewrite_goes_bit_by_bit_and_begins_again";
    }
    "acceptor/src/acceptor.rs" {
        AcceptorPrepareRefused "acceptor_prepare_refused" "classic: a promise was refused after a higher one" "refusals_leave_their_marks";
        AcceptorAcceptRefused "acceptor_accept_refused" "classic: a vote was refused after a promise" "refusals_leave_their_marks";
        AcceptorAskedOfPruned "acceptor_asked_of_pruned" "classic: an acceptor was asked about a vertex below its floor" "a_pruned_acceptor_says_so_and_keeps_the_rest";
        AcceptorRewritten "acceptor_rewritten" "classic: an acceptor had written down again all that it keeps" "a_pruned_acceptor_says_so_and_keeps_the_rest";
    }
    "dependency/src/node.rs" {
        DependencyAskedOfPruned "dependency_asked_of_pruned" "classic: a dependency node was asked about a vertex below its floor" "a_pruned_node_says_so_and_keeps_the_rest";
        DependencyRewritten "dependency_rewritten" "classic: a dependency node had written down again all that it keeps" "a_pruned_node_says_so_and_keeps_the_rest";
        ClassicDependRepeated "classic_depend_repeated" "classic: a dependency request came again" "answers_are_given_again_and_told";
        InspectedHeld "inspected_held" "classic: a recovery asked for a command that was held" "answers_are_given_again_and_told";
        InspectedUnknown "inspected_unknown" "classic: a recovery asked for a command that was not held" "answers_are_given_again_and_told";
    }
    "dependency/src/index/tests.rs" {
        EnteredBelowFloor "entered_below_floor" "a vertex below the floor was not entered" "what_is_below_the_floor_is_named_and_no_more_kept";
        EnteredLate "entered_late" "a vertex came after a later one of its proposer" "t17_latest_is_by_sequence_and_not_by_arrival";
        EverythingEntered "everything_entered" "a command over everything was entered" "everything_depends_on_all_and_all_depend_on_it";
        DependsOnEverything "depends_on_everything" "a command depended on one over everything" "everything_depends_on_all_and_all_depend_on_it";
        PassedByCommuting "passed_by_commuting" "a command touched what another had touched in a mode that commutes" "only_conflicting_modes_are_reported";
        RangeEntered "range_entered" "a command over a range was entered" "ranges_find_what_is_inside_and_are_found_from_there";
        DependsOnRangeAround "depends_on_range_around" "a command depended on one over a range that holds its resource" "ranges_find_what_is_inside_and_are_found_from_there";
        DependsOnRangeAcross "depends_on_range_across" "a command over a range depended on one over a range that overlaps" "ranges_find_what_is_inside_and_are_found_from_there";
        DependsOnShown "depends_on_shown" "a command depended on one of which the predicate said that they conflict" "the_predicate_is_asked_of_each";
        PassedByPredicate "passed_by_predicate" "the predicate said of two commands that they commute" "the_predicate_is_asked_of_each";
    }
    "proposer/tests/forward.rs" {
        PlacedElsewhere "placed_elsewhere" "commands on a resource were better proposed elsewhere" "a_contended_command_goes_to_the_hub_and_its_client_hears_from_here";
        Forwarded "forwarded" "a command was forwarded to a better placed proposer" "a_contended_command_goes_to_the_hub_and_its_client_hears_from_here";
        ForwardTaken "forward_taken" "a proposer took a command that was forwarded to it" "a_hub_proposes_what_it_is_given_once";
        ForwardTurnedAway "forward_turned_away" "a proposer had no room for what was forwarded to it" "a_hub_proposes_what_it_is_given_once";
        ForwardTakenBack "forward_taken_back" "a forwarded command was proposed at home in the end" "what_takes_too_long_is_proposed_at_home";
    }
    "proposer/tests/prune.rs" {
        BarrierProposed "barrier_proposed" "a barrier was queued because it was due" "a_barrier_is_proposed_once_and_alone";
        BarrierUnderWay "barrier_under_way" "a barrier was due while one was queued or in flight" "a_barrier_is_proposed_once_and_alone";
        ProposerPruned "proposer_pruned" "a proposer forgot what was below its floor" "a_restart_keeps_the_floor";
        PrunedInFlight "pruned_in_flight" "a proposer worked on a vertex that others had pruned" "t16_nothing_is_proposed_in_a_pruned_vertex";
        PrunedUnanswered "pruned_unanswered" "a command whose reply was lost in an installation was proposed again" "what_lost_its_replies_is_proposed_again";
        RecoveryOfPruned "recovery_of_pruned" "the recovery of a pruned vertex was asked for" "a_restart_keeps_the_floor";
        RewrittenLater "rewritten_later" "a proposer wrote attempts again bit by bit" "t14_many_attempts_are_written_again_bit_by_bit";
        SessionWindowFull "session_window_full" "a request was too far from its session's first unacknowledged one" "a_session_s_window";
    }
    "replica/src/demand.rs" {
        DemandFull "demand_full" "a resource was not counted for want of room" "room_is_bounded_and_goes_to_what_is_contended";
    }
    "replica/src/graph.rs" {
        ComponentOfSeveral "component_of_several" "a component of several vertices was executed" "a_cycle_is_one_component_in_its_own_order";
        ComponentWithNoop "component_with_noop" "a component of several vertices had a noop in it" "a_cycle_is_one_component_in_its_own_order";
        BlockedBehindBlocked "blocked_behind_blocked" "a vertex waited for one that was waiting itself" "waits_for_what_it_reaches";
        ReleasedWaiters "released_waiters" "an execution released others that waited for it" "waits_for_what_it_reaches";
    }
    "replica/src/sessions.rs" {
        DuplicateSkipped "duplicate_skipped" "a request in a second vertex was skipped, and its reply given again" "t8_a_request_committed_twice_takes_effect_once_with_one_reply";
        ReplyForgotten "reply_forgotten" "a request came again after its reply was acknowledged" "acknowledged_replies_are_forgotten_and_their_requests_are_not";
        ReplyTooLong "reply_too_long" "a state machine's reply was longer than a message may carry" "a_reply_that_is_too_long_is_told_to_nobody";
        SequencePassed "sequence_passed" "a request took effect after a later one of its session" "t9_a_lower_sequence_is_executed_after_a_higher_one";
    }
    "replica/tests/marks.rs" {
        ServedElsewhere "served_elsewhere" "a replica told its proposer of a request that another one had proposed" "a_forwarded_request_is_told_at_home";
        NoopExecuted "noop_executed" "a noop was executed" "commits_come_twice_and_by_catching_up";
        LearntTwice "learnt_twice" "a replica was told of a commit that it knew" "commits_come_twice_and_by_catching_up";
        CaughtUp "caught_up" "a replica sent what another lacked" "commits_come_twice_and_by_catching_up";
        AnsweredByOther "answered_by_other" "a replica answered for a proposer without one on its node" "a_proposer_without_a_replica_is_told";
        RecoveryAskedOfOwner "recovery_asked_of_owner" "the recovery of what blocked was asked of its proposer" "whom_a_blocked_replica_asks";
        RecoveryAskedHere "recovery_asked_here" "the recovery of what blocked was asked of this node's proposer" "whom_a_blocked_replica_asks";
        RecoveryAskedAtOnce "recovery_asked_at_once" "a replica asked at once for what a node that is down left behind" "what_a_dead_proposer_left_is_recovered_at_once_by_one";
        RecoveryLeftToCatchUp "recovery_left_to_catch_up" "no recovery was asked for, since another replica that is up has the vertex" "what_another_replica_has_is_recovered_only_if_it_does_not_come";
        RecoveryAskedInTurn "recovery_asked_in_turn" "the recovery of what blocked was asked of some proposer in turn" "whom_a_blocked_replica_asks";
    }
    "replica/tests/catch_up.rs" {
        AskedAgainAtOnce "asked_again_at_once" "a replica that is far behind had taken an answer in, and asked for more" "who_is_far_behind_asks_again_when_it_has_the_answer";
    }
    "replica/tests/divergence.rs" {
        StatesAgreed "states_agreed" "a majority of the replicas had the same state behind a barrier" "a_replica_that_is_outvoted_stops_and_the_others_go_on";
    }
    "replica/tests/snapshot.rs" {
        BarrierAsked "barrier_asked" "a barrier is due: the proposer is asked for one" "barriers_are_asked_for_in_turn";
        SnapshotCut "snapshot_cut" "a snapshot is cut at a barrier" "a_snapshot_holds_what_its_barrier_reaches";
        SnapshotSkipped "snapshot_skipped" "a barrier passes while a snapshot is being written" "one_snapshot_is_written_at_a_time";
        SnapshotOffered "snapshot_offered" "another replica offers a snapshot" "a_replica_left_behind_installs_a_snapshot";
        SnapshotInstalled "snapshot_installed" "a replica installs another's snapshot" "a_replica_left_behind_installs_a_snapshot";
        SnapshotOvertaken "snapshot_overtaken" "what a fetched snapshot holds was executed in the meantime" "a_snapshot_of_the_past_is_not_installed";
        FloorRaised "floor_raised" "enough replicas hold a snapshot: all may forget" "the_floor_is_what_enough_replicas_hold";
        LogCut "log_cut" "values that a slow replica lacks are dropped: a snapshot holds them" "a_replica_left_behind_installs_a_snapshot";
        ReplicaRewritten "replica_rewritten" "a replica has written down again what it keeps" "what_a_snapshot_does_not_hold_is_written_again";
    }
    "replica/tests/read.rs" {
        ReadUnrecorded "read_unrecorded" "a linearizable read was answered without a vertex" "a_linearizable_read_waits_for_what_a_majority_knows";
        ReadWaited "read_waited" "a read waited for a vertex that is not executed, and had it watched" "a_linearizable_read_waits_for_what_a_majority_knows";
        ReadAsCommand "read_as_command" "a read was turned away, to become a command" "what_may_not_do_without_a_vertex_becomes_a_command";
        ReadGivenUp "read_given_up" "a read was given up, and its client sent elsewhere" "a_read_without_a_quorum_is_given_up";
        SessionReadWaited "session_read_waited" "a session's read waited for what its client had seen" "a_session_s_read_waits_for_its_token";
        TokenUnknown "token_unknown" "a majority had never heard of what a token names" "a_token_that_nobody_knows_is_refused";
    }
    "replica/tests/watch.rs" {
        WatchResumed "watch_resumed" "a watch goes on from a token" "a_watch_goes_on_at_another_replica";
        WatchWaited "watch_waited" "a watch waits for its token to be executed" "a_replica_behind_the_token_waits_for_it";
        WatchGivenUp "watch_given_up" "a token was not executed in time" "a_token_that_is_not_executed_in_time_ends_the_watch";
        WatchCompacted "watch_compacted" "a token lacks what is forgotten" "a_token_that_lacks_what_is_forgotten_is_refused";
        WatchedRepeatPassed "watched_repeat_passed" "a request took effect in another vertex where the watcher was before" "a_request_in_two_vertices_is_told_once";
        WatchFellBehind "watch_fell_behind" "a watcher takes slowly, and is told from the feed" "a_slow_watcher_is_told_from_the_feed";
        WatchTooSlow "watch_too_slow" "a watcher takes so slowly that the feed has forgotten the rest" "a_watcher_that_is_too_slow_is_told_so";
        WatchRefused "watch_refused" "there are too many watches" "watches_are_limited";
    }
    "proposer/tests/relay.rs" {
        RelayTurnedAway "relay_turned_away" "a submission that was passed on was turned away, and might yet be taken" "a_lost_node_passes_submissions_on";
        Relayed "relayed" "a node that lost its disk passed a submission on" "a_lost_node_passes_submissions_on";
    }
    "roles/src/registry.rs" {
        Admitted "admitted" "enough others knew a node under no other number" "a_new_node_is_admitted_when_enough_know_no_other";
        LostNoticed "lost_noticed" "another node knew this one from an earlier journal" "who_is_known_from_an_earlier_journal_is_lost";
    }
    "client/src/read.rs" {
        ClientReadElsewhere "client_read_elsewhere" "a client asked another node for a read" "a_read_goes_elsewhere_and_shows_what_was_seen";
    }
    "client/tests/watch.rs" {
        WatchMissedOne "watch_missed_one" "a message to a watcher was lost on the way" "a_lost_message_is_asked_for_again";
        WatchedNodeSilent "watched_node_silent" "a watched node said nothing for long" "a_silent_node_is_left";
    }
    "client/src/client.rs" {
        ClientRetried "client_retried" "a client submitted a request again elsewhere" "a_retry_goes_elsewhere_under_the_same_id";
        ClientTurnedAway "client_turned_away" "a client was told to slow down" "outcomes_say_no_more_than_is_known";
        ClientHeldBack "client_held_back" "a client held an operation back, since an earlier one had not ended" "what_is_beyond_the_window_waits_for_the_first";
        ClientGaveUp "client_gave_up" "a client gave up on a request whose outcome it does not know" "outcomes_say_no_more_than_is_known";
    }
}

const _: () = assert!(Mark::ALL.len() <= 256, "a set of marks is two words");

impl Mark {
    /// Its word, and its bit in that.
    const fn bit(self) -> (usize, u128) {
        (self as usize / 128, 1 << (self as u32 % 128))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Broken: a mark would be seen where another was hit.
    #[test]
    fn sets_hold_what_was_hit() {
        take();
        let (first, last) = (Mark::ALL[0], Mark::ALL[Mark::ALL.len() - 1]);
        hit(first);
        hit(last);
        let marks = take();
        assert_eq!(marks.iter().collect::<Vec<_>>(), [first, last]);
        assert_eq!(marks.missing().len(), Mark::ALL.len() - 2);
        assert!(marks.union(marks.missing()).missing().is_empty());
        assert!(take().is_empty());
        let names: BTreeSet<_> = Mark::ALL.into_iter().map(Mark::name).collect();
        assert_eq!(names.len(), Mark::ALL.len());
    }
}
