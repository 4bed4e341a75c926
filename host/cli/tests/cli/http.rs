//! Immediate effects from the outside: `aimctl run` against a server on the loopback interface.
//!
//! INVARIANT: what the server saw is counted, and what is left behind verifies.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use serde_json::{Value, json};

use crate::support::{Came, Place, guest};

const PLAN: &str = r#"
PLAN calls v1.0:
  QUIP "Nobody ever regretted a letter that was not sent."
  ROLE a: custom(node="caller")
  STEP one:
    ASSIGN a: "send it"
    BUDGET tokens=1, time=30s, tools=9
"#;

const DEPLOYMENT: &str = "probes = { off = [\"all\"] }\ncontracts = [\"contracts\"]\ncomponents = [\"components\"]\n\
                          policy = \"policy.cedar\"\n\
                          [gates]\nethical = \"ethical\"\ncodex_keys = \"publisher.pub\"\n";

/// A secret that must be nowhere.
pub(crate) const CANARY: &str = "canary-0123456789";

/// A server; each request's head and body is kept, and answered, or not, as `respond` says.
pub(crate) struct Server {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    pub(crate) came: mpsc::Receiver<()>,
}

pub(crate) fn serve(respond: impl Fn(&str) -> Option<String> + Send + 'static) -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let (tell, came) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let text = read_request(&stream);
            kept.lock().unwrap().push(text.clone());
            tell.send(()).ok();
            match respond(&text) {
                Some(answer) => drop((&stream).write_all(answer.as_bytes())),
                None => {
                    thread::spawn(move || drop((&stream).read_to_end(&mut Vec::new())));
                }
            }
        }
    });
    Server { port, seen, came }
}

pub(crate) fn read_request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    format!("{head}\n{}", String::from_utf8(body).unwrap())
}

