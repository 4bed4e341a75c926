//! One attack beside one neighbour, and what must hold after every one of them.
//!
//! | invariant | how it is seen here |
//! | --- | --- |
//! | I1 host alive, neighbours unaffected | the echo beside the attack and the echo after it both complete with their own text |
//! | I2 nothing acknowledged is lost | every attempt of the reports is in the log that is read anew |
//! | I3 no effect twice | an attempt that did not complete released nothing, and the store holds nothing of it |
//! | I4 evidence verifies | the whole log, with the keys from outside |
//! | I5 no secret | keys, places of this machine and the neighbour's words are in nothing that the attack left |
//! | I6 nothing left open | threads and file descriptors are as many as before |
//! | I7 one record each | one attempt, one witness |
//!
//! I8 and resident memory are measured by the bench and the soak, where time and memory mean something.
//! INVARIANT: [`after`] is the only way out of a case, so no attack escapes the list.

use std::sync::Arc;

use aim_core::{name::StepName, outcome::Outcome, witness::AttemptPredicate};
use aim_engine::Cancel;
use aim_ports::folder::SnapshotFile;
use aim_runtime::{
    admission::AdmissionError,
    execute::RunReport,
    progress::{Progress, Unwatched, Watcher},
};
use aim_testkit::MemoryFolder;
use serde_json::{Map, Value, json};

use crate::{
    component::guest,
    rig::{Rig, SECRETS},
};

const BOTH: &str = "PLAN both:\n  QUIP \"A wolf that waits its turn.\"\n  ROLE enemy: custom(node=\"enemy\")\n  ROLE echo: custom(node=\"echo\")\n  STEP hostile:\n    ASSIGN enemy: \"x\"\n  STEP neighbour:\n    ASSIGN echo: \"x\"\n";
const ALONE: &str = "PLAN alone:\n  QUIP \"A wolf that waits its turn.\"\n  ROLE echo: custom(node=\"echo\")\n  STEP neighbour:\n    ASSIGN echo: \"x\"\n";

/// What the neighbour is told before and after: in nothing that the attack leaves.
const NEIGHBOURS_WORD: &str = "canary-4f1d-neighbour";

/// One attack.
pub(crate) struct Case {
    component: Vec<u8>,
    input: String,
    contract: Map<String, Value>,
    limits: Map<String, Value>,
    /// What the attack may change, and what it may read.
    folders: Option<(MemoryFolder, Vec<SnapshotFile>)>,
}

impl Case {
    /// An attack by these bytes.
    pub(crate) fn of(component: Vec<u8>) -> Self {
        let asks = ["context", "budget", "attest", "consult", "log"]
            .map(|capability| json!({ "capability": capability }));
        let mut asks = asks.to_vec();
        asks.push(json!({ "capability": "artifact", "modes": ["read", "put"] }));
        let contract = Map::from_iter([("asks".to_owned(), json!(asks))]);
        Self {
            component,
            input: "nothing".to_owned(),
            contract,
            limits: Map::new(),
            folders: None,
        }
    }

    /// An attack of the guest `hostile-files` on a folder `data` that it may change and a folder `given` that it may read.
    pub(crate) fn on_folders(attack: &str, data: &MemoryFolder, given: Vec<SnapshotFile>) -> Self {
        let ask = |folder: &str, modes: &[&str]| json!({ "capability": "filesystem", "modes": modes, "folder": folder });
        let asks = [ask("data", &["read", "write"]), ask("given", &["read"])];
        let adapt = aim_core::adapter::Profile::Std.name();
        let mut case = Self::of(guest("hostile-files"))
            .input(attack)
            .with("asks", json!(asks))
            .with("adapt", json!(adapt));
        case.folders = Some((data.clone(), given));
        case
    }

    /// An operation of the guest `hostile`, with its sizes as `name=value`.
    pub(crate) fn hostile(input: &str) -> Self {
        Self::of(guest("hostile")).input(input)
    }

    /// An operation of the guest `hostile-std`.
    pub(crate) fn hostile_std(input: &str) -> Self {
        let adapt = aim_core::adapter::Profile::Std.name();
        Self::of(guest("hostile-std"))
            .input(input)
            .with("adapt", json!(adapt))
    }

    pub(crate) fn input(mut self, input: &str) -> Self {
        input.clone_into(&mut self.input);
        self
    }

