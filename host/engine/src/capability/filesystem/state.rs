//! What a descriptor stands for, and how a path is resolved from it.
//!
//! INVARIANT: a descriptor never leads outside of its own mount, and never does more than it was opened for.

use std::sync::Arc;

use aim_core::{digest::Digest, transcript::Fields};

use super::types::{DescriptorStat, DescriptorType, ErrorCode, MetadataHash};
use crate::{
    folder::{Found, PathFault, Snapshot, first_path},
    stage::{About, FileHandle, How, Opened, SharedStage, StageFault},
};

/// The name of a mount, for as many descriptors as there are.
pub(super) type Mount = Arc<str>;

/// Where a descriptor leads.
#[derive(Debug)]
pub(super) enum Place {
    /// Into a snapshot, which nobody changes.
    Given(Snapshot, Found),
    /// A file of a writable folder.
    StagedFile(FileHandle),
    /// A folder of a writable folder, by the descriptor's path.
    StagedFolder(SharedStage),
}

/// An open file or folder.
#[derive(Debug)]
pub(crate) struct Node {
    pub(super) mount: Mount,
    pub(super) path: String,
    pub(super) place: Place,
    pub(super) can_write: bool,
}

/// A folder that is being listed: where it is and how far the listing has come. The names stay where they are, so that any number
/// of listings holds next to nothing.
pub(crate) struct Listing {
    place: Place,
    path: String,
    from: String,
}

impl Listing {
    /// The next name, and whether it is a folder. A folder that was removed meanwhile has no more.
    pub(super) fn next(&mut self) -> Option<(String, bool)> {
        let child = match &self.place {
            Place::Given(snapshot, _) => snapshot.child(&self.path, &self.from),
            Place::StagedFolder(stage) => stage.child(&self.path, &self.from).ok().flatten(),
            Place::StagedFile(_) => None,
        }?;
        self.from = child.next;
        Some((child.name, child.is_folder))
    }
}

pub(super) const fn path_error(fault: PathFault) -> ErrorCode {
    match fault {
        PathFault::Missing => ErrorCode::NoEntry,
        PathFault::NotFolder => ErrorCode::NotDirectory,
        PathFault::Outside => ErrorCode::NotPermitted,
    }
}

pub(super) const fn stage_error(fault: StageFault) -> ErrorCode {
    match fault {
        StageFault::Path(fault) => path_error(fault),
        StageFault::Exists => ErrorCode::Exist,
        StageFault::IsFolder => ErrorCode::IsDirectory,
        StageFault::NotEmpty => ErrorCode::NotEmpty,
        StageFault::NameTooLong => ErrorCode::NameTooLong,
        StageFault::Name => ErrorCode::IllegalByteSequence,
        StageFault::Quota => ErrorCode::Quota,
        StageFault::Invalid => ErrorCode::Invalid,
        StageFault::Root => ErrorCode::Busy,
    }
}

impl Node {
    /// The folder that a grant mounts.
    pub(super) fn root(name: &str, place: Place) -> Self {
        Self {
            mount: name.into(),
            path: String::new(),
            can_write: matches!(place, Place::StagedFolder(_)),
            place,
        }
    }

    /// True in a folder whose changes are kept.
    pub(super) const fn is_staged(&self) -> bool {
        !matches!(self.place, Place::Given(..))
    }

    /// The writable folder, when the descriptor is one and was opened for changes.
    pub(super) fn writable(&self) -> Result<&SharedStage, ErrorCode> {
        match &self.place {
            Place::StagedFolder(stage) if self.can_write => Ok(stage),
            Place::StagedFolder(_) => Err(ErrorCode::NotPermitted),
            Place::StagedFile(_) => Err(ErrorCode::NotDirectory),
            Place::Given(..) => Err(ErrorCode::ReadOnly),
        }
    }

