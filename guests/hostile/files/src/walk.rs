//! The interface itself, without a library that would clean a path before it gets there.
//! INVARIANT: paths and flags reach the host as they are written here.

use wasip2::filesystem::preopens::get_directories;
pub(crate) use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
};

/// What was tried, and what came back.
pub(crate) type Seen = Vec<(String, String)>;

/// The mount `/<name>`.
pub(crate) fn root(name: &str) -> Option<Descriptor> {
    let path = format!("/{name}");
    let mut found = get_directories().into_iter();
    found.find(|(_, at)| *at == path).map(|(root, _)| root)
}

/// `ok` or the error's name.
pub(crate) fn shown<T>(result: Result<T, ErrorCode>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(code) => code.name().to_owned(),
    }
}

/// Opens to read.
pub(crate) fn open(root: &Descriptor, path: &str) -> Result<Descriptor, ErrorCode> {
    root.open_at(
        PathFlags::SYMLINK_FOLLOW,
        path,
        OpenFlags::empty(),
        DescriptorFlags::READ,
    )
}

/// Opens to write, making the file where there is none.
pub(crate) fn create(root: &Descriptor, path: &str) -> Result<Descriptor, ErrorCode> {
    root.open_at(
        PathFlags::empty(),
        path,
        OpenFlags::CREATE,
        DescriptorFlags::READ | DescriptorFlags::WRITE,
    )
}

/// The first bytes of a file, as text.
pub(crate) fn content(root: &Descriptor, path: &str) -> Result<String, ErrorCode> {
    let (bytes, _) = open(root, path)?.read(64, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
