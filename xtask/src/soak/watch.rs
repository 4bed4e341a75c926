//! One long test while it runs: how far it is, how fast, and what memory it holds.
//!
//! Memory is what no file backs, once a second. A test whose cases leave nothing behind holds as much at its end as when it was
//! warm; one that grows fails here, since no case can see it.
//! INVARIANT: what is said of memory and time comes from the kernel and from the test's own file, and never from what it printed.

use std::{
    fmt,
    path::Path,
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::say;

const LOOK_EVERY: Duration = Duration::from_millis(50);
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
const SAY_EVERY: Duration = Duration::from_secs(60);
/// Fewer samples than these say nothing about growth.
const SAMPLES_MIN: usize = 60;
/// What a warm test may hold more at its end: a twentieth, and 16 MiB. A case that kept a kibibyte would come to ten times as much in
/// a whole soak.
const GROWTH_FREE_KIB: u64 = 16 * 1024;
const GROWTH_SHARE: u64 = 20;

/// Where a test is: numbers of cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    start: u64,
    case: u64,
    end: u64,
    whole: u64,
}

impl Place {
    fn read(path: &Path) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(path).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().map(|word| word.parse().ok());
        let mut next = || words.next()?;
        Some(Self {
            start: next()?,
            case: next()?,
            end: next()?,
            whole: next()?,
        })
    }

    /// The part that is the case in it alone; `None` when every case has run.
    pub(super) fn part(&self) -> Option<String> {
        (self.case < self.end).then(|| format!("{}/{}", self.case + 1, self.whole))
    }

    fn done(&self) -> u64 {
        self.case.saturating_sub(self.start)
    }
}

/// What a test came to.
pub(super) struct Report {
    status: ExitStatus,
    pub(super) seconds: f64,
    pub(super) place: Option<Place>,
    /// KiB that no file backs, one number a second.
    memory: Vec<u64>,
}

impl Report {
    /// Why it did not pass.
    pub(super) fn fault(&self) -> Option<String> {
        if !self.status.success() {
            return Some(format!("ended with {}", self.status));
        }
        let (warm, end) = warm_and_end(&self.memory)?;
        let allowed = warm + warm / GROWTH_SHARE + GROWTH_FREE_KIB;
        let (warm, last) = (warm / 1024, end / 1024);
        (end > allowed).then(|| format!("its memory grew from {warm} to {last} MiB"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            let (start, case, end) = (place.start, place.case, place.end);
            write!(out, "cases {start} to {case} of {start} to {end}")?;
            // Rates are for readers: they need not be exact.
            let rate = Duration::from_secs_f64(self.seconds.max(0.001)).as_millis();
            write!(
                out,
                ", {} a second, ",
                u128::from(place.done()) * 1000 / rate.max(1)
            )?;
        }
        write!(out, "{:.1} min", self.seconds / 60.0)?;
        let most = self.memory.iter().max().copied().unwrap_or_default() / 1024;
        write!(out, ", {most} MiB at most")?;
        if let Some((warm, end)) = warm_and_end(&self.memory) {
            write!(
                out,
                ", {} MiB when warm and {} at the end",
                warm / 1024,
                end / 1024
            )?;
        }
        Ok(())
    }
}

/// The least of the second quarter and of the last quarter: what is held between cases, whatever a case takes while it runs.
fn warm_and_end(memory: &[u64]) -> Option<(u64, u64)> {
    if memory.len() < SAMPLES_MIN {
        return None;
    }
    let quarter = memory.len() / 4;
    let warm = *memory.get(quarter..2 * quarter)?.iter().min()?;
    let end = *memory.get(3 * quarter..)?.iter().min()?;
    Some((warm, end))
}

/// An allocator that gives back what it can, so that what is held is what somebody keeps: with an arena for each thread, cases
/// that keep nothing look like a leak for the first hundred thousand of them.
const ALLOCATOR: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
];

/// Runs it to its end, and says every minute how far it is.
pub(super) fn run(command: &mut Command, name: &str, place: &Path) -> Result<Report> {
    // What an earlier run has left is not where this one is.
    drop(std::fs::remove_file(place));
    let began = Instant::now();
    let mut child = command
        .envs(ALLOCATOR)
        .spawn()
        .with_context(|| format!("can not start {name}"))?;
    let (mut memory, mut sampled, mut said) = (Vec::new(), began, began);
    // BOUND: ends with the test; whoever watches a soak ends one that hangs, and its file says where.
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if sampled.elapsed() >= SAMPLE_EVERY {
            sampled = Instant::now();
            memory.extend(resident_kib(child.id()));
        }
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            let far = Place::read(place).map_or_else(String::new, |place| {
                format!(", case {} of {} to {}", place.case, place.start, place.end)
            });
            let minutes = began.elapsed().as_secs() / 60;
            let now = memory.last().copied().unwrap_or_default() / 1024;
            say::progress(&format!("  {name}: {minutes} min{far}, {now} MiB"));
        }
        std::thread::sleep(LOOK_EVERY);
    };
    Ok(Report {
        status,
        seconds: began.elapsed().as_secs_f64(),
        place: Place::read(place),
        memory,
    })
}

/// Memory of a process that no file backs.
fn resident_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod test {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn report(status: i32, memory: Vec<u64>) -> Report {
        Report {
            status: ExitStatus::from_raw(status),
            seconds: 10.0,
            place: Place::parse("5 105 205 1000\n"),
            memory,
        }
    }

    /// Control: with `warm_and_end` looking at the first quarter in place of the second, warming up is taken for growth and this fails (seen).
    #[test]
    fn memory_that_grows_when_warm_is_a_fault_and_warming_up_is_none() {
        let steady = |kib: u64| (0..400).map(move |_| kib);
        assert_eq!(report(0, steady(100_000).collect()).fault(), None);
        let warms = (0..100).map(|at| at * 1_000).chain(steady(100_000));
        assert_eq!(report(0, warms.collect()).fault(), None);
        let leaks: Vec<u64> = (0..400).map(|at| 100_000 + at * 500).collect();
        let fault = report(0, leaks).fault().unwrap();
        assert!(fault.contains("memory grew from 146 to 244 MiB"), "{fault}");
        let spikes = (0..400).map(|at| 100_000 + at % 7 * at * 500);
        assert_eq!(report(0, spikes.collect()).fault(), None);
        assert_eq!(report(0, vec![1, 1_000_000]).fault(), None);
        assert!(report(9, Vec::new()).fault().unwrap().contains("signal: 9"));
    }

    #[test]
    fn a_report_says_what_was_covered() {
        let said = report(0, vec![2_048, 1_024]).to_string();
        assert_eq!(
            said,
            "cases 5 to 105 of 5 to 205, 10 a second, 0.2 min, 2 MiB at most"
        );
        assert_eq!(Place::parse("1 2 3"), None);
        let part = |text: &str| Place::parse(text).unwrap().part();
        assert_eq!(part("5 105 205 1000"), Some("106/1000".to_owned()));
        assert_eq!(part("5 205 205 1000"), None);
    }

    #[test]
    fn a_process_is_watched_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("false");
        let report = run(&mut command, "false", &folder.path().join("place")).unwrap();
        assert!(report.fault().is_some() && report.place.is_none());
        assert!(resident_kib(std::process::id()).unwrap() > 0);
    }
}
