//! What a node's report, and the ports of those it misses, add up to.

use std::collections::{BTreeMap, BTreeSet};

use chain::ledger::MAX_CLOCK_LEAD_MS;
use chain::types::{Epoch, View};
use genesis::config::NodeConfig;
use node_api::chain::ValidatorInfo;

use super::{Finding, Level, Probe, Seen, Topic};
use crate::network::{BanCause, PeerInfo, Word};
use crate::rpc::NodeReport;

/// A validator that said nothing for so long is paused, or as good as dead. Each is asked every two
/// seconds and has five to answer.
const SILENT_MS: u64 = 10_000;
/// Difference of clocks that is worth a word.
const SKEW_MS: u64 = 2_000;

/// A validator, and what is known of it as a peer.
struct Member<'a> {
    info: &'a ValidatorInfo,
    peer: Option<&'a PeerInfo>,
    own: bool,
    probe: Option<&'a Probe>,
}

/// How a validator does, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Own,
    Answers,
    /// Connected, but it said nothing for this long, if it ever did.
    Silent(Option<u64>),
    Missing,
}

impl Member<'_> {
    fn name(&self) -> String {
        self.info.name.clone().unwrap_or_else(|| format!("validator {}", self.info.index))
    }

    fn state(&self) -> State {
        if self.own {
            return State::Own;
        }
        match self.peer {
            Some(peer) if peer.connected => match peer.word_ms_ago {
                Some(ago) if ago < SILENT_MS => State::Answers,
                ago => State::Silent(ago),
            },
            _ => State::Missing,
        }
    }

    fn is_there(&self) -> bool {
        matches!(self.state(), State::Own | State::Answers)
    }

    /// Why it is not there.
    fn reason(&self) -> String {
        if let State::Silent(ago) = self.state() {
            return match ago {
                Some(ago) => format!("connected, but silent for {} s", ago / 1000),
                None => "connected, but it said nothing yet".into(),
            };
        }
        match (self.peer, self.probe) {
            (Some(PeerInfo { blocked: true, .. }), _) => "shut out by this node's filter".into(),
            (Some(PeerInfo { banned: Some(why), .. }), _) => why.clone(),
            (_, Some(probe)) => probe.to_string(),
            (_, None) => Probe::NoAddress.to_string(),
        }
    }

    fn advice(&self) -> String {
        if matches!(self.state(), State::Silent(_)) {
            return "its process is paused, its disk hangs, or it has no time: look at its machine"
                .into();
        }
        let advice = match (self.peer, self.probe) {
            (Some(PeerInfo { blocked: true, .. }), _) => {
                "{\"method\":\"unblock_peers\"} on the admin socket takes the filter away"
            }
            (Some(PeerInfo { banned_for: Some(cause), .. }), _) => cause_advice(*cause),
            (_, Some(probe)) => probe.advice(),
            (_, None) => Probe::NoAddress.advice(),
        };
        advice.into()
    }

    fn word(&self) -> Option<&Word> {
        self.peer.and_then(|peer| peer.word.as_ref())
    }

    /// Where its engine is, if that is known now.
    fn place(&self, report: &NodeReport) -> Option<(Epoch, View)> {
        match self.state() {
            State::Own => Some((report.chain.epoch, report.chain.view)),
            State::Answers => self.word().map(|word| (word.epoch, word.view)),
            State::Silent(_) | State::Missing => None,
        }
    }

    fn seen(&self, report: &NodeReport) -> Seen {
        let word = self.word();
        let (epoch, view) = match self.own {
            true => (Some(report.chain.epoch), Some(report.chain.view)),
            false => (word.map(|word| word.epoch), word.map(|word| word.view)),
        };
        let height = match self.own {
            true => Some(report.chain.height_final),
            false => word.map(|word| word.height),
        };
        let state = match self.state() {
            State::Own => "this node".into(),
            State::Answers => "connected".into(),
            State::Silent(_) | State::Missing => self.reason(),
        };
        Seen {
            index: u32::from(self.info.index.get()),
            name: self.name(),
            state,
            epoch: epoch.map(Epoch::get),
            view: view.map(View::get),
            height: height.map(chain::types::Height::get),
            heard_ms_ago: self.peer.and_then(|peer| peer.word_ms_ago),
            clock_ahead_ms: word.map(|word| word.clock_ahead_ms),
        }
    }
}

const fn cause_advice(cause: BanCause) -> &'static str {
    match cause {
        BanCause::OtherChain => {
            "compare `genesis hash` of both genesis.json: the one that differs from the others' is wrong"
        }
        BanCause::OtherVersion => "run the same version of the program on both",
        BanCause::RefusesUs => {
            "its log says why; a chain whose access is `members` wants the role observer"
        }
        BanCause::Misbehaved => "look into its log: its program is damaged, or not ours",
    }
}

