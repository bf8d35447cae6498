// The nodes on a circle, what each is doing, and the messages between them.

import { h, keep, mark, s, say } from "../dom.js";
import { number, period } from "../words.js";
import { leaderOf } from "../state.js";
import { CENTRE, HEIGHT, WIDTH, discRadius, groupsOf, inside, places, regroup } from "./layout.js";
import { drawParticles, palette } from "./particles.js";

const still = matchMedia("(prefers-reduced-motion: reduce)");
/** Pixels that a pointer moves before it drags. */
const DRAG_FROM = 6;

/**
 * `on.select(id)` when a node is chosen, `on.groups(groups)` when one was dragged to another group
 * (`null`: one network again), `on.key(id, key)` for keys on a node.
 */
export function circle({ title, on }) {
  const hulls = s("g", { class: "hulls", "aria-hidden": "true" });
  const middle = s("g", { class: "middle", "aria-hidden": "true" },
    s("text", { x: CENTRE.x, y: CENTRE.y - 4, class: "period" }),
    s("text", { x: CENTRE.x, y: CENTRE.y + 18, class: "leads" }));
  const discs = s("g", {});
  const drawing = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": title }, hulls, middle, discs);
  const canvas = h("canvas", { "aria-hidden": "true" });
  const host = h("div", { class: "circle" }, canvas, drawing);
  const view = { host, canvas, drawing, shown: [], drag: null, selected: null, colours: palette(), on };
  addEventListener("theme", () => (view.colours = palette()));

  const nodeMade = (_, id) => disc(view, id);
  view.update = (state) => {
    view.state = state;
    const leader = leaderOf(state);
    keep(discs, state.nodes, nodeMade, (element, node) => drawNode(view, element, node, node.id === leader));
    drawMiddle(middle, state, leader);
  };
  view.frame = (particles) => {
    if (!view.state) return;
    move(view);
    drawHulls(hulls, view);
    drawParticles(canvas, particles, view.shown, view.colours, still.matches);
  };
  view.select = (id) => {
    view.selected = id;
    if (view.state) view.update(view.state);
  };
  return view;
}

function disc(view, id) {
  const element = s("g", { class: "node", tabindex: 0, role: "button", "aria-pressed": "false", "data-node": id },
    s("circle", { class: "halo" }), s("circle", { class: "body" }), s("text", { class: "number" }), " ", s("path", { class: "sign" }),
    s("text", { class: "role" }), " ", s("text", { class: "height" }), " ", s("text", { class: "fault" }));
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      view.on.select?.(id);
    } else if (!event.ctrlKey && !event.metaKey && !event.altKey) {
      view.on.key?.(id, event.key);
    }
  });
  draggable(view, element, id);
  return element;
}

function draggable(view, element, id) {
  const place = (event) => {
    const inverse = view.drawing.getScreenCTM().inverse();
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(inverse);
    return inside(point);
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    view.drag = { id, from: { x: event.clientX, y: event.clientY }, at: null };
  });
  element.addEventListener("pointermove", (event) => {
    if (view.drag?.id !== id) return;
    const { from } = view.drag;
    const moved = Math.hypot(event.clientX - from.x, event.clientY - from.y) > DRAG_FROM;
    if (view.on.groups && (view.drag.at || moved)) view.drag.at = place(event);
  });
  element.addEventListener("pointerup", () => {
    const drag = view.drag;
    view.drag = null;
    if (!drag?.at) return view.on.select?.(id);
    const groups = regroup(id, drag.at, view.shown, view.state.partition);
    if (groups !== undefined) view.on.groups(groups);
  });
  element.addEventListener("pointercancel", () => (view.drag = null));
}

function roleOf(node) {
  if (!node.alive) return "down";
  if (node.paused) return "paused";
  return node.role ?? "…";
}

const CROSS = "M-9-9 9 9M9-9-9 9";
const BARS = "M-5-8V8M5-8V8";

function drawNode(view, element, node, leads) {
  const radius = discRadius(view.state.nodes.length);
  const [halo, body, name, sign, role, height, fault] = element.children;
  const best = Math.max(...view.state.nodes.map((other) => other.final));
  const behind = best - node.final;
  mark(halo, "r", radius + 6);
  mark(body, "r", radius);
  say(name, String(node.id));
  mark(sign, "d", !node.alive ? CROSS : node.paused ? BARS : "");
  mark(role, "y", radius + 19);
  mark(height, "y", radius + 33);
  mark(fault, "y", -radius - 11);
  const small = radius < 18;
  say(role, small ? "" : roleOf(node));
  say(height, small ? "" : `${number(node.final)}${behind > 8 ? ` (−${number(behind)})` : ""}`);
  const faults = [node.byzantine, node.delay ? `+${node.delay} ms` : null].filter(Boolean);
  say(fault, faults.join(" "));
  mark(element, "aria-pressed", String(view.selected === node.id));
  mark(element, "data-role", roleOf(node));
  mark(element, "data-leads", leads);
  mark(element, "data-mode", node.mode ?? view.state.mode);
  mark(element, "data-lies", Boolean(node.byzantine));
  // A name begins with what is seen, so that it can be spoken to.
  const seen = [name, role, height, fault].map((text) => text.textContent).filter(Boolean).join(" ");
  mark(element, "aria-label", `${seen}: node ${node.id}, ${roleOf(node)}, ${period(view.state.engine)} ${node.view}, final ${node.final}`);
}

function drawMiddle(middle, state, leader) {
  const view = Math.max(0, ...state.nodes.filter((node) => node.alive).map((node) => node.view ?? 0));
  const [top, bottom] = middle.children;
  say(top, `${period(state.engine)} ${view}`);
  say(bottom, leader === null ? "no leader" : `node ${leader} leads`);
}

/** Nodes glide to where they belong. */
function move(view) {
  const targets = places(view.state.nodes.length, view.state.partition);
  if (view.shown.length !== targets.length) view.shown = targets.map((target) => ({ ...target }));
  const share = still.matches ? 1 : 0.3;
  const discs = view.drawing.lastElementChild.children;
  targets.forEach((target, id) => {
    const at = view.shown[id];
    const goal = view.drag?.id === id && view.drag.at ? view.drag.at : target;
    const step = view.drag?.id === id ? 1 : share;
    at.x += (goal.x - at.x) * step;
    at.y += (goal.y - at.y) * step;
    if (discs[id]) mark(discs[id], "transform", `translate(${at.x.toFixed(1)} ${at.y.toFixed(1)})`);
  });
}

/** A soft shape around each group that is cut off from the others. */
function drawHulls(hulls, view) {
  const groups = groupsOf(view.state.nodes.length, view.state.partition);
  keep(hulls, groups.length > 1 ? groups : [], () => s("path", {}), (path, group) => {
    const points = group.map((id) => view.shown[id]).filter(Boolean);
    const d = points.map((at, index) => `${index ? "L" : "M"}${at.x.toFixed(1)} ${at.y.toFixed(1)}`).join("");
    mark(path, "d", `${d}l0.1 0Z`);
  });
}