    /// The file, when the descriptor is one and was opened for writing.
    pub(super) fn file(&self) -> Result<&FileHandle, ErrorCode> {
        match &self.place {
            Place::StagedFile(file) if self.can_write => Ok(file),
            Place::StagedFile(_) => Err(ErrorCode::NotPermitted),
            Place::StagedFolder(_) => Err(ErrorCode::IsDirectory),
            Place::Given(..) => Err(ErrorCode::ReadOnly),
        }
    }

    /// Opens `path` below this folder.
    pub(super) fn open(&self, path: &str, how: How, writes: bool) -> Result<Self, ErrorCode> {
        let node = |path, place| Self {
            mount: Mount::clone(&self.mount),
            path,
            place,
            can_write: writes,
        };
        match &self.place {
            Place::StagedFile(_) => Err(ErrorCode::NotDirectory),
            Place::Given(snapshot, _) => {
                let (whole, found) = self.given(path)?;
                if writes || how.creates || how.truncates || how.is_exclusive {
                    return Err(ErrorCode::ReadOnly);
                }
                if how.wants_folder && matches!(found, Found::File(_)) {
                    return Err(ErrorCode::NotDirectory);
                }
                Ok(node(whole, Place::Given(snapshot.clone(), found)))
            }
            Place::StagedFolder(stage) => {
                let changes = how.creates || writes;
                if (changes && !self.can_write) || (how.truncates && !writes) {
                    return Err(ErrorCode::NotPermitted);
                }
                let (whole, opened) = stage.open(&self.path, path, how).map_err(stage_error)?;
                let place = match opened {
                    Opened::Folder => Place::StagedFolder(stage.clone()),
                    Opened::File(file) => Place::StagedFile(file),
                };
                Ok(node(whole, place))
            }
        }
    }

    /// Bytes that opening `path` so would cut off a file.
    pub(super) fn cut(&self, path: &str, how: How) -> usize {
        match &self.place {
            Place::StagedFolder(stage) if self.can_write => {
                usize::try_from(stage.cut(&self.path, path, how)).unwrap_or(usize::MAX)
            }
            _ => 0,
        }
    }

    /// Resolves a path in a snapshot.
    fn given(&self, path: &str) -> Result<(String, Found), ErrorCode> {
        match &self.place {
            Place::Given(snapshot, Found::Folder) => {
                snapshot.resolve(&self.path, path).map_err(path_error)
            }
            _ => Err(ErrorCode::NotDirectory),
        }
    }

    fn about(&self) -> About {
        match &self.place {
            Place::Given(_, found) => about_found(found),
            Place::StagedFile(file) => About {
                is_folder: false,
                size_bytes: file.size(),
            },
            Place::StagedFolder(_) => About {
                is_folder: true,
                size_bytes: 0,
            },
        }
    }

    /// What kind of thing it is.
    pub(super) fn kind(&self) -> DescriptorType {
        kind(self.about().is_folder)
    }

    /// Sizes are real; times are absent, because nothing here has any.
    pub(super) fn stat(&self) -> DescriptorStat {
        stat(self.about())
    }

    /// The same for a path below.
    pub(super) fn stat_at(&self, path: &str) -> Result<DescriptorStat, ErrorCode> {
        match &self.place {
            Place::StagedFolder(stage) => {
                let (_, about) = stage.about(&self.path, path).map_err(stage_error)?;
                Ok(stat(about))
            }
            _ => Ok(stat(about_found(&self.given(path)?.1))),
        }
    }

    /// A listing of the folder, from its start.
    pub(super) fn listing(&self) -> Result<Listing, ErrorCode> {
        let place = match &self.place {
            Place::Given(snapshot, Found::Folder) => Place::Given(snapshot.clone(), Found::Folder),
            Place::StagedFolder(stage) => {
                stage.child(&self.path, "").map_err(stage_error)?;
                Place::StagedFolder(stage.clone())
            }
            Place::Given(..) | Place::StagedFile(_) => return Err(ErrorCode::NotDirectory),
        };
        Ok(Listing {
            place,
            path: self.path.clone(),
            from: first_path(&self.path),
        })
    }