/// Peer ids of validators that this node is not connected with.
pub(super) fn absent(report: &NodeReport) -> BTreeSet<String> {
    let missing = report.validators.validators.iter().filter(|validator| !validator.connected);
    missing.map(|validator| validator.peer_id.clone()).collect()
}

/// One sentence.
pub(super) fn summary(report: &NodeReport) -> String {
    let chain = &report.chain;
    let role = match chain.validator {
        Some(index) => format!("validator {index}"),
        None => "an observer".into(),
    };
    let mode = chain.mode.map_or(String::new(), |mode| format!(", {mode} mode"));
    let since = report.health.since_final_ms / 1000;
    format!(
        "node {} is {role} of chain {} ({}): height {}, epoch {}, view {}{mode}; last final block {since} s \
         ago, {} transactions wait",
        chain.moniker,
        chain.name,
        chain.engine,
        chain.height_final,
        chain.epoch,
        chain.view,
        chain.pending
    )
}

/// The table of validators, and everything that is not as it should be.
pub(super) fn judge(
    report: &NodeReport,
    probes: &BTreeMap<String, Probe>,
    config: &NodeConfig,
) -> (Vec<Seen>, Vec<Finding>) {
    let members: Vec<Member<'_>> = report
        .validators
        .validators
        .iter()
        .map(|info| Member {
            info,
            peer: report.peers.iter().find(|peer| peer.id == info.peer_id),
            own: info.peer_id == report.chain.peer_id,
            probe: probes.get(&info.peer_id),
        })
        .collect();
    let mut findings = Vec::new();
    findings.extend(quorum(report, &members));
    findings.extend(missing(&members));
    findings.extend(views(report, &members));
    findings.extend(stall(report, &members));
    findings.extend(behind(report));
    findings.extend(clocks(&members));
    findings.extend(jailed(&members));
    findings.extend(strangers(report, config));
    (members.iter().map(|member| member.seen(report)).collect(), findings)
}

