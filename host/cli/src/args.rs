//! The command line, as clap sees it. Nothing here acts.
//!
//! INVARIANT: no flag exists that runs a step ungated, unscoped or unwitnessed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const AFTER_HELP: &str = "\
A first run:
  aimctl lint plan.acl                      what is wrong with the plan, if anything
  aimctl run plan.acl -i logs=@/var/log/app run it; evidence goes to .aim/ beside the plan
  aimctl logs --run last                    what happened, event by event
  aimctl keys show > aim.pub                the public keys an auditor needs, kept outside the data
  aimctl verify .aim --key aim.pub          check all of the evidence, offline
  aimctl replay last                        run it again from the record: does it come to the same?

Exit codes:
  0 ok   1 step failed   2 usage or configuration   3 denied   4 evidence invalid or not authenticated
  5 limit or timeout   6 not found   7 replay diverged   8 abstained   9 waiting or indeterminate
  70 bug or fail-stop   130 interrupted
A run exits with the worst of its required steps.

stdout is data, stderr is talk. Every error has a code; its page is docs/errors/<CODE>.md.";

/// Runs plans of sandboxed steps that are scoped, gated and witnessed, and checks the evidence.
#[derive(Debug, Parser)]
#[command(name = "aimctl", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,

    /// How data is printed on stdout.
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,

    /// Folder of the signing keys; made on first use. Default: `$XDG_CONFIG_HOME/aim/keys`.
    #[arg(long, global = true, value_name = "DIR", env = "AIM_KEYS_DIR")]
    pub(crate) keys_dir: Option<PathBuf>,

    /// Folder of the compile cache. Default: `$XDG_CACHE_HOME/aim`.
    #[arg(long, global = true, value_name = "DIR", env = "AIM_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// One JSON document per line, each with `$type`.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a plan: every step sandboxed, gated on both sides, witnessed before anything leaves it.
    Run(RunArgs),
    /// Answer a question that a run waits for; the answer is signed and logged, and the next `run` goes on with it.
    Answer(AnswerArgs),
    /// Stop a run: one that runs ends with witnesses for what was cut, one that waits ends here.
    Cancel(CancelArgs),
    /// Run the attempts of a run again from their record, and say whether they come to the same. Nothing is released, staged
    /// or sent.
    Replay(ReplayArgs),
    /// List runs: how each stands, and what it waits for.
    Runs(DataArgs),
    /// Compile a plan to its IR (JSON with content hash) on stdout.
    Compile(PlanArgs),
    /// Show what would run: steps in order, components, grants and what granted them, budgets, gates, refusals. Nothing is
    /// compiled to native code and nothing is run.
    Plan(ShowPlanArgs),
    /// Check a plan and say everything that is wrong or doubtful about it.
    Lint(LintArgs),
    /// Write plans in the one layout; comments stay.
    Fmt(FmtArgs),
    /// Answer an editor's questions about plans, over the Language Server Protocol on stdin and stdout.
    Lsp(LspArgs),
    /// Print the runtime events of runs, oldest first.
    Logs(LogsArgs),
    /// Look at witnesses, or take them along.
    #[command(subcommand)]
    Witness(WitnessCommand),
    /// Check evidence offline: a data directory, or an export.
    Verify(VerifyArgs),
    /// Say what a component imports, exports and would need.
    Inspect(InspectArgs),
    /// Make or show the signing keys of this machine.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Say why something was refused.
    #[command(subcommand)]
    Explain(ExplainCommand),
    /// Check, try, explain, compare and write operator policies. Nothing is run.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Sign the rules that gates judge by, or check such a signature.
    #[command(subcommand)]
    Codex(CodexCommand),
    /// Try a gate component.
    #[command(subcommand)]
    Gate(GateCommand),
    /// Look at what is kept aside, and answer about it.
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// The process that holds the signing keys; started by `run`.
    #[command(hide = true)]
    Signer(WorkerArgs),
    /// The process that compiles components; started by `run`.
    #[command(hide = true)]
    CompileWorker(WorkerArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The plan (`.acl`).
    pub(crate) plan: PathBuf,

    /// A named input: text, or `@file`, or `@folder` (mounted read-only, as a snapshot, where granted).
    #[arg(short, long = "input", value_name = "NAME=VALUE")]
    pub(crate) inputs: Vec<String>,

    /// Operator policy: a Cedar file or a folder of them. Default: the deployment file's. Without any, only
    /// interfaces without effects are granted.
    #[arg(long, value_name = "PATH")]
    pub(crate) policy: Option<PathBuf>,

    /// Deployment file. Default: `aim.toml` beside the plan.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Data directory. Default: `.aim` beside the plan.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Execute anew even if this very question was answered before.
    #[arg(long)]
    pub(crate) again: bool,

    /// Seed of the steps' virtual randomness; part of the question. Default: the plan's `seeds`, else 0.
    #[arg(long)]
    pub(crate) seed: Option<u64>,

    /// Refuse steps without a full budget.
    #[arg(long)]
    pub(crate) strict: bool,

    /// Show each probe on a line of its own, also those that hold.
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Run only what the lock beside the plan pins; any difference is shown, and nothing is run or written.
    #[arg(long)]
    pub(crate) locked: bool,

    /// How witnesses are signed: each one, or one checkpoint for all. Default: the deployment file's, else `each`.
    #[arg(long, value_enum)]
    pub(crate) signing: Option<Signing>,
}