pub(crate) fn ok(body: &str) -> Option<String> {
    Some(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

impl Server {
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// A deployment whose one step may send to `port` as `via` says.
pub(crate) fn deployment(port: u16, via: &str, more: &str) -> Place {
    let place = Place::new();
    place.write("plan.acl", PLAN);
    place.write("aim.toml", format!("{DEPLOYMENT}{}", secret(port)));
    let modes = if via.is_empty() {
        "request"
    } else {
        "request, special"
    };
    let contract = format!(
        "kind: effect\nnode_id: caller\nversion: \"0.1.0\"\nadapt: std-0.2.12\ncomponent: {{ path: http.wasm }}\n{more}\
         asks:\n  - capability: http\n    modes: [{modes}]\n    scope: [\"POST http://127.0.0.1:{port}/v1/{via}\"]\n  \
         - capability: secrets\n    scope: [api-token]\n"
    );
    place.write("contracts/caller.yaml", contract);
    place.write_gate();
    place.write(
        "policy.cedar",
        "@id(\"all\") permit (principal, action, resource);\n",
    );
    place.write(
        "components/http.wasm",
        fs::read(guest("conformance-http.wasm")).unwrap(),
    );
    write_secret(&place);
    place
}

/// The secret that the conformance guest can ask for.
pub(crate) fn write_secret(place: &Place) {
    let file = place.write("secrets/api-token", format!("{CANARY}\n"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(place.path("secrets"), fs::Permissions::from_mode(0o700)).unwrap();
}

pub(crate) fn secret(port: u16) -> String {
    format!(
        "[secrets.api-token]\nfile = \"secrets/api-token\"\nendpoints = [\"http://127.0.0.1:{port}\"]\n\
         headers = [\"authorization\"]\n"
    )
}

pub(crate) const LOOPBACK: &str = " via 127.0.0.0/8";

pub(crate) fn request(port: u16, path: &str) -> Value {
    json!({
        "method": "POST", "scheme": "http", "authority": format!("127.0.0.1:{port}"), "path": path, "body": "one coin",
    })
}

pub(crate) fn input(request: &Value) -> String {
    format!("request={request}")
}

fn run(place: &Place, request: &Value) -> Came {
    place.run(&["run", "plan.acl", "-i", &input(request)])
}

/// A place in which two requests were sent with the secret, one answered and one told the secret back, and how many requests
/// the server has seen. What was sent is in `sent.json`.
pub(crate) fn paid() -> (Place, impl Fn() -> usize) {
    let server = serve(|text| {
        let is_echo = text.contains("/v1/echo");
        ok(if is_echo { text } else { "paid" })
    });
    let place = deployment(server.port, LOOPBACK, "");
    let with = |path: &str| {
        let mut one = request(server.port, path);
        one["secret"] = json!(["authorization", "Bearer ", "api-token"]);
        one
    };
    let sent = json!([with("/v1/pay"), with("/v1/echo")]);
    place.write("sent.json", sent.to_string());
    output(&place, &run(&place, &sent));
    assert!(server.seen().iter().all(|text| text.contains(CANARY)));
    (place, move || server.seen().len())
}

/// The body of the run's output.
fn output(place: &Place, came: &Came) -> Value {
    assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
    let path = came.text().lines().next().unwrap().to_owned();
    serde_json::from_slice(&fs::read(place.path(&path)).unwrap()).unwrap()
}

fn assert_verified(place: &Place) {
    place.write("aim.pub", place.run(&["keys", "show"]).stdout);
    let came = place.run(&["verify", ".aim", "--key=aim.pub"]);
    assert_eq!(came.code, 0, "{}{}", came.text(), came.stderr);
}

#[test]
fn a_request_within_its_scope_is_sent_once_and_a_redirect_is_an_answer() {
    let server = serve(|text| {
        if text.contains("/v1/away") {
            let head = "HTTP/1.1 302 Found\r\nlocation: /v1/pay\r\ncontent-length: 0\r\n\r\n";
            return Some(head.to_owned());
        }
        ok("paid")
    });
    let place = deployment(server.port, LOOPBACK, "");
    let both = json!([
        request(server.port, "/v1/pay"),
        request(server.port, "/v1/away")
    ]);
    let came = run(&place, &both);
    let body = output(&place, &came);
    assert_eq!(body[0]["body"], "paid", "{body}");
    assert_eq!(body[1]["status"], 302, "{body}");
    let seen = server.seen();
    assert_eq!(seen.len(), 2, "nobody followed the redirect: {seen:?}");
    assert!(seen[0].ends_with("one coin"), "{}", seen[0]);
    assert!(seen[0].contains("idempotency-key: idk_"), "{}", seen[0]);
    run(&place, &both);
    assert_eq!(server.seen().len(), 2, "a finished run is not done again");
    assert_verified(&place);
}

#[test]
fn outside_of_its_scope_or_at_a_special_address_nothing_is_sent() {
    let server = serve(|_| ok("never"));
    let place = deployment(server.port, LOOPBACK, "");
    let body = output(&place, &run(&place, &request(server.port, "/v2/pay")));
    assert!(
        body[0]["err"]
            .as_str()
            .unwrap()
            .contains("HttpRequestDenied"),
        "{body}"
    );
    assert_verified(&place);
    let place = deployment(server.port, "", "");
    let body = output(&place, &run(&place, &request(server.port, "/v1/pay")));
    assert!(
        body[0]["err"]
            .as_str()
            .unwrap()
            .contains("DestinationIpProhibited"),
        "{body}"
    );
    assert!(server.seen().is_empty());
    assert_verified(&place);
}

#[test]
fn without_a_rule_for_the_endpoint_the_step_is_not_admitted() {
    let server = serve(|_| ok("never"));
    let place = deployment(server.port, LOOPBACK, "");
    let rule = "permit (principal, action, resource);\nforbid (principal, action == Aim::Action::\"http.special\", resource);\n";
    place.write("policy.cedar", rule);
    run(&place, &request(server.port, "/v1/pay")).assert_refused(3, "AIM-A002");
    assert!(server.seen().is_empty());
}

const ALL: &str = "@id(\"all\") permit (principal, action, resource);\n";

/// A rule against an address, which is known only when a connection is made.
fn against(network: &str) -> String {
    format!(
        "{ALL}@id(\"not-there\") forbid (principal, action == Aim::Action::\"http.request\", resource)\n\
         when {{ context has address && context.address.isInRange(ip(\"{network}\")) }};\n"
    )
}

// Negative control: with the answer of the judge taken for a yes by the driver, the request arrives and this fails.
#[test]
fn a_policy_against_an_address_stops_the_dial_and_is_explained() {
    let server = serve(|_| ok("paid"));
    let place = deployment(server.port, LOOPBACK, "");
    place.write("policy.cedar", against("127.0.0.0/8"));
    let both = json!([
        request(server.port, "/v1/pay"),
        request(server.port, "/v1/more")
    ]);
    let body = output(&place, &run(&place, &both));
    for one in [0, 1] {
        let error = body[one]["err"].as_str().unwrap();
        assert!(error.contains("HttpRequestDenied"), "{body}");
    }
    assert!(server.seen().is_empty(), "nothing was dialled");
    assert_verified(&place);
    let shown = witness(&place).to_string();
    assert!(shown.contains("\"address-denied\""), "{shown}");
    assert!(shown.contains("not-there"), "{shown}");
    let explained = place.run(&["explain", "deny", "last", "one", "0"]);
    assert_eq!(explained.code, 0, "{}", explained.stderr);
    let text = explained.text();
    assert!(text.contains("by not-there"), "{text}");
    assert!(
        text.contains("context.address == ip(\"127.0.0.1\")"),
        "{text}"
    );
}

#[test]
fn a_policy_against_another_address_lets_it_through() {
    let server = serve(|_| ok("paid"));
    let place = deployment(server.port, LOOPBACK, "");
    place.write("policy.cedar", against("10.0.0.0/8"));
    let body = output(&place, &run(&place, &request(server.port, "/v1/pay")));
    assert_eq!(body[0]["body"], "paid", "{body}");
    assert_eq!(server.seen().len(), 1);
    assert_verified(&place);
}

#[test]
fn a_policy_on_trial_against_an_address_is_counted_and_not_obeyed() {
    let server = serve(|_| ok("paid"));
    let place = deployment(server.port, LOOPBACK, "");
    place.write("next.cedar", against("127.0.0.0/8"));
    let config = format!(
        "monitor = \"next.cedar\"\n{DEPLOYMENT}{}",
        secret(server.port)
    );
    place.write("aim.toml", config);
    let both = json!([
        request(server.port, "/v1/pay"),
        request(server.port, "/v1/more")
    ]);
    let body = output(&place, &run(&place, &both));
    assert_eq!(body[1]["body"], "paid", "{body}");
    assert_eq!(server.seen().len(), 2);
    assert_verified(&place);
    let shown = witness(&place);
    let found = find(&shown, "would_deny").unwrap_or_else(|| panic!("{shown}"));
    assert_eq!(found[0]["action"], "http.request", "{found}");
    assert_eq!(found[0]["calls"], 2, "{found}");
    assert_eq!(found[0]["rules"], json!(["not-there"]), "{found}");
}

/// The statement about the only attempt of the newest run.
fn witness(place: &Place) -> Value {
    let plan = place.run(&["witness", "show", "last", "-o", "json"]);
    let Some(attempts) = find(&plan.documents()[0], "attempts") else {
        // A run that waits has no witness of its own yet.
        return plan.documents().remove(0);
    };
    let digest = attempts[0].as_str().unwrap().to_owned();
    let came = place.run(&["witness", "show", &digest, "-o", "json"]);
    assert_eq!(came.code, 0, "{}", came.stderr);
    came.documents().remove(0)
}

/// The first value under a key, at any depth.
fn find(value: &Value, key: &str) -> Option<Value> {
    match value {
        Value::Object(map) => {
            (map.get(key).cloned()).or_else(|| map.values().find_map(|inner| find(inner, key)))
        }
        Value::Array(items) => items.iter().find_map(|inner| find(inner, key)),
        _ => None,
    }
}

/// Kills the run when the server has its request, then runs again.
fn killed_and_run_again(more: &str) -> (Server, Place, Came) {
    let server = serve(|text| text.contains("answer me").then(|| ok("paid")).flatten());
    let place = deployment(server.port, LOOPBACK, more);
    let request = request(server.port, "/v1/pay");
    let mut child = place
        .command(&["run", "plan.acl", "-i", &input(&request)])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let wait = std::time::Duration::from_secs(60);
    server.came.recv_timeout(wait).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let came = place.run(&["run", "plan.acl", "-i", &input(&request), "-o", "json"]);
    (server, place, came)
}

#[test]
fn a_host_that_is_killed_between_intent_and_outcome_does_not_repeat_the_request() {
    let (server, place, came) = killed_and_run_again("");
    assert_eq!(came.code, 9, "{}", came.stderr);
    let waiting = &came.documents()[0];
    assert_eq!(waiting["questions"][0]["step"], "one", "{waiting}");
    assert_eq!(server.seen().len(), 1);
    let again = place.run(&[
        "run",
        "plan.acl",
        "-i",
        &input(&request(server.port, "/v1/pay")),
    ]);
    assert_eq!(again.code, 9, "{}", again.stderr);
    assert_eq!(server.seen().len(), 1);
    assert_verified(&place);
}

#[test]
fn an_idempotent_step_repeats_it_with_the_same_key() {
    let (server, place, _) =
        killed_and_run_again("idempotent: true\nlimits: { effect_ms_max: 5000 }\n");
    let keys: Vec<String> = server
        .seen()
        .iter()
        .map(|text| {
            let mut lines = text.lines();
            lines
                .find(|line| line.starts_with("idempotency-key"))
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert_eq!(keys[0], keys[1]);
    assert_verified(&place);
}

/// Every file below a folder but the secret's own and the components.
fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if !path.ends_with("secrets/api-token") {
            found.push(path);
        }
    }
}

// Negative control: the secret's own file is read by the same look and does hold the canary.
#[test]
fn s3_a_secret_is_sent_where_it_is_bound_to_and_is_in_no_file_and_no_output() {
    let server = serve(|text| match text {
        text if text.contains("/v1/echo") => ok(text),
        text if text.contains("/v1/bad") => Some(format!("no http at all: {text}")),
        _ => ok("paid"),
    });
    let place = deployment(server.port, LOOPBACK, "");
    let with = |path: &str, header: &str| {
        let mut one = request(server.port, path);
        one["secret"] = json!([header, "Bearer ", "api-token"]);
        one
    };
    let all = json!([
        with("/v1/pay", "authorization"),
        with("/v1/echo", "authorization"),
        with("/v1/bad", "authorization"),
        with("/v1/pay", "x-debug"),
    ]);
    let came = run(&place, &all);
    let body = output(&place, &came);
    assert_eq!(body[0]["body"], "paid", "{body}");
    assert!(
        body[1]["err"].as_str().unwrap().contains("AIM-N012"),
        "{body}"
    );
    assert!(body[2]["err"].is_string(), "{body}");
    assert!(
        body[3]["err"]
            .as_str()
            .unwrap()
            .contains("HttpRequestDenied"),
        "{body}"
    );
    let bearer = format!("authorization: Bearer {CANARY}");
    assert_eq!(
        server
            .seen()
            .iter()
            .filter(|text| text.contains(&bearer))
            .count(),
        3
    );
    assert_verified(&place);
    let mut shown = vec![came.text(), came.stderr];
    for arguments in [
        &["logs", "-o", "json"][..],
        &["witness", "show", "last"],
        &["witness", "show", "last", "-o", "json"],
        &["witness", "export", "--run", "last", "--payloads"],
    ] {
        let came = place.run(arguments);
        shown.extend([came.text(), came.stderr]);
    }
    for text in &shown {
        assert!(!text.contains(CANARY), "{text}");
    }
    let mut found = Vec::new();
    files(place.path("").as_path(), &mut found);
    let has = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        bytes
            .windows(CANARY.len())
            .any(|window| window == CANARY.as_bytes())
    };
    assert!(has(&place.path("secrets/api-token")));
    let holding: Vec<_> = found.iter().filter(|path| has(path)).collect();
    assert!(holding.is_empty(), "{holding:?}");
}

/// Negative control: with no check of the mode, this fails.
#[test]
fn s6_a_secret_that_others_can_read_stops_the_run_before_anything_starts() {
    let server = serve(|_| ok("never"));
    let place = deployment(server.port, LOOPBACK, "");
    fs::set_permissions(
        place.path("secrets/api-token"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let came = run(&place, &request(server.port, "/v1/pay"));
    came.assert_refused(2, "AIM-N011");
    assert!(!came.stderr.contains(CANARY));
    place.write("aim.toml", DEPLOYMENT);
    run(&place, &request(server.port, "/v1/pay")).assert_refused(2, "AIM-N014");
    assert!(server.seen().is_empty());
}

// Negative control: with none of `RESOLVER_FILES` granted the confined host finds no address for the name and this fails.
#[test]
fn a_name_is_resolved_by_a_host_that_has_given_its_files_up() {
    let server = serve(|_| ok("paid"));
    let place = deployment(server.port, LOOPBACK, "");
    let contract = place.read("contracts/caller.yaml");
    place.write(
        "contracts/caller.yaml",
        contract.replace("http://127.0.0.1", "http://localhost"),
    );
    let mut named = request(server.port, "/v1/pay");
    named["authority"] = json!(format!("localhost:{}", server.port));
    let body = output(&place, &run(&place, &named));
    assert_eq!(body[0]["body"], "paid", "{body}");
    let seen = server.seen();
    assert!(
        seen[0].contains(&format!("host: localhost:{}", server.port)),
        "{seen:?}"
    );
    assert_verified(&place);
}

/// What a plan's own policy says about a resolved address holds as the operator's word does.
/// Control: with the operator's policy alone given to `Addresses::of`, the request was sent and this failed.
#[test]
fn an_address_that_the_plans_own_policy_refuses_is_never_dialled() {
    let server = serve(|_| ok("paid"));
    let place = deployment(server.port, LOOPBACK, "");
    let plan = "import policy \"far.aclp\" as far\npipeline \"calls\" {\n  header { policy: far }\n  \
                role a: custom { node: \"caller\" }\n  \
                step one: a { does: \"send it\", budget: { tokens: 1, wall_ms: 30000, calls: 9 } }\n}\n";
    place.write("plan.acl", plan);
    let permit = "permit (principal, action, resource);\n";
    place.write("far.aclp", permit);
    let came = run(&place, &request(server.port, "/v1/pay"));
    assert_eq!(output(&place, &came)[0]["body"], "paid");
    let near = "@id(\"not-near\") forbid (principal, action in [Aim::Action::\"http.request\", Aim::Action::\"http.special\"], resource)\n\
                when { context has address && context.address.isInRange(ip(\"127.0.0.0/8\")) };\n";
    place.write("far.aclp", format!("{permit}{near}"));
    let came = run(&place, &request(server.port, "/v1/pay"));
    assert!(
        !came.text().contains("paid") && server.seen().len() == 1,
        "{}",
        came.stderr
    );
    let shown = witness(&place).to_string();
    assert!(shown.contains("far: not-near"), "{shown}");
}

/// The folder of `examples/http-effect`, for a shop on another port.
fn shop_example(port: u16) -> Place {
    let place = Place::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let from = root.join("examples/http-effect");
    for name in [
        "plan.acl",
        "aim.toml",
        "order.json",
        "contracts/payer.yaml",
        "contracts/ethical-gate.yaml",
        "contracts/probe-invariants.yaml",
        "policy/pay.cedar",
    ] {
        let text = fs::read_to_string(from.join(name)).unwrap();
        let text = text
            .replace("8642", &port.to_string())
            .replace("root = \"../..\"", "root = \".\"")
            .replace("../../target/guests", "components")
            .replace("../../../contracts/codex/", "../codex/")
            .replace("../../contracts/codex/", "codex/");
        place.write(name, text);
    }
    for name in ["default.json", "default.json.dsse", "publisher.pub"] {
        let bytes = fs::read(root.join("contracts/codex").join(name)).unwrap();
        place.write(&format!("codex/{name}"), bytes);
    }
    for name in [
        "effect-payer.wasm",
        "gate-mcel.wasm",
        "probe-invariants.wasm",
    ] {
        place.write(
            &format!("components/{name}"),
            fs::read(guest(name)).unwrap(),
        );
    }
    place
}

const PAY: [&str; 4] = ["run", "plan.acl", "-i", "order=@order.json"];

fn pay(place: &Place, more: &[&str]) -> Came {
    let mut command = place.command(&PAY);
    let came = command.args(more).env("PAY_TOKEN", CANARY).output();
    came.unwrap().into()
}

#[test]
fn the_example_pays_once_and_its_receipt_is_the_expected_one() {
    let shop = serve(|_| {
        let body = "receipt for order-17";
        let length = body.len();
        Some(format!(
            "HTTP/1.1 201 Created\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    });
    let place = shop_example(shop.port);
    let came = pay(&place, &[]);
    let expected = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/http-effect/expected/receipt.json");
    let expected: Value = serde_json::from_slice(&fs::read(expected).unwrap()).unwrap();
    assert_eq!(output(&place, &came), expected);
    assert_eq!(pay(&place, &[]).code, 0);
    let seen = shop.seen();
    assert_eq!(seen.len(), 1, "a finished run is not paid again: {seen:?}");
    assert!(
        seen[0].starts_with("POST /payments HTTP/1.1"),
        "{}",
        seen[0]
    );
    assert!(seen[0].contains(&format!("authorization: Bearer {CANARY}")));
    let shown = witness(&place);
    assert_eq!(shown["predicate"]["effects"][0]["end"], "done", "{shown}");
    assert!(!shown.to_string().contains(CANARY));
    assert_eq!(pay(&place, &["--again"]).code, 0);
    let keys: Vec<String> = shop.seen().iter().map(|text| key(text)).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1], "another try has another key");
    assert_verified(&place);
}

pub(crate) fn key(request: &str) -> String {
    let mut lines = request.lines();
    let line = lines.find(|line| line.starts_with("idempotency-key"));
    line.unwrap().to_owned()
}

#[test]
fn the_example_is_killed_while_it_pays_and_asks_a_person_before_it_pays_again() {
    let shop = serve(|_| None);
    let place = shop_example(shop.port);
    let mut child = place
        .command(&PAY)
        .env("PAY_TOKEN", CANARY)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let wait = std::time::Duration::from_secs(60);
    shop.came.recv_timeout(wait).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    for _ in 0..2 {
        let came = pay(&place, &[]);
        assert_eq!(came.code, 9, "{}", came.stderr);
        assert!(!came.stderr.contains(CANARY));
    }
    assert_eq!(shop.seen().len(), 1, "nothing is sent again");
    let shown = witness(&place);
    assert_eq!(
        shown["predicate"]["outcome"]["kind"], "indeterminate",
        "{shown}"
    );
    assert_eq!(
        shown["predicate"]["effects"][0]["end"], "unknown",
        "{shown}"
    );
    assert_verified(&place);
}
