// The running network, and the buttons that break it.

import { h, mark } from "../dom.js";
import { banner } from "../views/banner.js";
import { charts } from "../views/charts.js";
import { circle } from "../views/circle.js";
import { lanes } from "../views/lanes.js";
import { legend } from "../views/legend.js";
import { machine } from "../views/machine.js";
import { ribbon } from "../views/ribbon.js";
import { timeline } from "../views/timeline.js";
import { commandLog } from "../controls/console.js";
import { networkPanel } from "../controls/network.js";
import { cutOrder, nodePanel } from "../controls/node.js";
import { Orders } from "../controls/orders.js";
import { story } from "../controls/story.js";

export function livePage(app) {
  const { live } = app;
  let chosen = 0;
  const log = commandLog();
  const orders = new Orders((line) => {
    log.said(line);
    if (!line.waiting && !line.ok) app.announce(`Refused: ${line.output}`);
  });
  const select = (id) => {
    chosen = id;
    ring.select(id);
    drawn = 0;
  };
  const give = (order) => live.stage.control && orders.give(order);
  const keys = {
    k: (node) => ({ do: "kill", node }),
    r: (node) => ({ do: "restart", node }),
    p: (node) => ({ do: live.state.nodes[node].paused ? "resume" : "pause", node }),
    x: (node) => cutOrder(node, live.state),
    h: () => ({ do: "heal" }),
  };
  const ring = circle({
    title: "nodes",
    on: {
      select,
      groups: (groups) => give(groups ? { do: "partition", groups } : { do: "heal" }),
      key: (id, key) => keys[key] && give(keys[key](id)),
    },
  });
  const views = {
    banner: banner(),
    lanes: lanes(),
    ribbon: ribbon({ on: { block: (block) => app.go(`explorer?q=${block.height}`) } }),
    charts: charts(),
    timeline: timeline(),
    legend: legend(),
  };
  const names = () => live.about.behaviours ?? [];
  const parts = [story(orders), nodePanel({ orders, selected: () => chosen, select, names }), networkPanel(orders)];
  const automaton = machine();
  const host = layout({ ring, views, parts, automaton, log, control: () => live.stage.control });

  let drawn = 0;
  return {
    host,
    enter() {
      mark(host, "data-control", String(live.stage.control));
      select(chosen);
    },
    frame() {
      const pause = live.pace.between;
      ring.frame(live.particles());
      const now = performance.now();
      if (now - drawn < pause.text) return pause.motion;
      drawn = now;
      const { state } = live;
      ring.update(state);
      for (const view of Object.values(views)) view.update(state);
      for (const part of parts) part.update(state, live.stage.control);
      automaton.update(state, chosen);
      return pause.motion;
    },
  };
}

function layout({ ring, views, parts, automaton, log }) {
  const hint = h("p", { class: "hint" }, "Drag a node away to cut it off, back to heal. Keys on a node: K kill, R restart, P pause, X cut off, H heal.");
  const watch = h("p", { class: "watching" }, "This page only watches: the network is not one that this program started.");
  return h("div", { class: "live" },
    h("h1", { class: "unseen" }, "Live network"),
    views.banner.host,
    h("div", { class: "stage card" }, ring.host, hint, views.legend.host),
    h("div", { class: "side" }, watch, parts.map(({ host }) => host), log.host),
    h("section", { class: "card logs" }, h("h2", {}, "Logs"), views.lanes.host),
    h("section", { class: "card chain" }, h("h2", {}, "Chain"), views.ribbon.host),
    h("section", { class: "card happened" }, h("h2", {}, "What happened"), views.timeline.host),
    h("section", { class: "card automaton" }, h("h2", {}, "State machine"), automaton.host),
    h("section", { class: "wide" }, h("h2", { class: "unseen" }, "Charts"), views.charts.host));
}
