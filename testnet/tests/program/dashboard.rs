//! The dashboard's server, as its page meets it: on a real network, broken through it.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{Answer, Server};
use crate::testnet::{Testnet, nodes};

/// A page: the server with the token that it gave.
struct Page {
    server: Server,
    token: String,
}

impl Page {
    fn open(testnet: &Testnet) -> Self {
        let status = testnet.status();
        let server = Server::at(status["dashboard"].as_str().expect("an address"));
        let state = server.get("/api/state").json();
        let token = state["token"].as_str().expect("a token").to_owned();
        Self { server, token }
    }

    fn post(&self, order: &Value) -> Answer {
        let headers = format!("X-Catamaran-Token: {}\r\n", self.token);
        self.server.post("/api/control", &headers, &order.to_string())
    }

    /// Gives an order that is carried out. Returns the answer.
    #[track_caller]
    fn order(&self, order: Value) -> Value {
        let answer = self.post(&order);
        assert_eq!(answer.status, 200, "{order}: {answer:?}");
        let done = answer.json();
        assert_eq!(done["ok"], json!(true), "{order}: {done}");
        println!("{}: {}", done["command"], done["output"]);
        done
    }

    fn call(&self, node: usize, method: &str, params: Value) -> Answer {
        let call = json!({ "node": node, "method": method, "params": params });
        self.server.post("/api/rpc", "", &call.to_string())
    }

    fn cursor(&self) -> u64 {
        self.server.get("/api/state").json()["cursor"].as_u64().expect("a cursor")
    }

    /// Reads the state until it is as wanted.
    #[track_caller]
    fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let state = self.server.get("/api/state").json();
            if wanted(&state) {
                return state;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}: {state:#}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn events_since(&self, cursor: u64) -> crate::http::Events {
        self.server.events(&format!("/api/events?since={cursor}"), "")
    }
}

fn leaders(state: &Value) -> Vec<&Value> {
    nodes(state).iter().filter(|node| node["role"] == "leader").collect()
}

fn is(event: &Value, kind: &str) -> bool {
    event["kind"] == json!(kind)
}

#[test]
fn a_page_sees_a_network_and_breaks_it() {
    let testnet = Testnet::up();
    let page = Page::open(&testnet);
    begins_with_the_state(&page);
    strangers_are_refused(&page);
    sees_transactions_blocks_and_messages(&page);
    sees_deaths_cuts_and_returns(&page);
    passes_calls_and_checks_proofs(&page);
    sees_a_liar_caught(&page);
    the_laboratory_is_the_simulator(&testnet, &page);
    shows_a_network_by_its_addresses(&testnet);

    let running = testnet.run(&["dashboard"]);
    running.assert_fails(1, "runs already");
    testnet.run(&["down"]).assert_succeeds();
    assert!(page.server.is_gone(), "the server ends with its network");
    assert_eq!(testnet.status()["dashboard"], Value::Null);
}