fn list(names: impl IntoIterator<Item = String>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Whether enough validators are there.
fn quorum(report: &NodeReport, members: &[Member<'_>]) -> Option<Finding> {
    let needed = report.validators.quorums.quorum;
    let there = members.iter().filter(|member| member.is_there()).count();
    let absent = || list(members.iter().filter(|member| !member.is_there()).map(Member::name));
    let n = members.len();
    if there < needed {
        let says = format!(
            "no block can become final: {there} of {n} validators answer this node, a quorum has \
             {needed}; missing: {}",
            absent()
        );
        let advice = format!("bring back at least {} of them", needed - there);
        return Some(Finding::broken(Topic::Quorum, says, advice));
    }
    if there == needed && there < n {
        let says = format!(
            "{there} of {n} validators answer this node, exactly the quorum: with one less no block \
             becomes final; missing: {}",
            absent()
        );
        let advice = "bring them back before anything else is taken down";
        return Some(Finding::warning(Topic::Quorum, says, advice));
    }
    None
}

/// Every validator that is not there, with the reason.
fn missing(members: &[Member<'_>]) -> Vec<Finding> {
    let absent = members.iter().filter(|member| !member.is_there());
    absent
        .map(|member| {
            let topic = match (member.state(), member.peer.and_then(|peer| peer.banned_for)) {
                (State::Silent(_), _) => Topic::Silent,
                (_, Some(BanCause::OtherChain)) => Topic::OtherChain,
                (_, Some(BanCause::OtherVersion)) => Topic::OtherVersion,
                _ => Topic::Peer,
            };
            let says = format!("{}: {}", member.name(), member.reason());
            // What keeps an honest node away for good is broken however many are left.
            let level = match topic {
                Topic::OtherChain | Topic::OtherVersion => Level::Broken,
                _ => Level::Warning,
            };
            Finding { level, topic, says, advice: member.advice() }
        })
        .collect()
}

/// Validators whose engines stand in different views, while nothing moves.
fn views(report: &NodeReport, members: &[Member<'_>]) -> Option<Finding> {
    let mut places: BTreeMap<(Epoch, View), Vec<String>> = BTreeMap::new();
    for member in members {
        if let Some(place) = member.place(report) {
            places.entry(place).or_default().push(member.name());
        }
    }
    if !report.health.stalled || places.len() < 2 {
        return None;
    }
    let needed = report.validators.quorums.quorum;
    let groups = list(places.into_iter().map(|((epoch, view), names)| {
        format!("epoch {epoch}, view {view}: {}", names.join(" and "))
    }));
    let says =
        format!("validators are in different views ({groups}); a view needs {needed} of them");
    let timeout = report.timeout_ms / 1000;
    let advice = format!(
        "they meet again by themselves once messages get through: wait a few view timeouts ({timeout} s \
         now), then look for a link that is cut in one direction"
    );
    Some(Finding::warning(Topic::Views, says, advice))
}

fn stall(report: &NodeReport, members: &[Member<'_>]) -> Option<Finding> {
    let there = members.iter().filter(|member| member.is_there()).count();
    if !report.health.stalled || there < report.validators.quorums.quorum {
        return None;
    }
    let leader =
        report.chain.leader.and_then(|leader| members.iter().find(|m| m.info.index == leader));
    let leader = leader.map_or("nobody leads".into(), |leader| format!("{} leads", leader.name()));
    let says = format!(
        "transactions wait, a quorum answers, and no block became final for {} s: view {}, {leader}",
        report.health.since_final_ms / 1000,
        report.chain.view
    );
    let advice = "look into the logs of the others for refused blocks and slow disks \
                  (storage_sync_seconds of /metrics)";
    Some(Finding::broken(Topic::Stall, says, advice))
}

fn behind(report: &NodeReport) -> Option<Finding> {
    let sync = &report.chain.sync;
    if report.chain.synced {
        return None;
    }
    if sync.target > report.chain.height_final {
        let says = format!(
            "this node lacks blocks: it is at height {} of {}, {} peers have what it lacks",
            report.chain.height_final, sync.target, sync.peers
        );
        let advice =
            "wait; where no peer has them, begin with a snapshot: node run --sync snapshot";
        return Some(Finding::warning(Topic::Behind, says, advice));
    }
    let says = "too few validators were heard of to know how far the chain is";
    let advice = "see which validators are missing";
    Some(Finding::warning(Topic::Behind, says, advice))
}

/// This node's clock against the middle one of the others, and each of theirs.
fn clocks(members: &[Member<'_>]) -> Vec<Finding> {
    let heard = members.iter().filter(|member| member.state() == State::Answers);
    let ahead: Vec<(String, i64)> =
        heard.filter_map(|member| Some((member.name(), member.word()?.clock_ahead_ms))).collect();
    let mut sorted: Vec<i64> = ahead.iter().map(|(_, ms)| *ms).collect();
    sorted.sort_unstable();
    let Some(middle) = sorted.get(sorted.len() / 2).copied() else { return Vec::new() };
    let advice = format!(
        "synchronize it (chrony, systemd-timesyncd): blocks whose time is {} minutes ahead of a \
         validator's clock are refused by it",
        MAX_CLOCK_LEAD_MS / 60_000
    );
    let level = |ms: i64| match ms.unsigned_abs() {
        ms if ms >= MAX_CLOCK_LEAD_MS => Level::Broken,
        _ => Level::Warning,
    };
    let finding = |whose: &str, ms: i64| {
        let way = if ms > 0 { "ahead of" } else { "behind" };
        let says = format!("{whose} is {:.1} s {way} the others", ms.unsigned_abs() as f64 / 1e3);
        Finding { level: level(ms), topic: Topic::Clock, says, advice: advice.clone() }
    };
    // One other clock alone does not say which of the two is wrong.
    if sorted.len() >= 2 && middle.unsigned_abs() >= SKEW_MS {
        return vec![finding("the clock of this node", middle.saturating_neg())];
    }
    let off = ahead.iter().filter(|(_, ms)| ms.unsigned_abs() >= SKEW_MS);
    off.map(|(name, ms)| finding(&format!("the clock of {name}"), *ms)).collect()
}

fn jailed(members: &[Member<'_>]) -> Option<Finding> {
    let names = list(members.iter().filter(|member| member.info.jailed).map(Member::name));
    if names.is_empty() {
        return None;
    }
    let says = format!("jailed, because it signed two things that exclude each other: {names}");
    let advice = "docs/operations.md, \"A jailed validator\": find the cause, then pardon it or change \
                  its key";
    Some(Finding::warning(Topic::Jailed, says, advice))
}

/// Peers of the configuration that are no validators and that this node refuses, or that refuse it.
fn strangers(report: &NodeReport, config: &NodeConfig) -> Vec<Finding> {
    let validator = |peer: &PeerInfo| {
        report.validators.validators.iter().any(|validator| validator.peer_id == peer.id)
    };
    let configured = |peer: &PeerInfo| config.p2p.peers.iter().any(|it| it.ends_with(&peer.id));
    let refused = report.peers.iter().filter(|peer| !validator(peer) && configured(peer));
    refused
        .filter_map(|peer| {
            let (why, cause) = (peer.banned.as_ref()?, peer.banned_for?);
            let says = format!("the peer {}: {why}", peer.id);
            let topic = match cause {
                BanCause::OtherChain => Topic::OtherChain,
                BanCause::OtherVersion => Topic::OtherVersion,
                BanCause::RefusesUs | BanCause::Misbehaved => Topic::Peer,
            };
            Some(Finding::warning(topic, says, cause_advice(cause)))
        })
        .collect()
}

#[cfg(test)]
mod tests;
