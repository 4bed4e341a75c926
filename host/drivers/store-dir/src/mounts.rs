//! What a granted folder must not be or hold: the kernel's own file systems, where reading and writing are commands.
//!
//! INVARIANT: a folder of `proc`, `sys` or `dev` is refused wherever it is mounted.

use aim_ports::{PortError, PortFault};
use cap_std::fs::{Dir, MetadataExt as _};
use rustix::fs::fstatfs;

/// Magic numbers of file systems that are windows into the kernel, from `linux/magic.h`.
const KERNEL: [u64; 12] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0x1cd1,      // devpts
    0xcafe_4a11, // bpf
    0x6e73_6673, // nsfs
    0xde5e_81e4, // efivarfs
    0x6265_6570, // configfs
];

/// Refuses a folder of the kernel's.
pub(crate) fn check(root: &str, path: &str, dir: &Dir) -> Result<(), PortError> {
    let subject = if path.is_empty() {
        format!("folder `{root}`")
    } else {
        format!("`{path}` in folder `{root}`")
    };
    let refused = |detail: &str| {
        Err(PortError::new(PortFault::Forbidden, &*subject, detail).with_code("AIM-S006"))
    };
    let Ok(about) = fstatfs(dir) else {
        return refused("nobody can say what file system it is on");
    };
    let magic = u64::try_from(about.f_type).unwrap_or(u64::MAX) & 0xffff_ffff;
    if KERNEL.contains(&magic) {
        return refused("is a file system of the kernel");
    }
    if is_device_folder(dir) {
        return refused("is the folder of devices");
    }
    Ok(())
}

/// True on the file system that `/dev` is, where that is one of its own: it has the magic of any file system in memory.
fn is_device_folder(dir: &Dir) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let device = |path: &str| std::fs::metadata(path).map(|found| found.dev()).ok();
    let (root, devices) = (device("/"), device("/dev"));
    let own = dir.dir_metadata().map(|found| found.dev()).ok();
    devices.is_some() && devices != root && own == devices
}
