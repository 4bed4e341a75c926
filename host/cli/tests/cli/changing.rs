//! Files of the operator that change while a run goes on: the run was admitted with what they said, and ends with that.
//!
//! INVARIANT: nobody waits for time to pass: the first step's request is answered once the files are changed.

use std::{
    fs,
    io::Write as _,
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    http::{read_request, secret, write_secret},
    runs::assert_verified,
    support::{Came, Place, guest},
};

const PLAN: &str = r#"
PLAN changing v1.0:
  QUIP "Who moves the goal while the ball is in the air has to play alone."
  ROLE a: custom(node="caller")
  ROLE b: custom(node="echo")
  STEP one:
    ASSIGN a: "send it"
    BUDGET tokens=1, time=30s, tools=9
  STEP two:
    ASSIGN b: "say it"
    REQUIRES one
    BUDGET tokens=1, time=30s, tools=1
"#;

const ECHO: &str = "kind: compute\nnode_id: echo\nversion: \"0.1.0\"\ncomponent: { path: echo.wasm }\n\
                    asks: [{ capability: artifact, modes: [put] }]\n";
const LESS: &str = "limits: { fuel_max: 1 }\n";
const GATE: &str = "kind: compute\nnode_id: ethical\nversion: \"0.1.0\"\nworld: aim:step/gate@0.1.0\n\
                    component: { path: gate.wasm }\nasks: [{ capability: codex }]\ncodex: ../codex\n";
const ALL: &str = "@id(\"all\") permit (principal, action, resource);\n";
const NO_PUT: &str =
    "@id(\"no-put\") forbid (principal, action == Aim::Action::\"artifact.put\", resource);\n";

/// A server that answers its first request when it is told to, and all others at once.
struct Server {
    port: u16,
    came: mpsc::Receiver<()>,
    go: mpsc::Sender<()>,
}

