// One lane per node: how far each height of its log is, and whether it has the same blocks as others.

import { h, keep, mark, say } from "../dom.js";
import { LANE } from "../state.js";
import { number } from "../words.js";

export function lanes() {
  const caption = h("p", { class: "axis" });
  const rows = h("div", { class: "lanes" });
  const host = h("div", { class: "lanes-host", role: "img" }, rows, caption);
  return {
    host,
    update(state) {
      const top = Math.max(0, ...state.nodes.map((node) => Math.max(0, ...node.log.keys())));
      const from = Math.max(1, top - LANE + 1);
      const heights = Array.from({ length: LANE }, (_, index) => from + index);
      keep(rows, state.nodes, lane, (row, node) => drawLane(row, node, heights, state));
      say(caption, `heights ${number(from)} to ${number(from + LANE - 1)}`);
      const words = state.nodes.map((node) => `node ${node.id}: ordered ${node.ordered}, final ${node.final}`);
      mark(host, "aria-label", `Logs. ${words.join("; ")}`);
    },
  };
}

const lane = () => h("div", { class: "lane" }, h("span", {}), h("div", { class: "cells" }));

function drawLane(row, node, heights, state) {
  const [name, cells] = row.children;
  say(name, String(node.id));
  mark(row, "data-alive", String(node.alive));
  keep(cells, heights, () => h("i", {}), (cell, height) => {
    const entry = node.log.get(height);
    const finals = state.blocks.get(height)?.finals ?? [];
    const fork = finals.length > 1 && entry ? finals.indexOf(entry.block) : -1;
    mark(cell, "data-state", entry?.state ?? null);
    mark(cell, "data-fork", fork >= 0 ? fork : null);
  });
}
