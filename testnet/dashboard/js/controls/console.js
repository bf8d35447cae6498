// The last commands and what they said.

import { h, keep, mark, say } from "../dom.js";

const MOST = 6;

export function commandLog() {
  const rows = h("ol", { class: "console", "aria-live": "polite", "aria-label": "commands" });
  const lines = [];
  return {
    host: h("section", { class: "panel" }, h("h2", {}, "Commands"), rows),
    /** One line per command: it first waits, then has an answer. */
    said(line) {
      const open = lines.find(({ id }) => id === line.id);
      if (open) Object.assign(open, line);
      else if (line.waiting) lines.push({ ...line });
      lines.splice(0, lines.length - MOST);
      keep(rows, lines.toReversed(), () => h("li", {}, h("code", {}), h("span", {})), (row, { command, waiting, ok, output }) => {
        mark(row, "data-state", waiting ? "waiting" : ok ? "ok" : "refused");
        say(row.firstElementChild, `$ ${command}`);
        say(row.lastElementChild, waiting ? "…" : (output ?? "").trim());
      });
    },
  };
}
