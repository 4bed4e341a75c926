//! Confines itself as its first argument says, below the folder of its second, and prints what it can still do.
//!
//! INVARIANT: it has one thread when it asks, but for the part that shows what a second one does.

#![expect(clippy::print_stdout, reason = "the test reads what this prints")]

use std::{
    env, fs, io,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    thread,
};

use aim_hardening::confine::{Confinement, Reach, confine_host};

fn confined(paths_read: &[&Path], paths_write: &[&Path], keys: &Path) -> Confinement {
    let reach = Reach {
        paths_read: paths_read.to_vec(),
        paths_write: paths_write.to_vec(),
        connect_ports: Vec::new(),
    };
    confine_host(&reach, keys)
}

fn main() {
    let mut arguments = env::args_os().skip(1);
    let part = arguments.next().unwrap_or_default();
    let home = PathBuf::from(arguments.next().unwrap_or_default());
    let (keys, data, given) = (home.join("keys"), home.join("data"), home.join("given"));
    let root = Path::new("/");
    let confinement = match part.to_str() {
        Some("everything") => confined(&[root], &[root], &keys),
        Some("inside") => confined(&[&given], &[&home], &keys),
        Some("absent") => confined(&[&given], &[&data], &home.join("no-keys")),
        Some("threads") => beside_a_thread(|| confined(&[&given], &[&data], &keys)),
        _ => confined(&[&given], &[&data], &keys),
    };
    println!("LEVEL {}", confinement.level.word());
    println!("REMARK {}", confinement.remark);
    let dumpable = rustix::process::dumpable_behavior();
    println!("DUMPABLE {dumpable:?}");
    report("READ-KEY", fs::read(keys.join("step.key")).map(drop));
    report("READ-GIVEN", fs::read(given.join("f")).map(drop));
    report("WRITE-GIVEN", fs::write(given.join("f"), b"x"));
    report("WRITE-DATA", fs::write(data.join("f"), b"x"));
    report("RENAME-DATA", fs::rename(data.join("f"), data.join("g")));
    report("READ-OTHER", fs::read("/etc/passwd").map(drop));
    report("RUN", Command::new("/bin/true").status().map(drop));
    report("CONNECT", TcpStream::connect("127.0.0.1:9").map(drop));
}

fn beside_a_thread(act: impl FnOnce() -> Confinement) -> Confinement {
    let (stop, wait) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || wait.recv());
        let confinement = act();
        drop(stop);
        confinement
    })
}

fn report(what: &str, done: io::Result<()>) {
    let is_denied = done.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    println!("{what} {}", if is_denied { "DENIED" } else { "DONE" });
}
