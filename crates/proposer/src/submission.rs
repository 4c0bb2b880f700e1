//! Commands from clients: queued or forwarded, put into vertices, answered.

use crate::Proposer;
use crate::proposer::{Queued, Submitter, Unanswered};
use crate::work::Work;
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{
    Command, Commands, DepSet, Footprint, Micros, Operation, Reply, RequestId, Role, SessionId,
    VertexId,
};
use althing_wire::limits::{COMMANDS_LEN_MAX, command_len};
use althing_wire::{
    Answer, ClientId, Effects, Executed, Ignored, Outcome, ProposerRecord, Relayed, Reserved,
    Submit,
};

/// Resources of a batch: with five voters and three modes, its dependencies still fit a message.
const BATCH_RESOURCES_MAX: usize = 2048;

impl Proposer {
    pub(crate) fn on_submit(
        &mut self,
        now: Micros,
        client: ClientId,
        submit: Submit,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let Submit { ticket, operation } = submit;
        self.submit(now, Submitter::Client { client, ticket }, operation, effects);
    }

    /// Tells whoever wants to know how a submission ended.
    pub(crate) fn answer(
        submitter: Submitter,
        outcome: Outcome,
        effects: &mut Effects<ProposerRecord>,
    ) {
        Self::answer_executed(submitter, outcome, &DepSet::default(), effects);
    }

    /// The same, of one that was executed: a state in which all of `seen` is executed shows it.
    pub(crate) fn answer_executed(
        submitter: Submitter,
        outcome: Outcome,
        seen: &DepSet,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let seen = seen.clone();
        match submitter {
            Submitter::Client { client, ticket } => {
                effects.send(client, Answer { ticket, outcome, seen });
            }
            Submitter::Node { node, ticket } => {
                effects.send(node, Relayed { ticket, outcome, seen });
            }
            Submitter::Nobody => {}
        }
    }

    /// An operation to be executed, whoever wants it.
    pub(crate) fn submit(
        &mut self,
        now: Micros,
        submitter: Submitter,
        operation: Operation,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let request = operation.request();
        if request.is_some_and(|request| self.is_repeated(request, submitter)) {
            mark::hit(Mark::RequestRepeated);
            return;
        }
        if let Some(session) = operation.session()
            && !self.may_be_open(session)
        {
            let outcome = Outcome::Executed(Reply::SessionUnknown);
            Self::answer(submitter, outcome, effects);
            return;
        }
        let footprint = match &operation {
            Operation::OpenSession => Footprint::NOTHING,
            Operation::CloseSessions(_) | Operation::Barrier => Footprint::Everything,
            Operation::Apply { payload, .. } => match self.conflicts.footprint(payload) {
                Ok(footprint) => footprint,
                Err(invalid) => {
                    let outcome = Outcome::Invalid(invalid.0);
                    Self::answer(submitter, outcome, effects);
                    return;
                }
            },
        };
        let is_beyond_window = self.is_beyond_window(&operation);
        if is_beyond_window || self.is_queue_full(now) {
            self.counters.overloaded += 1;
            mark::hit(match is_beyond_window {
                true => Mark::SessionWindowFull,
                false => Mark::QueueFull,
            });
            Self::answer(submitter, Outcome::Overloaded, effects);
            return;
        }
        let command = Command { operation, footprint };
        if let Some(to) = self.better_placed(&command) {
            self.forward(now, to, command, submitter, effects);
            return;
        }
        if let Some(request) = request {
            self.requests.insert(request, None);
        }
        self.queue.push_back(Queued { command, submitter, since: now });
    }

    /// Whether too many commands wait for a vertex, or for too long.
    pub(crate) fn is_queue_full(&self, now: Micros) -> bool {
        let limits = &self.config.limits;
        let is_slow = |oldest: &Queued| now > oldest.since.saturating_add(limits.queue_delay_max);
        self.queue.len() >= limits.queue_len_max || self.queue.front().is_some_and(is_slow)
    }

    /// Whether a request is too far from the first one whose reply its client may still need: replicas
    /// keep all replies between.
    pub(crate) fn is_beyond_window(&self, operation: &Operation) -> bool {
        match operation {
            Operation::Apply { request, acknowledged_below, .. } => {
                let window = self.config.limits.session_window;
                request.sequence >= acknowledged_below.saturating_add(window)
            }
            Operation::OpenSession | Operation::CloseSessions(_) | Operation::Barrier => false,
        }
    }

