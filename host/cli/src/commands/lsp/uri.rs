//! `file:` addresses and paths, one to the other (RFC 8089, the part that editors use).
//!
//! INVARIANT: an address that is of another scheme, of another machine or not UTF-8 has no path, rather than a wrong one.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// Finds the path of a `file:` address.
pub(super) fn path_of(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return None;
    }
    let decoded = decoded(path)?;
    (!decoded.contains('\0')).then(|| PathBuf::from(decoded))
}

fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Writes the address of an absolute path; `None` for a path that is relative or not UTF-8.
pub(super) fn uri_of(path: &Path) -> Option<String> {
    let path = path.to_str().filter(|path| path.starts_with('/'))?;
    let mut uri = String::from("file://");
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(byte));
            }
            // Writing to a string does not fail.
            _ => {
                let _ignored = write!(uri, "%{byte:02X}");
            }
        }
    }
    Some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_being_an_address() {
        for path in ["/a b/\u{e9}\u{1f980}#?%.acl", "/", "/x%20y"] {
            let uri = uri_of(Path::new(path)).unwrap();
            assert!(uri.is_ascii() && !uri.contains(' '), "{uri}");
            assert_eq!(path_of(&uri), Some(PathBuf::from(path)));
        }
        assert_eq!(path_of("file://localhost/a"), Some(PathBuf::from("/a")));
    }

    #[test]
    fn what_is_no_file_of_this_machine_has_no_path() {
        for uri in [
            "untitled:1",
            "https://x/a",
            "file://other/a",
            "file:///a%",
            "file:///%ff",
            "file:///%00",
            "",
        ] {
            assert_eq!(path_of(uri), None, "{uri}");
        }
        assert_eq!(uri_of(Path::new("a/b")), None);
    }
}
