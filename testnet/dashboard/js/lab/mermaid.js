// A stretch of a run as a mermaid sequence diagram.

import { faultInWords } from "../words.js";

const MOST = 200;

const plain = (text) => text.replace(/[;#\n]/g, " ").slice(0, 120);

function lineOf(event, last) {
  const all = `n0,n${last}`;
  switch (event.kind) {
    case "send": {
      const about = `${event.view == null ? "" : ` v${event.view}`}${event.height == null ? "" : ` h${event.height}`}`;
      return `n${event.from}${event.lost ? "--x" : "->>"}n${event.to}: ${event.message}${about}`;
    }
    case "view":
      return `Note over n${event.node}: view ${event.view}, leader n${event.leader}`;
    case "final":
      return `Note over n${event.node}: final ${event.height}`;
    case "start":
    case "crash":
      return `Note over n${event.node}: ${event.kind === "start" ? "starts" : "crashes"}`;
    case "mode":
      return `Note over n${event.node}: mode ${event.to}`;
    case "fault":
      return `Note over ${all}: ${plain(faultInWords(event.fault))}`;
    case "heal":
      return `Note over ${all}: faults end`;
    case "violation":
      return `Note over ${all}: ${plain(`VIOLATION of ${event.property}: ${event.detail}`)}`;
    default:
      return null;
  }
}

/** The events of a track from its present moment on. */
export function mermaid(track) {
  const count = track.state.nodes.length;
  const lines = ["sequenceDiagram"];
  for (let id = 0; id < count; id += 1) lines.push(`    participant n${id}`);
  for (const event of track.raw) {
    if (event.at_ms < track.at) continue;
    if (lines.length > MOST + count) break;
    const line = lineOf(event, count - 1);
    if (line) lines.push(`    ${line} (${event.at_ms.toFixed(1)} ms)`);
  }
  return `${lines.join("\n")}\n`;
}