    /// Whether a session can have been opened: commands depend on the opening, and one that can
    /// never be committed would block them, and what conflicts with them, for ever.
    pub(crate) fn may_be_open(&self, session: SessionId) -> bool {
        let opened = session.opened;
        opened.epoch == self.column.epoch
            && self.membership().has(opened.proposer, Role::Proposer)
            && (!self.is_own(opened) || opened.seq < self.next_seq)
    }

    /// Whether a request is queued or being proposed; then its reply goes to whoever asked last.
    /// One whose vertex is committed is proposed again: the reply may have been lost, and the
    /// session table keeps it from taking effect twice.
    fn is_repeated(&mut self, request: RequestId, submitter: Submitter) -> bool {
        if self.forwarding.is_repeated(request, submitter) {
            return true;
        }
        let slot = match self.requests.get(&request) {
            None => return false,
            Some(None) => self
                .queue
                .iter_mut()
                .find(|queued| queued.command.operation.request() == Some(request))
                .map(|queued| &mut queued.submitter),
            Some(Some(vertex)) if !self.in_flight.contains_key(vertex) => return false,
            Some(Some(vertex)) => self.unanswered.get_mut(vertex).and_then(|unanswered| {
                let commands = unanswered.commands.as_slice();
                let at = commands.iter().position(|it| it.operation.request() == Some(request))?;
                unanswered.submitters.get_mut(at)
            }),
        };
        match slot {
            Some(slot) => *slot = submitter,
            None => return false,
        }
        true
    }

    /// Puts queued commands into vertices, as far as there is room. Called when the messages at
    /// hand are handled, so that commands which arrived together share a vertex, and at
    /// [`Self::deadline`].
    pub fn flush(&mut self, now: Micros, effects: &mut Effects<ProposerRecord>) {
        while self.is_batch_due(now) && self.has_room() && self.next_seq < self.reserved {
            self.propose_batch(now, effects);
        }
        if self.next_seq == self.reserved && !self.queue.is_empty() {
            mark::hit(Mark::NumbersAwaited);
        }
        let half = self.config.limits.reserve_len.div_ceil(2);
        if self.reserved == self.reserving && self.reserved - self.next_seq < half {
            self.reserve(effects);
        }
    }

    /// Whether another vertex may be begun. What is committed and not executed counts too, since clients
    /// wait for it: a replica that is behind holds them up.
    fn has_room(&self) -> bool {
        let limits = &self.config.limits;
        self.own_in_flight < limits.in_flight_max && self.unanswered.len() < limits.unanswered_max()
    }

    /// When the oldest queued command has waited long enough for others.
    pub(crate) fn batch_deadline(&self) -> Option<Micros> {
        let oldest = self.queue.front()?;
        let has_room = self.has_room() && self.next_seq < self.reserved;
        has_room.then_some(oldest.since + self.config.limits.batch_delay)
    }

    /// Records that more sequence numbers may be in use, before any of them is.
    pub(crate) fn reserve(&mut self, effects: &mut Effects<ProposerRecord>) {
        let until = self.reserving + self.config.limits.reserve_len.max(1);
        self.reserving = until;
        if is_planted(Mutant::ReservedEarly) {
            self.reserved = until;
        }
        let resolved = self.resolved.below();
        effects
            .append([ProposerRecord::Reserved { until, resolved }])
            .send(self.config.me, Reserved { until });
    }

    pub(crate) fn on_reserved(&mut self, reserved: Reserved) {
        self.reserved = self.reserved.max(reserved.until);
    }

    /// A replica executed a vertex of this proposer: its clients are answered.
    pub(crate) fn on_executed(
        &mut self,
        now: Micros,
        executed: Executed,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        let Executed { vertex, mut replies, mut seen } = executed;
        if !self.is_own(vertex) {
            return Err(Ignored::NotTheOwner);
        }
        // Someone else may have committed it. What the anchor concluded is about to be heard of
        // here, and is still to be told to the others.
        if !matches!(self.work_mut(vertex), Some(Work::Concluding { .. }))
            && self.end(vertex).is_some()
        {
            mark::hit(Mark::ExecutedInFlight);
            self.resolved.insert(vertex.seq);
            self.forget_rounds(vertex);
            self.recovery_backlog.remove(&vertex);
        }
        let Some(unanswered) = self.unanswered.get(&vertex) else {
            mark::hit(Mark::ExecutedUnasked);
            return Err(Ignored::Repeated);
        };
        if replies.is_empty() {
            self.propose_again(now, vertex);
            return Ok(());
        }
        if replies.len() != unanswered.submitters.len() {
            return Err(Ignored::Contradiction);
        }
        let unanswered = self.unanswered.remove(&vertex).expect("looked up above");
        if is_planted(Mutant::AnswersSwapped) {
            replies.rotate_left(1);
        }
        self.forget_requests(vertex, &unanswered.commands);
        seen.insert(vertex);
        let commands = unanswered.commands.as_slice().iter();
        for ((command, submitter), reply) in commands.zip(unanswered.submitters).zip(replies) {
            // A client that asked again may wait for a copy that went elsewhere.
            let request = command.operation.request();
            let other = request.and_then(|request| self.forwarding.take_submitter(request));
            for submitter in [Some(submitter), other].into_iter().flatten() {
                let outcome = Outcome::Executed(reply.clone());
                Self::answer_executed(submitter, outcome, &seen, effects);
            }
        }
        Ok(())
    }

