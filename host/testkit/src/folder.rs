//! Folders that a test makes up.
//!
//! INVARIANT: as in a driver, a snapshot is sorted and holds to its limits.

use std::collections::BTreeMap;

use aim_ports::{
    PortError, PortFault,
    folder::{Folders, SnapshotFile, SnapshotLimits},
};

/// Folders by name, each with files by path.
#[derive(Debug, Clone, Default)]
pub struct MemoryFolders(BTreeMap<String, BTreeMap<String, Vec<u8>>>);

impl MemoryFolders {
    /// Adds an empty folder.
    #[must_use]
    pub fn with_folder(mut self, root: &str) -> Self {
        self.0.entry(root.to_owned()).or_default();
        self
    }

    /// Adds a file, and its folder when it is new.
    #[must_use]
    pub fn with_file(mut self, root: &str, path: &str, bytes: &[u8]) -> Self {
        let folder = self.0.entry(root.to_owned()).or_default();
        folder.insert(path.to_owned(), bytes.to_vec());
        self
    }
}

impl Folders for MemoryFolders {
    fn snapshot(&self, root: &str, limits: SnapshotLimits) -> Result<Vec<SnapshotFile>, PortError> {
        let subject = || format!("folder `{root}`");
        let folder = self
            .0
            .get(root)
            .ok_or_else(|| PortError::new(PortFault::NotFound, subject(), "does not exist"))?;
        let bytes: u64 = folder.values().map(|bytes| bytes.len() as u64).sum();
        if bytes > limits.bytes_max || folder.len() > limits.files_max {
            return Err(PortError::new(PortFault::Exhausted, subject(), "too large"));
        }
        let file = |(path, bytes): (&String, &Vec<u8>)| SnapshotFile {
            path: path.clone(),
            bytes: bytes.clone(),
        };
        Ok(folder.iter().map(file).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite;

    #[test]
    fn behaves_as_the_port_says() {
        let folders = suite::FOLDER_FILES
            .iter()
            .fold(MemoryFolders::default(), |folders, (path, bytes)| {
                folders.with_file("given", path, bytes)
            });
        suite::folders(&folders, "given", "absent");
    }
}
