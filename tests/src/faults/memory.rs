//! The memory of a process over time, and whether it stays where it was.

use std::fmt;

/// What a process may hold beyond its budget, in MiB: its code, its threads, and buffers of the libraries.
const BESIDE_BUDGET_MIB_MAX: u64 = 64;
/// By how much the last third of a run may lie above the middle one, in MiB. A process that keeps a fiftieth of a
/// backlog of 100 times a budget of 16 MiB grows by 32 MiB over the run, and so by 11 MiB from third to third.
const GROWTH_MIB_MAX: u64 = 8;
/// Samples in each third that make a median of it.
const SAMPLES_MIN: usize = 20;

/// What the kernel says of a process, in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// Resident now.
    pub(super) resident_kib: u64,
    /// The most that was ever resident.
    pub(super) peak_kib: u64,
}

impl Sample {
    /// Of a process that runs; none of one that has ended.
    pub(super) fn of(pid: u32) -> Option<Sample> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse().ok()
        };
        Some(Sample { resident_kib: kib("VmRSS:")?, peak_kib: kib("VmHWM:")? })
    }
}

/// A run's memory in three numbers, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    peak_mib: u64,
    middle_mib: u64,
    last_mib: u64,
}

impl Memory {
    /// Of samples that were taken at equal distances. The first third, in which a process grows to its size, counts for the
    /// peak only.
    pub(super) fn of(samples: &[Sample]) -> Result<Memory, String> {
        let third = samples.len() / 3;
        if third < SAMPLES_MIN {
            return Err(format!("{} samples of the memory are too few to judge it", samples.len()));
        }
        let mib = |kib: u64| kib.div_ceil(1_024);
        let peak_kib = samples.iter().map(|sample| sample.peak_kib.max(sample.resident_kib)).max();
        Ok(Memory {
            peak_mib: mib(peak_kib.unwrap_or(0)),
            middle_mib: mib(median_kib(&samples[third..2 * third])),
            last_mib: mib(median_kib(&samples[2 * third..])),
        })
    }

    /// What is wrong with it.
    pub(super) fn complaint(&self, budget_mib: u64) -> Option<String> {
        if self.peak_mib > budget_mib + BESIDE_BUDGET_MIB_MAX {
            return Some(format!(
                "more than the budget of {budget_mib} MiB and {BESIDE_BUDGET_MIB_MAX}: {self}"
            ));
        }
        let grows = self.last_mib > self.middle_mib + GROWTH_MIB_MAX;
        grows.then(|| format!("it grew by more than {GROWTH_MIB_MAX} MiB: {self}"))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Memory { peak_mib, middle_mib, last_mib } = self;
        write!(
            f,
            "at most {peak_mib} MiB, {middle_mib} in the middle of the run and {last_mib} in its last third"
        )
    }
}

fn median_kib(samples: &[Sample]) -> u64 {
    let mut sizes: Vec<u64> = samples.iter().map(|sample| sample.resident_kib).collect();
    sizes.sort_unstable();
    sizes.get(sizes.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET_MIB: u64 = 16;

    /// A run of 300 samples whose size in MiB is a function of their number.
    fn run(size_mib: impl Fn(u64) -> u64) -> Memory {
        let sizes = (0..300).map(|number| size_mib(number) * 1_024);
        let samples: Vec<Sample> = sizes
            .scan(0, |peak_kib, resident_kib| {
                *peak_kib = resident_kib.max(*peak_kib);
                Some(Sample { resident_kib, peak_kib: *peak_kib })
            })
            .collect();
        Memory::of(&samples).unwrap()
    }

    #[test]
    fn a_run_that_grows_to_its_size_and_stays_there_is_right() {
        assert_eq!(run(|number| (20 + number).min(48)).complaint(BUDGET_MIB), None);
        // Full while the server stalls, less while it takes.
        assert_eq!(run(|number| 40 + 12 * (number / 5 % 2)).complaint(BUDGET_MIB), None);
    }

    #[test]
    fn one_that_keeps_a_fiftieth_of_the_backlog_is_not() {
        let kept_mib = 100 * BUDGET_MIB / 50;
        let memory = run(|number| 40 + kept_mib * number / 300);
        assert!(
            memory.peak_mib <= BUDGET_MIB + BESIDE_BUDGET_MIB_MAX,
            "its peak alone would not tell: {memory}"
        );
        let complaint = memory.complaint(BUDGET_MIB).unwrap();
        assert!(complaint.starts_with("it grew"), "{complaint}");
    }

    #[test]
    fn one_that_is_too_large_for_a_moment_is_not() {
        let complaint = run(|number| if number == 7 { 81 } else { 40 }).complaint(BUDGET_MIB).unwrap();
        assert!(complaint.starts_with("more than the budget"), "{complaint}");
        assert_eq!(run(|number| if number == 7 { 80 } else { 40 }).complaint(BUDGET_MIB), None);
    }

    #[test]
    fn few_samples_are_no_judgement() {
        let sample = Sample { resident_kib: 1, peak_kib: 1 };
        assert!(Memory::of(&[sample; 3 * SAMPLES_MIN - 1]).is_err());
        assert!(Memory::of(&[sample; 3 * SAMPLES_MIN]).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_runs_has_a_size() {
        let own = Sample::of(std::process::id()).unwrap();
        assert!(own.resident_kib > 100 && own.peak_kib >= 100, "{own:?}");
        // No process has this id: the kernel's largest is below 2^22.
        assert_eq!(Sample::of(u32::MAX), None);
    }
}
