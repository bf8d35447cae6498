use std::cell::RefCell;
use std::io::Write;
use std::num::NonZeroUsize;
use std::rc::Rc;

use super::*;
use crate::promise;
use crate::report::{csv_header, csv_row};
use crate::runner::Outcome;
use crate::trace::{JsonLines, Mermaid, Window};

fn request(name: &str) -> Request {
    Request {
        engine: EngineName::Hybrid,
        story: Story::named(name).unwrap(),
        validators: 4,
        seed: 1,
        duration: Some(Duration::from_millis(400)),
        variation: Variation::default(),
    }
}

/// What a sink wrote, for a test that reads it afterwards.
#[derive(Clone, Debug, Default)]
struct Written(Rc<RefCell<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).expect("text")
    }
}

#[test]
fn a_trace_changes_nothing_and_says_everything() {
    let request = request("leader-crash");
    let plain = request.run().unwrap();
    let (json, diagram) = (Written::default(), Written::default());
    let sinks: Vec<Box<dyn Sink>> = vec![
        Box::new(JsonLines::new(json.clone())),
        Box::new(Mermaid::new(diagram.clone(), 4, Window::default())),
    ];
    let (traced, written) = request.run_traced(Box::new(sinks)).unwrap();
    written.unwrap();
    assert_eq!(traced.trace_hash, plain.trace_hash);

    let text = json.text();
    let events: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count() as u64;
    assert_eq!(of("send"), plain.messages, "every message that was counted");
    assert_eq!(of("crash"), plain.crashes);
    assert_eq!(of("heal"), 1);
    assert!(of("final") >= plain.blocks_final * 4, "each block at each node");
    let times: Vec<f64> = events.iter().map(|event| event["at_ms"].as_f64().unwrap()).collect();
    assert!(times.is_sorted());
    let proposal = events.iter().find(|event| event["height"] == 1 && event["kind"] == "send");
    let proposal = proposal.expect("block 1 was sent");
    assert!(proposal["view"].is_u64() && proposal["message"].is_string(), "{proposal}");
    assert!(proposal["arrives_ms"].is_f64() && proposal["lost"] == false, "{proposal}");

    let diagram = diagram.text();
    assert!(diagram.starts_with("sequenceDiagram\n    participant n0\n"), "{diagram}");
    assert_eq!(diagram.lines().count(), 1 + 4 + Window::default().events);
}

#[test]
fn a_report_adds_up() {
    let report = request("calm").run().unwrap();
    assert_eq!(report.outcome, Outcome::Ok, "{}", report.verdict);
    assert_eq!(report.exit_code(), 0);
    assert!(report.within_fault_model && report.lost_transactions == 0);
    assert_eq!(report.transactions_final, 80 + 3, "all of the load and what came afterwards");
    assert_eq!(report.messages, report.messages_by_kind.values().sum::<u64>());
    assert!(report.ordered_ms.p50 > 0.0 && report.ordered_ms.p50 <= report.latency_ms.p50);
    assert!((1.0..=2.0).contains(&report.network_delay_ms), "{}", report.network_delay_ms);
    let delays = report.latency_ms.p50 / report.network_delay_ms;
    assert!((report.latency_delays.p50 - delays).abs() < 0.01);
    assert!(report.signatures_made > 0 && report.signatures_checked >= report.signatures_made);
    assert_eq!(report.leader_changes, 0);
    assert!(report.liveness.stalled_ms < 20, "{}", report.liveness.stalled_ms);
    let crashed = request("leader-crash").run().unwrap();
    assert!(crashed.leader_changes >= 1 && crashed.liveness.stalled_ms > 20, "{crashed}");
    // The second crash comes after the 400 ms of this run; timeouts begin at 50 ms.
    assert!(crashed.resumed_ms.is_some_and(|ms| (50.0..200.0).contains(&ms)), "{crashed}");
    assert!(crashed.verdict.contains("recovered"), "{}", crashed.verdict);
}

