//! Cache and worker as real files and processes: this test binary again, with a variable that names its part.
//!
//! INVARIANT: the child's "compiler" turns bytes around; what is tested is who may say what native code is.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use aim_compiler_process::{ProcessCompiler, SideCommand, WorkerLimits, serve_compiler};
use aim_core::digest::Digest;
use aim_hardening::{
    fields::FieldWriter,
    key_file::{self, Role},
    side_process::SideProcess,
};
use aim_ports::{
    PortError, PortFault,
    compiler::{CompileRequest, Compiler as _},
};

const KEYS: &str = "AIM_COMPILER_TEST_KEYS";
const PROFILE: &str = "engine 1, cranelift, fuel";
/// Small enough for a test; real limits have their own.
const TIGHT: WorkerLimits = WorkerLimits {
    memory_bytes_base: 512 * 1024 * 1024,
    memory_bytes_each: 0,
    memory_bytes_max: 512 * 1024 * 1024,
    cpu_s_base: 1,
    cpu_s_each_mib: 0,
    wall_factor: 120,
};

/// What the child makes of a component.
fn turn_around(profile: &str, component: &[u8]) -> Vec<u8> {
    component
        .iter()
        .rev()
        .chain(profile.as_bytes())
        .copied()
        .collect()
}

/// Child: a worker whose compiler does what the component says.
#[test]
fn child() {
    let Some(keys) = std::env::var_os(KEYS).map(PathBuf::from) else {
        return;
    };
    let served = serve_compiler(&keys, |profile, component| match component {
        b"refuse" => Err("unknown opcode at 7".to_owned()),
        b"spin" => loop {
            std::hint::spin_loop();
        },
        b"eat" => Ok(vec![1; 600 * 1024 * 1024]),
        b"sleep" => {
            thread::sleep(Duration::from_mins(10));
            Ok(Vec::new())
        }
        b"crash" => std::process::exit(3),
        b"reach" => {
            let reached = [
                keys.join("cache.key"),
                keys.join("step.key"),
                "/etc/passwd".into(),
            ]
            .iter()
            .filter(|path| fs::read(path).is_ok())
            .count();
            let dumpable = rustix::process::dumpable_behavior();
            Ok(format!("{reached} {dumpable:?}").into_bytes())
        }
        component => Ok(turn_around(profile, component)),
    });
    std::process::exit(i32::from(served.is_err()));
}

struct Bench {
    home: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self {
            home: tempfile::tempdir().unwrap(),
        };
        key_file::init(&bench.keys()).unwrap();
        bench
    }

    fn keys(&self) -> PathBuf {
        self.home.path().join("keys")
    }

    fn cache(&self) -> PathBuf {
        self.home.path().join("cache")
    }

    fn compiler(&self) -> ProcessCompiler {
        self.compiler_with(&worker(&self.keys()), TIGHT)
    }

    fn compiler_with(&self, command: &SideCommand, limits: WorkerLimits) -> ProcessCompiler {
        let key = key_file::load_public(&self.keys(), Role::Cache).unwrap();
        ProcessCompiler::new(command.clone(), &key, Some(&self.cache()), limits).unwrap()
    }

    /// A compiler that can only answer from the cache.
    fn cache_only(&self) -> ProcessCompiler {
        self.compiler_with(&SideCommand::new("/no/such/program", [""; 0]), TIGHT)
    }

    fn file(&self, profile: &str, component: &[u8]) -> PathBuf {
        let profile = Digest::derive("engine-profile", &[profile.as_bytes()]).hex();
        let name = format!("{}.native", Digest::of(component).hex());
        self.cache().join(profile).join(name)
    }
}

fn worker(keys: &Path) -> SideCommand {
    let program = std::env::current_exe().unwrap();
    let mut command = SideCommand::new(program, ["--exact", "child", "--nocapture"]);
    command.environment = vec![(KEYS.into(), keys.as_os_str().into())];
    command
}

fn code(compiler: &mut ProcessCompiler, component: &[u8]) -> Result<Vec<u8>, PortError> {
    compiler.native_code(&CompileRequest {
        component,
        profile: PROFILE,
    })
}

#[test]
fn compiles_once_and_then_answers_from_the_cache_without_a_worker() {
    let bench = Bench::new();
    let mut compiler = bench.compiler();
    assert_eq!(
        compiler.worker_id(),
        None,
        "nothing is started before a miss"
    );
    let expected = turn_around(PROFILE, b"component");
    assert_eq!(code(&mut compiler, b"component").unwrap(), expected);
    let id = compiler.worker_id().unwrap();
    assert_eq!(
        code(&mut compiler, b"second").unwrap(),
        turn_around(PROFILE, b"second")
    );
    assert_eq!(compiler.worker_id(), Some(id), "one worker compiles all");
    compiler.finish();
    assert!(!Path::new(&format!("/proc/{id}")).exists());
    assert_eq!(
        code(&mut bench.cache_only(), b"component").unwrap(),
        expected
    );
    let fault = code(&mut bench.cache_only(), b"third").unwrap_err();
    assert_eq!(
        (fault.fault, fault.code),
        (PortFault::Unavailable, Some("AIM-K008"))
    );
}