    /// At most `length` bytes from `offset`, and whether that is all there is.
    pub(super) fn read(&self, offset: u64, length: usize) -> Result<(Vec<u8>, bool), ErrorCode> {
        let at = |size: u64, taken: usize| offset.saturating_add(taken as u64) >= size;
        match &self.place {
            Place::Given(_, Found::File(file)) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let start = start.min(file.bytes.len());
                let end = start.saturating_add(length).min(file.bytes.len());
                let piece = file.bytes.get(start..end).unwrap_or_default().to_vec();
                let is_end = at(file.bytes.len() as u64, piece.len());
                Ok((piece, is_end))
            }
            Place::StagedFile(file) => {
                let piece = file.read(offset, length);
                let is_end = at(file.size(), piece.len());
                Ok((piece, is_end))
            }
            Place::Given(..) | Place::StagedFolder(_) => Err(ErrorCode::IsDirectory),
        }
    }

    /// What an opening is recorded with: enough to know every byte that can be read.
    pub(super) fn pinned(&self) -> Fields {
        let fields = Fields::new();
        match &self.place {
            Place::Given(_, Found::File(file)) => fields.bytes(file.digest.as_bytes()),
            Place::Given(snapshot, Found::Folder) => fields.bytes(snapshot.digest().as_bytes()),
            Place::StagedFolder(stage) => fields.bytes(stage.base_digest().as_bytes()),
            Place::StagedFile(file) => match file.base() {
                Some((digest, _)) => fields.bytes(digest.as_bytes()),
                None => fields.text("staged").number(file.size()),
            },
        }
    }

    /// True when both lead to the same thing.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.place, &other.place) {
            (Place::StagedFile(one), Place::StagedFile(two)) => one.is_same(two),
            _ => self.mount == other.mount && self.path == other.path,
        }
    }

    /// Two numbers that tell it from everything else in its mount.
    pub(super) fn hash(&self) -> MetadataHash {
        match &self.place {
            Place::Given(_, Found::File(file)) => self.hash_of(&self.path, file.digest.as_bytes()),
            Place::Given(..) | Place::StagedFolder(_) => self.hash_of(&self.path, &[]),
            Place::StagedFile(file) => {
                let state = [file.number(), file.size()].map(u64::to_le_bytes);
                self.hash_of("", state.as_flattened())
            }
        }
    }

    /// The same for a path below.
    pub(super) fn hash_at(&self, path: &str) -> Result<MetadataHash, ErrorCode> {
        match &self.place {
            Place::StagedFolder(_) => {
                let how = How::default();
                self.open(path, how, false).map(|node| node.hash())
            }
            _ => {
                let (whole, found) = self.given(path)?;
                Ok(match found {
                    Found::File(file) => self.hash_of(&whole, file.digest.as_bytes()),
                    Found::Folder => self.hash_of(&whole, &[]),
                })
            }
        }
    }

    fn hash_of(&self, path: &str, content: &[u8]) -> MetadataHash {
        let parts: [&[u8]; 3] = [self.mount.as_bytes(), path.as_bytes(), content];
        let digest = Digest::derive("metadata", &parts);
        let half = |from: usize| {
            let bytes = digest.as_bytes().iter().skip(from).take(8);
            bytes.fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte))
        };
        MetadataHash {
            lower: half(0),
            upper: half(8),
        }
    }
}

const fn kind(is_folder: bool) -> DescriptorType {
    if is_folder {
        DescriptorType::Directory
    } else {
        DescriptorType::RegularFile
    }
}

fn about_found(found: &Found) -> About {
    match found {
        Found::File(file) => About {
            is_folder: false,
            size_bytes: file.bytes.len() as u64,
        },
        Found::Folder => About {
            is_folder: true,
            size_bytes: 0,
        },
    }
}

const fn stat(about: About) -> DescriptorStat {
    DescriptorStat {
        kind: kind(about.is_folder),
        link_count: 1,
        size: about.size_bytes,
        data_access_timestamp: None,
        data_modification_timestamp: None,
        status_change_timestamp: None,
    }
}
