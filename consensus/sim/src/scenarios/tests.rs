use super::*;

fn error(text: &str) -> String {
    Scenario::from_toml(text).unwrap_err().to_string()
}

#[test]
fn every_file_can_be_read_and_run() {
    for builtin in ALL {
        let scenario = builtin.scenario();
        assert!(!scenario.about.is_empty(), "{}", builtin.name);
        assert!(scenario.least_validators() <= 4, "{} runs with four", builtin.name);
        let plan = scenario.plan(1, 4);
        assert!(plan.faults.is_sorted_by_key(|timed| timed.at), "{} is in order", builtin.name);
    }
    assert_eq!(named("calm").unwrap().plan(3, 5), calm(3, 5));
    assert!(named("nothing").is_none());
}

#[test]
fn only_scenarios_with_liars_ask_for_more_than_crash_faults() {
    let byzantine: Vec<&str> = ALL
        .iter()
        .filter(|builtin| builtin.scenario().fault_model() == FaultModel::Byzantine)
        .map(|builtin| builtin.name)
        .collect();
    assert_eq!(byzantine, ["equivocation", "withholding"]);
    let loss = "about = \"x\"\n[[event]]\nat = \"1ms\"\nfault.disk_loss = { node = 1, restart_after = \"1ms\" }";
    assert_eq!(Scenario::from_toml(loss).unwrap().fault_model(), FaultModel::Byzantine);
}

#[test]
fn an_error_names_the_line_and_what_to_do() {
    let unknown = error("about = \"x\"\nwether = {}\n");
    assert!(unknown.contains("line 2") && unknown.contains("expected"), "{unknown}");
    let fault = error("about = \"x\"\n[[event]]\nat = \"1ms\"\nfault.crush = {}\n");
    assert!(fault.contains("line 4") && fault.contains("`crash`"), "{fault}");
    let time = error("about = \"x\"\nfaults_end = \"1 hour\"\n");
    assert!(time.contains("line 2") && time.contains("write \"300ms\""), "{time}");
    let late = error("about = \"x\"\n\n[[event]]\nat = \"9s\"\nfault = \"heal_network\"\n");
    assert!(late.contains("line 3") && late.contains("make faults_end later"), "{late}");
    let regions = error("about = \"x\"\n[regions]\nround_trip = [[\"1ms\", \"2ms\"]]\n");
    assert!(regions.contains("line 2") && regions.contains("every region"), "{regions}");
    let liar = error("about = \"x\"\n[[byzantine]]\nnode = 1\ndoes = \"sleep\"\n");
    assert!(liar.contains("line 4") && liar.contains("`equivocate`"), "{liar}");
}

#[test]
fn a_file_changes_what_it_names_and_nothing_else() {
    let text =
        "about = \"x\"\nspare_validators = 1\n[weather]\nloss = 5\n[options]\npipeline = 2\n";
    let plan = Scenario::from_toml(text).unwrap().plan(1, 7);
    assert_eq!(plan.max_faulty, 1, "six tolerate one");
    assert_eq!(plan.link, Link { loss: 5, ..Link::default() });
    assert_eq!(plan.options, EngineOptions { pipeline: 2, ..EngineOptions::default() });
    assert_eq!(plan.load, Load::default());
    assert_eq!(plan.faults_end, FAULTS_END);
}

#[test]
#[should_panic(expected = "2 validators where the scenario names 4")]
fn a_scenario_that_names_a_node_needs_it() {
    let _ = named("rolling-crash").unwrap().plan(1, 2);
}
