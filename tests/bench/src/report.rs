//! What was measured, as text: tables in Markdown, so that they can be kept as they are.
//!
//! INVARIANT: a ratio is formed within one round and only then ranked, so that it never compares two different minutes.

use crate::{
    case::Case,
    cold::Cold,
    fixture::Fixture,
    floor::{Cost, Floor, Parts},
    governed::Round,
    stats::{Values, digits},
};

/// A row's name, and which part it shows.
type Row = (&'static str, fn(&Parts) -> Cost);

/// Everything, round by round.
pub(crate) struct Results {
    allocator: &'static str,
    cases: Vec<Case>,
    parts: Vec<Parts>,
    /// For each round, the cases in their order.
    rounds: Vec<Vec<Round>>,
    /// Bytes of the statement, with the judge that is built in and with the ethical gate.
    statement_bytes: (usize, usize),
    /// What was measured once.
    pub(crate) cold: Option<Cold>,
}

impl Results {
    /// Nothing yet.
    pub(crate) fn new(fixture: &Fixture, floor: &Floor, cases: Vec<Case>) -> Self {
        Self {
            allocator: fixture.engine.allocator().word(),
            cases,
            parts: Vec::new(),
            rounds: Vec::new(),
            statement_bytes: floor.statement_bytes(),
            cold: None,
        }
    }

    /// Adds one round.
    pub(crate) fn add(&mut self, parts: Parts, rounds: Vec<Round>) {
        self.parts.push(parts);
        self.rounds.push(rounds);
    }

    /// All tables.
    pub(crate) fn text(&self) -> String {
        let (built_in, ethical) = self.statement_bytes;
        let head = format!(
            "{} rounds, allocator {}, statement of {built_in} bytes ({ethical} with the ethical gate);\n\
             numbers are the median of the rounds with (smallest..largest)\n",
            self.parts.len(),
            self.allocator
        );
        let mut sections = vec![
            head,
            self.part_table(),
            self.floor_table(),
            self.case_table(),
            self.thread_table(),
            self.scaling(),
        ];
        sections.extend(self.cold.as_ref().map(cold_text));
        sections.join("\n")
    }

    fn part_table(&self) -> String {
        let rows: [Row; 16] = [
            ("fresh instance, call, drop", |parts| parts.call),
            ("  the same, asynchronous (not in the floor)", |parts| {
                parts.call_async
            }),
            ("  call of a live instance (not in the floor)", |parts| {
                parts.call_live
            }),
            ("hashes", |parts| parts.hashes),
            ("record", |parts| parts.record),
            ("policy and request digests", |parts| parts.policy),
            ("signature", |parts| parts.signature),
            ("Merkle share, groups of 64", |parts| parts.merkle),
            ("signer hop, groups of 64", |parts| first(&parts.hop)),
            ("signer hop, alone", |parts| second(&parts.hop)),
            ("write and sync, groups of 64", |parts| first(&parts.write)),
            ("write and sync, alone", |parts| second(&parts.write)),
            ("ethical gate, two bare calls", |parts| parts.gates),
            ("  its part of the record", |parts| parts.gate_record),
            ("  write and sync with it, groups of 64", |parts| {
                first(&parts.gate_write)
            }),
            ("  write and sync with it, alone", |parts| {
                second(&parts.gate_write)
            }),
        ];
        let mut text =
            String::from("| part, per envelope | CPU us | wall us |\n| --- | --- | --- |\n");
        for (name, pick) in rows {
            let cpu = Values::new(self.parts.iter().map(|parts| pick(parts).cpu_us));
            let wall = Values::new(self.parts.iter().map(|parts| pick(parts).wall_us));
            text.push_str(&format!(
                "| {name} | {} | {} |\n",
                cpu.shown(),
                wall.shown()
            ));
        }
        text
    }

    fn floor_table(&self) -> String {
        let mut text = String::from(
            "| floor | signing | gates | in flight | CPU us | wall us |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        for case in Case::all().into_iter().filter(|case| case.workers == 1) {
            let floors = || self.parts.iter().map(|parts| parts.floor(case));
            let cpu = Values::new(floors().map(|cost| cost.cpu_us));
            let wall = Values::new(floors().map(|cost| cost.wall_us));
            let name = case.to_string();
            let name = name.strip_suffix(" | 1").unwrap_or(&name);
            text.push_str(&format!(
                "| {name} | {} | {} |\n",
                cpu.shown(),
                wall.shown()
            ));
        }
        text
    }

    fn case_table(&self) -> String {
        let mut text = String::from(
            "| governed | signing | gates | in flight | workers | CPU us | to floor | envelopes/s | per core | p50 us | p99 us |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for (place, case) in self.cases.iter().enumerate() {
            let of = |pick: fn(&Round) -> f64| {
                Values::new(self.column(place).map(|(_, round)| pick(round)))
            };
            let ratios = self.column(place);
            let ratios = ratios.map(|(parts, round)| round.cpu_us / parts.floor(*case).cpu_us);
            text.push_str(&format!(
                "| {case} | {} | {} | {} | {} | {} | {} |\n",
                of(|round| round.cpu_us).shown(),
                Values::new(ratios).shown(),
                of(|round| round.per_second).shown(),
                digits(of(|round| 1e6 / round.cpu_us).median()),
                digits(of(|round| round.p50_us).median()),
                digits(of(|round| round.p99_us).median()),
            ));
        }
        text
    }

    /// Which thread the time was spent in, where many envelopes are under way.
    fn thread_table(&self) -> String {
        let names = [
            "tokio-rt-worker",
            "aim-commit",
            "aim-checkpoint",
            "aim-tick",
            "signer",
        ];
        let mut text = format!(
            "| CPU us by thread | signing | gates | in flight | workers | {} |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
            names.join(" | ")
        );
        for (place, case) in self.cases.iter().enumerate() {
            if case.in_flight == 1 {
                continue;
            }
            text.push_str(&format!("| {case} |"));
            for name in names {
                let spent = self
                    .column(place)
                    .map(|(_, round)| round.threads_us.get(name).copied().unwrap_or_default());
                text.push_str(&format!(" {} |", digits(Values::new(spent).median())));
            }
            text.push('\n');
        }
        text
    }

    /// How much faster two workers are than one.
    fn scaling(&self) -> String {
        let mut text = String::from(
            "| two workers to one, 64 in flight | signing | gates | throughput |\n| --- | --- | --- | --- |\n",
        );
        for (place, case) in self.cases.iter().enumerate() {
            let two = Case {
                workers: 2,
                ..*case
            };
            let other = self.cases.iter().position(|other| *other == two);
            let (Some(other), 1, 64) = (other, case.workers, case.in_flight) else {
                continue;
            };
            let pairs = self.column(place).zip(self.column(other));
            let ratios = pairs.map(|((_, one), (_, two))| two.per_second / one.per_second);
            let name = case.to_string();
            let name = name.strip_suffix(" | 64 | 1").unwrap_or(&name);
            text.push_str(&format!("| {name} | {} |\n", Values::new(ratios).shown()));
        }
        text
    }

    fn column(&self, place: usize) -> impl Iterator<Item = (&Parts, &Round)> {
        let rounds = self.rounds.iter().filter_map(move |round| round.get(place));
        self.parts.iter().zip(rounds)
    }
}

fn first(costs: &[Cost; 2]) -> Cost {
    let [first, _] = costs;
    *first
}

fn second(costs: &[Cost; 2]) -> Cost {
    let [_, second] = costs;
    *second
}

fn cold_text(cold: &Cold) -> String {
    let (all, anonymous) = cold.idle_mib;
    format!(
        "cold start of `aimctl run`, one step, compile cache warm: {} ms (p90 {})\n\
         idle host, resident: {} MiB, of which {} MiB are backed by no file\n",
        cold.start_ms.shown(),
        digits(cold.start_ms.percentile(900)),
        digits(all),
        digits(anonymous)
    )
}
