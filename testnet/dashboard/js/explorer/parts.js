// Pieces of which the explorer's answers are made.

import { h } from "../dom.js";

const link = (query, text) => h("a", { href: `#explorer?q=${encodeURIComponent(query)}` }, text);

/** A link to a block, transaction, account or key. */
export const to = (query, text = String(query)) => link(String(query), text);

/** A hash in full, to be copied, which leads to itself. */
export const hash = (value) => h("code", { class: "wrap" }, to(value));

export const when = (ms) => new Date(ms).toLocaleString("en-GB");

/** A card of facts: rows whose value is nothing are left out. */
export function facts(title, rows, ...more) {
  const lines = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("section", { class: "card result" }, h("h2", {}, title),
    h("dl", { class: "facts wide-facts" }, lines.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))), ...more);
}

/** A table that scrolls by itself where the page is narrow. */
export function table(caption, head, rows) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h("table", {}, h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell)))))));
}
