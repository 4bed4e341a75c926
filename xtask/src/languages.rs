//! `cargo xtask languages`: the components that other languages' toolchains make, from pinned packages, kept by what they
//! are made of.
//!
//! The toolchains put chance into what they write (both snapshot a running interpreter), so building twice gives two
//! components that do the same. That is why they are kept in the cache folder: one machine builds each once.
//! INVARIANT: a component in the cache was built from exactly the files that its key was computed from.

mod interpreter;
mod javascript;
mod python;
mod tools;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{
    component,
    project::{Project, cache_folder, write_whole},
    say,
};

/// Raised when what is kept must not be used any more.
const LAYOUT: &str = "languages-1";

/// One component of a language.
#[derive(Debug)]
struct Source {
    /// The component's name.
    name: &'static str,
    /// Which toolchain makes it.
    language: Language,
    /// Its own file or folder below `guests/languages`.
    path: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Python,
    JavaScript,
}

/// All of them.
const SOURCES: &[Source] = &[
    Source {
        name: "python-probe",
        language: Language::Python,
        path: "python/probe",
    },
    Source {
        name: "python-summarise",
        language: Language::Python,
        path: "python/summarise",
    },
    Source {
        name: "js-probe",
        language: Language::JavaScript,
        path: "js/probe.js",
    },
    Source {
        name: "js-report",
        language: Language::JavaScript,
        path: "js/report.js",
    },
];

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some(unknown) = arguments.first() {
        bail!("`languages` takes no options, and `{unknown}` is one");
    }
    let project = Project::find()?;
    for (name, digest) in build(&project)? {
        say::line(&format!("{digest}  {name}.wasm"));
    }
    Ok(())
}

/// Builds what is not kept yet and puts everything into `target/guests/languages`; returns names and digests.
pub(crate) fn build(project: &Project) -> Result<Vec<(&'static str, String)>> {
    let place = Place {
        sources: project.root.join("guests/languages"),
        cache: cache_folder()?.join(LAYOUT),
        work: project.target.join("languages-work"),
        root: project.root.clone(),
    };
    let mut built = Vec::new();
    for source in SOURCES {
        let key = place.key(source)?;
        let kept = place.cache.join("components").join(format!("{key}.wasm"));
        if !kept.is_file() {
            say::progress(&format!("languages: building {}", source.name));
            let bytes = place.make(source)?;
            write_whole(&kept, &bytes)?;
        }
        let bytes =
            std::fs::read(&kept).with_context(|| format!("can not read {}", kept.display()))?;
        let out = project.target.join("guests/languages");
        write_whole(&out.join(format!("{}.wasm", source.name)), &bytes)?;
        built.push((source.name, component::digest(&bytes)));
    }
    Ok(built)
}

/// The folders of one build.
#[derive(Debug)]
struct Place {
    root: PathBuf,
    sources: PathBuf,
    cache: PathBuf,
    work: PathBuf,
}

impl Place {
    fn make(&self, source: &Source) -> Result<Vec<u8>> {
        let wit = self.wit()?;
        let out = self.work.join(format!("{}.wasm", source.name));
        let from = self.sources.join(source.path);
        match source.language {
            Language::Python => python::build(self, &from, &wit, &out)?,
            Language::JavaScript => javascript::build(self, &from, &wit, &out)?,
        }
        std::fs::read(&out).with_context(|| format!("can not read {}", out.display()))
    }

    /// Digest of everything that the component is made of, as 64 hex digits.
    fn key(&self, source: &Source) -> Result<String> {
        let mut files = Vec::new();
        let common = match source.language {
            Language::Python => &["python/requirements.txt"][..],
            Language::JavaScript => &["js/package-lock.json", "js/package.json", "js/build.mjs"],
        };
        for path in common.iter().copied().chain([source.path]) {
            collect(&self.sources.join(path), &mut files)?;
        }
        for package in self.packages()? {
            collect(&package, &mut files)?;
        }
        let mut hasher = blake3::Hasher::new();
        for file in files {
            let name = file.strip_prefix(&self.root).unwrap_or(&file);
            let bytes =
                std::fs::read(&file).with_context(|| format!("can not read {}", file.display()))?;
            hasher.update(name.to_string_lossy().as_bytes());
            hasher.update(&[0]);
            hasher.update(blake3::hash(&bytes).as_bytes());
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// The folders of the project's own WIT packages.
    fn packages(&self) -> Result<Vec<PathBuf>> {
        let mut packages = Vec::new();
        for entry in std::fs::read_dir(self.root.join("wit"))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("aim-") {
                packages.push(path);
            }
        }
        packages.sort();
        Ok(packages)
    }

    /// The packages as these toolchains want them: the world's own package in a folder, all others in `deps` inside it.
    fn wit(&self) -> Result<PathBuf> {
        let folder = self.work.join("wit");
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        for package in self.packages()? {
            let name = package
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let to = if name.starts_with("aim-step@") {
                folder.clone()
            } else {
                folder.join("deps").join(name)
            };
            let mut files = Vec::new();
            collect(&package, &mut files)?;
            for file in files {
                let bytes = std::fs::read(&file)?;
                write_whole(&to.join(file.file_name().unwrap_or_default()), &bytes)?;
            }
        }
        Ok(folder)
    }
}

/// A file, or all files of a folder by name, folders inside it left out.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    let entries =
        std::fs::read_dir(path).with_context(|| format!("can not list {}", path.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    files.append(&mut found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(root: &Path) -> Place {
        Place {
            sources: root.join("guests/languages"),
            cache: root.join("cache"),
            work: root.join("work"),
            root: root.to_path_buf(),
        }
    }

    #[test]
    fn the_key_changes_with_the_source_the_tools_and_the_interfaces_and_with_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            write_whole(&folder.path().join(path), text.as_bytes()).unwrap();
        };
        write("guests/languages/python/requirements.txt", "tool==1");
        write("guests/languages/python/probe/app.py", "one");
        write("wit/aim-step@0.1.0/step.wit", "package a:b;");
        let key = || place(folder.path()).key(&SOURCES[0]).unwrap();
        let mut seen = vec![key()];
        write("guests/languages/python/probe/app.py", "two");
        seen.push(key());
        write("guests/languages/python/requirements.txt", "tool==2");
        seen.push(key());
        write("wit/aim-step@0.1.0/step.wit", "package a:c;");
        seen.push(key());
        write("unrelated", "text");
        assert_eq!(key(), *seen.last().unwrap());
        let unique: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!(unique.len(), seen.len());
    }
}
