//! From the newest snapshot and the journal to the roles of a node that was there before.

use crate::bounded_conflicts::BoundedConflicts;
use crate::config::Config;
use crate::limits;
use crate::registry_file::RegistryFile;
use crate::snapshots::offer;
use crate::start::StartError;
use althing_journal::{FileDisk, Identity, Journal, Recovered};
use althing_model::{Conflicts, Role, StateMachine};
use althing_replica::Replica;
use althing_roles::{JournalFound, Recovery, Registry, Roles, Trim};
use althing_snapshot::{DIRECTORY, Listed, SnapshotError, Store};
use althing_wire::{NodeRecord, RegistryState, Standing};
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// How often a long recovery says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Steps of the replica are let go this often: each holds a value and its replies.
const STEPS_KEPT: u64 = 1024;

/// Bytes of a record beside its body.
const RECORD_HEADER_BYTES: u64 = 17;

/// The number of a snapshot that a cluster begins from: no barrier was executed.
const SEED: u64 = 0;

/// A node as it was.
pub(crate) struct Restored {
    pub(crate) roles: Roles,
    pub(crate) journal: Journal<FileDisk>,
    pub(crate) recovered: Recovered,
    pub(crate) trim: Trim,
    /// Its snapshots, if it has a replica, and when the newest was written.
    pub(crate) store: Option<(Store<FileDisk>, Option<SystemTime>)>,
}

/// What is on the disk of a node, before roles are made of it.
pub(crate) struct Found {
    /// Says whether the node may vote, or that it has to ask.
    pub(crate) registry: Registry,
    identity: Identity,
    store: Option<Opened>,
    /// Of a node that has to ask, which has promised nothing: its journal, and what is in it.
    asking: Option<Asking>,
}

/// An open journal, and its records with their positions.
type Asking = (Journal<FileDisk>, Recovered, Vec<(u64, NodeRecord)>);

/// Snapshots, and the newest that is in order.
struct Opened {
    store: Store<FileDisk>,
    newest: Option<Listed>,
    written_at: Option<SystemTime>,
}

/// Opens the snapshots, and looks whether there is a journal. On a node that has to ask, which has
/// promised nothing, it is opened, and made if there is none.
pub(crate) fn find(config: &Config, file: &RegistryFile<FileDisk>) -> Result<Found, StartError> {
    let identity = Identity { cluster: config.cluster.0, node: config.me.0 };
    let disk = FileDisk::new(&config.data_dir);
    // Before the snapshots are touched: they may be another node's.
    let has_journal = althing_journal::check_owner(&disk, identity)?;
    let mut state = file.load()?;
    let journal = match (has_journal, &state) {
        (false, _) => JournalFound::None,
        (true, Some(_)) => JournalFound::WithRecords,
        // Of a program that had no registry: looked at once, for the registry is there from now on.
        (true, None) => match althing_journal::verify(&config.data_dir)?.records {
            0 => JournalFound::Empty,
            _ => JournalFound::WithRecords,
        },
    };
    let has_replica = config.membership.has(config.me, Role::Replica);
    let store = has_replica.then(|| open_store(config)).transpose()?;
    let is_past = |opened: &Opened| opened.store.list().iter().any(|it| it.number != SEED);
    let drawn = rand::random();
    if config.journal.create
        && !has_journal
        && state.is_none()
        && store.as_ref().is_some_and(is_past)
    {
        // Snapshots without a journal are of a node that has lost its promises.
        let known = Default::default();
        state = Some(RegistryState { incarnation: drawn, standing: Standing::Lost, known });
    }
    let ask_every = limits::ASK_EVERY.as_micros() as u64;
    let registry = Registry::new(config.me, &config.membership, state, journal, drawn, ask_every);
    // Before another journal is made: a next start must not take it for the one that is lost. Where
    // another process has the directory, opening the journal says so.
    if !has_journal {
        file.save_under_lock(registry.state())?;
    }
    let asking = match registry.standing() {
        Standing::Asking => {
            let mut records = Vec::new();
            let (journal, recovered) =
                Journal::open(disk, identity, config.journal.clone(), |record| {
                    let body = Bytes::copy_from_slice(record.body);
                    records.push((record.lsn.0, NodeRecord::decode(record.kind, body)?));
                    Ok(())
                })?;
            Some((journal, recovered, records))
        }
        Standing::Admitted | Standing::Lost => None,
    };
    Ok(Found { registry, identity, store, asking })
}

