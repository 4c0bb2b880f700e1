//! What nodes want done: records, messages, answers; and the line for each thing that happens.

use crate::cluster::{Cluster, Result};
use crate::disk::Append;
use crate::flight::Sent;
use crate::show;
use althing_model::{NodeId, Reply};
use althing_roles::NodeEffect;
use althing_wire::{
    Address, Answer, ClientId, Effect, Message, NodeRecord, Outcome, ProposerRecord,
};

impl Cluster {
    /// Does what a node's roles want done.
    pub(crate) fn apply(&mut self, id: NodeId, effects: Vec<NodeEffect>) -> Result {
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.send(id, to, message)?,
                Effect::Append { records, then } => {
                    for record in &records {
                        let told = self.oracles.appended(id, record);
                        told.map_err(|violation| violation.to_string())?;
                    }
                    let is_manual = self.node(id)?.disk.is_manual;
                    if is_manual {
                        for record in &records {
                            self.tell_record(id, "appends", record);
                        }
                    }
                    self.node(id)?.disk.append(Append { records, then });
                    if !is_manual {
                        while let Some(append) = self.node(id)?.disk.sync_one() {
                            self.synced(id, append)?;
                        }
                    }
                }
            }
        }
        self.take_steps(id, true)?;
        self.take_offer(id)
    }

    /// An append is on disk, with what it makes visible.
    pub(crate) fn synced(&mut self, id: NodeId, append: Append) -> Result {
        let node = self.node(id)?;
        let first = node.disk.end() - append.records.len() as u64;
        for (position, record) in (first..).zip(&append.records) {
            node.trim.on_record(position, record);
        }
        for record in &append.records {
            self.tell_record(id, "records", record);
            let told = self.oracles.synced(id, record);
            told.map_err(|violation| violation.to_string())?;
        }
        self.trim(id)?;
        for (to, message) in append.then {
            self.send(id, to, message)?;
        }
        Ok(())
    }

    fn tell_record(&mut self, id: NodeId, verb: &str, record: &NodeRecord) {
        let is_reservation =
            matches!(record, NodeRecord::Proposer(ProposerRecord::Reserved { .. }));
        if !is_reservation || self.tells_reservations {
            self.say(format!("{id} {verb} {}", show::record(record)));
        }
    }

    fn send(&mut self, from: NodeId, to: Address, message: Message) -> Result {
        match (to, message) {
            (Address::Client(ClientId(client)), Message::Answer(answer)) => {
                self.answer(from, client, answer);
            }
            (Address::Client(_), message) => panic!("{message:?} is not for a client"),
            (Address::Node(to), message) => {
                if let Message::Commit(commit) = &message {
                    let told = self.oracles.committed(from, commit.vertex, &commit.value, false);
                    told.map_err(|violation| violation.to_string())?;
                }
                if to == from {
                    self.local.push_back((to, message));
                    return Ok(());
                }
                let beginning = format!("{from} sends {} to ", show::message(&message));
                let one_more = self.lines.last_mut().filter(|line| {
                    let to_whom = line.strip_prefix(&beginning);
                    to_whom.is_some_and(|nodes| !nodes.split(' ').any(|it| it == to.to_string()))
                });
                match one_more {
                    Some(line) => line.push_str(&format!(" {to}")),
                    None => self.say(format!("{beginning}{to}")),
                }
                self.flight.sent.push(Sent { from, to, message });
            }
        }
        Ok(())
    }

    fn answer(&mut self, from: NodeId, client: u64, answer: Answer) {
        let (_, sequence) = self.tickets[answer.ticket as usize];
        if let Outcome::Executed(Reply::Opened(session)) = &answer.outcome {
            self.clients.entry(client).or_default().session = Some(*session);
            self.say(format!("{from} answers c{client}: session {}", show::session(*session)));
            return;
        }
        let outcome = match &answer.outcome {
            Outcome::Executed(reply) => show::reply(reply),
            Outcome::Invalid(why) => format!("invalid: {why}"),
            Outcome::Overloaded => "overloaded".to_owned(),
        };
        self.say(format!("{from} answers c{client}#{sequence}: {outcome}"));
    }

    /// Takes what a replica executed.
    pub(crate) fn take_steps(&mut self, id: NodeId, is_told: bool) -> Result {
        let Some(roles) = &mut self.node(id)?.roles else { return Ok(()) };
        for step in roles.take_steps() {
            let told = self.oracles.executed(id, &step);
            told.map_err(|violation| violation.to_string())?;
            self.pass_barrier(id, &step)?;
            if step.vertex.seq == 0 {
                continue;
            }
            self.node(id)?.executed.push(step.vertex);
            if !is_told {
                continue;
            }
            let mut line = format!("{id} executes {}", show::vertex(step.vertex));
            line.push_str(&format!(" {}", show::commands(&step.value.commands)));
            for reply in &step.replies {
                line.push_str(&format!(" -> {}", show::reply(reply)));
            }
            if step.took_effect.contains(&false) {
                line.push_str(", no effect");
            }
            if step.component_len > 1 {
                line.push_str(&format!(", in a component of {}", step.component_len));
            }
            self.say(line);
        }
        self.take_snapshot(id)
    }
}
