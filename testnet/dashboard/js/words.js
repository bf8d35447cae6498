// What things are called: message classes, states and events in words.

/** Message classes in the order of legends, with the shape that tells them apart without colour. */
export const CLASSES = [
  { name: "append", title: "append / propose", shape: "circle" },
  { name: "ack", title: "acknowledge", shape: "ring" },
  { name: "prepare", title: "prepare vote", shape: "diamond" },
  { name: "commit", title: "commit vote", shape: "square" },
  { name: "view_change", title: "view change", shape: "triangle" },
  { name: "block", title: "block fetch", shape: "hexagon" },
  { name: "sync", title: "catching up", shape: "cross" },
  { name: "other", title: "signs of life", shape: "dot" },
];

export const CLASS = Object.fromEntries(CLASSES.map((entry) => [entry.name, entry]));

const OF_MESSAGE = {
  append: ["append", "pre_prepare", "accept"],
  ack: ["append_reply", "accepted", "votes", "vote"],
  commit: ["commit_notice", "chosen", "decided", "checkpoint"],
  view_change: ["suspect", "view_change", "new_view", "view_ack", "vote_request", "vote_reply", "pre_vote_request",
    "pre_vote_reply", "timeout_now", "prepare", "promise", "nack"],
  block: ["fetch_blocks", "blocks"],
  sync: ["fetch_finals", "finals", "status"],
};

/** The class of a message by its kind, where an event does not say it. */
export function classOf(message) {
  return Object.keys(OF_MESSAGE).find((name) => OF_MESSAGE[name].includes(message)) ?? "other";
}

/** What a period with one leader is called. */
const PERIOD = { raft: "term", paxos: "ballot", pbft: "view", hybrid: "view" };

export const period = (engine) => PERIOD[engine] ?? "view";

export const short = (hash) => (hash ? `${hash.slice(0, 8)}…` : "");

export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** By digits after the point: making one costs far more than using it. */
const FORMATS = [0, 1, 2].map((digits) => new Intl.NumberFormat("en", { maximumFractionDigits: digits }));

export function number(value, digits = 0) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return FORMATS[digits].format(value);
}

export function list(ids) {
  if (ids.length < 2) return ids.join("");
  return `${ids.slice(0, -1).join(", ")} and ${ids.at(-1)}`;
}

/** A time of the stage: a clock's for the live one, milliseconds since the start for a run. */
export function moment(state, at) {
  if (!state.live) return `${at.toFixed(1)} ms`;
  return new Date(at).toLocaleTimeString("en-GB");
}

const who = (who) => (typeof who === "string" ? `the ${who}` : `node ${who?.node ?? "?"}`);

/** A fault of a scenario in words. */
export function faultInWords(fault) {
  if (typeof fault === "string") return fault.replaceAll("_", " ");
  const [name, about] = Object.entries(fault ?? {})[0] ?? ["fault", {}];
  const what = name.replaceAll("_", " ");
  if (about?.who !== undefined) return `${what}: ${who(about.who)}`;
  if (about?.groups) return `${what}: ${about.groups.map((group) => group.join(",")).join(" | ")}`;
  if (about?.node !== undefined) return `${what}: node ${about.node}`;
  if (about?.from !== undefined) return `${what}: ${about.from} → ${about.to}`;
  if (about?.shape) {
    const shape = about.shape;
    return `${what}: ${(typeof shape === "string" ? shape : Object.keys(shape)[0]).replaceAll("_", " ")}`;
  }
  return what;
}

const SENTENCES = {
  start: (e) => ["good", `node ${e.node} starts`],
  crash: (e) => ["bad", `node ${e.node} is down`],
  fault: (e) => ["bad", faultInWords(e.fault)],
  heal: (e) => ["good", e.core ? `faults end among ${list(e.core)}` : "faults end"],
  mode: (e) => [
    e.to === "pbft" ? "bad" : "good",
    `mode ${e.from} → ${e.to} at height ${e.height}${e.reason ? `: ${e.reason}` : ""}`,
  ],
  epoch: (e) => ["note", `epoch ${e.epoch} with ${plural(e.validators, "validator")}`],
  evidence: (e) => ["bad", `evidence against validator ${e.validator}: ${e.detail ?? "two statements that exclude each other"}`],
  membership: (e) => ["note", `node ${e.node}: ${e.change}`],
  violation: (e) => ["bad", `violation of ${e.property}: ${e.detail}`],
  command: (e) => [e.ok ? "note" : "bad", `$ ${e.command}`],
  event: (e) => ["note", `node ${e.node}: ${e.event}`],
};

/** `{tone, text}` of an event that belongs on the time line, or nothing. */
export function inWords(state, event) {
  if (event.kind === "view") {
    const text = `${period(state.engine)} ${event.view}: node ${event.leader} leads`;
    return { tone: "note", text };
  }
  const sentence = SENTENCES[event.kind]?.(event);
  return sentence && { tone: sentence[0], text: sentence[1] };
}