fn begins_with_the_state(page: &Page) {
    let home = page.server.get("/");
    assert_eq!(home.status, 200);
    assert!(home.body.contains("<html"), "{home:?}");
    assert!(home.header("content-security-policy").is_some_and(|it| it.contains("'self'")));
    let tag = home.header("etag").expect("a tag");
    let again = page.server.get_with("/", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!(again.status, 304);

    let mut events = page.events_since(page.cursor());
    for node in 0..4 {
        events.until("how every node is", |event| {
            is(event, "status") && event["node"] == json!(node) && event["answers"] == json!(true)
        });
    }
    let state = page.wait_for("a block", |state| state["blocks"][0].is_object());
    assert_eq!(state["stage"], json!({ "live": true, "control": true, "lab": true }));
    assert_eq!(state["engine"], json!("hybrid"));
    assert!(state["chain_id"].as_str().is_some_and(|id| id.len() == 64), "{state}");
    assert_eq!(nodes(&state).len(), 4);
    assert_eq!(leaders(&state).len(), 1, "{state:#}");
    assert!(nodes(&state).iter().all(|node| node["policy"].is_string()), "{state:#}");
}

fn strangers_are_refused(page: &Page) {
    let server = &page.server;
    let kill = json!({ "do": "kill", "node": 0 }).to_string();
    assert_eq!(server.raw("GET", "/api/state", "Host: evil.example\r\n", "").status, 403);
    for foreign in ["Origin: https://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        assert_eq!(server.get_with("/api/state", foreign).status, 403, "{foreign}");
    }
    assert_eq!(server.post("/api/control", "", &kill).status, 403);
    let wrong = "X-Catamaran-Token: 00\r\n";
    assert_eq!(server.post("/api/control", wrong, &kill).status, 403);
    assert_eq!(page.post(&json!({ "do": "explode" })).status, 400);
    let nobody = page.post(&json!({ "do": "kill", "node": 9 }));
    assert_eq!(nobody.status, 409);
    assert!(nobody.json()["output"].as_str().is_some_and(|why| why.contains("no validator 9")));
    assert_eq!(server.get("/nowhere").status, 404);
    assert_eq!(server.get("/assets/nothing.js").status, 404);
    assert_eq!(server.get("/api/control").status, 405);
    assert_eq!(server.post("/api/rpc", "", &" ".repeat(70_000)).status, 413);
}

fn sees_transactions_blocks_and_messages(page: &Page) {
    let cursor = page.cursor();
    let mut events = page.events_since(cursor);
    let sent = page.order(json!({ "do": "send", "amount": "5" }));
    assert!(sent["command"].as_str().is_some_and(|it| it.starts_with("wallet-cli send --to cat1")));
    let block = events.until("its block", |event| {
        is(event, "block") && event["status"] == json!("final") && event["transactions"] == json!(1)
    });
    assert!(block["signers"].as_array().is_some_and(|it| it.len() >= 3), "{block}");
    assert!(["fast", "commit"].contains(&block["certificate"].as_str().expect("one")), "{block}");

    let put = page.order(json!({ "do": "put", "key": "colour", "value": "blue" }));
    let load = page.order(json!({ "do": "load", "rate": 60 }));
    assert_eq!(load["command"], json!("testnet load --rate 60"));
    events.until("load", |event| is(event, "load") && event["final"].as_u64() >= Some(30));
    for class in ["append", "prepare"] {
        let send =
            events.until("messages", |event| is(event, "send") && event["class"] == json!(class));
        assert!(send["count"].as_u64() >= Some(1) && send["from"] != send["to"], "{send}");
    }
    let metrics =
        events.until("numbers", |event| is(event, "metrics") && event["tps"].as_f64() > Some(20.0));
    assert!(metrics["messages_per_block"].as_f64() > Some(1.0), "{metrics}");
    assert_eq!(page.post(&json!({ "do": "load", "rate": -1 })).status, 409);

    // The same events again, for a page that lost its connection.
    let mut again = page.server.events("/api/events", &format!("Last-Event-ID: {cursor}\r\n"));
    let first = again.next();
    assert_eq!(first["cursor"].as_u64(), Some(cursor + 1));
    again.until("the order", |event| is(event, "command") && event["command"] == put["command"]);
}

fn sees_deaths_cuts_and_returns(page: &Page) {
    let mut events = page.events_since(page.cursor());
    let of = |kind: &'static str, node: u64| {
        move |event: &Value| is(event, kind) && event["node"] == json!(node)
    };
    assert_eq!(page.order(json!({ "do": "kill", "node": 3 }))["command"], json!("testnet kill 3"));
    events.until("the death", of("crash", 3));
    page.order(json!({ "do": "restart", "node": 3 }));
    events.until("the return", of("start", 3));

    page.order(json!({ "do": "partition", "groups": [[0], [1, 2, 3]] }));
    events
        .until("the cut", |event| event["fault"]["partition"]["groups"] == json!([[0], [1, 2, 3]]));
    events.until("its group", |event| of("status", 0)(event) && event["group"] == json!(0));
    assert_eq!(page.server.get("/api/state").json()["partition"], json!([[0], [1, 2, 3]]));
    page.order(json!({ "do": "heal" }));
    events.until("the healing", |event| is(event, "heal"));

    page.order(json!({ "do": "delay", "node": 2, "ms": 40 }));
    events.until("the delay", |event| of("status", 2)(event) && event["delay_ms"] == json!(40));
    page.order(json!({ "do": "heal" }));
    page.order(json!({ "do": "pause", "node": 2 }));
    events.until("the pause", |event| of("status", 2)(event) && event["paused"] == json!(true));
    page.order(json!({ "do": "resume", "node": 2 }));
    events.until("an answer", |event| of("status", 2)(event) && event["answers"] == json!(true));
}

fn passes_calls_and_checks_proofs(page: &Page) {
    let key = "636f6c6f7572";
    let found = page.call(1, "kv_get", json!([key])).json();
    assert_eq!(found["result"]["value"], json!("626c7565"), "{found}");
    let none = page.call(1, "kv_get", json!(["ff"])).json();
    assert!(none["result"].is_object() || none["error"]["code"].is_i64(), "{none}");
    assert!(page.call(0, "chain_status", Value::Null).json()["result"]["height_final"].is_u64());
    for refused in
        [page.call(0, "tx_submit", json!(["00"])), page.call(9, "chain_status", json!([]))]
    {
        assert_eq!(refused.status, 400, "{refused:?}");
    }

    let proof = page.call(0, "proof_get", json!([{ "key": key }])).json();
    let file = proof["result"]["file"].as_str().expect("a file").to_owned();
    let verdict = page.server.post("/api/proof/verify", "", &file).json();
    assert_eq!(verdict["ok"], json!(true), "{verdict}");
    let changed = file.replacen("626c7565", "626c7566", 1);
    assert_ne!(changed, file);
    let verdict = page.server.post("/api/proof/verify", "", &changed).json();
    assert_eq!(verdict["ok"], json!(false), "{verdict}");
}