#[test]
fn the_json_of_a_run_has_the_names_that_scripts_rely_on() {
    let report = serde_json::to_value(request("calm").run().unwrap()).unwrap();
    for name in ["engine", "scenario", "trace_hash"] {
        assert!(report[name].is_string(), "{name}");
    }
    for name in ["validators", "seed", "blocks_final", "messages", "bytes", "safety_violations"] {
        assert!(report[name].is_u64(), "{name}");
    }
    assert!(report["messages_per_block"].is_f64());
    for name in ["p50", "p95", "p99"] {
        assert!(report["latency_ms"][name].is_f64(), "{name}");
    }
    assert!(report["liveness"]["stalled_ms"].is_u64());
    assert!(report["liveness"]["recovered"].is_boolean());
}

#[test]
fn threads_change_neither_reports_nor_their_order() {
    let sweep =
        Sweep { axes: vec!["validators=4,5".parse().unwrap(), "faults=0,1".parse().unwrap()] };
    let requests = sweep.requests(&request("calm"), 2);
    assert_eq!(requests.len() as u64, sweep.runs(2));
    let rows = |threads| {
        let mut rows = Vec::new();
        run_all(&requests, NonZeroUsize::new(threads).unwrap(), |request, report| {
            rows.push(csv_row(&request.variation, &report));
            true
        })
        .unwrap();
        rows
    };
    let one = rows(1);
    assert_eq!(one, rows(3));
    assert_eq!(one.len(), 8);
    let columns = csv_header().split(',').count();
    assert!(one.iter().all(|row| row.split(',').count() == columns), "{one:#?}");
    let places: Vec<String> = one
        .iter()
        .map(|row| row.split(',').skip(3).take(2).collect::<Vec<_>>().join("/"))
        .collect();
    assert_eq!(places, ["4/1", "4/2", "4/1", "4/2", "5/1", "5/2", "5/1", "5/2"]);
}

#[test]
fn a_batch_stops_where_its_reader_does() {
    let requests = Sweep::default().requests(&request("calm"), 50);
    let mut read = 0;
    run_all(&requests, NonZeroUsize::new(2).unwrap(), |_, _| {
        read += 1;
        read < 3
    })
    .unwrap();
    assert_eq!(read, 3);
}

#[test]
fn impossible_runs_are_refused_with_a_reason() {
    let base = request("calm");
    let refused = |request: &Request| request.run().unwrap_err().to_string();
    let of = |validators| Request { validators, ..base.clone() };
    assert!(refused(&of(0)).contains("1 to 128"));
    assert!(refused(&of(3)).contains("at least 4"));
    let varied = |variation| Request { variation, ..base.clone() };
    let loss = Variation { loss_percent: Some(100), ..Variation::default() };
    assert!(refused(&varied(loss)).contains("99"));
    let faults = Variation { faults: Some(4), ..Variation::default() };
    assert!(refused(&varied(faults)).contains("at least one must be up"));
    let policy = Some(Policy::StaticFast);
    let policy = Request {
        engine: EngineName::Raft,
        ..varied(Variation { policy, ..Variation::default() })
    };
    assert!(refused(&policy).contains("raft has one mode"));
    let unknown = Story::named("clam").unwrap_err().to_string();
    assert!(unknown.contains("calm, lossy") && unknown.contains("swarm"), "{unknown}");
    assert!("pace=1".parse::<Axis>().unwrap_err().to_string().contains("delay-ms"));
    assert!("loss".parse::<Axis>().unwrap_err().to_string().contains("NAME=VALUE"));
    assert!("loss=x".parse::<Axis>().unwrap_err().to_string().contains("\"x\": invalid digit"));
    assert!("engine=raffle".parse::<Axis>().unwrap_err().to_string().contains("there are hybrid"));
}