// Negative control: with `Subject::verifies` answering true, flipped code is handed out and the test fails.
#[test]
fn every_flipped_byte_of_a_cache_file_is_noticed() {
    let bench = Bench::new();
    let mut compiler = bench.compiler();
    let expected = code(&mut compiler, b"component").unwrap();
    let file = bench.file(PROFILE, b"component");
    let good = fs::read(&file).unwrap();
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 1 << (index % 8);
        fs::write(&file, &bad).unwrap();
        let fault = code(&mut bench.cache_only(), b"component").unwrap_err();
        assert_eq!(
            fault.fault,
            PortFault::Unavailable,
            "byte {index} was taken from the cache"
        );
    }
    for length in 0..good.len() {
        fs::write(&file, good.get(..length).unwrap()).unwrap();
        assert!(
            code(&mut bench.cache_only(), b"component").is_err(),
            "{length} bytes"
        );
    }
    assert_eq!(
        code(&mut compiler, b"component").unwrap(),
        expected,
        "it is compiled anew"
    );
    assert_eq!(
        fs::read(&file).unwrap(),
        good,
        "and the cache is good again"
    );
}

// Negative control: with the component's or the profile's digest left out of the signed message, a swap is taken.
#[test]
fn files_of_another_component_profile_or_key_are_not_taken() {
    let bench = Bench::new();
    let mut compiler = bench.compiler();
    code(&mut compiler, b"mine").unwrap();
    code(&mut compiler, b"theirs").unwrap();
    let other_profile = CompileRequest {
        component: b"mine",
        profile: "engine 2",
    };
    compiler.native_code(&other_profile).unwrap();
    let mine = bench.file(PROFILE, b"mine");
    for from in [
        bench.file(PROFILE, b"theirs"),
        bench.file("engine 2", b"mine"),
    ] {
        fs::copy(from, &mine).unwrap();
        assert!(code(&mut bench.cache_only(), b"mine").is_err());
    }
    let stranger = Bench::new();
    code(&mut stranger.compiler(), b"mine").unwrap();
    fs::copy(stranger.file(PROFILE, b"mine"), &mine).unwrap();
    assert!(code(&mut bench.cache_only(), b"mine").is_err());
    assert_eq!(
        code(&mut compiler, b"mine").unwrap(),
        turn_around(PROFILE, b"mine")
    );
}

// Negative control: as above, a worker with other keys is believed and the test fails.
#[test]
fn a_worker_with_another_key_is_not_believed() {
    let bench = Bench::new();
    let stranger = Bench::new();
    let mut compiler = bench.compiler_with(&worker(&stranger.keys()), TIGHT);
    let fault = code(&mut compiler, b"component").unwrap_err();
    assert_eq!(
        (fault.fault, fault.code),
        (PortFault::Corrupt, Some("AIM-K010"))
    );
    assert_eq!(compiler.worker_id(), None);
    assert!(
        !bench.file(PROFILE, b"component").exists(),
        "nothing of it is kept"
    );
}

// Negative control: with RLIMIT_CPU left out of `limit_self`, the worker runs until the time limit: `time`, not `CPU`.
#[test]
fn a_component_that_keeps_the_compiler_busy_is_given_up() {
    let bench = Bench::new();
    let mut compiler = bench.compiler();
    let fault = code(&mut compiler, b"spin").unwrap_err();
    assert_eq!(
        (fault.fault, fault.code),
        (PortFault::Exhausted, Some("AIM-K009"))
    );
    assert!(fault.detail.contains("CPU"), "{fault}");
    assert!(
        code(&mut compiler, b"next").is_ok(),
        "a fresh worker goes on"
    );
}

// Negative control: with RLIMIT_AS left out of `limit_self`, the child gets its memory and the test fails.
#[test]
fn a_component_that_makes_the_compiler_eat_memory_is_given_up() {
    let bench = Bench::new();
    let mut compiler = bench.compiler();
    let fault = code(&mut compiler, b"eat").unwrap_err();
    assert_eq!(
        (fault.fault, fault.code),
        (PortFault::Exhausted, Some("AIM-K009"))
    );
    assert!(fault.detail.contains("memory"), "{fault}");
    assert!(code(&mut compiler, b"next").is_ok());
}

/// Negative control: with no time limit, this fails.
#[test]
fn a_worker_that_sleeps_is_killed_in_the_end() {
    let bench = Bench::new();
    let limits = WorkerLimits {
        wall_factor: 1,
        ..TIGHT
    };
    let mut compiler = bench.compiler_with(&worker(&bench.keys()), limits);
    let fault = code(&mut compiler, b"sleep").unwrap_err();
    assert_eq!(fault.fault, PortFault::Exhausted);
    assert!(fault.detail.contains("time"), "{fault}");
    assert_eq!(compiler.worker_id(), None);
}

