// What there is to see without a search: newest blocks, validators by epoch, evidence.

import { h, keep, mark, say } from "../dom.js";
import { short } from "../words.js";
import { ask } from "./ask.js";
import { table, to } from "./parts.js";

const ROWS = 12;

export function overview(app) {
  const blocks = h("tbody", {});
  const list = h("section", { class: "card blocks" }, h("h2", {}, "Newest blocks"),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "newest blocks" },
      h("table", {}, h("thead", {}, h("tr", {}, ["height", "hash", "mode", "view", "from", "tx", "signed by"].map((name) => h("th", { scope: "col" }, name)))), blocks)));
  const validators = validatorList(app);
  const found = h("div", {});
  const evidence = h("section", { class: "card" }, h("h2", {}, "Evidence"), found);
  const host = h("div", { class: "overview" }, list, validators.host, evidence);

  async function refresh() {
    await validators.refresh();
    try {
      const records = await ask(app, "chain_evidence", []);
      found.replaceChildren(records.length
        ? table("evidence", ["validator", "what", "height", "block", "hash"],
          records.toReversed().map((it) => [String(it.accused), it.kind, String(it.at_height), to(it.height), to(it.hash, short(it.hash))]))
        : h("p", { class: "hint" }, "Nobody was caught."));
    } catch (error) {
      found.replaceChildren(h("p", { class: "hint" }, error.message));
    }
  }

  let version = -1;
  return {
    host,
    refresh,
    update() {
      const { state } = app.live;
      if (state.version === version) return;
      version = state.version;
      const newest = [...state.blocks.values()].filter((block) => block.hash).sort((a, b) => b.height - a.height).slice(0, ROWS);
      keep(blocks, newest, row, draw);
    },
  };
}

const row = () => h("tr", {}, h("td", {}, h("a", {})), h("td", {}, h("code", {})), ...Array.from({ length: 5 }, () => h("td", {})));

function draw(element, block) {
  const [height, hash, mode, view, from, count, signed] = element.children;
  mark(element, "data-status", block.status);
  say(height.firstElementChild, String(block.height));
  mark(height.firstElementChild, "href", `#explorer?q=${block.height}`);
  say(hash.firstElementChild, short(block.hash));
  say(mode, block.mode ?? "");
  say(view, String(block.view ?? ""));
  say(from, String(block.proposer ?? ""));
  say(count, String(block.transactions ?? 0));
  say(signed, block.signers?.length ? `${block.signers.join(", ")} (${block.certificate ?? "final"})` : block.status);
}

function validatorList(app) {
  const rows = h("div", {});
  const title = h("h2", {}, "Validators");
  let epoch = null;
  let newest = 0;
  const earlier = h("button", { type: "button", "aria-label": "the epoch before" }, "←");
  const later = h("button", { type: "button", "aria-label": "the next epoch" }, "→");
  const host = h("section", { class: "card" }, h("div", { class: "row" }, title, h("div", { class: "chips" }, earlier, later)), rows);
  async function refresh() {
    try {
      const set = await ask(app, "chain_validators", epoch === null ? [] : [epoch]);
      if (epoch === null) newest = set.epoch;
      say(title, `Validators of epoch ${set.epoch}`);
      earlier.disabled = set.epoch === 0;
      later.disabled = set.epoch >= newest;
      rows.shown = set.epoch;
      const stateOf = (it) => (it.jailed ? "jailed: votes, never leads" : it.accused ? "accused" : "");
      rows.replaceChildren(table("validators", ["seat", "name", "key", "since epoch", "state"],
        set.validators.map((it) => [String(it.index), it.name ?? "", h("code", {}, short(it.consensus_key)), String(it.since), stateOf(it)])));
    } catch (error) {
      rows.replaceChildren(h("p", { class: "hint" }, error.message));
    }
  }
  const go = (by) => {
    epoch = (rows.shown ?? 0) + by;
    if (epoch >= newest) epoch = null;
    refresh();
  };
  earlier.addEventListener("click", () => go(-1));
  later.addEventListener("click", () => go(1));
  return { host, refresh };
}
