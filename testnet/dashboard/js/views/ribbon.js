// The chain's newest blocks, filling from proposed over ordered to final, with who signed each.

import { h, keep, mark, say } from "../dom.js";
import { number, short } from "../words.js";
import { inSeat } from "../state.js";

/** `on.block(block)` when one is chosen; `most` blocks are shown. */
export function ribbon({ on, most = 12 }) {
  const row = h("ol", { class: "ribbon", "aria-label": "newest blocks" });
  return {
    host: row,
    update(state) {
      const blocks = [...state.blocks.values()].sort((a, b) => a.height - b.height).slice(-most);
      keep(row, blocks, () => card(on), (element, block) => draw(element, block, state));
    },
  };
}

function card(on) {
  const button = h("button", { type: "button", class: "block" },
    h("span", { class: "fill" }),
    h("strong", {}), " ",
    h("span", { class: "hash" }), " ",
    h("span", { class: "size" }), " ",
    h("span", { class: "marks", "aria-hidden": "true" }));
  button.addEventListener("click", () => on?.block?.(button.shownBlock));
  return h("li", {}, button);
}

/** How a block stands at each validator: `signed`, `final`, `ordered`, `proposed` or `none`. */
function marksOf(block, state) {
  const ids = state.nodes.map((node) => node.id);
  if (block.signers?.length) {
    const signed = new Set(block.signers.map((seat) => inSeat(state, seat)));
    return ids.map((id) => (signed.has(id) ? "signed" : "none"));
  }
  const told = ({ final, ordered }) => (final >= block.height ? "final" : ordered >= block.height ? "ordered" : "none");
  return ids.map((id) => block.reached[id] ?? (state.live ? told(state.nodes[id]) : "none"));
}

function draw(item, block, state) {
  const button = item.firstElementChild;
  const [, height, hash, size, marks] = button.children;
  const forked = block.finals.length > 1;
  const signed = marksOf(block, state);
  button.shownBlock = block;
  mark(button, "data-status", forked ? "forked" : block.status);
  mark(button, "data-mode", block.mode);
  mark(button, "data-height", block.height);
  say(height, number(block.height));
  say(hash, forked ? `fork ×${block.finals.length}` : short(block.hash).slice(0, 7));
  say(size, `${block.transactions ?? 0} tx`);
  keep(marks, signed.slice(0, 16), () => h("i", {}), (dot, state) => mark(dot, "data-state", state));
  const count = signed.filter((state) => state !== "none" && state !== "proposed").length;
  const how = block.signers?.length ? `${block.certificate ?? "final"} certificate signed by ${block.signers.join(", ")}` : `at ${count} of ${signed.length} nodes`;
  const words = `block ${block.height}, ${forked ? "forked" : block.status}, ${how}`;
  mark(button, "aria-label", `${height.textContent} ${hash.textContent} ${size.textContent}: ${words}`);
  mark(button, "title", words);
}
