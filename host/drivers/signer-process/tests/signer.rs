//! The signer as a real process: this test binary again, with a variable that names its part.
//!
//! INVARIANT: the child runs `serve` with a core that signs nothing real; what is tested is the wall, not the signature.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use aim_ports::{
    PortError, PortFault,
    signer::{CheckpointRequest, PublicKeys, SignedTree, Signer as _, SigningCore},
};
use aim_signer_process::{SideCommand, SignerProcess, SignerSeeds, key_file, serve};
use aim_testkit::suite::{self, CountingCore};
use rustix::process::DumpableBehavior;

const PART: &str = "AIM_SIGNER_TEST_PART";
const KEYS: &str = "AIM_SIGNER_TEST_KEYS";

/// A counting core that shows the keys it was given.
#[derive(Debug)]
struct TestCore {
    keys: PublicKeys,
    answers: CountingCore,
}

impl SigningCore for TestCore {
    fn public_keys(&self) -> PublicKeys {
        self.keys
    }

    fn sign_statements(&self, payloads: &[&[u8]]) -> Result<Vec<[u8; 64]>, PortError> {
        if payloads.contains(&&b"try the keys"[..]) {
            let keys = PathBuf::from(std::env::var_os(KEYS).unwrap());
            let reached =
                fs::read(keys.join("step.key")).is_ok() || fs::read("/etc/passwd").is_ok();
            return Ok(vec![[u8::from(reached); 64]]);
        }
        if payloads.contains(&&b"show yourself"[..]) {
            let core = rustix::process::getrlimit(rustix::process::Resource::Core);
            let shown = [
                rustix::process::dumpable_behavior() == Ok(DumpableBehavior::NotDumpable),
                core.current == Some(0) && core.maximum == Some(0),
                rustix::thread::no_new_privs() == Ok(true),
                std::env::vars_os().all(|(name, _)| name == PART || name == KEYS),
            ];
            let mut answer = [0; 64];
            for (slot, is_so) in answer.iter_mut().zip(shown) {
                *slot = u8::from(is_so);
            }
            return Ok(vec![answer]);
        }
        if payloads.contains(&&b"hang"[..]) {
            std::thread::sleep(Duration::from_mins(10));
        }
        if payloads.contains(&&b"one too few"[..]) {
            return Ok(Vec::new());
        }
        self.answers.sign_statements(payloads)
    }

    fn sign_checkpoint(
        &self,
        state: Option<&[u8]>,
        request: &CheckpointRequest,
    ) -> Result<(Vec<u8>, Vec<u8>), PortError> {
        self.answers.sign_checkpoint(state, request)
    }

    fn signed_tree(&self, origin: &str, state: &[u8]) -> Result<SignedTree, PortError> {
        self.answers.signed_tree(origin, state)
    }
}

fn core(seeds: &SignerSeeds) -> TestCore {
    TestCore {
        keys: PublicKeys {
            step: seeds.step.public(),
            log: seeds.log.public(),
        },
        answers: CountingCore::default(),
    }
}

/// Child: plays the part that its environment names.
#[test]
fn child() {
    let Some(part) = std::env::var_os(PART) else {
        return;
    };
    let keys = PathBuf::from(std::env::var_os(KEYS).unwrap());
    let served = match part.to_str().unwrap() {
        "signer" => serve(&keys, |seeds| Box::new(core(&seeds))),
        "swapped" => serve(&keys, |seeds| {
            let mut core = core(&seeds);
            std::mem::swap(&mut core.keys.step, &mut core.keys.log);
            Box::new(core)
        }),
        "babbler" => {
            let socket = rustix::io::dup(rustix::stdio::stdin()).unwrap();
            let mut socket = UnixStream::from(socket);
            socket.write_all(&[2, 0, 0, 0, 77, 77]).unwrap();
            let _ended = socket.read(&mut [0]);
            Ok(())
        }
        other => Err(PortError::new(PortFault::NotFound, other, "no such part")),
    };
    std::process::exit(i32::from(served.is_err()));
}

