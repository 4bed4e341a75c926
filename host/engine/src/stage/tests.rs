//! The writable folder by itself.

use super::*;

fn stage(change: impl FnOnce(&mut Limits)) -> SharedStage {
    let mut limits = Limits::DEFAULT;
    change(&mut limits);
    let files = [("a/b", "one"), ("c", "two")];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    SharedStage::new(Snapshot::new(files), &limits)
}

const CREATE: How = How {
    creates: true,
    is_exclusive: false,
    truncates: false,
    wants_folder: false,
};

fn file(stage: &SharedStage, path: &str) -> FileHandle {
    match stage.open("", path, CREATE).unwrap().1 {
        Opened::File(file) => file,
        Opened::Folder => panic!("{path} is a folder"),
    }
}

fn kinds(stage: &SharedStage) -> Vec<(PathChangeKind, String)> {
    let changes = stage.changes().into_iter();
    changes.map(|change| (change.kind, change.path)).collect()
}

#[test]
fn what_is_as_before_is_no_change() {
    let stage = stage(|_| {});
    let held = file(&stage, "c");
    held.write(Some(0), b"xxx").unwrap();
    assert_eq!(kinds(&stage), [(PathChangeKind::File, "c".to_owned())]);
    held.write(Some(0), b"two").unwrap();
    stage.rename(("", "a"), ("", "z")).unwrap();
    stage.rename(("", "z"), ("", "a")).unwrap();
    assert_eq!(kinds(&stage), []);
}

#[test]
fn changes_come_in_the_order_in_which_they_can_be_made() {
    let stage = stage(|_| {});
    stage.remove_file("", "a/b").unwrap();
    stage.remove_folder("", "a").unwrap();
    drop(file(&stage, "a"));
    stage.remove_file("", "c").unwrap();
    stage.create_folder("", "c").unwrap();
    drop(file(&stage, "c/d"));
    let path = str::to_owned;
    assert_eq!(
        kinds(&stage),
        [
            (PathChangeKind::RemoveFile, path("a/b")),
            (PathChangeKind::RemoveFile, path("c")),
            (PathChangeKind::RemoveFolder, path("a")),
            (PathChangeKind::Folder, path("c")),
            (PathChangeKind::File, path("a")),
            (PathChangeKind::File, path("c/d")),
        ]
    );
}

#[test]
fn bytes_of_a_removed_file_count_as_long_as_it_is_held() {
    let stage = stage(|limits| limits.folder_bytes_max = 16);
    let held = file(&stage, "large");
    held.resize(10).unwrap();
    stage.remove_file("", "large").unwrap();
    let other = file(&stage, "other");
    assert_eq!(other.resize(10), Err(StageFault::Quota));
    drop(held);
    assert_eq!(other.resize(10), Ok(()));
    assert_eq!(other.resize(11), Err(StageFault::Quota));
}

#[test]
fn a_sparse_write_costs_the_size_that_it_says() {
    let stage = stage(|_| {});
    let held = file(&stage, "sparse");
    assert_eq!(held.write(Some(1 << 40), b"x"), Err(StageFault::Quota));
    assert_eq!(held.write(Some(u64::MAX), b"x"), Err(StageFault::Quota));
    assert_eq!(held.resize(u64::MAX), Err(StageFault::Quota));
    assert_eq!(held.size(), 0);
}

#[test]
fn a_folder_is_never_moved_into_itself_and_the_root_stays() {
    let stage = stage(|_| {});
    assert_eq!(
        stage.rename(("", "a"), ("", "a/x")),
        Err(StageFault::Invalid)
    );
    assert_eq!(stage.rename(("", "."), ("", "x")), Err(StageFault::Root));
    assert_eq!(stage.remove_folder("a", ".."), Err(StageFault::Root));
    assert_eq!(stage.remove_folder("", "a"), Err(StageFault::NotEmpty));
    assert_eq!(
        stage.rename(("", "c"), ("", "a")),
        Err(StageFault::IsFolder)
    );
    assert_eq!(
        stage.about("", "../c").map(|_| ()),
        Err(StageFault::Path(PathFault::Outside))
    );
}

/// Names are shown in order, each once, and what lies deeper is passed by.
#[test]
fn a_listing_goes_on_while_names_come_and_go() {
    let stage = stage(|_| {});
    for path in ["a/c", "a/d", "b-old", "e"] {
        drop(file(&stage, path));
    }
    let mut from = String::new();
    let mut next = || {
        let child = stage.child("", &from).unwrap()?;
        from = child.next;
        Some((child.name, child.is_folder))
    };
    let shown = |name: &str, is_folder| Some((name.to_owned(), is_folder));
    assert_eq!(next(), shown("a", true));
    stage.remove_file("", "b-old").unwrap();
    assert_eq!(next(), shown("c", false));
    stage.create_folder("", "d").unwrap();
    drop(file(&stage, "d/x"));
    drop(file(&stage, "b"));
    assert_eq!(next(), shown("d", true));
    assert_eq!(next(), shown("e", false));
    assert_eq!(next(), None);
    assert!(stage.child("none", "").is_err());
}