fn serve() -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, came) = mpsc::channel();
    let (go, told) = mpsc::channel();
    thread::spawn(move || {
        for (index, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            read_request(&stream);
            tell.send(()).ok();
            if index == 0 {
                told.recv().ok();
            }
            drop((&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npaid"));
        }
    });
    Server { port, came, go }
}

fn deployment(port: u16) -> Place {
    let place = Place::new();
    place.write("plan.acl", PLAN);
    place.write(
        "contracts/caller.yaml",
        format!(
            "kind: effect\nnode_id: caller\nversion: \"0.1.0\"\nadapt: std-0.2.12\ncomponent: {{ path: http.wasm }}\n\
             asks:\n  - capability: http\n    modes: [request, special]\n    \
             scope: [\"POST http://127.0.0.1:{port}/ via 127.0.0.0/8\"]\n  \
             - capability: secrets\n    scope: [api-token]\n"
        ),
    );
    place.write("contracts/echo.yaml", ECHO);
    place.write("contracts/ethical.yaml", GATE);
    for (name, component) in [
        ("http", "conformance-http.wasm"),
        ("echo", "conformance-echo.wasm"),
        ("gate", "gate-hostile.wasm"),
    ] {
        let bytes = fs::read(guest(component)).unwrap();
        place.write(&format!("components/{name}.wasm"), bytes);
    }
    place.write("policy.cedar", ALL);
    let public = place.run(&["keys", "new", "gate", "publisher"]).stdout;
    place.write("codex.pub", public);
    sign_codex(&place, "pass", "1.0.0");
    let gates = "contracts = [\"contracts\"]\ncomponents = [\"components\"]\npolicy = \"policy.cedar\"\n[gates]\n\
                 ethical = \"ethical\"\ncodex_keys = \"codex.pub\"\n[probes]\noff = [\"all\"]\n";
    place.write("aim.toml", format!("{gates}{}", secret(port)));
    write_secret(&place);
    place
}

fn sign_codex(place: &Place, text: &str, version: &str) {
    place.write("codex", text);
    let version = format!("--codex-version={version}");
    let came = place.run(&["codex", "sign", "codex", "--key-dir=publisher", &version]);
    assert_eq!(came.code, 0, "{}", came.stderr);
}

fn arguments(port: u16) -> Vec<String> {
    let request = json!({
        "method": "POST", "scheme": "http", "authority": format!("127.0.0.1:{port}"), "path": "/", "body": "one coin",
    });
    let words = ["run", "plan.acl", "-i"].map(str::to_owned);
    words
        .into_iter()
        .chain([format!("request={request}")])
        .collect()
}

fn run(place: &Place, port: u16) -> Came {
    let arguments = arguments(port);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    place.run(&arguments)
}

/// What the newest attempt of a step was judged by: policy, contract, and the codex of its gates.
fn judged_by(place: &Place, step: &str) -> [Value; 3] {
    let mut index = 0;
    let mut newest = Value::Null;
    // BOUND: a log has an end.
    loop {
        let came = place.run(&["witness", "show", &index.to_string(), "-o", "json"]);
        if came.code != 0 {
            break;
        }
        let statement = came.documents().remove(0);
        if statement["predicate"]["step"] == step && !statement["predicate"]["gates"].is_null() {
            newest = statement["predicate"].clone();
        }
        index += 1;
    }
    let codex: Vec<&Value> = (newest["gates"].as_array().unwrap().iter())
        .map(|gate| &gate["codex"])
        .filter(|codex| !codex.is_null())
        .collect();
    assert!(codex.windows(2).all(|pair| pair[0] == pair[1]), "{codex:?}");
    [
        newest["grant"]["policy"].clone(),
        newest["contract"].clone(),
        codex[0].clone(),
    ]
}

/// Negative control: with a gate's codex read from its file whenever a gate is asked, and the host not confined, the first step's
/// outputs are judged by the new one and this fails (seen).
#[test]
fn what_a_run_was_admitted_with_counts_to_its_end_and_the_next_one_takes_what_is_there() {
    let server = serve();
    let place = deployment(server.port);
    let mut command = place.command(&[]);
    let mut child = command
        .args(arguments(server.port))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while server.came.try_recv().is_err() {
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "it ended before its request"
        );
        thread::sleep(Duration::from_millis(5));
    }
    // The first step is at work. From here on all three documents would refuse the second one.
    place.write("policy.cedar", format!("{ALL}{NO_PUT}"));
    place.write("contracts/echo.yaml", format!("{ECHO}{LESS}"));
    sign_codex(&place, "fail", "1.0.1");
    server.go.send(()).unwrap();
    let came = Came::from(child.wait_with_output().unwrap());
    assert_eq!(came.code, 0, "{}", came.stderr);
    let [policy, contract, codex] = judged_by(&place, "two");
    let [first_policy, _, first_codex] = judged_by(&place, "one");
    assert_eq!((&policy, &codex), (&first_policy, &first_codex));
    assert_verified(&place);

    // Each document alone now does what it says, to the run after.
    place.write("contracts/echo.yaml", ECHO);
    sign_codex(&place, "pass", "1.0.0");
    run(&place, server.port).assert_refused(3, "no-put");
    place.write("policy.cedar", ALL);
    place.write("contracts/echo.yaml", format!("{ECHO}{LESS}"));
    let came = run(&place, server.port);
    assert_eq!(came.code, 5, "{}", came.stderr);
    let [same_policy, other_contract, same_codex] = judged_by(&place, "two");
    assert_eq!((&same_policy, &same_codex), (&policy, &codex));
    assert_ne!(other_contract, contract);
    place.write("contracts/echo.yaml", ECHO);
    sign_codex(&place, "fail", "1.0.1");
    let came = run(&place, server.port);
    assert_eq!(came.code, 3, "{}", came.stderr);
    let [_, _, other_codex] = judged_by(&place, "one");
    assert_ne!(other_codex, codex);
    assert_verified(&place);
}