fn command(part: &str, keys: &Path) -> SideCommand {
    let program = std::env::current_exe().unwrap();
    let mut command = SideCommand::new(program, ["--exact", "child", "--nocapture"]);
    command.environment = vec![
        (PART.into(), part.into()),
        (KEYS.into(), keys.as_os_str().into()),
    ];
    command
}

fn start() -> (tempfile::TempDir, PathBuf, SignerProcess) {
    let home = tempfile::tempdir().unwrap();
    let keys = home.path().join("keys");
    let signer = SignerProcess::spawn(&command("signer", &keys)).unwrap();
    (home, keys, signer)
}

fn leaves(origin: &str, first_index: u64, count: usize) -> CheckpointRequest {
    CheckpointRequest {
        origin: origin.to_owned(),
        first_index,
        leaf_hashes: vec![[1; 32]; count],
    }
}

#[test]
fn behaves_as_the_port_says() {
    let (_home, _keys, mut signer) = start();
    suite::signer(&mut signer);
}

#[test]
fn makes_keys_on_first_use_and_shows_their_public_halves() {
    let (_home, keys, signer) = start();
    let shown = signer.public_keys();
    assert_eq!(
        shown.step,
        key_file::load_public(&keys, key_file::Role::Step).unwrap()
    );
    assert_eq!(
        shown.log,
        key_file::load_public(&keys, key_file::Role::Log).unwrap()
    );
    drop(signer);
    let again = SignerProcess::spawn(&command("signer", &keys)).unwrap();
    assert_eq!(again.public_keys(), shown);
}

// Negative control: with `advance` storing nothing, the second signer starts at 0 and the test fails.
#[test]
fn a_killed_signer_remembers_what_it_signed() {
    let (_home, keys, mut signer) = start();
    signer.sign_checkpoint(&leaves("log", 0, 3)).unwrap();
    let id = signer.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-9", &id])
            .status()
            .unwrap()
            .success()
    );
    let gone = signer.sign_checkpoint(&leaves("log", 3, 1)).unwrap_err();
    assert_eq!(
        (gone.fault, gone.code),
        (PortFault::Unavailable, Some("AIM-K005"))
    );
    let mut next = SignerProcess::spawn(&command("signer", &keys)).unwrap();
    assert_eq!(next.signed_tree("log").unwrap().unwrap().size, 3);
    let fault = next
        .sign_checkpoint(&leaves("log", 0, 3))
        .unwrap_err()
        .fault;
    assert_eq!(
        fault,
        PortFault::Corrupt,
        "the same size is not signed twice"
    );
}

// Negative control: with the lock left out of `advance`, two signers sign the same size now and then and the test fails.
#[test]
fn two_signers_of_one_key_folder_never_sign_one_size_twice() {
    let (_home, keys, _first) = start();
    let signed: Vec<u64> = std::thread::scope(|scope| {
        let hosts: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut signer = SignerProcess::spawn(&command("signer", &keys)).unwrap();
                    let mut signed = Vec::new();
                    for _ in 0..60 {
                        let tree = signer.signed_tree("shared").unwrap();
                        let size = tree.map_or(0, |tree| tree.size);
                        if let Ok(note) = signer.sign_checkpoint(&leaves("shared", size, 1)) {
                            signed.push(String::from_utf8(note).unwrap().parse().unwrap());
                        }
                    }
                    signed
                })
            })
            .collect();
        hosts
            .into_iter()
            .flat_map(|host| host.join().unwrap())
            .collect()
    });
    let mut distinct = signed.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), signed.len());
}

// Negative control: with `restrict_files` left out of `prepare`, the child reads both files and the test fails.
#[test]
fn the_signer_itself_can_open_nothing_any_more() {
    let (_home, _keys, mut signer) = start();
    let reached = signer.sign_statements(&[b"try the keys"]).unwrap();
    assert_eq!(reached, [[0; 64]], "a kernel without Landlock shows 1 here");
}

