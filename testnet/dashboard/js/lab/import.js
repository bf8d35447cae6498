// Traces from files: what `testnet simulate --trace` and the laboratory write.

import { classOf } from "../words.js";
import { Track } from "./track.js";

const MOST_EVENTS = 400_000;

/** Messages that only one engine sends. */
const TELLS = { pre_prepare: "pbft", accept: "paxos", append_reply: "raft", vote_request: "raft", suspect: "hybrid", view_ack: "hybrid" };

/** A track from the text of a trace: one JSON object per line. */
export function importTrace(text) {
  const events = [];
  let summary = null;
  for (const [index, line] of text.split("\n").entries()) {
    if (!line.trim() || events.length >= MOST_EVENTS) continue;
    let event;
    try {
      event = JSON.parse(line);
    } catch {
      throw new Error(`line ${index + 1} is no JSON: a trace has one object per line, as --trace writes it`);
    }
    if (event.kind === "summary") summary = event;
    else if (Number.isFinite(event.at_ms) && typeof event.kind === "string") events.push(event);
    else throw new Error(`line ${index + 1} has no at_ms and kind: it is no event of a trace`);
  }
  if (!events.length) throw new Error("the file holds no event");
  const engine = summary?.engine ?? events.map((event) => TELLS[event.message]).find(Boolean) ?? "hybrid";
  for (const event of events) if (event.kind === "send") event.class ??= classOf(event.message);
  const ids = events.flatMap((event) => [event.node, event.from, event.to]).filter(Number.isInteger);
  const validators = Math.min(128, Math.max(...ids, 0) + 1);
  const request = { engine, validators, scenario: summary?.scenario ?? "imported trace", seed: summary?.seed ?? 0, imported: true };
  return new Track(request, events, summary);
}
