//! After the load: keys are read back, so that the history says what became of every write.

use super::recorder::Recorder;
use althing_kv::{KvCommand, KvReply};
use althing_sdk::{KvClient, KvError};
use bytes::Bytes;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Keys that are read at a time.
const READS_AT_A_TIME: usize = 128;

/// Reads keys, recorded as done by `client`. `readers` (each with its region) are asked in turn; the
/// reads come back in the order in which they ended.
pub async fn read_back(
    recorder: &Arc<Recorder>,
    client: u64,
    keys: impl IntoIterator<Item = Bytes>,
    readers: &[(usize, KvClient)],
) -> Vec<(Bytes, Result<KvReply, KvError>)> {
    let mut keys = keys.into_iter().zip(readers.iter().cycle());
    let mut reads = JoinSet::new();
    let mut ended = Vec::new();
    loop {
        while reads.len() < READS_AT_A_TIME
            && let Some((key, (region, kv))) = keys.next()
        {
            let (recorder, region, kv) = (recorder.clone(), *region, kv.clone());
            reads.spawn(async move {
                let get = KvCommand::Get { key: key.clone() };
                (key, recorder.execute(client, region, &kv, get).await)
            });
        }
        let Some(read) = reads.join_next().await else {
            return ended;
        };
        ended.push(read.expect("a read does not panic, nobody aborts it"));
    }
}
