//! A run as a sequence chart in text: time on the left, a lane for each node and each client, what
//! happened on the right. For people; it fits 120 columns up to 5 nodes and 8 clients.
//!
//! ```text
//!        ms    n0     n1     n2     c0
//!    1.200     │      │      │      ├──────▶ ...
//! ```
//! A message is drawn when it is handled (`▶`), with how long it was under way, or, if it was lost,
//! when it left (`✗`). `●` executed, `▪` synced, `◆` asked or a fault, `╳` stopped, `○` started; a
//! node that is down has no lane. Messages between roles of one node are left out.

use crate::Plan;
use crate::trace::{MessageName, TraceEvent, Traced};
use althing_model::{Micros, NodeId, VertexId};
use althing_wire::Address;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::fmt::Write;

/// The widest line.
const WIDTH: usize = 120;

/// What the time takes of it.
const TIME_WIDTH: usize = 11;

/// Which rows are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// Only the last so many.
    pub last: Option<usize>,
    /// Only what this vertex is about, and what goes wrong.
    pub vertex: Option<VertexId>,
}

/// A chart that is being drawn: give it each event of a traced run.
pub struct Chart {
    lanes: Lanes,
    window: Window,
    rows: VecDeque<String>,
    left_out: usize,
    sent_at: FxHashMap<MessageName, Micros>,
    counted: Counted,
}

/// How much happened between nodes: the size of a run, as a person who reads it feels it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Messages between nodes that were handled.
    pub messages: usize,
    /// Single faults.
    pub faults: usize,
}

impl Counted {
    /// Counts an event of a run.
    pub fn count(&mut self, event: &TraceEvent) {
        match &event.what {
            Traced::Delivered { from: Address::Node(from), to, .. } if from != to => {
                self.messages += 1;
            }
            Traced::Fault(_) => self.faults += 1,
            _ => {}
        }
    }

    /// Both together.
    pub fn events(self) -> usize {
        self.messages + self.faults
    }
}

impl Chart {
    /// An empty chart of runs of this plan.
    pub fn new(plan: &Plan, window: Window) -> Self {
        Self {
            lanes: Lanes::new(plan),
            window,
            rows: VecDeque::new(),
            left_out: 0,
            sent_at: FxHashMap::default(),
            counted: Counted::default(),
        }
    }

    /// Draws an event.
    pub fn draw(&mut self, event: &TraceEvent) {
        self.counted.count(event);
        let row = self.row(event);
        match &event.what {
            Traced::Started(node) => self.lanes.set_up(*node, true),
            Traced::Stopped(node) => self.lanes.set_up(*node, false),
            _ => {}
        }
        let Some(row) = row else { return };
        self.rows.push_back(row);
        if self.window.last.is_some_and(|last| self.rows.len() > last) {
            self.rows.pop_front();
            self.left_out += 1;
        }
    }

    /// What happened, in numbers.
    pub fn counted(&self) -> Counted {
        self.counted
    }

    /// The chart, as far as it goes.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if self.left_out > 0 {
            let _ = writeln!(text, "({} rows before these)", self.left_out);
        }
        text.push_str(&self.lanes.head());
        for row in &self.rows {
            text.push_str(row);
            text.push('\n');
        }
        text
    }

    fn row(&mut self, event: &TraceEvent) -> Option<String> {
        let at = event.at;
        let lanes = &self.lanes;
        let is_about =
            |vertex: Option<VertexId>| self.window.vertex.is_none_or(|only| vertex == Some(only));
        let (drawn, words) = match &event.what {
            Traced::Sent { name, copies: 1.., .. } => {
                self.sent_at.insert(*name, at);
                return None;
            }
            Traced::Sent { from, to, kind, vertex, .. } => {
                if !is_about(*vertex) {
                    return None;
                }
                let words = format!("{}{} is lost", kind.name(), of(*vertex));
                (lanes.arrow(*from, *to, '✗'), words)
            }
            Traced::Delivered { from: Address::Node(from), to, .. } if from == to => return None,
            Traced::Delivered { name, from, to, message, ignored } => {
                if !is_about(message.vertex()) {
                    return None;
                }
                let mut words = format!("{}{}", message.kind().name(), of(message.vertex()));
                if let Some(sent) = self.sent_at.get(name) {
                    let _ = write!(words, ", {} ms", millis(at - sent, 1));
                }
                if let Some(why) = ignored {
                    let _ = write!(words, ", ignored: {why}");
                }
                (lanes.arrow(*from, *to, '▶'), words)
            }
            Traced::Answered { client, from, answer } => {
                if self.window.vertex.is_some() {
                    return None;
                }
                (lanes.answer(*from, *client), answer.clone())
            }
            Traced::Invoked { client, footprint, .. } => {
                if self.window.vertex.is_some() {
                    return None;
                }
                (lanes.mark(lanes.of_client(*client), '◆'), format!("asks {footprint}"))
            }
            Traced::Synced { node, records } => {
                if self.window.vertex.is_some() || *records == 0 {
                    return None;
                }
                (lanes.mark(lanes.of_node(*node), '▪'), format!("synced {records}"))
            }
            Traced::Executed { node, vertex } => {
                if !is_about(Some(*vertex)) {
                    return None;
                }
                (lanes.mark(lanes.of_node(*node), '●'), format!("executed {vertex}"))
            }
            Traced::Snapshot { node, number, what } => {
                (lanes.mark(lanes.of_node(*node), '■'), format!("{node} snapshot {number} {what}"))
            }
            Traced::Started(node) => {
                (lanes.mark(lanes.of_node(*node), '○'), format!("{node} starts"))
            }
            Traced::Stopped(node) => {
                (lanes.mark(lanes.of_node(*node), '╳'), format!("{node} stops"))
            }
            Traced::Fault(fault) => (lanes.line('╌'), format!("{fault:?}")),
            Traced::Healed => (lanes.line('═'), "all faults end".to_owned()),
        };
        let row = format!("{:>TIME_WIDTH$} {drawn} {words}", millis(at, 3));
        Some(row.chars().take(WIDTH).collect())
    }
}

