//! Every limit of one attempt in one struct, with its default and its ceiling.
//!
//! INVARIANT: no limit is ever absent; a contract may lower or raise one within the operator's ceiling, never lift it.

use serde::{Deserialize, Serialize};

/// The limits of one attempt. All are inclusive maxima.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes over all linear memories of the instance together.
    pub memory_bytes_max: u64,
    /// Elements over all tables together.
    pub table_elements_max: u32,
    /// Core instances inside the component.
    pub instances_max: u32,
    /// Linear memories by number.
    pub memories_max: u32,
    /// Tables by number.
    pub tables_max: u32,
    /// Live resource handles.
    pub handles_max: u32,
    /// Fuel, about one per executed WebAssembly instruction, host calls charged in as well.
    pub fuel_max: u64,
    /// Wall time of the attempt, running and waiting, in milliseconds.
    pub deadline_ms_max: u64,
    /// Host calls by number.
    pub host_calls_max: u32,
    /// Bytes that one host call may bring from the guest.
    pub host_call_bytes_max: u32,
    /// Log bytes kept; the rest is dropped and counted.
    pub log_bytes_max: u32,
    /// Bytes of an envelope's or emission's body.
    pub payload_bytes_max: u32,
    /// Emissions of one attempt.
    pub emissions_max: u32,
    /// Artifacts put by one attempt.
    pub artifacts_max: u32,
    /// Bytes over all artifacts put by one attempt.
    pub artifact_bytes_max: u64,
    /// Random bytes of one attempt.
    pub random_bytes_max: u32,
    /// Depth of calls into the guest from within a host call. One is what the component model itself needs: room for the
    /// call's answer.
    pub reentry_max: u32,
    /// Keys that a bucket may hold.
    pub kv_keys_max: u32,
    /// Bytes of one value in a bucket.
    pub kv_value_bytes_max: u32,
    /// Bytes of keys and values that a bucket may hold, with what the attempt stages.
    pub kv_bytes_max: u64,
    /// Files and folders that a writable folder may hold.
    pub files_max: u32,
    /// Bytes of one file in a writable folder.
    pub file_bytes_max: u64,
    /// Bytes of all files in a writable folder, with what the attempt stages.
    pub folder_bytes_max: u64,
    /// Steps that lie behind an envelope, its own included.
    pub hops_max: u32,
    /// Deliveries of one attempt: emissions times the steps that require it.
    pub fan_out_max: u32,
    /// Immediate effects by number.
    pub effects_max: u32,
    /// Bytes of the requests and answers of all immediate effects together.
    pub effect_bytes_max: u64,
    /// Wall time of one immediate effect in milliseconds, waiting for its turn not included.
    pub effect_ms_max: u64,
}

const KIB: u32 = 1024;
const MIB: u64 = 1024 * 1024;

impl Limits {
    /// What a step gets when its contract says nothing.
    pub const DEFAULT: Self = Self {
        memory_bytes_max: 64 * MIB,
        table_elements_max: 10_000,
        instances_max: 64,
        memories_max: 4,
        tables_max: 16,
        handles_max: 1_000,
        fuel_max: 20_000_000_000,
        deadline_ms_max: 30_000,
        host_calls_max: 100_000,
        host_call_bytes_max: 1024 * KIB + 64 * KIB,
        log_bytes_max: 64 * KIB,
        payload_bytes_max: 1024 * KIB,
        emissions_max: 256,
        artifacts_max: 64,
        artifact_bytes_max: 64 * MIB,
        random_bytes_max: 64 * KIB,
        kv_keys_max: 4_096,
        kv_value_bytes_max: 256 * KIB,
        kv_bytes_max: 16 * MIB,
        files_max: 1_024,
        file_bytes_max: 32 * MIB,
        folder_bytes_max: 64 * MIB,
        reentry_max: 1,
        hops_max: 64,
        fan_out_max: 1_024,
        effects_max: 16,
        effect_bytes_max: 4 * MIB,
        effect_ms_max: 10_000,
    };

    /// What a step can have at most without a grant of a bigger class.
    pub const CEILING: Self = Self {
        memory_bytes_max: 1024 * MIB,
        table_elements_max: 100_000,
        instances_max: 64,
        memories_max: 4,
        tables_max: 16,
        handles_max: 10_000,
        fuel_max: 1_000_000_000_000,
        deadline_ms_max: 3_600_000,
        host_calls_max: 10_000_000,
        host_call_bytes_max: 16 * 1024 * KIB,
        log_bytes_max: 1024 * KIB,
        payload_bytes_max: 16 * 1024 * KIB,
        emissions_max: 10_000,
        artifacts_max: 1_024,
        artifact_bytes_max: 1024 * MIB,
        random_bytes_max: 1024 * KIB,
        kv_keys_max: 65_536,
        kv_value_bytes_max: 1024 * KIB,
        kv_bytes_max: 256 * MIB,
        files_max: 65_536,
        file_bytes_max: 256 * MIB,
        folder_bytes_max: 1024 * MIB,
        reentry_max: 1,
        hops_max: 1_024,
        fan_out_max: 100_000,
        effects_max: 1_000,
        effect_bytes_max: 64 * MIB,
        effect_ms_max: 600_000,
    };

