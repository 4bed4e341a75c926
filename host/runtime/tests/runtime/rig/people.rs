//! People around the host: the one whom the deployment lists, others, and what each of them says.
//!
//! INVARIANT: whatever is written down here goes through the host's own committer, signed as the host signs.

use aim_core::{
    digest::{Digest, Sha256, encode_hex},
    leaf::LeafKind,
    quarantine::Approver,
    question::{ANSWER_KIND, ANSWER_PREDICATE, Answer, AnswerPredicate},
    time::Timestamp,
    witness::{Statement, Subject},
};
use aim_runtime::{answer, commit::Submission, host::Host, ledger::Askable};
use aim_trust::{
    approval,
    key::{KeyRole, SecretKey},
    use_approval::{Counted, Noted},
};

use super::Rig;

/// Somebody with a key of their own; `ann` with the first key is the one whom the deployment lists.
pub(crate) fn person(name: &str, key: u8) -> (Approver, SecretKey) {
    let key = SecretKey::from_bytes(KeyRole::Approver, &[key; 32]);
    let approver = Approver {
        actor: "uid:70001".to_owned(),
        key: encode_hex(&key.public_bytes()),
        name: name.to_owned(),
        role: "operations".to_owned(),
    };
    (approver, key)
}

impl Rig {
    /// Answers the only open question of the newest run.
    pub(crate) fn answer(&self, text: &str) {
        self.answer_as(&person("ann", 1), text, |_| {});
    }

    /// Answers it as somebody else might, and lets `bend` change what the log is told.
    pub(crate) fn answer_as(
        &self,
        (approver, key): &(Approver, SecretKey),
        text: &str,
        bend: impl FnOnce(&mut AnswerPredicate),
    ) {
        let (host, ledger) = self.open().unwrap();
        let execution = ledger.executions().last().unwrap();
        let listed = [person("ann", 1).0];
        let questions = ledger.open_questions(execution, Askable::Only(&listed));
        assert_eq!(questions.len(), 1);
        let given = answer::give(&host, execution, questions[0], (approver, Answer::of(text)));
        let signed = approval::sign(&given, key);
        let mut predicate = AnswerPredicate {
            actor: "tester".to_owned(),
            approval: signed,
            execution: execution.start.execution,
            host: host.facts.host.clone(),
            kind: ANSWER_KIND.to_owned(),
            origin: host.facts.origin.clone(),
            tenant: execution.start.tenant.clone(),
            trace: execution.start.trace,
        };
        bend(&mut predicate);
        let id = given.question.as_bytes();
        let subject = Subject::new("question", Digest::of(id), Sha256::of(id));
        let payload = Statement::new(ANSWER_PREDICATE, vec![subject], predicate).payload();
        commit_answer(host, payload);
    }

    /// Writes down that somebody let something be done, outside of any run.
    pub(crate) fn write_down(&self, approval: &Counted) {
        let (host, _) = self.open().unwrap();
        let statement = approval.statement(&Noted {
            actor: "tester",
            at: Timestamp::from_millis(0),
            execution: None,
            origin: &host.facts.origin,
        });
        commit_answer(host, statement);
    }
}

fn commit_answer(host: Host, statement: Vec<u8>) {
    let submission = Submission::witness(LeafKind::Answer, statement, Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(host.committer.commit(submission)).unwrap();
    host.committer.close().unwrap();
}
