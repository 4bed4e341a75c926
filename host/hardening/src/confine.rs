//! Giving up power: no core dumps, no tracing, no new privileges, and by Landlock no files but those that are named.
//!
//! INVARIANT: a level is reported only when an attempt to open the key folder showed it; nothing is believed from the
//! success of a system call alone.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, NetPort, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus, make_bitflags, path_beneath_rules,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// The newest set of rights that this code was written for; older kernels enforce what they know.
const RIGHTS: ABI = ABI::V5;

/// How far the signing keys are from the process that runs guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IsolationLevel {
    /// Another process of the same user: whoever takes over the host can open the key files.
    SameUid,
    /// The host can not open the key folder any more, as an attempt showed.
    Landlock,
    /// The keys belong to another user. Reserved; nothing reports it yet.
    SeparateUid,
}

impl IsolationLevel {
    /// The word that goes into evidence.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SameUid => "same-uid",
            Self::Landlock => "landlock",
            Self::SeparateUid => "separate-uid",
        }
    }
}

/// What a confinement achieved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confinement {
    /// What was shown.
    pub level: IsolationLevel,
    /// Why it is not more, for people; empty when nothing is missing.
    pub remark: String,
}

/// Makes this process useless to look into: no core dumps, not traceable, no privileges by exec. Can not be undone.
///
/// The calling thread alone gets no-new-privs; call it before there are others.
///
/// # Errors
/// What the operating system says.
pub fn harden_self() -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    rustix::thread::set_no_new_privs(true)?;
    Ok(())
}

/// Gives up every file but those below `paths_read` (reading) and `paths_write` (reading and writing), running programs,
/// and TCP, for the calling thread and those that it starts. Missing paths are left out. Can not be undone.
///
/// True when the kernel enforces at least the file rules.
///
/// # Errors
/// A text when the kernel refuses the rules.
pub fn restrict_files(paths_read: &[&Path], paths_write: &[&Path]) -> Result<bool, String> {
    restrict(&Reach {
        paths_read: paths_read.to_vec(),
        paths_write: paths_write.to_vec(),
        connect_ports: Vec::new(),
    })
}

fn restrict(reach: &Reach<'_>) -> Result<bool, String> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let write: BitFlags<AccessFs> = AccessFs::from_all(RIGHTS) & !AccessFs::Execute;
    let build = || {
        Ruleset::default()
            .handle_access(AccessFs::from_all(RIGHTS))?
            .handle_access(AccessNet::from_all(RIGHTS))?
            .create()?
            .add_rules(path_beneath_rules(&reach.paths_read, read))?
            .add_rules(path_beneath_rules(&reach.paths_write, write))?
            .add_rules(reach.connect_ports.iter().map(|port| {
                Ok::<_, landlock::RulesetError>(NetPort::new(*port, AccessNet::ConnectTcp))
            }))?
            .restrict_self()
    };
    build()
        .map(|status| status.ruleset != RulesetStatus::NotEnforced)
        .map_err(|error| error.to_string())
}

/// What a confined host keeps.
#[derive(Debug, Clone, Default)]
pub struct Reach<'a> {
    /// Files and folders that it reads.
    pub paths_read: Vec<&'a Path>,
    /// Files and folders that it reads and writes.
    pub paths_write: Vec<&'a Path>,
    /// TCP ports that it connects to, on any machine.
    pub connect_ports: Vec<u16>,
}

/// Confines the host before it runs a guest: [`harden_self`], then [`restrict_files`], then an attempt to open the key
/// folder and the keys in it.
///
/// Call it while the process has one thread, after the signer and the compile worker were started and everything in
/// `/proc/self` that is needed later was opened: a process that is not dumpable can not open those files unless it is
/// root, and threads that exist already keep their access, so that the level stays `same-uid`. The key folder must not
/// lie below one of the given paths.
#[must_use]
pub fn confine_host(reach: &Reach<'_>, keys_dir: &Path) -> Confinement {
    let same_uid = |remark: String| Confinement {
        level: IsolationLevel::SameUid,
        remark,
    };
    if let Err(why) = fs::read_dir(keys_dir) {
        return same_uid(format!(
            "the key folder could not be opened before either: {why}"
        ));
    }
    let threads = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if let Err(why) = harden_self() {
        return same_uid(format!("the process could not be hardened: {why}"));
    }
    match restrict(reach) {
        Err(why) => return same_uid(format!("Landlock refused the rules: {why}")),
        Ok(false) => return same_uid("this kernel has no Landlock".to_owned()),
        Ok(true) => {}
    }
    if let Some(reached) = first_reachable(keys_dir) {
        return same_uid(format!("`{reached}` can still be opened"));
    }
    if threads != 1 {
        return same_uid(format!(
            "{threads} threads were running when it was asked for"
        ));
    }
    Confinement {
        level: IsolationLevel::Landlock,
        remark: String::new(),
    }
}

/// Tries the folder and every key; anything but a refusal by permission counts as reachable.
fn first_reachable(keys_dir: &Path) -> Option<String> {
    let is_refused = |result: io::Result<()>| {
        result.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    };
    if !is_refused(fs::read_dir(keys_dir).map(drop)) {
        return Some(keys_dir.display().to_string());
    }
    ["step.key", "log.key", "cache.key"]
        .iter()
        .map(|name| keys_dir.join(name))
        .find(|path| !is_refused(File::open(path).map(drop)))
        .map(|path| path.display().to_string())
}
