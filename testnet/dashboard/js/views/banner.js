// Which way the network orders blocks now, and why, in a sentence.

import { h, mark, say } from "../dom.js";
import { leaderOf } from "../state.js";
import { list, period, plural } from "../words.js";

export function banner() {
  const badge = h("strong", { class: "mode" });
  const sentence = h("p", {});
  const health = h("p", { class: "health" });
  const host = h("section", { class: "banner", "aria-label": "mode", "aria-live": "polite" }, badge, sentence, health);
  return {
    host,
    update(state) {
      mark(host, "data-mode", state.mode ?? "single");
      mark(host, "data-engine", state.engine);
      say(badge, state.mode ?? state.engine ?? "…");
      say(sentence, reason(state));
      const words = healthOf(state);
      say(health, words.text);
      mark(host, "data-health", words.tone);
    },
  };
}

const DEFAULT = {
  fast: "One leader gathers votes: finality in one round trip.",
  pbft: "Everyone votes to everyone until the network is calm again.",
  single: "This engine has one way to order blocks.",
};

function reason(state) {
  if (state.violations.length) {
    const { property, detail } = state.violations.at(-1);
    return `Safety is lost: ${property}. ${detail}`;
  }
  const known = DEFAULT[state.mode ?? "single"];
  if (!state.reason) return known;
  const why = state.reason.charAt(0).toUpperCase() + state.reason.slice(1);
  return why.includes(" ") ? why : `${known} Reason: ${state.reason}.`;
}

/** Who is missing, against what the engine tolerates. */
function healthOf(state) {
  const count = state.nodes.length;
  const missing = state.nodes.filter((node) => !node.alive || node.paused).map((node) => node.id);
  const lying = state.nodes.filter((node) => node.byzantine).map((node) => node.id);
  const byzantine = state.engine === "hybrid" || state.engine === "pbft";
  const may = byzantine ? Math.floor((count - 1) / 3) : Math.floor((count - 1) / 2);
  const parts = [];
  if (missing.length) parts.push(`${list(missing)} down`);
  if (lying.length) parts.push(`${list(lying)} lying`);
  if (state.partition) parts.push(`cut into ${state.partition.map((group) => group.join(",")).join(" | ")}`);
  const leader = leaderOf(state);
  const led = leader === null ? "no leader" : `node ${leader} leads ${period(state.engine)} ${state.nodes[leader].view}`;
  if (!parts.length) return { tone: "good", text: `All ${plural(count, "node")} well; ${led}.` };
  const over = missing.length + lying.length > may || (!byzantine && lying.length > 0);
  return { tone: over ? "bad" : "warn", text: `${parts.join("; ")} (tolerates ${may}); ${led}.` };
}