    /// A vertex of this proposer was committed as a noop: its commands get another one. They keep
    /// their request ids, so that they cannot take effect twice.
    pub(crate) fn propose_again(&mut self, now: Micros, vertex: VertexId) {
        let Some(unanswered) = self.unanswered.remove(&vertex) else {
            return;
        };
        let commands = unanswered.commands.as_slice().iter().cloned();
        for (mut command, submitter) in commands.zip(unanswered.submitters).rev() {
            self.counters.proposed_again += 1;
            mark::hit(Mark::ProposedAgain);
            if is_planted(Mutant::ProposedAgainAsNew)
                && let Operation::Apply { request, .. } = &mut command.operation
            {
                request.sequence += 1 << 32;
            }
            if let Some(request) = command.operation.request() {
                self.requests.insert(request, None);
            }
            self.queue.push_front(Queued { command, submitter, since: now });
        }
    }

    /// A client went away: nobody waits for its replies any more. What it submitted goes on.
    pub fn on_client_gone(&mut self, client: ClientId) {
        let requests = &mut self.requests;
        self.queue.retain(|queued| {
            let stays = !matches!(
                queued.submitter, Submitter::Client { client: other, .. } if other == client
            );
            if !stays && let Some(request) = queued.command.operation.request() {
                requests.remove(&request);
            }
            stays
        });
    }

    /// Their clients are answered, or have given up. A request that came again since may be in the
    /// queue or in another vertex.
    pub(crate) fn forget_requests(&mut self, vertex: VertexId, commands: &Commands) {
        for request in commands.as_slice().iter().filter_map(|it| it.operation.request()) {
            if self.requests.get(&request) == Some(&Some(vertex)) {
                self.requests.remove(&request);
            }
        }
    }

    fn is_batch_due(&self, now: Micros) -> bool {
        let Some(oldest) = self.queue.front() else {
            return false;
        };
        let limits = &self.config.limits;
        self.own_in_flight == 0
            || self.queue.len() >= limits.batch_len_max
            || now >= oldest.since + limits.batch_delay
    }

    fn propose_batch(&mut self, now: Micros, effects: &mut Effects<ProposerRecord>) {
        let mut commands = Vec::new();
        let mut submitters = Vec::new();
        let mut bytes = 0;
        let mut resources = 0;
        while let Some(queued) = self.queue.front() {
            bytes += command_len(&queued.command);
            resources += queued.command.footprint.len();
            let is_full = commands.len() >= self.config.limits.batch_len_max
                || bytes > self.config.limits.batch_bytes_max.min(COMMANDS_LEN_MAX)
                || resources > BATCH_RESOURCES_MAX
                || matches!(
                    queued.command.operation,
                    Operation::CloseSessions(_) | Operation::Barrier
                );
            if is_full && !commands.is_empty() {
                mark::hit(Mark::BatchFull);
                break;
            }
            let queued = self.queue.pop_front().expect("it has a front");
            // A snapshot is cut where a vertex ends: a barrier is alone in its own.
            let is_barrier = queued.command.operation == Operation::Barrier;
            commands.push(queued.command);
            submitters.push(queued.submitter);
            if is_barrier {
                break;
            }
        }
        let vertex = self.column.vertex(self.next_seq);
        self.next_seq += 1;
        let commands = Commands::Batch(commands.into());
        for request in commands.as_slice().iter().filter_map(|it| it.operation.request()) {
            self.requests.insert(request, Some(vertex));
        }
        let unanswered = Unanswered { commands: commands.clone(), submitters, since: now };
        self.unanswered.insert(vertex, unanswered);
        let base = self.chain.extend(vertex.seq, &commands);
        if self.is_fast_path() {
            self.propose_fast(now, vertex, commands, base, effects);
        } else {
            self.propose_classic(now, vertex, commands, base, effects);
        }
    }
}
