// The chain as a database: search by anything, blocks, transactions, accounts, keys, validators,
// evidence, proofs.

import { h } from "../dom.js";
import { find } from "../explorer/find.js";
import { overview } from "../explorer/overview.js";
import { proofCheck } from "../explorer/proof.js";

export function explorerPage(app) {
  const input = h("input", { type: "search", name: "q", placeholder: "height, hash, address, key …", autocomplete: "off", spellcheck: "false", "aria-label": "search the chain" });
  const form = h("form", { class: "search card", role: "search" }, input, h("button", { type: "submit", class: "primary" }, "Search"));
  const found = h("div", { class: "found", "aria-live": "polite" });
  const seen = overview(app);
  const proof = proofCheck(app);
  const host = h("div", { class: "explorer" }, h("h1", { class: "unseen" }, "Explorer"), form, found, seen.host, proof.host);
  let asked = 0;

  async function search(text) {
    asked += 1;
    const mine = asked;
    input.value = text;
    found.replaceChildren();
    if (!text.trim()) return;
    try {
      const result = await find(app, text.trim());
      if (mine === asked) found.replaceChildren(result);
    } catch (error) {
      if (mine === asked) found.replaceChildren(h("p", { class: "card failed" }, error.message));
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    app.go(`explorer?q=${encodeURIComponent(input.value.trim())}`);
  });
  return {
    host,
    enter(query) {
      search(new URLSearchParams(query).get("q") ?? "");
      seen.refresh();
    },
    frame: () => seen.update(),
  };
}
