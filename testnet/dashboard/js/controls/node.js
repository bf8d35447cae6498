// What can be done to the selected node.

import { h, keep, mark, say } from "../dom.js";
import { toggleAlone } from "../views/layout.js";
import { orderButton } from "./button.js";
import { commandOf } from "./orders.js";

const MAX_DELAY = 1000;

/** `selected()` is the node's number, `select(id)` chooses another, `names()` are the ways to lie. */
export function nodePanel({ orders, selected, select, names }) {
  let state = null;
  const node = () => state?.nodes[selected()];
  const when = (test, make) => () => (node() && test(node()) ? make(node().id) : null);
  const buttons = [
    { name: "kill", title: "Kill", tone: "bad", order: when((it) => it.alive, (node) => ({ do: "kill", node })) },
    { name: "restart", title: "Restart", tone: "good", order: when(() => true, (node) => ({ do: "restart", node })) },
    {
      name: "pause",
      title: "Pause",
      order: when((it) => it.alive, (node) => ({ do: state.nodes[node].paused ? "resume" : "pause", node })),
    },
    { name: "cut", title: "Cut off", order: when(() => state.nodes.length > 1, (id) => cutOrder(id, state)) },
    { name: "leave", title: "Leave the set", order: when((it) => it.alive, (node) => ({ do: "leave", node })) },
    { name: "rejoin", title: "Join the set", order: when((it) => it.alive && it.role === "observer", (node) => ({ do: "join", node })) },
  ].map((about) => ({ ...about, ...orderButton({ ...about, orders }) }));

  const choice = h("div", { class: "choice", role: "group", "aria-label": "selected node" });
  const lies = behaviours(orders, node, names);
  const late = delay(orders, node);
  const heading = h("h2", {}, "Node");
  const host = h("section", { class: "panel node-panel" },
    h("div", { class: "row" }, heading, choice),
    h("div", { class: "grid2" }, buttons.map(({ host }) => host)), lies.host, late.host);
  return {
    host,
    update(now, enabled) {
      state = now;
      const it = node();
      say(heading, it ? `Node ${it.id}` : "Node");
      keep(choice, state.nodes, (_, id) => chip(id, select), (element, { id }) => mark(element, "aria-pressed", String(id === selected())));
      for (const { name, update } of buttons) {
        const title = name === "pause" ? (it?.paused ? "Resume" : "Pause") : name === "cut" ? cutTitle(it, state) : undefined;
        update(enabled, title);
      }
      lies.update(it, enabled);
      late.update(it, enabled);
    },
  };
}

function chip(id, select) {
  const button = h("button", { type: "button", "aria-label": `select node ${id}` }, String(id));
  button.addEventListener("click", () => select(id));
  return button;
}

/** The order that puts a node alone, or back with the others. */
export function cutOrder(id, state) {
  const groups = toggleAlone(id, state.nodes.length, state.partition);
  return groups ? { do: "partition", groups } : { do: "heal" };
}

function cutTitle(node, state) {
  const alone = node && state.partition?.some((group) => group.length === 1 && group[0] === node.id);
  return alone ? "Reconnect" : "Cut off";
}

function behaviours(orders, node, names) {
  const make = (behaviour) => {
    const button = h("button", { type: "button", class: "small", "aria-pressed": "false", "data-behaviour": behaviour }, behaviour);
    button.addEventListener("click", () => {
      const it = node();
      if (it) orders.give({ do: "byzantine", node: it.id, behaviour: it.byzantine === behaviour ? "off" : behaviour });
    });
    return button;
  };
  const chips = h("div", { class: "chips" });
  const command = h("code", { class: "hint" });
  const host = h("fieldset", {}, h("legend", {}, "Lie"), chips, command);
  return {
    host,
    update(it, enabled) {
      keep(chips, names(), make, (button, behaviour) => {
        const pressed = it?.byzantine === behaviour;
        mark(button, "aria-pressed", String(pressed));
        if (button.disabled === Boolean(enabled && it?.alive)) button.disabled = !(enabled && it?.alive);
        mark(button, "title", it && commandOf({ do: "byzantine", node: it.id, behaviour: pressed ? "off" : behaviour }));
      });
      say(command, it ? `testnet byzantine ${it.id} ${it.byzantine ? "off" : "…"}` : "");
    },
  };
}

function delay(orders, node) {
  const slider = h("input", { type: "range", min: 0, max: MAX_DELAY, step: 50, value: 0, "aria-label": "delay of everything the node sends, in milliseconds" });
  const command = h("code", { class: "hint" });
  const order = () => ({ do: "delay", node: node().id, ms: Number(slider.value) });
  let held = false;
  slider.addEventListener("input", () => {
    held = true;
    if (node()) say(command, commandOf(order()));
  });
  slider.addEventListener("change", () => {
    held = false;
    if (node()) orders.give(order());
  });
  return {
    host: h("fieldset", {}, h("legend", {}, "Delay"), slider, command),
    update(it, enabled) {
      slider.disabled = !(enabled && it?.alive);
      if (held || !it) return;
      if (document.activeElement !== slider) slider.value = String(it.delay);
      say(command, commandOf({ do: "delay", node: it.id, ms: it.delay }));
    },
  };
}
