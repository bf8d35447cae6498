// What a stage knows, and how events change it. Live and laboratory share it: a slider through time
// is the same events applied again. A state is plain data that `structuredClone` copies.

import { inWords } from "./words.js";

/** Heights that a node's lane shows. */
export const LANE = 26;
/** Blocks on the ribbon. */
export const RIBBON = 40;
/** Lines of the time line, and points of a chart. */
const NOTES = 150;
const POINTS = 180;

const EMPTY = {
  alive: true,
  paused: false,
  role: null,
  mode: null,
  epoch: 0,
  view: 0,
  leader: null,
  ordered: 0,
  final: 0,
  policy: null,
  root: null,
  byzantine: null,
  delay: 0,
  seat: null,
};

export function newNode(id, about = {}) {
  return { ...EMPTY, id, name: `node ${id}`, log: new Map(), ...about };
}

/** A state before anything happened. */
export function newState({ engine, nodes, live = false }) {
  return {
    live,
    engine,
    now: 0,
    nodes: nodes.map((node) => newNode(node.id, node)),
    mode: engine === "hybrid" ? "fast" : null,
    reason: null,
    epoch: 0,
    blocks: new Map(),
    notes: [],
    points: [],
    sent: {},
    partition: null,
    load: null,
    violations: [],
    evidence: [],
    commands: [],
    /** Grows with every event: what is drawn once per change looks at it. */
    version: 0,
  };
}

const push = (ring, item, most) => {
  ring.push(item);
  if (ring.length > most) ring.splice(0, ring.length - most);
};

function node(state, id) {
  const found = state.nodes[id];
  if (found || !Number.isInteger(id) || id > 127) return found;
  // Whoever joins has the next number.
  while (state.nodes.length <= id) state.nodes.push(newNode(state.nodes.length));
  return state.nodes[id];
}

function trim(map, most) {
  if (map.size <= most) return;
  for (const height of [...map.keys()].sort((a, b) => a - b).slice(0, map.size - most)) {
    map.delete(height);
  }
}

const RANK = { proposed: 0, ordered: 1, final: 2 };

/** A node's lane learns how far the block at a height is there. */
function logged(node, height, state, block) {
  const entry = node.log.get(height);
  if (entry && RANK[entry.state] > RANK[state]) return;
  if (!entry || entry.state !== state) node.log.set(height, { state, block: block ?? entry?.block });
  trim(node.log, LANE);
}

function blockAt(state, height) {
  if (!state.blocks.has(height)) {
    state.blocks.set(height, {
      height,
      status: "proposed",
      hash: null,
      proposer: null,
      view: null,
      mode: state.mode,
      transactions: 0,
      certificate: null,
      signers: null,
      validators: state.nodes.length,
      /** By node: how far it is there. */
      reached: {},
      /** Different blocks that are final at this height: more than one is a fork. */
      finals: [],
    });
    trim(state.blocks, RIBBON);
  }
  return state.blocks.get(height) ?? { reached: {}, finals: [] };
}

function reached(state, event, status) {
  const block = blockAt(state, event.height);
  if (RANK[block.reached[event.node] ?? "proposed"] <= RANK[status]) block.reached[event.node] = status;
  if (RANK[block.status] < RANK[status]) block.status = status;
  block.hash ??= event.block;
  block.view ??= event.view ?? null;
  block.transactions = event.transactions ?? block.transactions;
  if (status === "final" && event.block && !block.finals.includes(event.block)) {
    block.finals.push(event.block);
  }
  return block;
}

