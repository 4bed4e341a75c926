//! F8: making the host fill and drop megabytes with calls that bring no bytes: sizes, gaps, streams far behind the end, cuts.

use crate::walk::{Descriptor, DescriptorFlags, OpenFlags, PathFlags, Seen, create, shown};

const MIB: u64 = 1024 * 1024;
const TURNS: u32 = 200;

fn size(file: &Descriptor, bytes: u64) -> String {
    shown(file.set_size(bytes))
}

fn cut(root: &Descriptor) -> String {
    let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
    shown(root.open_at(PathFlags::empty(), "sized", OpenFlags::TRUNCATE, flags))
}

/// One byte at the end of a mebibyte, through a stream.
fn far(file: &Descriptor) -> String {
    match file.write_via_stream(MIB - 1) {
        Ok(stream) if stream.blocking_write_and_flush(b"x").is_ok() => "ok".to_owned(),
        Ok(_) => "refused".to_owned(),
        Err(code) => shown::<()>(Err(code)),
    }
}

/// Grows a file to a mebibyte and drops it again, over and over; how it is done is what `how` says.
pub(crate) fn run(root: &Descriptor, how: &str) -> Seen {
    let mut last = String::new();
    for _ in 0..TURNS {
        let Ok(file) = create(root, "sized") else {
            last = "no file".to_owned();
            break;
        };
        last = match how {
            "size" => format!("{} {}", size(&file, MIB), size(&file, 0)),
            "gap" => format!("{} {}", shown(file.write(b"x", MIB - 1)), size(&file, 0)),
            "stream" => format!("{} {}", far(&file), cut(root)),
            _ => {
                let grown = far(&file);
                drop(file);
                format!("{grown} {}", shown(root.unlink_file_at("sized")))
            }
        };
    }
    vec![(how.to_owned(), last)]
}
