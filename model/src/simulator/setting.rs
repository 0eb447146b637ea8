//! What a seed makes of a run: how large the world is, and what may go wrong in it.

use super::mistake::Mistake;
use super::random::Random;

/// The world of one run.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) processes: usize,
    pub(crate) partitions: usize,
    /// Records of each partition.
    pub(crate) records: usize,
    /// Of a thousand records, those that the transform rejects, those that only ClickHouse refuses, and offsets without one.
    pub(crate) rejected_permille: u64,
    pub(crate) refused_permille: u64,
    pub(crate) gaps_permille: u64,
    /// Records of a batch, at most.
    pub(crate) batch_records_max: usize,
    /// Longest wait of a batch, in milliseconds.
    pub(crate) batch_wait_ms: u64,
    /// Time after which the group throws a silent member out, in milliseconds.
    pub(crate) session_ms: u64,
    /// Tokens that each table remembers.
    pub(crate) window_blocks: u64,
    /// Each row has the partition and the offset of its record, so that it can be looked for where its token may be forgotten.
    pub(crate) names_records: bool,
    /// Views pass rows on, so that those that are there have to be inserted once more, with their token.
    pub(crate) views: bool,
    /// Parts are merged soon, so that old rows look new and nobody knows how many parts there were.
    pub(crate) merges: bool,
    /// The server's start is told a second more or less exactly, beyond what whole seconds cost.
    pub(crate) start_jitter: bool,
    /// ClickHouse names the row that it refuses, mostly.
    pub(crate) names_rows: bool,
    /// How long mishaps come, in milliseconds.
    pub(crate) mishaps_ms: u64,
    /// Of a thousand requests, those that go wrong on the network.
    pub(crate) network_permille: u64,
    /// Of a thousand commits, those that the coordinator refuses.
    pub(crate) refused_commits_permille: u64,
    /// Mean time between two of these for the whole world, in milliseconds; none where they do not come.
    pub(crate) kills_ms: Option<u64>,
    pub(crate) freezes_ms: Option<u64>,
    pub(crate) kafka_cuts_ms: Option<u64>,
    pub(crate) moves_ms: Option<u64>,
    pub(crate) server_kills_ms: Option<u64>,
    pub(crate) server_stalls_ms: Option<u64>,
    /// Somebody sets offsets, damages what stands beside them, or replaces it.
    pub(crate) operator_ms: Option<u64>,
    /// Processes are started with other columns.
    pub(crate) deploys_ms: Option<u64>,
    pub(crate) mistake: Option<Mistake>,
}

/// Blocks of a window that no run fills.
const WINDOW_AMPLE: u64 = 1_000_000;

impl Setting {
    pub(crate) fn of(random: &mut Random, mistake: Option<Mistake>) -> Setting {
        let often = |random: &mut Random, permille: u64| {
            random.permille(permille).then(|| random.between(4_000, 60_000))
        };
        let mut setting = Setting {
            processes: random.index(3) + 1,
            partitions: random.index(4) + 1,
            records: 30 + random.index(270),
            rejected_permille: [0, 20, 100][random.index(3)],
            refused_permille: [0, 0, 10, 40][random.index(4)],
            gaps_permille: [0, 30][random.index(2)],
            batch_records_max: 2 + random.index(30),
            batch_wait_ms: random.between(100, 3_000),
            session_ms: random.between(6_000, 30_000),
            window_blocks: if random.permille(250) { random.between(6, 60) } else { WINDOW_AMPLE },
            views: random.permille(200),
            merges: random.permille(300),
            start_jitter: random.permille(500),
            names_rows: random.permille(500),
            names_records: random.permille(500),
            mishaps_ms: random.between(30_000, 240_000),
            network_permille: [0, 10, 40][random.index(3)],
            refused_commits_permille: [0, 0, 30][random.index(3)],
            kills_ms: often(random, 500),
            freezes_ms: often(random, 400),
            kafka_cuts_ms: often(random, 300),
            moves_ms: often(random, 500),
            server_kills_ms: often(random, 500),
            server_stalls_ms: often(random, 300),
            operator_ms: often(random, 120).map(|mean_ms| mean_ms + 30_000),
            deploys_ms: often(random, 80).map(|mean_ms| mean_ms + 20_000),
            mistake,
        };
        if let Some(mistake) = mistake {
            setting.provoke(mistake, random);
        }
        setting
    }

    /// Has more of what shows a mistake.
    fn provoke(&mut self, mistake: Mistake, random: &mut Random) {
        match mistake {
            Mistake::SendsCommitsAgain | Mistake::RecoversInPlace | Mistake::ReleasesEarly => {
                self.processes = self.processes.max(2);
                (self.session_ms, self.network_permille) = (6_000, 100);
                (self.moves_ms, self.kills_ms) = (Some(2_000), None);
                (self.mishaps_ms, self.batch_wait_ms) = (240_000, 200);
            }
            Mistake::TellsNobody
            | Mistake::RepeatsUntold
            | Mistake::TrustsTheToken
            | Mistake::TrustsTheFirstTry
            | Mistake::WithoutSessions
            | Mistake::NeverLooks
            | Mistake::ExactStarts => {
                self.processes = self.processes.max(2);
                (self.session_ms, self.network_permille) = (6_000, 40);
                (self.server_kills_ms, self.moves_ms) = (Some(6_000), Some(6_000));
                (self.freezes_ms, self.kafka_cuts_ms) = (Some(8_000), Some(8_000));
                self.start_jitter = true;
                self.views |= mistake == Mistake::RepeatsUntold;
            }
            Mistake::ReplaysUnconfirmed | Mistake::InsertsAtOnce => {
                (self.processes, self.partitions, self.records) = (3, 4, 300);
                (self.session_ms, self.mishaps_ms, self.batch_records_max) = (6_000, 240_000, 8);
                (self.server_kills_ms, self.server_stalls_ms) = (Some(12_000), Some(30_000));
                (self.freezes_ms, self.kafka_cuts_ms) = (Some(4_000), Some(3_000));
                (self.kills_ms, self.moves_ms, self.operator_ms, self.deploys_ms) = (None, None, None, None);
                (self.network_permille, self.start_jitter) = (80, true);
            }
            Mistake::IgnoresTheMemory | Mistake::InsertsLate => {
                (self.processes, self.partitions, self.records) = (3, 4, 300);
                (self.window_blocks, self.batch_records_max) = (random.between(6, 12), 4);
                (self.session_ms, self.mishaps_ms) = (6_000, 240_000);
                (self.freezes_ms, self.moves_ms) = (Some(6_000), Some(6_000));
            }
            Mistake::LooksAtOnce => {
                (self.processes, self.partitions, self.records) = (3, 4, 300);
                (self.window_blocks, self.batch_records_max) = (random.between(6, 12), 4);
                (self.session_ms, self.mishaps_ms, self.network_permille) = (6_000, 240_000, 60);
                (self.freezes_ms, self.moves_ms, self.kafka_cuts_ms) =
                    (Some(6_000), Some(6_000), Some(6_000));
                (self.names_records, self.views, self.server_stalls_ms) = (true, false, Some(10_000));
            }
            Mistake::KeepsTheLineage => self.operator_ms = Some(20_000),
            _ => {}
        }
    }

    /// Whether a range of so many rows can be looked for where its token may be forgotten.
    pub(crate) fn looks_back(&self, rows: usize) -> bool {
        rows == 0 || self.names_records && !self.views
    }

    pub(crate) fn has(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }
}