/// The leader signs two blocks: it is caught, the mode changes, and it is jailed.
fn sees_a_liar_caught(page: &Page) {
    let mut events = page.events_since(page.cursor());
    let state = page.wait_for("a leader", |state| leaders(state).len() == 1);
    let leader = leaders(&state)[0];
    let order = json!({ "do": "byzantine", "node": leader["id"], "behaviour": "equivocate" });
    page.order(order);
    let evidence = events.until("evidence", |event| is(event, "evidence"));
    assert_eq!(evidence["validator"], leader["validator"], "{evidence}");
    let mut events = page.events_since(evidence["cursor"].as_u64().expect("a cursor") - 200);
    events.until("the fallback", |event| is(event, "mode") && event["to"] == json!("pbft"));
    events.until("a new epoch", |event| is(event, "epoch"));
    page.order(json!({ "do": "byzantine", "node": leader["id"], "behaviour": "off" }));
    page.order(json!({ "do": "load", "rate": 0 }));
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn the_laboratory_is_the_simulator(testnet: &Testnet, page: &Page) {
    let options = page.server.get("/api/lab/options").json();
    let engines = options["engines"].as_array().expect("a list");
    assert_eq!(engines.len(), 4, "{options}");
    let lab = |run: &Value| page.server.post("/api/lab/run", "", &run.to_string());
    let mut runs = 0;
    for engine in engines {
        for (scenario, seed) in [("leader-crash", 7), ("partition", 8), ("swarm", 9)] {
            let run =
                json!({ "engine": engine, "validators": 4, "seed": seed, "scenario": scenario });
            let told = lines(&lab(&run));
            let summary = told.last().expect("a summary");
            assert_eq!(summary["kind"], json!("summary"), "{run}");
            let (name, seed) = (engine.as_str().expect("a name"), seed.to_string());
            let command =
                ["simulate", "--engine", name, "--scenario", scenario, "--seed", &seed, "--json"];
            let report = testnet.run(&command).json();
            assert_eq!(summary["trace_hash"], report["trace_hash"], "{run}");
            assert_eq!(summary["blocks_final"], report["blocks_final"], "{run}");
            runs += 1;
        }
    }
    println!("{runs} runs with the hash of `testnet simulate`");

    // One more fault: all is the same until it strikes.
    let mut run =
        json!({ "engine": "hybrid", "validators": 4, "seed": 7, "scenario": "leader-crash" });
    let plain = lines(&lab(&run));
    run["faults"] = json!([{ "at_ms": 400, "fault": { "isolate": { "who": "leader" } } }]);
    let fork = lines(&lab(&run));
    let before = |told: &[Value]| -> Vec<Value> {
        told.iter().take_while(|event| event["at_ms"].as_f64() < Some(400.0)).cloned().collect()
    };
    assert_eq!(plain.last().map(|summary| &summary["truncated"]), Some(&json!(false)));
    assert!(before(&plain).len() > 100);
    assert_eq!(before(&plain), before(&fork));
    let hash = |told: &[Value]| told.last().expect("a summary")["trace_hash"].clone();
    assert_ne!(hash(&plain), hash(&fork));
    assert_eq!(hash(&fork), hash(&lines(&lab(&run))), "a fork is repeatable too");

    for (field, wrong) in [
        ("engine", json!("none")),
        ("validators", json!(1000)),
        ("scenario", json!("none")),
        ("duration_ms", json!(10_000_000)),
        ("faults", json!([{ "at_ms": 1e9, "fault": "heal_network" }])),
        ("faults", json!([{ "at_ms": 5, "fault": { "restart": { "node": 99 } } }])),
        ("byzantine", json!([{ "node": 4, "does": "silent" }])),
        ("surprise", json!(1)),
    ] {
        let mut run = run.clone();
        run[field] = wrong;
        let refused = lab(&run);
        assert_eq!(refused.status, 400, "{run}");
        assert!(refused.json()["error"].is_string(), "{refused:?}");
    }
}

fn shows_a_network_by_its_addresses(testnet: &Testnet) {
    let status = testnet.status();
    let urls: Vec<&str> = nodes(&status).iter().filter_map(|node| node["rpc"].as_str()).collect();
    let mut child = testnet.spawn(&["dashboard", "--rpc", urls[0], "--rpc", urls[1]]);
    let mut line = String::new();
    let output = child.stdout.take().expect("piped");
    BufReader::new(output).read_line(&mut line).expect("a line");
    let server = Server::at(line.trim());
    let state = server.get("/api/state").json();
    assert_eq!(state["stage"]["control"], json!(false), "{state}");
    assert!(state.get("token").is_none() && nodes(&state).len() == 2, "{state}");
    let mut events = server.events("/api/events?since=0", "");
    events.until("how the second node is", |event| {
        is(event, "status") && event["node"] == json!(1) && event["height_final"].is_u64()
    });
    let order = json!({ "do": "kill", "node": 0 }).to_string();
    assert_eq!(server.post("/api/control", "", &order).status, 403);
    assert_eq!(server.post("/api/control", "X-Catamaran-Token: \r\n", &order).status, 403);
    let verdict = server.post("/api/proof/verify", "", "{}").json();
    assert_eq!(verdict["ok"], json!(false), "there is no genesis: {verdict}");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a number"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it runs");
    assert!(child.wait().expect("it ended").success());
}