/// How witnesses are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Signing {
    /// A DSSE signature per witness.
    Each,
    /// The checkpoint signs for all.
    Batch,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The plan (`.acl`).
    pub(crate) plan: PathBuf,

    /// How much the plan may leave unsaid.
    #[arg(long, value_enum, default_value_t = ProfileArg::Lenient)]
    pub(crate) profile: ProfileArg,

    /// The same as `--profile strict`.
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowPlanArgs {
    /// The plan (`.acl`).
    pub(crate) plan: PathBuf,

    /// Operator policy: a Cedar file or a folder of them. Default: the deployment file's.
    #[arg(long, value_name = "PATH")]
    pub(crate) policy: Option<PathBuf>,

    /// Deployment file. Default: `aim.toml` beside the plan.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Refuse steps without a full budget.
    #[arg(long)]
    pub(crate) strict: bool,

    /// Draw the plan instead; needs no deployment.
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with = "lock")]
    pub(crate) graph: Option<GraphFormat>,

    /// Also write the lock beside the plan (`plan.acl` gets `plan.lock`), for `run --locked`.
    #[arg(long)]
    pub(crate) lock: bool,
}

/// How a plan is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Graphviz.
    Dot,
    /// A Mermaid flowchart.
    Mermaid,
    /// A picture.
    Svg,
}

