// The states of a node under each engine, with the one it is in now lit.

import { h, keep, mark, s, say } from "../dom.js";

const WIDTH = 320;
const HEIGHT = 220;

/** Places of states, and what leads from one to another. */
const MACHINES = {
  hybrid: {
    states: {
      "fast follower": [62, 24],
      "fast leader": [258, 24],
      "changing view": [160, 110],
      "pbft follower": [62, 196],
      "pbft leader": [258, 196],
    },
    arrows: [
      ["fast follower", "changing view", "timeout"],
      ["fast leader", "changing view", "a lie"],
      ["changing view", "pbft follower", ""],
      ["changing view", "pbft leader", ""],
      ["pbft follower", "fast follower", "calm"],
      ["pbft leader", "fast leader", "calm"],
    ],
  },
  raft: {
    states: { follower: [62, 150], candidate: [160, 40], leader: [258, 150] },
    arrows: [
      ["follower", "candidate", "timeout"],
      ["candidate", "leader", "majority"],
      ["candidate", "follower", "another leads"],
      ["leader", "follower", "higher term"],
    ],
  },
  paxos: {
    states: { acceptor: [62, 150], "phase 1": [160, 40], "phase 2": [258, 150] },
    arrows: [
      ["acceptor", "phase 1", "timeout"],
      ["phase 1", "phase 2", "promises"],
      ["phase 1", "acceptor", "higher ballot"],
      ["phase 2", "acceptor", "higher ballot"],
    ],
  },
  pbft: {
    states: { backup: [62, 150], "view change": [160, 40], primary: [258, 150] },
    arrows: [
      ["backup", "view change", "timeout"],
      ["view change", "primary", "new view"],
      ["view change", "backup", "new view"],
      ["primary", "view change", "suspected"],
    ],
  },
};

const NAMES = {
  raft: { follower: "follower", changing: "candidate", leader: "leader" },
  paxos: { follower: "acceptor", changing: "phase 1", leader: "phase 2" },
  pbft: { follower: "backup", changing: "view change", leader: "primary" },
};

/** Markers are found by id, and there may be two machines on the page. */
let made = 0;

/** The name of the state that a node is in. */
export function stateName(engine, node, mode) {
  if (!node.alive) return "down";
  const role = node.role ?? "follower";
  if (engine !== "hybrid") return NAMES[engine]?.[role] ?? role;
  return role === "changing" ? "changing view" : role === "observer" ? role : `${node.mode ?? mode ?? "fast"} ${role}`;
}

export function machine() {
  const drawing = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  const facts = h("dl", { class: "facts" });
  const host = h("div", { class: "machine" }, drawing, facts);
  let engine = null;
  return {
    host,
    update(state, id) {
      if (state.engine !== engine) {
        engine = state.engine;
        drawing.replaceChildren(...draw(MACHINES[engine] ?? MACHINES.raft));
      }
      const node = state.nodes[id];
      if (!node) return;
      const now = stateName(engine, node, state.mode);
      for (const box of drawing.querySelectorAll(".state")) mark(box, "data-lit", box.dataset.name === now);
      mark(drawing, "aria-label", `node ${id} is ${now}`);
      const lines = [
        ["node", String(id)],
        ["state", now],
        ["view", `${node.view}`],
        ["ordered", `${node.ordered}`],
        ["final", `${node.final}`],
      ];
      keep(facts, lines, () => h("div", {}, h("dt", {}), h("dd", {})), (row, [name, value]) => {
        say(row.firstElementChild, name);
        say(row.lastElementChild, value);
      });
    },
  };
}

function draw({ states, arrows }) {
  const id = `tip${(made += 1)}`;
  const tip = s("marker", { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, s("path", { d: "M0 0 8 4 0 8Z" }));
  const lines = arrows.map(([from, to, label]) => arrow(states[from], states[to], label, id));
  const boxes = Object.entries(states).map(([name, [x, y]]) =>
    s("g", { class: "state", "data-name": name, transform: `translate(${x} ${y})` },
      s("rect", { x: -52, y: -16, width: 104, height: 32, rx: 16 }), s("text", { y: 4 }, name)));
  return [s("defs", {}, tip), ...lines, ...boxes];
}

/** From the edge of one box to the edge of another, a little aside. */
function arrow([ax, ay], [bx, by], label, tip) {
  const length = Math.hypot(bx - ax, by - ay);
  const [ux, uy] = [(bx - ax) / length, (by - ay) / length];
  const cut = Math.min(54 / Math.max(Math.abs(ux), 0.01), 18 / Math.max(Math.abs(uy), 0.01));
  const [sx, sy] = [-uy * 7, ux * 7];
  const from = [ax + ux * cut + sx, ay + uy * cut + sy];
  const to = [bx - ux * cut + sx, by - uy * cut + sy];
  return s("g", { class: "arrow" },
    s("path", { d: `M${from[0]} ${from[1]}L${to[0]} ${to[1]}`, "marker-end": `url(#${tip})` }),
    s("text", { x: (from[0] + to[0]) / 2 + sx * 1.2, y: (from[1] + to[1]) / 2 + sy * 1.2 + 3 }, label));
}
