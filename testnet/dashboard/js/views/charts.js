// Small charts over time: throughput, latency, messages per block, mode.

import { h, keep, mark, s, say } from "../dom.js";
import { moment, number } from "../words.js";

const WIDTH = 300;
const HEIGHT = 84;

const CHARTS = [
  { title: "Throughput", unit: "tx/s", series: [{ key: "tps", name: "final", line: 1 }] },
  {
    title: "Latency",
    unit: "ms",
    digits: 1,
    series: [
      { key: "p50", name: "p50", line: 1 },
      { key: "p95", name: "p95", line: 2 },
      { key: "p99", name: "p99", line: 3 },
    ],
  },
  { title: "Messages per block", unit: "", digits: 1, series: [{ key: "messages", name: "sent", line: 1 }] },
  { title: "Mode", unit: "", steps: true, series: [{ key: "mode", name: "fast / pbft", line: 4 }] },
];

export function charts() {
  const all = CHARTS.map(chart);
  return {
    host: h("div", { class: "charts" }, all.map(({ host }) => host)),
    update(state) {
      for (const one of all) one.update(state);
    },
  };
}

function chart(about) {
  const lines = about.series.map(({ line }) => s("path", { class: "line", "data-line": line }));
  const area = s("path", { class: "area", "data-line": about.series[0].line });
  const cursor = s("path", { class: "cursor" });
  const picture = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    s("path", { class: "grid", d: `M0 ${HEIGHT - 1}H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}` }), area, ...lines, cursor);
  const top = h("span", { class: "ceiling" });
  const values = h("span", { class: "values" });
  const head = h("div", { class: "head" }, h("h3", {}, about.title), values);
  const host = h("figure", { class: "chart", role: "img" }, head, h("div", { class: "plot" }, picture, top));
  const view = { about, host, lines, area, cursor, top, values, state: null, hovered: null };
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    view.hovered = (event.clientX - box.left) / box.width;
    if (view.state) tell(view);
  });
  picture.addEventListener("pointerleave", () => {
    view.hovered = null;
    if (view.state) tell(view);
  });
  return { host, update: (state) => draw(view, state) };
}

/** A round number that is not smaller. */
function nice(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value) * power;
}

function draw(view, state) {
  view.state = state;
  const { about } = view;
  const points = state.points;
  const largest = Math.max(0, ...about.series.flatMap(({ key }) => points.map((point) => point[key] ?? 0)));
  const top = about.steps ? 1 : nice(largest);
  const [first, last] = [points[0]?.at ?? 0, points.at(-1)?.at ?? 1];
  view.x = (at) => (last > first ? ((at - first) / (last - first)) * WIDTH : WIDTH);
  const y = (value) => HEIGHT - 3 - (value / top) * (HEIGHT - 10);
  about.series.forEach(({ key }, index) => {
    const d = path(points.filter((point) => Number.isFinite(point[key])), view.x, (point) => y(point[key]), about.steps);
    mark(view.lines[index], "d", d);
    if (index === 0) mark(view.area, "d", d && `${d}L${WIDTH} ${HEIGHT}L${d.slice(1).split(/[ LHV]/)[0]} ${HEIGHT}Z`);
  });
  say(view.top, about.steps ? "pbft" : number(top));
  tell(view);
}

function path(points, x, y, steps) {
  return points
    .map((point, index) => {
      const [left, up] = [x(point.at).toFixed(1), y(point).toFixed(1)];
      if (index === 0) return `M${left} ${up}`;
      return steps ? `H${left}V${up}` : `L${left} ${up}`;
    })
    .join("");
}

/** The values under the pointer, or the newest. */
function tell({ about, host, values, cursor, state, hovered, x }) {
  const points = state.points;
  const at = hovered === null ? null : hovered * WIDTH;
  const distance = (point) => Math.abs(x(point.at) - at);
  const point = at === null ? points.at(-1) : points.reduce((best, one) => (!best || distance(one) < distance(best) ? one : best), null);
  mark(cursor, "d", at === null || !point ? "" : `M${x(point.at).toFixed(1)} 0V${HEIGHT}`);
  const shown = about.series.map((series) => ({ ...series, text: valueOf(about, point?.[series.key], state) }));
  keep(values, shown, () => h("span", {}), (element, { line, name, text }) => {
    mark(element, "data-line", line);
    say(element, shown.length > 1 ? `${name} ${text}` : text);
  });
  mark(host, "aria-label", `${about.title}: ${shown.map(({ name, text }) => `${name} ${text}`).join(", ")}`);
  mark(host, "title", at !== null && point ? moment(state, point.at) : null);
}

function valueOf(about, value, state) {
  if (about.steps) return state.mode === null ? "one mode" : value ? "pbft" : "fast";
  return `${number(value, about.digits)} ${about.unit}`.trim();
}
