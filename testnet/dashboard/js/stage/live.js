// The running network: its state, kept up by the server's events, and its messages under way.

import * as api from "../api.js";
import { Pace } from "../pace.js";
import { apply, newState } from "../state.js";

/** How long a message is shown under way, in milliseconds. */
const FLIGHT = 850;
/** The server tells of messages a few times a second, many at once: they start within so long. */
const SPREAD = 220;
/** Most messages shown at a time. What is more is left out, not queued. */
const MOST_FLYING = 140;

export class Live {
  constructor() {
    this.state = newState({ engine: null, nodes: [], live: true });
    this.stage = { live: false, control: false, lab: true };
    this.flying = [];
    this.connected = false;
    this.about = {};
    this.pace = new Pace();
  }

  /** Reads the whole state, then follows events from there on. */
  async start() {
    const cursor = await this.reload();
    if (!this.stage.live) return;
    this.follow(cursor);
  }

  async reload() {
    const answer = await api.state();
    api.useToken(answer.token);
    this.stage = answer.stage;
    this.about = answer;
    const state = newState({ engine: answer.engine, nodes: answer.nodes.map(known), live: true });
    state.now = Date.now();
    // What happened first, then how it is now.
    for (const event of answer.events ?? []) apply(state, event);
    for (const block of answer.blocks ?? []) apply(state, { ...block, kind: "block" });
    for (const node of answer.nodes) {
      if (node.alive !== undefined) apply(state, { ...node, kind: "status", node: node.id });
    }
    state.partition = answer.partition ?? null;
    if (answer.load) state.load = answer.load;
    state.points = this.state.points;
    this.state = state;
    return answer.cursor ?? 0;
  }

  follow(cursor) {
    this.source?.close();
    this.source = new EventSource(`/api/events?since=${cursor}`);
    this.source.onopen = () => (this.connected = true);
    this.source.onerror = () => {
      this.connected = false;
      // A server that is gone for good closes the stream; one that comes back is asked again.
      if (this.source.readyState === EventSource.CLOSED) setTimeout(() => this.again(), 2000);
    };
    this.source.onmessage = (message) => this.hear(JSON.parse(message.data));
  }

  async again() {
    try {
      this.follow(await this.reload());
    } catch {
      setTimeout(() => this.again(), 2000);
    }
  }

  hear(event) {
    if (event.kind === "gap") return this.again();
    apply(this.state, event);
    if (event.kind === "metrics") this.pace.hear(event.machine_idle);
    if (event.kind === "send" && !document.hidden && this.flying.length < MOST_FLYING) {
      this.flying.push({ ...event, since: performance.now() + Math.random() * SPREAD });
    }
  }

  /** Messages under way now, and how far each is. */
  particles() {
    const now = performance.now();
    this.flying = this.flying.filter(({ since }) => now - since < FLIGHT);
    const started = this.flying.filter(({ since }) => since <= now);
    return started.map((event) => ({ ...event, share: (now - event.since) / FLIGHT }));
  }

  close() {
    this.source?.close();
  }
}

/** The parts of a node that are about it, not about the moment. */
function known({ id, name, rpc }) {
  return { id, name: name ?? `node ${id}`, rpc };
}