    /// A field of the contract.
    pub(crate) fn with(mut self, field: &str, value: Value) -> Self {
        self.contract.insert(field.to_owned(), value);
        self
    }

    /// A limit of the contract.
    pub(crate) fn limit(mut self, name: &str, value: u64) -> Self {
        self.limits.insert(name.to_owned(), json!(value));
        self
    }

    fn rig(&self) -> Rig {
        let mut contract = self.contract.clone();
        if !self.limits.is_empty() {
            contract.insert("limits".to_owned(), json!(self.limits));
        }
        let mut rig = Rig::new();
        rig.add("enemy", self.component.clone(), &json!(contract), None);
        if let Some((data, given)) = &self.folders {
            rig.folders.insert("data".to_owned(), data.clone());
            let name = StepName::parse("given").unwrap();
            rig.given.insert(name, given.clone());
        }
        rig
    }

    /// Runs it beside its neighbour; it must end in one of `allowed`, and every invariant must hold after it.
    pub(crate) fn ends(self, allowed: &[Outcome]) -> AttemptPredicate {
        self.ends_with(allowed, Arc::new(Unwatched), &Cancel::new())
    }

    /// As [`Case::ends`], for a run that is cancelled while the attack runs.
    pub(crate) fn ends_cancelled(self) -> AttemptPredicate {
        let cancel = Cancel::new();
        let watcher = Arc::new(CancelOnceStarted(cancel.clone()));
        self.ends_with(&[Outcome::Cancelled], watcher, &cancel)
    }

    fn ends_with(
        self,
        allowed: &[Outcome],
        watcher: Arc<dyn Watcher>,
        cancel: &Cancel,
    ) -> AttemptPredicate {
        let rig = self.rig();
        neighbour_alone(&rig);
        let open = left_open();
        let report = rig.run(BOTH, &self.input, watcher, cancel);
        let attempts = rig.attempts("hostile");
        assert_eq!(attempts.len(), 1, "I7: one attempt, one witness");
        let attempt = attempts.into_iter().next().unwrap();
        assert!(
            allowed.contains(&attempt.outcome),
            "ended in {:?}, not in one of {allowed:?}: {:?}",
            attempt.outcome,
            attempt.fault
        );
        after(&rig, &report, &attempt, cancel.is_cancelled(), open);
        attempt
    }

    /// Is refused before anything of it runs, for this reason (or one of these); the host lives and its log is as it was.
    pub(crate) fn refused(self, code: &str) {
        let rig = self.rig();
        neighbour_alone(&rig);
        let (open, log) = (left_open(), rig.log.bytes());
        let plan = aim_acl::compile(BOTH, aim_acl::Profile::Lenient).unwrap();
        let error = rig.admit(&plan.plan).expect_err("a refusal");
        let AdmissionError::Refused(loads) = &error else {
            panic!("{error:?}");
        };
        assert_eq!(loads.len(), 1, "only the hostile one: {loads:?}");
        assert_eq!(loads[0].node.as_str(), "enemy");
        let codes: Vec<&str> = loads[0].reasons.iter().map(|reason| reason.code).collect();
        assert!(
            codes.iter().any(|found| code.contains(found)),
            "{codes:?} lacks {code}"
        );
        let said = format!("{loads:?}");
        assert!(
            said.len() < 1 << 16,
            "a refusal is not as long as its cause"
        );
        assert!(!said.contains(env!("CARGO_MANIFEST_DIR")), "I5: {said}");
        assert!(rig.log.bytes() == log, "nothing was registered");
        neighbour_alone(&rig);
        assert_nothing_left(open);
    }

    /// Is admitted and compiles, or is refused at either; nothing of it runs and the host lives.
    pub(crate) fn does_not_load(self) -> String {
        let rig = self.rig();
        neighbour_alone(&rig);
        let plan = aim_acl::compile(BOTH, aim_acl::Profile::Lenient).unwrap();
        let inputs = aim_runtime::inputs::Inputs::default();
        let code = match rig.admit(&plan.plan) {
            Err(error) => error.code().to_owned(),
            Ok(admitted) => {
                let ready = admitted.ready(&crate::rig::ENGINE, &inputs);
                ready.expect_err("not loaded").code().to_owned()
            }
        };
        neighbour_alone(&rig);
        code
    }
}