const ON = {
  start(state, event) {
    const it = node(state, event.node);
    if (it) Object.assign(it, { alive: true, role: "follower", changing: false });
  },
  crash(state, event) {
    const it = node(state, event.node);
    if (it) Object.assign(it, { alive: false, role: null });
  },
  fault(state, event) {
    const groups = event.fault?.partition?.groups;
    if (groups) state.partition = groups;
    if (event.fault === "heal_network") state.partition = null;
    const lie = event.fault?.lie;
    if (lie && state.nodes[lie.node]) state.nodes[lie.node].byzantine = lie.does;
  },
  heal(state) {
    state.partition = null;
  },
  send(state, event) {
    state.sent[event.class] = (state.sent[event.class] ?? 0) + (event.count ?? 1);
    if (state.live) return;
    const it = node(state, event.from);
    if (!it) return;
    // The first view of a run starts without a word: whoever proposes leads it.
    if (event.class === "append" && event.height) Object.assign(it, { role: "leader", view: event.view ?? it.view });
    else if (event.class === "view_change" && it.role !== "leader") it.role = "changing";
  },
  /** Made from a message's arrival in a run: the block is there, and nothing is decided. */
  proposed(state, event) {
    const it = node(state, event.node);
    if (!it || event.height <= it.final) return;
    logged(it, event.height, "proposed");
    const block = blockAt(state, event.height);
    block.reached[event.node] ??= "proposed";
    block.proposer ??= event.from;
    block.view ??= event.view;
  },
  view(state, event) {
    const it = node(state, event.node);
    if (!it) return;
    Object.assign(it, { epoch: event.epoch, view: event.view, leader: event.leader });
    if (!state.live) it.role = event.leader === event.node ? "leader" : "follower";
  },
  ordered(state, event) {
    const it = node(state, event.node);
    if (!it) return;
    it.ordered = Math.max(it.ordered, event.height);
    logged(it, event.height, "ordered", event.block);
    reached(state, event, "ordered");
  },
  final(state, event) {
    const it = node(state, event.node);
    if (!it) return;
    it.final = Math.max(it.final, event.height);
    it.ordered = Math.max(it.ordered, event.height);
    logged(it, event.height, "final", event.block);
    reached(state, event, "final");
  },
  block(state, event) {
    const block = blockAt(state, event.height);
    const { at_ms, cursor, kind, ...about } = event;
    const before = block.status;
    Object.assign(block, about);
    if (RANK[before] > RANK[block.status]) block.status = before;
    if (block.status === "final" && !block.finals.includes(event.hash)) block.finals.push(event.hash);
  },
  mode(state, event) {
    const it = node(state, event.node);
    if (it) it.mode = event.to;
    if (event.height < (state.modeHeight ?? 0)) return;
    state.modeHeight = event.height;
    state.mode = event.to;
    state.reason = event.reason ?? state.reason;
  },
  epoch(state, event) {
    const it = node(state, event.node);
    if (it) it.epoch = event.epoch;
    state.epoch = Math.max(state.epoch, event.epoch);
  },
  status(state, event) {
    const it = node(state, event.node);
    if (!it) return;
    const { alive, paused, role, mode, policy } = event;
    Object.assign(it, { alive, paused, role, mode, policy });
    it.view = event.view ?? it.view;
    it.leader = event.leader ?? it.leader;
    Object.assign(it, { byzantine: event.byzantine ?? null, delay: event.delay_ms ?? 0 });
    it.seat = event.validator ?? event.seat ?? it.seat;
    it.ordered = event.height_ordered ?? it.ordered;
    it.final = event.height_final ?? it.final;
    it.root = event.state_root ?? it.root;
    it.epoch = event.epoch ?? it.epoch;
    if (event.log?.length) it.log = new Map(event.log.map((entry) => [entry.height, entry]));
    agree(state);
  },
  violation(state, event) {
    push(state.violations, event, 20);
  },
  evidence(state, event) {
    push(state.evidence, event, 50);
  },
  load(state, event) {
    state.load = event;
    const { at_ms, tps, p50_ms, p95_ms, p99_ms } = event;
    point(state, at_ms, { tps, p50: p50_ms, p95: p95_ms, p99: p99_ms });
  },
  metrics(state, event) {
    point(state, event.at_ms, {
      tps: event.tps,
      p50: event.latency_p50_ms,
      p95: event.latency_p95_ms,
      p99: event.latency_p99_ms,
      messages: event.messages_per_block,
      bytes: event.bytes_per_block,
    });
  },
  command(state, event) {
    push(state.commands, event, 30);
  },
};

/** One point a second: what comes in the same second goes into the same point. */
function point(state, at, values) {
  const known = Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value)));
  const last = state.points.at(-1);
  const mode = state.mode === "pbft" ? 1 : 0;
  if (last && state.live && at - last.at < 700) Object.assign(last, known, { mode });
  else push(state.points, { at, mode, ...known }, POINTS);
}

/** The network's mode and sentence are those of its most advanced node. */
function agree(state) {
  const alive = state.nodes.filter((node) => node.alive && node.policy);
  const best = alive.sort((a, b) => b.final - a.final)[0];
  if (!best) return;
  state.mode = best.mode;
  state.reason = best.policy;
  state.epoch = Math.max(state.epoch, best.epoch ?? 0);
}

/** Views start on every node: one line for the first of them. */
function isNews(state, event) {
  if (event.kind === "view") {
    const key = `${event.epoch}/${event.view}`;
    if (state.newsView === key || event.view < (state.newsViewNumber ?? 0)) return false;
    Object.assign(state, { newsView: key, newsViewNumber: event.view });
  }
  if (event.kind === "mode") {
    const key = `${event.height}/${event.to}`;
    if (state.newsMode === key) return false;
    state.newsMode = key;
  }
  if (event.kind === "epoch") {
    if (state.newsEpoch === event.epoch) return false;
    state.newsEpoch = event.epoch;
  }
  return true;
}

/** Applies one event. Kinds that nobody knows change nothing. */
export function apply(state, event) {
  ON[event.kind]?.(state, event);
  if (Number.isFinite(event.at_ms)) state.now = Math.max(state.now, event.at_ms);
  const words = inWords(state, event);
  if (words && isNews(state, event)) push(state.notes, { at: event.at_ms, kind: event.kind, ...words }, NOTES);
  state.version += 1;
}

/** Who leads: by its own word, or by what most say. */
export function leaderOf(state) {
  const alive = state.nodes.filter((node) => node.alive);
  const leaders = alive.filter((node) => node.role === "leader");
  if (leaders.length) return leaders.sort((a, b) => b.view - a.view)[0].id;
  return null;
}

/** The node that sits in a seat of the set. */
export function inSeat(state, seat) {
  return state.nodes.find((node) => node.seat === seat)?.id ?? seat;
}
