use super::*;
use crate::dice::Purpose;

const MS: Duration = Duration::from_millis(1);
const LETTER: usize = 100;

fn network(link: Link) -> Network {
    Network::new(3, link, Dice::new(1, Purpose::Network))
}

fn at(ms: u32) -> Time {
    Time::default() + MS * ms
}

fn first(net: &mut Network, from: usize, to: usize, now: Time) -> Option<Time> {
    net.arrivals(from, to, now, LETTER).first
}

#[test]
fn an_ordered_link_never_lets_a_message_overtake() {
    let mut net = network(Link { delay_max: MS * 50, ..Link::exact(MS) });
    let mut last = Time::default();
    for sent in 0..200 {
        let arrival = first(&mut net, 0, 1, Time::from_nanos(sent)).unwrap();
        assert!(arrival >= last, "message {sent}");
        last = arrival;
    }
}

#[test]
fn a_partition_cuts_both_ways_between_groups_and_heals() {
    let mut net = network(Link::exact(MS));
    net.partition(&[vec![0, 1], vec![2]]);
    assert!(first(&mut net, 0, 1, at(0)).is_some());
    assert_eq!(net.arrivals(0, 2, at(0), LETTER), Arrivals::default());
    assert_eq!(net.arrivals(2, 1, at(0), LETTER), Arrivals::default());
    net.heal();
    assert!(first(&mut net, 2, 1, at(0)).is_some());
}

/// A thousand bytes a second: a letter of a hundred takes a tenth of a second.
#[test]
fn a_slow_link_takes_its_time_per_byte_and_drops_what_its_queue_has_no_room_for() {
    let bandwidth = Some(Bandwidth { bytes_per_second: 1_000, queue_bytes: 250 });
    let mut net = network(Link { bandwidth, ..Link::exact(MS) });
    assert_eq!(first(&mut net, 0, 1, at(0)), Some(at(101)));
    assert_eq!(first(&mut net, 0, 1, at(0)), Some(at(201)), "it waits for the one before");
    assert_eq!(first(&mut net, 0, 1, at(0)), None, "300 bytes would wait");
    assert_eq!(net.overflowed(), 1);
    assert_eq!(first(&mut net, 1, 0, at(0)), Some(at(101)), "the other way is free");
    assert_eq!(first(&mut net, 0, 1, at(100)), Some(at(301)), "there is room again");
    assert_eq!(
        net.arrivals(2, 1, at(0), 10_000).first,
        Some(at(10_001)),
        "what is larger than the queue passes when nothing waits"
    );
}

#[test]
fn regions_add_half_of_their_round_trip() {
    let mut net = network(Link::exact(MS));
    let far = |ms: u32| vec![MS, MS * ms];
    let regions = Regions { round_trip: vec![far(90), vec![MS * 90, MS]] };
    assert!(regions.is_square());
    net.set_regions(&regions);
    assert_eq!(first(&mut net, 0, 1, at(0)), Some(at(46)));
    net.heal();
    assert_eq!(first(&mut net, 1, 2, at(0)), Some(at(46)), "healing moves nobody");
    assert_eq!(first(&mut net, 0, 2, at(0)), Some(at(1) + MS / 2), "nodes of one region");
}

#[test]
fn a_node_that_lags_is_slow_in_what_it_sends_and_not_in_what_it_gets() {
    let mut net = network(Link::exact(MS));
    net.set_lag(0, MS * 40);
    assert_eq!(first(&mut net, 0, 2, at(0)), Some(at(41)));
    assert_eq!(first(&mut net, 2, 0, at(0)), Some(at(1)));
}

#[test]
fn a_link_of_its_own_weather_changes_no_other() {
    let mut net = network(Link::exact(MS));
    net.set_link_between(0, 1, Some(Link { loss: MILLION, ..Link::exact(MS) }));
    assert_eq!(first(&mut net, 0, 1, at(0)), None);
    assert_eq!(first(&mut net, 1, 0, at(0)), Some(at(1)));
}

#[test]
fn a_core_is_healed_and_everything_around_it_stays_broken() {
    let mut net = network(Link::exact(MS * 30));
    net.partition(&[vec![0], vec![1], vec![2]]);
    net.set_blocked(2, 0, false);
    net.heal_among(&[0, 1], Link::exact(MS));
    net.set_link(Link::exact(MS));
    assert_eq!(first(&mut net, 0, 1, at(0)), Some(at(1)));
    assert_eq!(first(&mut net, 1, 0, at(0)), Some(at(1)));
    assert_eq!(first(&mut net, 1, 2, at(0)), None);
    assert_eq!(first(&mut net, 2, 0, at(0)), Some(at(30)), "in the weather that was");
}
