// Four guided tours. A step names the run it looks at, the stretch of it, and says what to see.

/** The first event after a moment that passes a test. */
function first(track, test, after = 0) {
  return track.raw.find((event) => event.at_ms > after && test(event))?.at_ms ?? null;
}

const of = (kind) => (event) => event.kind === kind;
const sent = (...messages) => (event) => event.kind === "send" && messages.includes(event.message);
const finalAt = (height) => (event) => event.kind === "final" && event.height >= height;

const crash = (track) => first(track, of("crash")) ?? 0;
const nextView = (track, after) => first(track, (event) => event.kind === "view" && event.view > 0, after) ?? after;

const run = (engine, scenario, seed = 7, more = {}) => ({ engine, validators: 4, scenario, seed, faults: [], ...more });

/** The stretch around the first leader's death, and around its successor. */
const DEATH = { from: (track) => crash(track) - 6, to: (track) => crash(track) + 12, speed: 5 };
const afterDeath = (...messages) => ({
  from: (track) => (first(track, sent(...messages), crash(track)) ?? crash(track)) - 1,
  to: (track) => nextView(track, crash(track)) + 2,
  speed: 2,
});
const SUCCESSOR = {
  from: (track) => nextView(track, crash(track)) - 1,
  to: (track) => (first(track, of("final"), nextView(track, crash(track))) ?? track.end) + 15,
  speed: 5,
};

export const TOURS = [
  {
    engine: "paxos",
    title: "Paxos",
    about: "Agreement on one value, again and again, among machines that may crash.",
    steps: [
      {
        title: "One proposes, a majority accepts",
        text: "The leader owns a ballot. It sends each block to the others with “accept”; once a majority has it on disk, the block is chosen. Nobody can choose another one for that height any more.",
        request: run("paxos", "leader-crash"),
        from: () => 0, to: (track) => (first(track, finalAt(4)) ?? 50) + 3, speed: 2,
      },
      {
        title: "The leader dies",
        text: "At 200 milliseconds the leader crashes. No block is lost: whatever was chosen is on the disks of a majority. But nobody proposes, and the others wait for a sign of life.",
        ...DEATH,
      },
      {
        title: "Phase 1: what did you accept?",
        text: "A node takes a higher ballot and asks a majority with “prepare”. Each answers with a promise: it will not accept lower ballots, and tells what it accepted so far. So the new leader learns every block that may have been chosen.",
        ...afterDeath("prepare"),
      },
      {
        title: "Phase 2: on it goes",
        text: "With promises from a majority it proposes what it learned first, then new blocks. Phase 1 happens once per leader, not once per block.",
        ...SUCCESSOR,
      },
    ],
  },
  {
    engine: "raft",
    title: "Raft",
    about: "The same safety as Paxos, told as a log with an elected leader.",
    steps: [
      {
        title: "The leader's log is the log",
        text: "Clients' transactions go to the leader, which appends blocks and sends them on. A block is committed once a majority has it on disk. Watch the lanes: the leader is first, the others follow.",
        request: run("raft", "leader-crash"),
        from: () => 0, to: (track) => (first(track, finalAt(4)) ?? 50) + 3, speed: 2,
      },
      {
        title: "The leader dies",
        text: "Its heartbeats stop. Every follower has a timer of random length; whose timer runs out first stands for election.",
        ...DEATH,
      },
      {
        title: "An election",
        text: "The candidate asks first whether it would win (pre-vote), so that a node that was cut off cannot disturb others. Then it starts a new term and asks for votes. A node votes once per term, and only for a log that is not behind its own.",
        ...afterDeath("pre_vote_request", "vote_request"),
      },
      {
        title: "What Raft does not promise",
        text: "Raft trusts its members. Here node 1 lies: as leader it sends one block to some nodes and another to the rest, and each half believes it. Beside it the hybrid runs under the same faults. Watch what becomes final.",
        request: run("raft", "equivocation", 1), beside: "hybrid",
        from: (track) => Math.max(0, (first(track, of("violation")) ?? 0) - 60),
        to: (track) => first(track, of("violation")) ?? track.end,
        speed: 25,
      },
    ],
  },
  {
    engine: "pbft",
    title: "PBFT",
    about: "Agreement though up to a third of the nodes do anything at all.",
    steps: [
      {
        title: "Three phases",
        text: "The primary sends a block with “pre-prepare”. Everyone tells everyone that they saw it, then everyone tells everyone that a quorum saw it. Two quorums of three out of four always share an honest node.",
        request: run("pbft", "leader-crash"),
        from: () => 0, to: (track) => (first(track, finalAt(3)) ?? 50) + 3, speed: 2,
      },
      {
        title: "What it costs",
        text: "Each block takes two rounds in which everyone talks to everyone: 24 messages for four nodes, 84 for seven. See messages per block in the charts of the laboratory.",
        from: (track) => first(track, finalAt(8)) ?? 0, to: (track) => (first(track, finalAt(11)) ?? 100), speed: 2,
      },
      {
        title: "The primary dies",
        text: "The backups hold requests that nobody orders. When their timers run out they stop taking part in the view.",
        ...DEATH,
      },
      {
        title: "A view change",
        text: "Each sends what it has certificates for. The primary of the next view shows a quorum of such reports to everyone, so all check that nothing that could be final is left out.",
        ...afterDeath("view_change"),
      },
    ],
  },
  {
    engine: "hybrid",
    title: "Hybrid",
    about: "Raft's cost in calm weather, PBFT's promise always.",
    steps: [
      {
        title: "Fast: one round trip",
        text: "A stable leader appends blocks and gathers signed votes. With four validators three votes on one block are already a Byzantine certificate: final after one round trip, six messages a block.",
        request: run("hybrid", "leader-crash"),
        from: () => 0, to: (track) => (first(track, finalAt(4)) ?? 50) + 3, speed: 2,
      },
      {
        title: "The leader falls silent",
        text: "The others suspect it, loudly. A quorum of suspicions starts a view change; each brings signed reports of what it voted for.",
        from: (track) => crash(track) - 6, to: (track) => nextView(track, crash(track)) + 2, speed: 5,
      },
      {
        title: "Careful: everyone to everyone",
        text: "After a timeout or a lie the network orders blocks as PBFT does: every vote goes to everyone, so no leader can keep certificates to itself. Both modes share every vote and every rule, so switching cannot fork the chain.",
        from: (track) => nextView(track, crash(track)) - 1,
        to: (track) => nextView(track, crash(track)) + 45,
        speed: 5,
      },
      {
        title: "A liar, and no fork",
        text: "Node 1 signs two blocks at one height whenever it leads. Two signatures that exclude each other are evidence: it goes onto the chain, the liar leads no more, and the others go on. The same schedule breaks Raft, beside it.",
        request: run("hybrid", "equivocation", 1), beside: "raft",
        from: (track) => Math.max(0, (first(track, of("mode")) ?? 20) - 20),
        to: (track) => Math.min(track.end, (first(track, of("mode")) ?? 20) + 400),
        speed: 50,
      },
    ],
  },
];