/// Cancels the run shortly after the attack has begun.
#[derive(Debug)]
struct CancelOnceStarted(Cancel);

impl Watcher for CancelOnceStarted {
    fn notice(&self, progress: Progress) {
        if matches!(&progress, Progress::Started { step, .. } if step.as_str() == "hostile") {
            let cancel = self.0.clone();
            std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_millis(50));
                cancel.cancel();
            });
        }
    }
}

fn neighbour_alone(rig: &Rig) {
    let report = rig.run(ALONE, NEIGHBOURS_WORD, Arc::new(Unwatched), &Cancel::new());
    let outcome = report.steps[0].outcome.as_ref();
    assert_eq!(
        outcome,
        Some(&Outcome::Completed),
        "I1: the neighbour alone"
    );
}

/// Everything that must hold, whatever the attack was.
fn after(
    rig: &Rig,
    report: &RunReport,
    attempt: &AttemptPredicate,
    is_cancelled: bool,
    open: (usize, usize),
) {
    let neighbour = report
        .steps
        .iter()
        .find(|step| step.step.as_str() == "neighbour");
    if !is_cancelled {
        let outcome = neighbour.unwrap().outcome.as_ref();
        assert_eq!(
            outcome,
            Some(&Outcome::Completed),
            "I1: the neighbour beside it"
        );
    }
    neighbour_alone(rig);
    for step in report.steps.iter().filter(|step| step.outcome.is_some()) {
        let witnessed = rig.attempts(step.step.as_str());
        assert!(!witnessed.is_empty(), "I2: {} is in the log", step.step);
    }
    if attempt.outcome != Outcome::Completed {
        assert!(!attempt.released, "I3: nothing left");
        assert!(rig.store.digests().is_empty(), "I3: nothing is stored");
    }
    let verified = rig.verify();
    assert!(verified.authenticated, "I4: {verified:?}");
    no_secrets(rig, report, attempt);
    assert_nothing_left(open);
}

fn no_secrets(rig: &Rig, report: &RunReport, attempt: &AttemptPredicate) {
    let log = rig.log.bytes();
    for secret in SECRETS {
        assert!(!holds(&log, &secret), "I5: a key is in the log");
    }
    let hostile = report
        .steps
        .iter()
        .find(|step| step.step.as_str() == "hostile");
    let left = format!("{attempt:?} {hostile:?}");
    for word in [NEIGHBOURS_WORD, env!("CARGO_MANIFEST_DIR"), "canary: the"] {
        assert!(!left.contains(word), "I5: `{word}` is in {left}");
    }
    for c in ['\u{1b}', '\u{7}', '\u{202e}'] {
        let fault = attempt
            .fault
            .as_ref()
            .map_or("", |fault| fault.message.as_str());
        assert!(
            !fault.contains(c),
            "I5: a fault that a terminal obeys: {fault:?}"
        );
    }
}

pub(crate) fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Threads and file descriptors of this process. Only where each test is a process of its own do they belong to the test: that
/// is so with nextest and in a soak.
fn left_open() -> (usize, usize) {
    if std::env::var_os("NEXTEST").is_none() && !aim_testkit::soak::is_asked_for() {
        return (0, 0);
    }
    let count = |folder: &str| {
        let entries = std::fs::read_dir(folder).unwrap().flatten();
        entries.filter(|entry| !is_kept(&entry.path())).count()
    };
    // A thread that was joined may still be listed for a moment.
    // BOUND: ten looks, and the last one counts.
    let mut seen = (count("/proc/self/task"), count("/proc/self/fd"));
    for _ in 0..10 {
        std::thread::yield_now();
        let next = (count("/proc/self/task"), count("/proc/self/fd"));
        if next == seen {
            break;
        }
        seen = next;
    }
    seen
}

/// I6. What is on its way out is given a minute: a thread that has done its work ends when the machine gives it a turn.
fn assert_nothing_left(open: (usize, usize)) {
    let mut left = left_open();
    // BOUND: six thousand looks.
    for _ in 0..6_000 {
        if left.0 <= open.0 && left.1 <= open.1 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        left = left_open();
    }
    panic!("I6: threads and files {left:?} of {open:?}");
}

/// True for the two threads that an engine starts once and keeps: its tick and its slow lane.
fn is_kept(path: &std::path::Path) -> bool {
    let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
    ["aim-tick", "aim-slow"].contains(&name.trim_end())
}
