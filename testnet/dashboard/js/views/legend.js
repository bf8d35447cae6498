// Which shape and colour is which class of messages, and how many there were.

import { h, mark, say } from "../dom.js";
import { CLASSES, number } from "../words.js";
import { palette, shape } from "./particles.js";

export function legend() {
  const rows = CLASSES.map(({ name, title }) => {
    const count = h("b", {});
    const swatch = h("canvas", { width: 28, height: 28, "aria-hidden": "true" });
    return { name, count, swatch, row: h("li", { "data-class": name }, swatch, h("span", {}, title), count) };
  });
  const host = h("ul", { class: "legend", "aria-label": "messages by class" }, rows.map(({ row }) => row));
  const paint = () => {
    const colours = palette();
    for (const { name, swatch } of rows) {
      const pen = swatch.getContext("2d");
      pen.setTransform(2, 0, 0, 2, 14, 14);
      pen.clearRect(-7, -7, 14, 14);
      pen.fillStyle = colours[name];
      pen.strokeStyle = colours[name];
      pen.lineWidth = 2;
      shape(pen, CLASSES.find((entry) => entry.name === name).shape);
    }
  };
  paint();
  addEventListener("theme", paint);
  return {
    host,
    update(state) {
      for (const { name, count, row } of rows) {
        const sent = state.sent[name] ?? 0;
        say(count, sent ? number(sent) : "");
        mark(row, "data-idle", sent === 0);
      }
    },
  };
}