#[test]
fn a_scenario_file_tells_who_must_be_there() {
    let text = "about = \"the fifth stops\"\n[[event]]\nat = \"50ms\"\n\
                fault.crash = { who = { node = 4 } }\n";
    let story = Story::from_toml("fifth", text).unwrap();
    let base = Request { story, ..request("calm") };
    let refused = base.run().unwrap_err().to_string();
    assert!(refused.contains("at least 5"), "{refused}");
    let report = Request { validators: 5, ..base }.run().unwrap();
    assert_eq!((report.scenario.as_str(), report.crashes), ("fifth", 1), "{report}");
    assert!(Story::from_toml("x", "about = 1").unwrap_err().to_string().contains("about"));
}

#[test]
fn a_lost_disk_is_a_lie() {
    let text = "about = \"one forgets\"\n[[event]]\nat = \"50ms\"\n\
                fault.disk_loss = { node = 2, restart_after = \"10ms\" }\n";
    let story = Story::from_toml("amnesia", text).unwrap();
    let plan = Request { story, ..request("calm") }.plan().unwrap();
    assert_eq!(promise::beyond(&plan, FaultModel::Byzantine), None, "one of four may lie");
    let beyond = promise::beyond(&plan, FaultModel::Crash).unwrap();
    assert_eq!(beyond, "a lying validator (validator 2: lost disk)");
}

#[test]
fn a_delay_is_felt_and_timeouts_leave_room_for_it() {
    let delay = Some(Duration::from_millis(50));
    let variation = Variation { delay, ..Variation::default() };
    let report = Request { variation, duration: None, ..request("calm") }.run().unwrap();
    assert!(report.network_delay_ms > 40.0, "{}", report.network_delay_ms);
    assert_eq!(report.leader_changes, 0, "{report}");
    assert!((2.0..6.0).contains(&report.latency_delays.p50), "{report}");
}

#[test]
fn computing_takes_the_time_that_a_scenario_says() {
    let report = |work: &str| {
        let story = Story::from_toml("work", &format!("about = \"work\"\n{work}")).unwrap();
        Request { story, ..request("calm") }.run().unwrap()
    };
    let (idle, busy) = (report(""), report("work = { message = \"200us\", check = \"1ms\" }\n"));
    assert_eq!(idle.trace_hash, report("[work]\n").trace_hash, "nothing is what it takes unsaid");
    assert_eq!(busy.outcome, Outcome::Ok, "{}", busy.verdict);
    // A follower takes in and checks a block, the leader a vote for it.
    let longer = busy.latency_ms.p50 - idle.latency_ms.p50;
    assert!(longer > 2.0, "{longer} ms longer: {idle} {busy}");
}

#[test]
fn a_liar_that_holds_back_is_as_good_as_an_honest_validator() {
    let report = |event: &str| {
        let liar = "about = \"a liar leads\"\n[[byzantine]]\nnode = 0\ndoes = \"equivocate\"\n";
        let story = Story::from_toml("liar", &format!("{liar}{event}")).unwrap();
        Request { story, ..request("calm") }.run().unwrap()
    };
    let quiet = "[[event]]\nat = \"0ms\"\nfault.hold_back = { node = 0, holds_back = true }\n";
    let later = format!(
        "{quiet}[[event]]\nat = \"200ms\"\nfault.hold_back = {{ node = 0, holds_back = false }}\n"
    );
    let reports = [report(""), report(quiet), report(&later)];
    let found = reports.each_ref().map(|report| {
        assert_eq!(report.outcome, Outcome::Ok, "{}", report.verdict);
        report.evidence_found
    });
    assert!(found[0] > 0 && found[1] == 0 && found[2] > 0, "{found:?}");
    // As the leader it is the first that knows what is final, and clients believe it.
    let honest = request("calm").run().unwrap().latency_ms.p50;
    let quiet = reports[1].latency_ms.p50;
    assert!(quiet < honest * 1.1, "{quiet} ms, {honest} ms with an honest leader");
}