/// How much a plan may leave unsaid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileArg {
    /// Every step states its whole budget.
    Strict,
    /// What is unsaid is written into the IR with the defaults.
    Lenient,
}

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    #[command(flatten)]
    pub(crate) plan: PlanArgs,

    /// Write the changes into the plan that leave what it compiles to as it is.
    #[arg(long)]
    pub(crate) fix: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FmtArgs {
    /// The plans (`.acl`).
    #[arg(required = true)]
    pub(crate) plans: Vec<PathBuf>,

    /// Write nothing; exit with 2 and name the plans that would change.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LspArgs {
    /// Talk over stdin and stdout. That is the only way there is; editors like to say it.
    #[arg(long)]
    pub(crate) stdio: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// Data directory.
    #[arg(long, value_name = "DIR", default_value = ".aim")]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// The run or execution (`run_…`, `exe_…`, a unique beginning of one, or `last`).
    pub(crate) run: String,

    /// The question (`q_…`), as `runs` shows it.
    pub(crate) question: String,

    /// `yes`, `no`, or a value for the step.
    pub(crate) answer: String,

    #[command(flatten)]
    pub(crate) person: PersonArgs,

    /// Deployment file, which says who may answer.
    #[arg(long, value_name = "FILE", default_value = "aim.toml")]
    pub(crate) config: PathBuf,

    /// Sign the answer without asking once more.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// A person who signs with a key of their own.
#[derive(Debug, Args)]
pub(crate) struct PersonArgs {
    /// Who answers: a name under `[gates.approvers]`.
    #[arg(long = "as", alias = "approver", value_name = "NAME")]
    pub(crate) approver: String,

    /// Folder of that person's key, as `keys new approver` made it.
    #[arg(long, value_name = "DIR")]
    pub(crate) key_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// The run or execution (`run_…`, `exe_…`, a unique beginning of one, or `last`).
    pub(crate) run: String,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// The run or execution (`run_…`, `exe_…`, a unique beginning of one, or `last`), or the file of an export that was made
    /// with `witness export --replayable`.
    #[arg(default_value = "last")]
    pub(crate) run: String,

    /// For an export: public keys that came another way than it. Without them it is replayed all the same, but nothing is
    /// authenticated and the command exits with 4.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,

    /// Only this step.
    #[arg(long, value_name = "NAME")]
    pub(crate) step: Option<String>,

    /// Deployment file with the contracts, components and gates of that time. Default: `aim.toml` beside the data directory.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// A folder of components (`.wasm`), found by digest whatever they are called.
    #[arg(long, value_name = "DIR")]
    pub(crate) components: Option<PathBuf>,

    /// Run this component in the step's place, under the recorded grant: would it have behaved the same?
    #[arg(long, value_name = "COMPONENT", requires = "step")]
    pub(crate) against: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// Only this run or execution (`run_…`, `exe_…`, a unique beginning of one, or `last`).
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<String>,

    /// Keep printing as events arrive.
    #[arg(short, long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WitnessCommand {
    /// Print one witness.
    Show(WitnessShowArgs),
    /// Write the witnesses of one run, with proofs, to one portable file.
    Export(WitnessExportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct WitnessShowArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// Index in the log, a witness digest (or a unique beginning of one), or `last`.
    pub(crate) witness: String,
}

#[derive(Debug, Args)]
pub(crate) struct WitnessExportArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// The run or execution; `last` by default.
    #[arg(long, value_name = "ID", default_value = "last")]
    pub(crate) run: String,

    /// The file to write; stdout by default.
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Take the payloads along, not only their digests.
    #[arg(long)]
    pub(crate) payloads: bool,

    /// Take along everything that `aimctl replay <file>` needs: payloads, transcripts, plan, lock, contracts, codexes, policy
    /// and components.
    #[arg(long)]
    pub(crate) replayable: bool,

    /// Leave the components out; they are handed over apart, and found by digest.
    #[arg(long, requires = "replayable")]
    pub(crate) without_components: bool,

    /// Deployment file of that time, which has the contracts and components. Default: `aim.toml` beside the data directory.
    #[arg(long, value_name = "FILE", requires = "replayable")]
    pub(crate) config: Option<PathBuf>,

    /// A folder of components (`.wasm`), found by digest whatever they are called.
    #[arg(long, value_name = "DIR", requires = "replayable")]
    pub(crate) components: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// An export, or a data directory.
    #[arg(default_value = ".aim")]
    pub(crate) evidence: PathBuf,

    /// Public keys that came another way than the evidence; without them nothing is authenticated.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,

    /// A checkpoint of this log that was kept elsewhere; proves that nothing before it was taken away.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The component (`.wasm`).
    pub(crate) component: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make the keys, if there are none.
    Init,
    /// Print the public keys, as `verify --key` wants them.
    Show,
    /// Make a key for codexes or for a person who answers, in a folder of its own, and print its public half.
    New(KeysNewArgs),
}

#[derive(Debug, Args)]
pub(crate) struct KeysNewArgs {
    /// What it signs.
    #[arg(value_enum)]
    pub(crate) role: NewKeyRole,

    /// The folder; made if it is not there. A key that is there is kept.
    pub(crate) folder: PathBuf,
}

/// What a key signs that is no host's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NewKeyRole {
    /// Codexes.
    Gate,
    /// Answers about what is kept in quarantine.
    Approver,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GateCommand {
    /// Measure how well a node's claims of confidence fitted what came of them; prints a table for the deployment file.
    Record(GateRecordArgs),
    /// Ask a gate about every case of a folder, and say what did not come as expected.
    Test(GateTestArgs),
}

#[derive(Debug, Args)]
pub(crate) struct GateRecordArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// The cases, one JSON object in each line or all in one array: `confidence` and `held`, or `run`, `step` and `held`.
    pub(crate) cases: PathBuf,

    /// The node whose claims they are.
    #[arg(long, value_name = "ID")]
    pub(crate) node: String,
}

#[derive(Debug, Args)]
pub(crate) struct GateTestArgs {
    /// The gate component (`.wasm`).
    pub(crate) component: PathBuf,

    /// The folder of cases, one `.json` file each.
    #[arg(long, value_name = "DIR")]
    pub(crate) cases: PathBuf,

    /// The codex for cases that name none.
    #[arg(long, value_name = "FILE")]
    pub(crate) codex: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// List everything that is kept aside.
    List(QuarantineArgs),
    /// Show one case: why it is held, who has answered; with `--out`, write what was released.
    Show(QuarantineShowArgs),
    /// Approve a release. Two people of two roles are needed, some time apart.
    Release(QuarantineAnswerArgs),
    /// Reject a release, for good.
    Reject(QuarantineAnswerArgs),
}

