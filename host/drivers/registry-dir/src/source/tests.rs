//! Only regular files, once, and not too many bytes.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use super::*;

fn code(result: Result<Vec<u8>, LoadFault>) -> &'static str {
    result.map_or_else(|fault| fault.code, |_| "read")
}

#[test]
fn reads_a_regular_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.wasm");
    fs::write(&file, b"\0asm").unwrap();
    assert_eq!(read_component(&file).unwrap(), b"\0asm");
}

/// Without NOFOLLOW the link is read; without NONBLOCK the pipe hangs; without the check of the type the folder gives a
/// confusing error.
/// Negative control: with no look at the kind of file, or with links followed, this fails.
#[test]
fn l22_refuses_everything_but_a_regular_file() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("secret");
    fs::write(&target, b"secret").unwrap();
    let link = dir.path().join("link.wasm");
    symlink(&target, &link).unwrap();
    assert_eq!(code(read(&link, 10)), "AIM-C002");
    assert_eq!(code(read(dir.path(), 10)), "AIM-C002");
    let pipe = dir.path().join("pipe.wasm");
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, mode, 0).unwrap();
    assert_eq!(code(read(&pipe, 10)), "AIM-C002");
    let socket = dir.path().join("socket.wasm");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(code(read(&socket, 10)), "AIM-C002");
    assert_eq!(code(read(Path::new("/dev/null"), 10)), "AIM-C002");
    assert_eq!(code(read(&dir.path().join("none"), 10)), "AIM-C001");
}

#[test]
fn refuses_one_byte_past_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("big.wasm");
    fs::write(&file, [0; 10]).unwrap();
    assert_eq!(read(&file, 10).unwrap().len(), 10);
    assert_eq!(code(read(&file, 9)), "AIM-C018");
    // A hole costs nothing on disk; the reader still stops one byte past the limit.
    let hole = dir.path().join("hole.wasm");
    File::create(&hole).unwrap().set_len(1 << 30).unwrap();
    assert_eq!(read_component(&hole).unwrap_err().code(), "AIM-C018");
}

#[test]
fn refuses_files_and_folders_that_everybody_can_write() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.cedar");
    fs::write(&file, b"x").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o646)).unwrap();
    assert_eq!(code(read(&file, 10)), "AIM-C019");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(code(read(&file, 10)), "read");
    let folder = dir.path().join("policy");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(list(&folder, &["cedar"]).unwrap_err().code, "AIM-C019");
}

#[test]
fn a_folder_is_listed_by_name_without_what_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "b.cedar",
        "a.cedar",
        "_off.cedar",
        ".hidden.cedar",
        "readme.md",
        "c.cedar.bak",
    ] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    let names: Vec<String> = read_policy(dir.path())
        .unwrap()
        .into_iter()
        .map(|file| file.name)
        .collect();
    assert_eq!(names, ["a.cedar", "b.cedar"]);
}

#[test]
fn one_unreadable_policy_file_refuses_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.cedar"), "ok").unwrap();
    fs::write(dir.path().join("b.cedar"), [0xff, 0xfe]).unwrap();
    fs::create_dir(dir.path().join("c.cedar")).unwrap();
    let error = read_policy(dir.path()).unwrap_err();
    let codes: Vec<_> = error.faults.iter().map(|fault| fault.code).collect();
    assert_eq!(codes, ["AIM-C003", "AIM-C002"]);
}

/// With the comparison to the root taken out, the first two resolve.
#[test]
fn a_path_never_leaves_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap().join("project");
    let base = root.join("contracts");
    fs::create_dir_all(&base).unwrap();
    fs::write(root.join("in.wasm"), b"x").unwrap();
    fs::write(dir.path().join("out.wasm"), b"x").unwrap();
    symlink(dir.path(), base.join("door")).unwrap();
    symlink(root.join("in.wasm"), base.join("link.wasm")).unwrap();
    let code =
        |written| resolve(&root, &base, written).map_or_else(|fault| fault.code, |_| "found");
    assert_eq!(code("../../out.wasm"), "AIM-C016");
    assert_eq!(code("door/out.wasm"), "AIM-C016");
    assert_eq!(code("/etc/passwd"), "AIM-C016");
    assert_eq!(code("link.wasm"), "AIM-C002");
    assert_eq!(code("../in.wasm"), "found");
    assert_eq!(code("none.wasm"), "AIM-C001");
}