/// Makes the roles what they were; of a node that `is_lost` those that are left to it.
pub(crate) fn restore(
    config: &Config,
    found: Found,
    is_lost: bool,
    machine: Box<dyn StateMachine>,
    conflicts: Arc<dyn Conflicts>,
) -> Result<Restored, StartError> {
    let Found { registry: _, identity, store, asking } = found;
    let roles = althing_roles::Config {
        me: config.me,
        is_lost,
        membership: config.membership.clone(),
        seed: rand::random(),
        proposer_timing: config.proposer_timing,
        proposer_limits: config.proposer_limits,
        replica_timing: config.replica_timing,
        replica_limits: config.replica_limits,
    };
    let mut recovery = Recovery::new(roles, Arc::new(BoundedConflicts(conflicts)), machine);
    if let Some(Opened { store, newest: Some(newest), .. }) = &store {
        restore_snapshot(store, *newest, &mut recovery)?;
    }
    let mut trim = Trim::new(&config.membership, config.me, is_lost);
    let mut progress = Progress::start(&config.data_dir);
    let (journal, recovered) = match asking {
        Some((journal, recovered, records)) => {
            for (lsn, record) in records {
                trim.on_record(lsn, &record);
                recovery.restore(record)?;
            }
            (journal, recovered)
        }
        None => {
            let mut options = config.journal.clone();
            // Whatever is forgotten without it is known to be forgotten.
            options.create |= is_lost;
            Journal::open(FileDisk::new(&config.data_dir), identity, options, |record| {
                let (lsn, len) = (record.lsn.0, record.body.len());
                let body = Bytes::copy_from_slice(record.body);
                let record = NodeRecord::decode(record.kind, body)?;
                progress.count(len, recovery.replica_mut());
                trim.on_record(lsn, &record);
                recovery.restore(record)?;
                Ok(())
            })?
        }
    };
    if let Some(replica) = recovery.replica_mut() {
        drop(replica.take_steps());
    }
    progress.end(&recovered);
    let store = store.map(|opened| (opened.store, opened.written_at));
    Ok(Restored { roles: recovery.finish(), journal, recovered, trim, store })
}

/// Opens the store and finds the newest snapshot of it that is in order.
fn open_store(config: &Config) -> Result<Opened, StartError> {
    let directory = config.data_dir.join(DIRECTORY);
    let (store, listed) =
        Store::open(FileDisk::new(&directory), config.cluster.0, config.snapshots_keep)?;
    let mut unreadable = store.unusable();
    // What began from a seed cannot be made again from the journal.
    let mut is_seed_lost = config.seed.is_some() || seed_is_unusable(&unreadable);
    for listed in listed {
        // All of it is read before any of it is restored: a half restored state is of no use.
        match store.verify(listed.number) {
            Ok(_) => {
                if let Some(expected) = config.seed.filter(|_| listed.number == SEED)
                    && expected != listed.digest
                {
                    let (directory, found) = (directory.display().to_string(), listed.digest);
                    return Err(StartError::OtherSeed { directory, found, expected });
                }
                told(&unreadable);
                let written_at = written_at(&directory);
                return Ok(Opened { store, newest: Some(listed), written_at });
            }
            Err(error) => {
                is_seed_lost |= listed.number == SEED;
                // So that another of its number may come. What cannot be read now may be later.
                if listed.number != SEED
                    && matches!(error, SnapshotError::Damaged { .. })
                    && let Err(error) = store.remove(listed.number)
                {
                    tracing::warn!("snapshot {} stays: {error}", listed.number);
                }
                unreadable.push(error);
            }
        }
    }
    told(&unreadable);
    if is_seed_lost {
        return Err(StartError::NoSeed { directory: directory.display().to_string() });
    }
    if !unreadable.is_empty() {
        tracing::error!(
            "no snapshot of {} is readable: this node goes on without, and catches up from the others",
            directory.display()
        );
    }
    Ok(Opened { store, newest: None, written_at: None })
}