#[derive(Debug, Args)]
pub(crate) struct QuarantineArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// Deployment file, which says who may answer.
    #[arg(long, value_name = "FILE", default_value = "aim.toml")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct QuarantineShowArgs {
    #[command(flatten)]
    pub(crate) common: QuarantineArgs,

    /// The case: a witness digest, a unique beginning of one, or its index in the log.
    pub(crate) case: String,

    /// Folder for the outputs, once they are released.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct QuarantineAnswerArgs {
    #[command(flatten)]
    pub(crate) common: QuarantineArgs,

    /// The case.
    pub(crate) case: String,

    #[command(flatten)]
    pub(crate) person: PersonArgs,

    /// Sign the answer without asking once more.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CodexCommand {
    /// Sign a codex; the signature lies beside it, with `.dsse` at the end of its name.
    Sign(CodexSignArgs),
    /// Check a codex against its signature.
    Verify(CodexVerifyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CodexSignArgs {
    /// The codex.
    pub(crate) codex: PathBuf,

    /// Folder of the gate key, as `keys new gate` made it.
    #[arg(long, value_name = "DIR")]
    pub(crate) key_dir: PathBuf,

    /// Its version. Default: what the document says under `version`.
    #[arg(long, value_name = "VERSION")]
    pub(crate) codex_version: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CodexVerifyArgs {
    /// The codex.
    pub(crate) codex: PathBuf,

    /// The public gate keys.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExplainCommand {
    /// Print the rule that refused a host call or a load, the request, and the smallest grant that would allow it.
    Deny(ExplainDenyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ExplainDenyArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// The run or execution (`run_…`, `exe_…`, a unique beginning of one, or `last`); `load` for a component that was
    /// refused before the run.
    pub(crate) run: String,

    /// The step, where several made calls, and the number of the host call; for `load` the index in the log.
    #[arg(value_name = "[STEP] SEQ", required = true, num_args = 1..=2)]
    pub(crate) place: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Validate a policy against the schema, strictly; say everything that is wrong with it.
    Check(PolicyCheckArgs),
    /// Decide every case of a file; exit 1 when a verdict is another than the case says.
    Test(PolicyTestArgs),
    /// Say why one request is allowed or denied, and the smallest change that would allow it.
    Explain(PolicyExplainArgs),
    /// Write the least policy that grants what a plan's contracts ask for, or what a policy on trial would have refused.
    Suggest(PolicySuggestArgs),
    /// Say what becomes allowed and what becomes denied for a plan's contracts when one policy replaces another.
    Diff(PolicyDiffArgs),
    /// Show what waits for a person's approval, and sign it.
    Approve(PolicyApproveArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PolicyApproveArgs {
    #[command(flatten)]
    pub(crate) asked: AskedArgs,

    #[command(flatten)]
    pub(crate) person: PersonArgs,

    /// Days that the approval counts.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=366))]
    pub(crate) days: u32,

    /// Data directory whose log keeps the answer. Default: `.aim` beside the plan.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Approve everything that is shown without asking.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyCheckArgs {
    /// A `.cedar` file or a folder of them.
    pub(crate) policy: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyTestArgs {
    /// The cases (`.toml`): policies, requests and the verdicts that are expected.
    pub(crate) cases: PathBuf,

    /// The policy for cases that name none of the file's own.
    #[arg(long, value_name = "PATH")]
    pub(crate) policy: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyExplainArgs {
    /// A `.cedar` file or a folder of them.
    pub(crate) policy: PathBuf,

    /// The request: action, plan, step, node, component, tenant; resource, kind and autonomy where they matter.
    #[arg(value_name = "NAME=VALUE", required = true)]
    pub(crate) request: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AskedArgs {
    /// The plan (`.acl`) whose contracts' asks are looked at.
    #[arg(long, value_name = "PLAN")]
    pub(crate) plan: PathBuf,

    /// Deployment file. Default: `aim.toml` beside the plan.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PolicySuggestArgs {
    /// The plan (`.acl`) whose contracts' asks are looked at.
    #[arg(
        long,
        value_name = "PLAN",
        required_unless_present = "run",
        conflicts_with = "run"
    )]
    pub(crate) plan: Option<PathBuf>,

    /// Deployment file. Default: `aim.toml` beside the plan.
    #[arg(long, value_name = "FILE", requires = "plan")]
    pub(crate) config: Option<PathBuf>,

    /// The run whose would-deny counters are looked at (`run_…`, `exe_…`, a unique beginning of one, or `last`).
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<String>,

    #[command(flatten)]
    pub(crate) data: DataArgs,

    /// Hold every rule to the exact bytes of the component.
    #[arg(long)]
    pub(crate) pin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyDiffArgs {
    /// The policy that is replaced.
    pub(crate) old: PathBuf,

    /// The policy that replaces it.
    pub(crate) new: PathBuf,

    #[command(flatten)]
    pub(crate) asked: AskedArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// The key folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: PathBuf,
}