#[test]
fn a_refusal_and_a_crash_are_told_apart_from_limits() {
    let bench = Bench::new();
    let mut compiler = bench.compiler();
    let refused = code(&mut compiler, b"refuse").unwrap_err();
    assert_eq!(refused.fault, PortFault::Corrupt);
    assert!(refused.detail.contains("unknown opcode at 7"), "{refused}");
    assert!(
        compiler.worker_id().is_some(),
        "a refusal does not cost the worker"
    );
    let crashed = code(&mut compiler, b"crash").unwrap_err();
    assert_eq!(crashed.fault, PortFault::Corrupt);
    assert!(code(&mut compiler, b"next").is_ok());
}

// Negative control: with `restrict_files` or `harden_self` left out of `prepare`, the child counts 3 or is dumpable.
#[test]
fn the_worker_can_open_nothing_and_not_be_dumped_while_it_compiles() {
    let bench = Bench::new();
    let reached = code(&mut bench.compiler(), b"reach").unwrap();
    let shown = String::from_utf8(reached).unwrap();
    assert_eq!(
        shown, "0 Ok(NotDumpable)",
        "a kernel without Landlock shows 3 here"
    );
}

// Negative control: with the mode check of the private folder taken out, the folder is used and the test fails.
#[test]
fn a_cache_folder_that_others_can_change_is_not_used_and_that_is_said() {
    let bench = Bench::new();
    fs::create_dir(bench.cache()).unwrap();
    let use_it = |case: &str| {
        let mut compiler = bench.compiler();
        assert!(compiler.remarks()[0].contains("AIM-K007"), "{case}");
        assert_eq!(
            code(&mut compiler, b"x").unwrap(),
            turn_around(PROFILE, b"x"),
            "{case}"
        );
        assert_eq!(fs::read_dir(bench.cache()).unwrap().count(), 0, "{case}");
    };
    fs::set_permissions(bench.cache(), fs::Permissions::from_mode(0o777)).unwrap();
    use_it("world-writable");
    fs::set_permissions(bench.cache(), fs::Permissions::from_mode(0o770)).unwrap();
    use_it("group-writable");
    fs::remove_dir(bench.cache()).unwrap();
    let elsewhere = bench.home.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, bench.cache()).unwrap();
    use_it("link");
}

/// Negative control: with links to files followed, this fails.
#[test]
fn a_link_in_place_of_a_cache_file_is_replaced_and_not_followed() {
    let bench = Bench::new();
    let mut compiler = bench.compiler();
    code(&mut compiler, b"x").unwrap();
    let file = bench.file(PROFILE, b"x");
    let moved = bench.home.path().join("moved");
    fs::rename(&file, &moved).unwrap();
    let before = fs::read(&moved).unwrap();
    symlink(&moved, &file).unwrap();
    assert!(
        code(&mut bench.cache_only(), b"x").is_err(),
        "even good bytes behind a link"
    );
    code(&mut compiler, b"x").unwrap();
    assert!(fs::symlink_metadata(&file).unwrap().is_file());
    assert_eq!(fs::read(&moved).unwrap(), before);
}

#[test]
fn several_hosts_share_a_cache() {
    let bench = Bench::new();
    thread::scope(|scope| {
        for host in 0..4_u8 {
            let bench = &bench;
            scope.spawn(move || {
                let mut compiler = bench.compiler();
                for number in 0..8 {
                    let component = [number; 1_000];
                    let expected = turn_around(PROFILE, &component);
                    assert_eq!(
                        code(&mut compiler, &component).unwrap(),
                        expected,
                        "host {host}"
                    );
                }
                assert!(compiler.remarks().is_empty());
            });
        }
    });
    for number in 0..8 {
        assert!(code(&mut bench.cache_only(), &[number; 1_000]).is_ok());
    }
}

// Negative control: with `exit_when_closed` left out of `prepare`, the worker has to be killed and has no exit code.
#[test]
fn a_worker_ends_with_its_host_in_the_middle_of_its_work() {
    let bench = Bench::new();
    let mut process = SideProcess::start(&worker(&bench.keys()), 1_000).unwrap();
    let channel = process.channel().unwrap();
    channel.receive(None).unwrap();
    let mut request = FieldWriter::new(1);
    request
        .bytes(b"profile")
        .number(1 << 32)
        .number(60)
        .raw(b"sleep");
    channel.send(&request.finish(), None).unwrap();
    assert_eq!(process.stop().unwrap().code(), Some(0));
}

/// Negative control: with no check of the mode, this fails.
#[test]
fn a_missing_or_exposed_cache_key_is_named() {
    let bench = Bench::new();
    let key = bench.keys().join("cache.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let fault = code(&mut bench.compiler(), b"x").unwrap_err();
    assert_eq!(
        (fault.fault, fault.code),
        (PortFault::Forbidden, Some("AIM-K002"))
    );
    fs::remove_file(key).unwrap();
    let fault = code(&mut bench.compiler(), b"x").unwrap_err();
    assert_eq!(
        (fault.fault, fault.code),
        (PortFault::Forbidden, Some("AIM-K004"))
    );
}

/// Negative control: with weak keys taken, this fails.
#[test]
fn a_key_that_proves_nothing_is_refused() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let command = SideCommand::new("x", [""; 0]);
    let refused = ProcessCompiler::new(command, &neutral, None, TIGHT).unwrap_err();
    assert_eq!(refused.code, Some("AIM-K003"));
}
