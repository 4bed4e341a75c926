//! Native code of large components, compiled once for all test processes.

use std::{fs, path::PathBuf};

use aim_core::digest::Digest;
use aim_engine::{EngineProfile, VerifiedNativeCode, compile};

use super::{Class, LinkedStep, Profile, World, admitted_as, asks_without_folder, guest};
use crate::support::ENGINE;

/// Loads a component of the big class.
pub(super) fn step(name: &str, profile: Profile) -> LinkedStep {
    let bytes = guest(name);
    let asks = asks_without_folder();
    let linkage =
        admitted_as(Class::Big, &bytes, World::Step, &asks, Some(profile)).expect("admitted");
    let native = VerifiedNativeCode::assume_verified(code(&bytes));
    ENGINE.load_step(native, &linkage).expect("a loaded step")
}

/// From a folder that only tests read and write; whoever comes first compiles while the others wait.
fn code(bytes: &[u8]) -> Vec<u8> {
    let fingerprint = EngineProfile::Wasi02.fingerprint();
    let key = Digest::derive("test-native", &[fingerprint.as_bytes(), bytes]);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/guests/native");
    fs::create_dir_all(&folder).unwrap();
    let lock = fs::File::create(folder.join(format!("{}.lock", key.hex()))).unwrap();
    lock.lock().unwrap();
    let file = folder.join(format!("{}.code", key.hex()));
    if let Ok(code) = fs::read(&file) {
        return code;
    }
    let code = compile(EngineProfile::Wasi02, bytes).expect("native code");
    // Whole or not at all: a test run that is killed leaves a part that nobody reads.
    let part = file.with_extension("part");
    fs::write(&part, &code).unwrap();
    fs::rename(&part, &file).unwrap();
    code
}
