// The four things to try first.

import { h } from "../dom.js";
import { leaderOf } from "../state.js";
import { orderButton } from "./button.js";

/** Everything that puts the network right again. */
function remedies(state) {
  const orders = [];
  for (const node of state.nodes) {
    if (node.byzantine) orders.push({ do: "byzantine", node: node.id, behaviour: "off" });
    if (!node.alive) orders.push({ do: "restart", node: node.id });
    else if (node.paused) orders.push({ do: "resume", node: node.id });
  }
  if (state.partition || state.nodes.some((node) => node.delay)) orders.push({ do: "heal" });
  return orders;
}

function halves(state) {
  const ids = state.nodes.map((node) => node.id);
  const half = ids.length >> 1;
  return half ? { do: "partition", groups: [ids.slice(0, half), ids.slice(half)] } : null;
}

export function story(orders) {
  let state = null;
  const led = (make) => () => {
    const leader = state && leaderOf(state);
    return leader === null || leader === undefined ? null : make(leader);
  };
  const buttons = [
    { name: "lie", title: "Make the leader lie", tone: "bad", order: led((node) => ({ do: "byzantine", node, behaviour: "equivocate" })) },
    { name: "kill-leader", title: "Kill the leader", tone: "bad", order: led((node) => ({ do: "kill", node })) },
    { name: "halves", title: "Cut the network in two", tone: "bad", order: () => state && !state.partition && halves(state) && halves(state) },
    { name: "remedy", title: "Put everything right", tone: "good", order: () => (state ? remedies(state) : []) },
  ].map((about) => orderButton({ ...about, orders }));
  return {
    host: h("section", { class: "panel story" }, h("h2", {}, "Break it"), h("div", { class: "grid2" }, buttons.map(({ host }) => host))),
    update(now, enabled) {
      state = now;
      for (const button of buttons) button.update(enabled);
    },
  };
}