fn of(vertex: Option<VertexId>) -> String {
    vertex.map_or(String::new(), |vertex| format!(" {vertex}"))
}

fn millis(micros: Micros, digits: usize) -> String {
    format!("{:.digits$}", micros as f64 / 1000.0)
}

/// The lanes: nodes, then clients.
struct Lanes {
    nodes: Vec<(NodeId, bool)>,
    clients: usize,
    width: usize,
}

impl Lanes {
    fn new(plan: &Plan) -> Self {
        let nodes: Vec<_> = plan.membership.nodes().map(|node| (node, false)).collect();
        let clients = plan.workload.clients;
        // What is told on the right needs half of the line.
        let width = ((WIDTH - TIME_WIDTH) / 2 / (nodes.len() + clients)).clamp(3, 7);
        Self { nodes, clients, width }
    }

    fn head(&self) -> String {
        let nodes = self.nodes.iter().map(|(node, _)| node.to_string());
        let names = nodes.chain((0..self.clients).map(|client| format!("c{client}")));
        let names: String =
            names.map(|name| format!("{name:<width$}", width = self.width)).collect();
        format!("{:>TIME_WIDTH$} {names}\n", "ms")
    }

    fn set_up(&mut self, node: NodeId, is_up: bool) {
        let at = self.of_node(node);
        self.nodes[at].1 = is_up;
    }

    fn of_node(&self, node: NodeId) -> usize {
        self.nodes.iter().position(|(it, _)| *it == node).expect("a member")
    }

    fn of_client(&self, client: usize) -> usize {
        self.nodes.len() + client
    }

    /// None for who has no lane: nobody's client, who asks for everything in the end.
    fn of_address(&self, address: Address) -> Option<usize> {
        match address {
            Address::Node(node) => Some(self.of_node(node)),
            // Above stands how often the client of this number was replaced.
            Address::Client(client) => {
                let client = client.0 as u32 as usize;
                (client < self.clients).then(|| self.of_client(client))
            }
        }
    }

    /// All lanes, with nothing on them.
    fn empty(&self) -> Vec<char> {
        let mut row = Vec::new();
        for lane in 0..self.nodes.len() + self.clients {
            let is_up = self.nodes.get(lane).is_none_or(|(_, is_up)| *is_up);
            row.push(if is_up { '│' } else { ' ' });
            row.extend(std::iter::repeat_n(' ', self.width - 1));
        }
        row
    }

    fn mark(&self, lane: usize, mark: char) -> String {
        let mut row = self.empty();
        row[lane * self.width] = mark;
        row.into_iter().collect()
    }

    fn line(&self, with: char) -> String {
        std::iter::repeat_n(with, (self.nodes.len() + self.clients) * self.width).collect()
    }

    fn answer(&self, from: NodeId, client: usize) -> String {
        self.between(self.of_node(from), self.of_client(client), '▶')
    }

    fn arrow(&self, from: Address, to: NodeId, head: char) -> String {
        let to = self.of_node(to);
        match self.of_address(from) {
            Some(from) => self.between(from, to, head),
            None => self.mark(to, head),
        }
    }

    /// An arrow that goes over the lanes between; its head stands beside the lane that it reaches.
    fn between(&self, from: usize, to: usize, head: char) -> String {
        let mut row = self.empty();
        let (start, end) = (from * self.width, to * self.width);
        let is_right = start < end;
        let (first, last) = if is_right { (start, end) } else { (end, start) };
        for place in &mut row[first + 1..last] {
            *place = if *place == '│' { '┼' } else { '─' };
        }
        row[start] = if is_right { '├' } else { '┤' };
        let (head_at, head) = match (is_right, head) {
            (true, head) => (end - 1, head),
            (false, '▶') => (end + 1, '◀'),
            (false, head) => (end + 1, head),
        };
        row[head_at] = head;
        row.into_iter().collect()
    }
}
