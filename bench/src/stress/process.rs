//! What the kernel says of a process and of a directory.

use procfs::process::Process;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A block of `st_blocks`, whatever the file system's own are.
const BLOCK_BYTES: u64 = 512;

/// Resident memory now, in bytes.
///
/// # Errors
/// When there is no such process any more.
pub(super) fn rss_bytes(process: u32) -> io::Result<u64> {
    Ok(of(process)?.statm().map_err(io::Error::other)?.resident * procfs::page_size())
}

/// The most resident memory that it ever had, in bytes.
///
/// # Errors
/// When there is no such process any more.
pub(super) fn rss_peak_bytes(process: u32) -> io::Result<u64> {
    let status = of(process)?.status().map_err(io::Error::other)?;
    let kib = status.vmhwm.ok_or_else(|| io::Error::other("the kernel tells no peak"))?;
    Ok(kib << 10)
}

/// Processor time since it began, of all its threads, in seconds.
///
/// # Errors
/// When there is no such process any more.
pub(super) fn cpu_seconds(process: u32) -> io::Result<f64> {
    let stat = of(process)?.stat().map_err(io::Error::other)?;
    Ok((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64)
}

fn of(process: u32) -> io::Result<Process> {
    Process::new(process as i32).map_err(io::Error::other)
}

/// Disk space that a directory takes, everything in it included, in bytes. What is removed meanwhile
/// does not count.
pub(super) fn disk_bytes(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let len = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let metadata = entry.metadata().ok()?;
        let below = if metadata.is_dir() { disk_bytes(&entry.path()) } else { 0 };
        Some(metadata.blocks() * BLOCK_BYTES + below)
    };
    entries.filter_map(len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: memory, disk or processor time are of something else, or in another unit.
    #[test]
    fn this_process_and_a_file_are_measured() {
        let me = std::process::id();
        let before = rss_bytes(me).unwrap();
        let held = vec![1_u8; 64 << 20];
        let after = rss_bytes(me).unwrap();
        assert!(after > before + (32 << 20), "{before} {after} {}", held.len());
        assert!(rss_peak_bytes(me).unwrap() >= after - (8 << 20));
        let cpu = cpu_seconds(me).unwrap();
        assert!((0.0..3_600.0).contains(&cpu), "{cpu}");

        let dir = tempfile::tempdir().unwrap();
        let empty = disk_bytes(dir.path());
        std::fs::create_dir(dir.path().join("below")).unwrap();
        std::fs::write(dir.path().join("below/file"), vec![7; 1 << 20]).unwrap();
        let full = disk_bytes(dir.path());
        assert!((1 << 20..3 << 20).contains(&(full - empty)), "{empty} {full}");
        assert_eq!(disk_bytes(&dir.path().join("nowhere")), 0);
    }
}