    /// What a step of the big class gets when its contract says nothing: room for a language runtime.
    pub const BIG: Self = Self {
        memory_bytes_max: 256 * MIB,
        table_elements_max: 100_000,
        instances_max: 128,
        memories_max: 16,
        tables_max: 64,
        ..Self::DEFAULT
    };

    /// What a step of the big class can have at most.
    pub const BIG_CEILING: Self = Self {
        memory_bytes_max: 4096 * MIB,
        table_elements_max: 1_000_000,
        instances_max: 512,
        memories_max: 32,
        tables_max: 256,
        ..Self::CEILING
    };

    /// What a gate gets: gates are small, and slow ones are denials. The deadline outlasts what a busy machine may let a gate wait
    /// for its turn; a plain loop runs out of fuel first.
    pub const GATE: Self = Self {
        memory_bytes_max: 16 * MIB,
        fuel_max: 2_000_000_000,
        deadline_ms_max: 10_000,
        host_calls_max: 1_000,
        payload_bytes_max: 16 * 1024 * KIB,
        host_call_bytes_max: 1024 * KIB,
        ..Self::DEFAULT
    };

    /// Names every limit of `self` that is zero or above `ceiling`.
    #[must_use]
    pub fn faults_under(&self, ceiling: &Self) -> alloc::vec::Vec<&'static str> {
        macro_rules! row {
            ($field:ident) => {
                (
                    stringify!($field),
                    u128::from(self.$field),
                    u128::from(ceiling.$field),
                )
            };
        }
        let checks = [
            row!(memory_bytes_max),
            row!(table_elements_max),
            row!(instances_max),
            row!(memories_max),
            row!(tables_max),
            row!(handles_max),
            row!(fuel_max),
            row!(deadline_ms_max),
            row!(host_calls_max),
            row!(host_call_bytes_max),
            row!(log_bytes_max),
            row!(payload_bytes_max),
            row!(emissions_max),
            row!(artifacts_max),
            row!(artifact_bytes_max),
            row!(random_bytes_max),
            row!(reentry_max),
            row!(kv_keys_max),
            row!(kv_value_bytes_max),
            row!(kv_bytes_max),
            row!(files_max),
            row!(file_bytes_max),
            row!(folder_bytes_max),
            row!(hops_max),
            row!(fan_out_max),
            row!(effects_max),
            row!(effect_bytes_max),
            row!(effect_ms_max),
        ];
        checks
            .into_iter()
            .filter(|(_, value, ceiling)| *value == 0 || value > ceiling)
            .map(|(name, _, _)| name)
            .collect()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::*;

    /// `20 G`, `64 MiB`, `1088 KiB`, `30000`: a number as the documentation writes it.
    fn number(text: &str) -> u64 {
        let (digits, unit) = text.split_once(' ').unwrap_or((text, ""));
        let factor = match unit {
            "" => 1,
            "KiB" => 1024,
            "MiB" => 1024 * 1024,
            "GiB" => 1024 * 1024 * 1024,
            "G" => 1_000_000_000,
            other => panic!("`{other}` is no unit"),
        };
        digits.parse::<u64>().unwrap() * factor
    }

    /// Names and their three columns, `same` resolved, from the table of limits.
    fn documented() -> Vec<(String, [u64; 3])> {
        let page = include_str!("../../../docs/formats/contract.md");
        let (_, table) = page
            .split_once("| limit | default | gate | ceiling |")
            .unwrap();
        let rows = table
            .lines()
            .skip(2)
            .take_while(|line| line.starts_with('|'));
        let mut found = Vec::new();
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let names: Vec<&str> = cells[0].split(", ").collect();
            let column = |at: usize| -> Vec<&str> {
                let text = if cells[at] == "same" {
                    cells[at - 1]
                } else {
                    cells[at]
                };
                let values: Vec<&str> = text.split(", ").collect();
                assert_eq!(values.len(), names.len(), "{row}");
                values
            };
            let columns = [column(1), column(2), column(3)];
            for (index, name) in names.iter().enumerate() {
                let values = columns.each_ref().map(|column| number(column[index]));
                found.push((name.trim_matches('`').into(), values));
            }
        }
        found
    }

    /// Every value, pinned by the page that people read: changing one without the other is what this finds. Control: with
    /// `handles_max` at 10, this failed.
    #[test]
    fn every_limit_has_the_value_that_is_documented() {
        let columns = [Limits::DEFAULT, Limits::GATE, Limits::CEILING];
        let columns = columns.map(|limits| serde_json::to_value(limits).unwrap());
        let documented = documented();
        for (name, values) in &documented {
            for (column, value) in columns.iter().zip(values) {
                assert_eq!(column[name].as_u64(), Some(*value), "{name}");
            }
        }
        assert_eq!(documented.len(), columns[0].as_object().unwrap().len());
    }

    #[test]
    fn the_defaults_fit_under_the_ceiling() {
        assert!(Limits::DEFAULT.faults_under(&Limits::CEILING).is_empty());
        assert!(Limits::GATE.faults_under(&Limits::CEILING).is_empty());
    }

    #[test]
    fn zero_and_too_much_are_named() {
        let limits = Limits {
            fuel_max: 0,
            deadline_ms_max: u64::MAX,
            ..Limits::DEFAULT
        };
        assert_eq!(
            limits.faults_under(&Limits::CEILING),
            ["fuel_max", "deadline_ms_max"]
        );
    }
}
