//! What the clients saw, and whether one order of execution explains it.

use crate::Workload;
use crate::keys::Access;
use althing_checker::Violation;
use althing_checker::footprint::{Commutes, Footprint};
use althing_checker::history::{History, OperationId};
use althing_checker::linearizable::explains;
use althing_checker::real_time::RealTimeOrder;
use althing_checker::register_map::{Blob, Input, Output, RegisterMap};
use althing_kv::KvReply;
use althing_model::Micros;
use bytes::Bytes;
use rustc_hash::FxHashMap;

/// Records a run's history and the order in which each node executed.
///
/// Checking takes no search (which contended histories would make long): the order in which one node
/// executed is put before the clients' history. All nodes must have executed the writes of each key
/// in one order; of that, a digest for each key and node is enough.
pub(super) struct Recorder {
    history: History<Input, Output>,
    accesses: Vec<(OperationId, Access)>,
    keys: Vec<Blob>,
    payload_len: usize,
    additions: bool,
    /// The operations in the order in which the witness executed them.
    order: Vec<u32>,
    witness: usize,
    /// By node and key.
    digests: Vec<FxHashMap<u32, WriteOrder>>,
    done: Bytes,
}

/// The order of a key's writes at one node: how many, and a digest of the sequence; where they commute,
/// of the set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct WriteOrder {
    len: u64,
    digest: u64,
}

/// Reads commute with reads, and writes with writes where they are additions.
const READ: u8 = 0;
const WRITE: u8 = 1;

impl Recorder {
    /// Of a node in each of the workload's regions, of which `witness` stays up to the end.
    pub(super) fn new(names: &[Bytes], workload: &Workload, witness: usize) -> Self {
        let nodes = workload.regions.len();
        Self {
            history: History::new(),
            accesses: Vec::new(),
            keys: names.iter().map(|name| Blob::from(&name[..])).collect(),
            payload_len: workload.payload_len,
            additions: workload.additions,
            order: Vec::new(),
            witness,
            digests: vec![FxHashMap::default(); nodes],
            done: KvReply::Done.encode(),
        }
    }

    /// A client invokes the operation of the next number.
    pub(super) fn invoked(&mut self, client: u32, now: Micros, access: Access) {
        let key = self.keys[access.key as usize].clone();
        let input = match access.is_read {
            true => Input::get(key),
            false if self.additions => Input::increment(key, 1),
            false => {
                let number = (self.accesses.len() as u64).to_le_bytes();
                Input::put(key, &number[..self.payload_len.min(number.len())])
            }
        };
        let id = self.history.invoked(u64::from(client), now * 1000, input);
        self.accesses.push((id, access));
    }

    pub(super) fn returned(&mut self, operation: u32, now: Micros, reply: Bytes) {
        let output = match reply == self.done {
            true => Output::Done,
            false => match KvReply::decode(reply) {
                Ok(KvReply::Value(value)) => {
                    Output::Value(value.map(|value| Blob::from(&value[..value.len().min(8)])))
                }
                // Nothing else comes of a read or a write.
                _ => Output::NotAnInteger,
            },
        };
        self.history.returned(self.accesses[operation as usize].0, now * 1000, output);
    }

    pub(super) fn failed(&mut self, operation: u32) {
        self.history.failed(self.accesses[operation as usize].0);
    }

    pub(super) fn executed(&mut self, node: usize, operation: u32) {
        if node == self.witness {
            self.order.push(operation);
        }
        let (_, access) = self.accesses[operation as usize];
        if !access.is_read {
            let order = self.digests[node].entry(access.key).or_default();
            order.len += 1;
            let number = u64::from(operation) + 1;
            let mixed = |digest: u64| digest.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
            order.digest = match self.additions {
                true => order.digest.wrapping_add(mixed(number)),
                false => mixed(order.digest ^ number),
            };
        }
    }

    /// A node lost its state, and executes everything anew.
    pub(super) fn forgotten(&mut self, node: usize) {
        self.digests[node].clear();
    }

    /// The run is over.
    ///
    /// # Errors
    /// What no order explains.
    pub(super) fn check(&self) -> Result<(), Violation> {
        let additions = self.additions;
        let commutes = Commutes::new(move |a, b| a == b && (a == READ || a == WRITE && additions));
        let mut real_time = RealTimeOrder::new(&self.history, commutes);
        for operation in &self.order {
            let (id, access) = self.accesses[*operation as usize];
            let mode = if access.is_read { READ } else { WRITE };
            let resource = [(self.keys[access.key as usize].bytes(), mode)];
            real_time.executed(Some(id), Footprint::Resources(&resource))?;
        }
        let order = real_time.finish()?;
        explains(&RegisterMap, &self.history, &order)?;
        self.check_same_order()
    }

    /// Nodes that executed equally many writes of a key executed them in the same order. Those that
    /// were down at the end executed fewer.
    fn check_same_order(&self) -> Result<(), Violation> {
        for (node, digests) in self.digests.iter().enumerate() {
            for (key, order) in digests {
                let expected = self.digests[self.witness].get(key).copied().unwrap_or_default();
                if order.len == expected.len && order.digest != expected.digest {
                    let key = &self.keys[*key as usize];
                    let account = format!(
                        "nodes {node} and {} executed the {} writes of {key} in two orders",
                        self.witness, order.len
                    );
                    return Err(Violation::new("SameOrder", account));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE_IT: Access = Access { key: 0, is_read: false };
    const READ_IT: Access = Access { key: 0, is_read: true };

    fn recorder() -> Recorder {
        let workload = Workload { payload_len: 8, ..Workload::default() };
        Recorder::new(&[Bytes::from_static(b"k")], &workload, 0)
    }

    fn held(number: u64) -> Bytes {
        KvReply::Value(Some(number.to_le_bytes().to_vec().into())).encode()
    }

    /// Broken: a read of what was overwritten long ago would pass.
    #[test]
    fn a_stale_read_is_found() {
        let history = |seen: u64| {
            let mut it = recorder();
            for number in 0..2 {
                it.invoked(1, 10 * u64::from(number), WRITE_IT);
                it.executed(0, number);
                it.returned(number, 10 * u64::from(number) + 5, KvReply::Done.encode());
            }
            it.invoked(2, 20, READ_IT);
            it.executed(0, 2);
            it.returned(2, 25, held(seen));
            it.check()
        };
        assert_eq!(history(1), Ok(()));
        assert!(history(0).is_err());
    }

    /// Broken: replicas whose states differ would pass while nobody reads.
    #[test]
    fn two_orders_of_writes_are_found() {
        let history = |second: [u32; 2]| {
            let mut it = recorder();
            for number in 0..2 {
                it.invoked(number, 1, WRITE_IT);
            }
            for (number, other) in (0..).zip(second) {
                it.executed(0, number);
                it.executed(1, other);
            }
            for number in 0..2 {
                it.returned(number, 5, KvReply::Done.encode());
            }
            it.check()
        };
        assert_eq!(history([0, 1]), Ok(()));
        assert!(history([1, 0]).is_err());
    }
}
