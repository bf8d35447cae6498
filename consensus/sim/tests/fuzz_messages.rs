//! Every message of every engine, mutated, given to validators that are in the middle of their work.

use std::fmt::Debug;

use consensus::engine::Engine;
use consensus_sim::explore::Crowd;
use fuzz::Target;
use fuzz::corpus::Form;

fn hear<E: Engine + Clone + Debug>(name: &'static str, kinds: &[&str]) {
    let mut crowd = Crowd::<E>::new();
    let said: Vec<_> = crowd.kinds().collect();
    println!("{name}: {}", said.join(", "));
    for kind in kinds {
        assert!(said.contains(kind), "nobody said {kind}: {said:?}");
    }
    Target::new(name, Form::Codec, crowd.samples(), |bytes| crowd.hear(bytes)).slow(4).check();
}

#[test]
fn fuzz_hybrid_messages() {
    let kinds = ["append", "votes", "suspect", "view_change", "new_view", "view_ack"];
    hear::<consensus::hybrid::Hybrid>("message-hybrid", &kinds);
}

#[test]
fn fuzz_pbft_messages() {
    // The crowd gives its leaders up and never completes a change of view: no new_view is tried here.
    let kinds = ["pre_prepare", "votes", "view_change", "status"];
    hear::<consensus::pbft::Pbft>("message-pbft", &kinds);
}

#[test]
fn fuzz_raft_messages() {
    let kinds = ["append", "append_reply", "vote_request", "vote_reply"];
    hear::<consensus::raft::Raft>("message-raft", &kinds);
}

#[test]
fn fuzz_paxos_messages() {
    let kinds = ["prepare", "promise", "accept", "accepted"];
    hear::<consensus::paxos::Paxos>("message-paxos", &kinds);
}