/// Whether the file of a seed is there, and no snapshot.
fn seed_is_unusable(unreadable: &[SnapshotError]) -> bool {
    let name = format!("snapshot-{SEED:016x}");
    unreadable
        .iter()
        .any(|error| matches!(error, SnapshotError::Damaged { file, .. } if *file == name))
}

fn told(unreadable: &[SnapshotError]) {
    for error in unreadable {
        tracing::error!("a snapshot is passed over: {error}");
    }
}

fn restore_snapshot(
    store: &Store<FileDisk>,
    listed: Listed,
    recovery: &mut Recovery,
) -> Result<(), StartError> {
    let (begun, mut told, mut read) = (Instant::now(), Instant::now(), 0);
    let mut reader = store.read(listed.number)?;
    let mut failed = None;
    let mut pieces = std::iter::from_fn(|| match reader.next()? {
        Ok(piece) => {
            read += piece.bytes.len();
            if told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                let (number, len) = (listed.number, listed.len);
                tracing::info!("restoring snapshot {number}: {read} of {len} bytes");
            }
            Some((piece.kind, piece.bytes))
        }
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let restored = recovery.restore_snapshot(offer(listed), &mut pieces);
    if let Some(error) = failed {
        return Err(error.into());
    }
    restored.map_err(|source| StartError::Unrestorable { number: listed.number, source })?;
    tracing::info!(
        "restored snapshot {}: {} bytes in {:?}",
        listed.number,
        listed.len,
        begun.elapsed()
    );
    Ok(())
}

/// When the newest file of the directory was last written.
fn written_at(directory: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(directory).ok()?;
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("snapshot-"))
        .filter_map(|entry| entry.metadata().ok()?.modified().ok())
        .max()
}

/// Tells whoever waits for a node with a long journal that it is at work.
struct Progress {
    begun: Instant,
    told: Instant,
    records: u64,
    bytes: u64,
    /// What the journal's files have room for.
    bytes_max: u64,
}

impl Progress {
    fn start(directory: &Path) -> Self {
        let begun = Instant::now();
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let bytes_max = entries
            .filter(|entry| entry.file_name().to_string_lossy().ends_with(".segment"))
            .filter_map(|entry| Some(entry.metadata().ok()?.len()))
            .sum();
        Self { begun, told: begun, records: 0, bytes: 0, bytes_max }
    }

    fn count(&mut self, len: usize, replica: Option<&mut Replica>) {
        self.records += 1;
        self.bytes += RECORD_HEADER_BYTES + len as u64;
        if !self.records.is_multiple_of(STEPS_KEPT) {
            return;
        }
        if let Some(replica) = replica {
            drop(replica.take_steps());
        }
        if self.told.elapsed() >= PROGRESS_EVERY {
            self.told = Instant::now();
            let Self { records, bytes, bytes_max, .. } = self;
            tracing::info!(
                "recovering: {bytes} bytes, {records} records, of a journal with files of \
                 {bytes_max} bytes"
            );
        }
    }

    fn end(&self, recovered: &Recovered) {
        if recovered.created {
            tracing::info!("a new journal: this node has promised nothing yet");
            return;
        }
        tracing::info!(
            "recovered {} records, {} bytes in {} segments, in {:?}{}",
            recovered.records,
            recovered.bytes,
            recovered.segments,
            self.begun.elapsed(),
            if recovered.closed { "" } else { "; the node had not been shut down in order" }
        );
    }
}
