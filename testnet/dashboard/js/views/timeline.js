// What happened, newest first.

import { h, keep, mark, say } from "../dom.js";
import { moment } from "../words.js";

/** `on.seek(at)` when a line is chosen, where there is a time to go to. */
export function timeline({ on, most = 60 } = {}) {
  const rows = h("ol", { class: "timeline", tabindex: 0, "aria-label": "events, newest first" });
  return {
    host: rows,
    update(state) {
      const notes = state.notes.slice(-most).reverse();
      keep(rows, notes, () => line(on), (row, note) => {
        mark(row, "data-tone", note.tone);
        mark(row, "data-kind", note.kind);
        say(row.firstElementChild, moment(state, note.at));
        say(row.lastElementChild, note.text);
        row.at = note.at;
      });
    },
  };
}

function line(on) {
  const time = h(on?.seek ? "button" : "time", on?.seek ? { type: "button" } : {});
  const row = h("li", {}, time, h("span", {}));
  if (on?.seek) time.addEventListener("click", () => on.seek(row.at));
  return row;
}
