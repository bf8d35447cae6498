use std::process::Command;

use yaml_rust2::{Yaml, YamlLoader};

use super::*;
use crate::config::NodeConfig;
use crate::spec::tests::example;

const HOSTS: [&str; 4] = ["10.0.0.1", "b.example", "2001:db8::3", "d.example"];

fn made() -> (Vec<Machine>, Vec<(PathBuf, String)>) {
    let genesis = example(4);
    let machines = machines(&genesis, &HOSTS.map(String::from)).unwrap();
    let files = files(&genesis, &machines);
    (machines, files)
}

fn file(files: &[(PathBuf, String)], name: &str) -> String {
    let found = files.iter().find(|(path, _)| path == Path::new(name));
    found.unwrap_or_else(|| panic!("no {name}")).1.clone()
}

fn yaml(text: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn every_machine_dials_all_others_and_none_itself() {
    let (machines, files) = made();
    for (place, machine) in machines.iter().enumerate() {
        let unit = file(&files, &format!("systemd/catamaran-{}.service", machine.name));
        let peers = unit.lines().find(|line| line.contains("NODE_P2P_PEERS=")).unwrap();
        assert_eq!(peers.matches("/p2p/12D3KooW").count(), 3, "{peers}");
        assert!(!peers.contains(&machine.peer_id), "{peers}");
        let kind = ["/ip4/10.0.0.1/tcp/26656", "/dns4/b.example/", "/ip6/2001:db8::3/", "/dns4/d."];
        assert!(unit.contains(&format!("NODE_P2P_ANNOUNCE={}", kind[place])), "{unit}");
        assert!(unit.contains("NODE_RPC_LISTEN=127.0.0.1:26657\n"), "clients of the machine only");
    }
}

/// No key of any home can get into them: they are made of the genesis alone. That the settings are
/// those that a node knows is checked by its own names of variables.
#[test]
fn variables_are_settings_of_a_node() {
    let (_, files) = made();
    let known = NodeConfig::new("x").to_commented_toml();
    let known: toml::Table = known.parse().unwrap();
    let mut checked = 0;
    for (path, text) in &files {
        for word in text.split(|c: char| !c.is_ascii_uppercase() && c != '_' && !c.is_ascii_digit())
        {
            let Some(setting) = word.strip_prefix("NODE_").filter(|rest| *rest != "HOME") else {
                continue;
            };
            let (section, name) = setting.split_once('_').unwrap();
            let section = known.get(&section.to_lowercase()).and_then(toml::Value::as_table);
            let there = section.is_some_and(|it| it.contains_key(&name.to_lowercase()));
            assert!(there, "{}: no setting {word}", path.display());
            checked += 1;
        }
        assert!(!text.contains("{{") && !text.contains("{%"), "{}", path.display());
    }
    println!("{checked} variables in {} files", files.len());
    assert!(checked >= 4 * 2 * 5);
}

#[test]
fn compose_files_are_yaml_and_give_a_node_nothing_it_does_not_need() {
    let (machines, files) = made();
    for machine in machines {
        let text = file(&files, &format!("compose/{}.yaml", machine.name));
        let [document] = &yaml(&text)[..] else { panic!("one document") };
        let node = &document["services"]["node"];
        assert_eq!(node["read_only"].as_bool(), Some(true));
        assert_eq!(node["cap_drop"][0].as_str(), Some("ALL"));
        assert_eq!(node["user"].as_str(), Some("10001:10001"));
        assert_eq!(node["environment"]["NODE_RPC_LISTEN"].as_str(), Some("127.0.0.1:26657"));
    }
}

#[test]
fn the_manifest_runs_every_validator_exactly_once() {
    let (machines, files) = made();
    let documents = yaml(&file(&files, "kubernetes/catamaran.yaml"));
    let kinds = |kind: &str| {
        let of_kind = documents.iter().filter(|it| it["kind"].as_str() == Some(kind));
        of_kind.cloned().collect::<Vec<_>>()
    };
    for document in &documents {
        assert!(
            document["apiVersion"].as_str().is_some()
                && document["metadata"]["name"].as_str().is_some()
        );
    }
    let sets = kinds("StatefulSet");
    assert_eq!((sets.len(), kinds("Service").len()), (4, 4));
    for (set, machine) in sets.iter().zip(&machines) {
        assert_eq!(set["metadata"]["name"].as_str(), Some(&*format!("catamaran-{}", machine.name)));
        assert_eq!(set["spec"]["replicas"].as_i64(), Some(1), "two would contradict each other");
        let pod = &set["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"].as_bool(), Some(true));
        assert_eq!(pod["volumes"][1]["secret"]["defaultMode"].as_i64(), Some(0o440));
        let claim = &set["spec"]["volumeClaimTemplates"][0]["spec"];
        assert_eq!(claim["accessModes"][0].as_str(), Some("ReadWriteOncePod"));
    }
    // The genesis comes through byte for byte, but for the end of the last line.
    let genesis = kinds("ConfigMap")[0]["data"]["genesis.json"].as_str().unwrap().to_owned();
    assert_eq!(Genesis::from_json(genesis.as_bytes()).unwrap().hash(), example(4).hash());
}

/// systemd itself reads the units, where it is installed.
#[test]
fn units_pass_systemd_analyze() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        println!("systemd-analyze is not installed: the units are not checked");
        return;
    }
    let (machines, files) = made();
    let out = tempfile::tempdir().unwrap();
    write(&files, out.path()).unwrap();
    for machine in machines {
        let name = format!("systemd/catamaran-{}.service", machine.name);
        let unit = out.path().join(&name);
        // The program of the unit is not installed here; one that is stands for it.
        let text =
            std::fs::read_to_string(&unit).unwrap().replace("/usr/local/bin/node", "/bin/true");
        std::fs::write(&unit, text).unwrap();
        let run = Command::new("systemd-analyze").arg("verify").arg(&unit).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        let own: Vec<&str> = said.lines().filter(|line| line.contains(&machine.name)).collect();
        assert!(run.status.success() && own.is_empty(), "{name}: {said}");
    }
    println!("systemd-analyze verify: {} units", HOSTS.len());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let genesis = example(4);
    let refusal = |hosts: &[&str]| {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        machines(&genesis, &hosts).unwrap_err().to_string()
    };
    assert!(refusal(&["a", "b", "c"]).contains("4 validators, and 3 hosts"));
    for bad in ["", "a b", "http://a", "a:1", "-a", "A.example", "a\nExecStart=/bin/sh"] {
        assert!(refusal(&["a", "b", "c", bad]).contains("is no host"), "{bad:?}");
    }
    let mut named = example(4);
    named.validators[0].name = "../x".into();
    assert!(matches!(machines(&named, &HOSTS.map(String::from)), Err(DeployError::Name(_))));
}
