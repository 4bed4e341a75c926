//! What the kernel says about processes: CPU time to the nanosecond, resident memory.
//!
//! CPU time is summed over the threads that live; threads that ended in between are not seen, and the cases end none.
//!
//! INVARIANT: reading asks the kernel's own accounts and never a clock.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use crate::Result;

/// CPU time of the calling thread.
pub(crate) fn thread_cpu() -> Result<Duration> {
    // A thread's account is brought up to date when it gives way.
    std::thread::yield_now();
    on_cpu(Path::new("/proc/thread-self/schedstat"))
}

/// CPU time over the threads of a process; `None` is this one.
pub(crate) fn process_cpu(process: Option<u32>) -> Result<Duration> {
    Ok(threads_cpu(process)?.values().sum())
}

/// CPU time of a process by the names of its threads; `None` is this process.
pub(crate) fn threads_cpu(process: Option<u32>) -> Result<BTreeMap<String, Duration>> {
    std::thread::yield_now();
    let name = process.map_or("self".to_owned(), |id| id.to_string());
    let mut total = BTreeMap::new();
    for thread in fs::read_dir(Path::new("/proc").join(name).join("task"))? {
        let folder = thread?.path();
        // A thread may end between listing and reading.
        let (Ok(name), Ok(spent)) = (
            fs::read_to_string(folder.join("comm")),
            on_cpu(&folder.join("schedstat")),
        ) else {
            continue;
        };
        *total.entry(name.trim_end().to_owned()).or_default() += spent;
    }
    Ok(total)
}

fn on_cpu(file: &Path) -> Result<Duration> {
    let text = fs::read_to_string(file)?;
    let nanoseconds = text.split_whitespace().next().ok_or("empty schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// Resident memory of this process in MiB: all of it, and what no file backs.
pub(crate) fn resident_mib() -> Result<(f64, f64)> {
    let text = fs::read_to_string("/proc/self/status")?;
    Ok((field(&text, "VmRSS:")?, field(&text, "RssAnon:")?))
}

/// The most that was ever resident of this process, in MiB.
pub(crate) fn peak_mib() -> Result<f64> {
    field(&fs::read_to_string("/proc/self/status")?, "VmHWM:")
}

fn field(status: &str, name: &str) -> Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    let kibibytes: f64 = kibibytes.ok_or(format!("no {name} in status"))?.parse()?;
    Ok(kibibytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_mebibytes() {
        let status = "Name:\tx\nVmRSS:\t    2048 kB\nRssAnon:\t 512 kB\n";
        assert!((field(status, "VmRSS:").unwrap() - 2.0).abs() < 1e-9);
        assert!((field(status, "RssAnon:").unwrap() - 0.5).abs() < 1e-9);
        assert!(field(status, "VmSwap:").is_err());
    }

    #[test]
    fn work_takes_cpu_time() {
        let before = thread_cpu().unwrap();
        let sum: u64 = (0..2_000_000_u64).map(std::hint::black_box).sum();
        assert!(sum > 0 && thread_cpu().unwrap() > before);
    }
}
