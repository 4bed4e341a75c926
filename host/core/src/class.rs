//! How large a component may be: two classes, the larger one by the operator's grant only.
//!
//! Language runtimes come whole: CPython is 18 MB in 14 core modules, StarlingMonkey 12 MB. Compiling them takes seconds and
//! running them takes tens of megabytes, so nobody gets that by writing a contract; the operator names the nodes.
//!
//! INVARIANT: a class only says how much; what a component may reach is the same in both.

use alloc::{format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{inspection::Inspection, limits::Limits};

/// The class of a node.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// What every node has.
    #[default]
    Standard,
    /// Room for a language runtime.
    Big,
}

/// What a component of a class may be made of. All are inclusive maxima.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of the file.
    pub size_bytes_max: u64,
    /// Core modules inside, at any depth.
    pub core_modules_max: u32,
    /// Core instances that it makes.
    pub core_instances_max: u32,
    /// Elements that its tables begin with, together.
    pub table_elements_max: u64,
    /// Bytes that its memories begin with, together.
    pub memory_bytes_max: u64,
}

const MIB: u64 = 1024 * 1024;

/// The largest file that is read at all, whatever its class.
pub const COMPONENT_BYTES_MAX: u64 = Class::Big.shape().size_bytes_max;

impl Class {
    /// The word used in documents.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Big => "big",
        }
    }

    /// True for the class that goes without saying; documents leave it out.
    #[must_use]
    pub fn is_standard(&self) -> bool {
        *self == Self::Standard
    }

    /// What a component may be made of.
    #[must_use]
    pub const fn shape(self) -> Shape {
        match self {
            Self::Standard => Shape {
                size_bytes_max: 8 * MIB,
                core_modules_max: 12,
                core_instances_max: Limits::CEILING.instances_max,
                table_elements_max: Limits::CEILING.table_elements_max as u64,
                memory_bytes_max: Limits::CEILING.memory_bytes_max,
            },
            Self::Big => Shape {
                size_bytes_max: 128 * MIB,
                core_modules_max: 256,
                core_instances_max: Limits::BIG_CEILING.instances_max,
                table_elements_max: Limits::BIG_CEILING.table_elements_max as u64,
                memory_bytes_max: Limits::BIG_CEILING.memory_bytes_max,
            },
        }
    }

    /// The limits of an attempt when the contract says nothing.
    #[must_use]
    pub const fn default_limits(self) -> Limits {
        match self {
            Self::Standard => Limits::DEFAULT,
            Self::Big => Limits::BIG,
        }
    }

    /// What a contract can ask for at most.
    #[must_use]
    pub const fn ceiling(self) -> Limits {
        match self {
            Self::Standard => Limits::CEILING,
            Self::Big => Limits::BIG_CEILING,
        }
    }

    /// Names everything about `inspection` that is too large for the class, with the figure and the maximum.
    #[must_use]
    pub fn excess(self, inspection: &Inspection) -> Vec<String> {
        let shape = self.shape();
        let rows = [
            ("bytes", inspection.size_bytes, shape.size_bytes_max),
            (
                "core modules",
                u64::from(inspection.core_modules),
                u64::from(shape.core_modules_max),
            ),
            (
                "core instances",
                u64::from(inspection.core_instances),
                u64::from(shape.core_instances_max),
            ),
            (
                "table elements at the start",
                inspection.table_elements,
                shape.table_elements_max,
            ),
            (
                "bytes of memory at the start",
                inspection.memory_bytes,
                shape.memory_bytes_max,
            ),
        ];
        rows.into_iter()
            .filter(|(_, value, max)| value > max)
            .map(|(what, value, max)| format!("{value} {what} of {max}"))
            .collect()
    }

    /// The smallest class that a component fits; `None` when it fits none.
    #[must_use]
    pub fn needed_by(inspection: &Inspection) -> Option<Self> {
        [Self::Standard, Self::Big]
            .into_iter()
            .find(|class| class.excess(inspection).is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_big_class_has_more_of_everything_that_language_runtimes_need_and_nothing_less() {
        let (standard, big) = (Class::Standard.shape(), Class::Big.shape());
        assert!(big.size_bytes_max > standard.size_bytes_max);
        assert!(big.core_modules_max > standard.core_modules_max);
        assert!(big.core_instances_max > standard.core_instances_max);
        assert!(big.table_elements_max > standard.table_elements_max);
        assert!(big.memory_bytes_max > standard.memory_bytes_max);
        assert!(
            Limits::CEILING
                .faults_under(&Limits::BIG_CEILING)
                .is_empty()
        );
        assert!(Limits::BIG.faults_under(&Limits::BIG_CEILING).is_empty());
        assert!(Limits::DEFAULT.faults_under(&Limits::BIG).is_empty());
    }
}