// Negative control: with `harden_self` left out of `prepare`, the process is dumpable and the test fails.
#[test]
fn s4_the_signer_can_not_be_dumped_or_gain_privileges_and_inherits_no_environment() {
    let (_home, _keys, mut signer) = start();
    let shown = signer.sign_statements(&[b"show yourself"]).unwrap();
    assert_eq!(shown[0].get(..4).unwrap(), [1; 4]);
}

#[test]
fn a_slow_signer_is_unavailable_and_stays_so() {
    let home = tempfile::tempdir().unwrap();
    let keys = home.path().join("keys");
    let patience = Duration::from_millis(200);
    let mut signer =
        SignerProcess::spawn_with_patience(&command("signer", &keys), patience).unwrap();
    let slow = signer.sign_statements(&[b"hang"]).unwrap_err();
    assert_eq!(
        (slow.fault, slow.code),
        (PortFault::Unavailable, Some("AIM-K005"))
    );
    assert_eq!(signer.id(), None, "it was killed");
    assert_eq!(
        signer.sign_statements(&[b"x"]).unwrap_err().fault,
        PortFault::Unavailable
    );
}

#[test]
fn nonsense_in_place_of_an_answer_is_unavailable() {
    let (_home, keys, mut signer) = start();
    let few = signer.sign_statements(&[b"one too few"]).unwrap_err();
    assert_eq!(few.fault, PortFault::Unavailable);
    assert_eq!(
        signer.signed_tree("x").unwrap_err().fault,
        PortFault::Unavailable
    );
    for part in ["babbler", "nobody", "swapped"] {
        let refused = SignerProcess::spawn(&command(part, &keys)).unwrap_err();
        assert_eq!(
            (refused.fault, refused.code),
            (PortFault::Unavailable, Some("AIM-K005")),
            "{part}"
        );
    }
    let missing = SideCommand::new("/no/such/program", ["signer"]);
    assert_eq!(
        SignerProcess::spawn(&missing).unwrap_err().fault,
        PortFault::Unavailable
    );
}

/// Negative control: with no check of the mode, this fails.
#[test]
fn an_exposed_key_is_refused_with_its_code() {
    let (_home, keys, signer) = start();
    drop(signer);
    fs::set_permissions(keys.join("log.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let refused = SignerProcess::spawn(&command("signer", &keys)).unwrap_err();
    assert_eq!(
        (refused.fault, refused.code),
        (PortFault::Forbidden, Some("AIM-K002"))
    );
    assert!(refused.detail.contains("chmod"), "{refused}");
}

#[test]
fn many_and_large_statements_need_no_more_room_than_a_message_has() {
    let (_home, _keys, mut signer) = start();
    let large = vec![b'x'; 3 * 1024 * 1024];
    let payloads: Vec<&[u8]> = (0..12).map(|_| large.as_slice()).collect();
    assert_eq!(signer.sign_statements(&payloads).unwrap().len(), 12);
    let too_large = vec![0; 5 * 1024 * 1024];
    let refused = signer.sign_statements(&[b"x", &too_large]).unwrap_err();
    assert_eq!(refused.fault, PortFault::Exhausted);
    assert_eq!(
        signer.sign_statements(&[b"x"]).unwrap().len(),
        1,
        "the signer lives on"
    );
    let note = signer.sign_checkpoint(&leaves("old", 0, 600_000)).unwrap();
    assert_eq!(note, b"600000");
}

#[test]
fn the_signer_ends_with_its_host() {
    let (_home, _keys, signer) = start();
    let proc = PathBuf::from(format!("/proc/{}", signer.id().unwrap()));
    assert!(proc.exists());
    drop(signer);
    assert!(!proc.exists(), "no process and no zombie");
}

/// Negative control: with anything taken for the socket, this fails.
#[test]
fn by_hand_it_does_nothing() {
    let home = tempfile::tempdir().unwrap();
    let keys = home.path().join("keys");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(PART, "signer")
        .env(KEYS, &keys)
        .stdin(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(!keys.exists());
}
