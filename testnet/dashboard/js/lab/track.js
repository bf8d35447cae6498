// One run and a place in it. Going back is a copy of an earlier state and the events since.

import { apply, newState } from "../state.js";
import { arrange } from "./arrange.js";

/** Events between two copies. */
const EVERY = 1500;
/** Most messages drawn at a time. */
const MOST_FLYING = 220;

/** Kinds that the slider marks. */
const MARKED = new Set(["crash", "fault", "heal", "mode", "violation", "epoch"]);

export class Track {
  /** A run from its request, its events in order, the summary that came last, and who lies in it. */
  constructor(request, events, summary, lies = []) {
    this.request = request;
    this.summary = summary;
    this.lies = lies;
    this.raw = events;
    this.events = arrange(events);
    this.sends = this.events.filter((event) => event.kind === "send");
    this.end = this.events.at(-1)?.at_ms ?? 0;
    this.longest = this.sends.reduce((most, event) => Math.max(most, (event.arrives_ms ?? 0) - event.at_ms), 0);
    this.copies = [];
    this.rewind();
    this.marks = this.findMarks();
  }

  rewind() {
    const { engine, validators } = this.request;
    const nodes = Array.from({ length: validators }, (_, id) => ({ id }));
    this.state = newState({ engine, nodes });
    for (const { node, does } of this.lies) if (this.state.nodes[node]) this.state.nodes[node].byzantine = does;
    this.next = 0;
    this.at = 0;
    this.copies = [{ next: 0, state: structuredClone(this.state) }];
  }

  findMarks() {
    const marks = this.raw.filter((event) => MARKED.has(event.kind)).slice(0, 400);
    let newest = -1;
    for (const event of this.raw) {
      if (event.kind !== "view" || event.view <= newest) continue;
      newest = event.view;
      marks.push(event);
    }
    return marks.sort((a, b) => a.at_ms - b.at_ms);
  }

  /** Goes to a moment of the run. */
  seek(at) {
    const goal = Math.max(0, Math.min(this.end, at));
    if (goal < this.at) {
      const copy = this.copies.findLast((copy) => copy.next === 0 || this.events[copy.next - 1].at_ms <= goal);
      this.state = structuredClone(copy.state);
      this.next = copy.next;
    }
    while (this.next < this.events.length && this.events[this.next].at_ms <= goal) {
      apply(this.state, this.events[this.next]);
      this.next += 1;
      if (this.next % EVERY === 0 && this.copies.at(-1).next < this.next) {
        this.copies.push({ next: this.next, state: structuredClone(this.state) });
      }
    }
    this.at = goal;
  }

  /** When the next event of the run itself happens. */
  after() {
    return this.raw.find((event) => event.at_ms > this.at + 1e-9)?.at_ms ?? this.end;
  }

  /** When the one before happened. */
  before() {
    return this.raw.findLast((event) => event.at_ms < this.at - 1e-9)?.at_ms ?? 0;
  }

  /** Messages under way at the present moment. */
  particles() {
    const found = [];
    let index = firstAfter(this.sends, this.at) - 1;
    for (; index >= 0 && found.length < MOST_FLYING; index -= 1) {
      const event = this.sends[index];
      if (this.at - event.at_ms > Math.max(this.longest, 1)) break;
      const arrives = event.arrives_ms ?? event.at_ms + 1;
      if (arrives <= this.at) continue;
      const share = (this.at - event.at_ms) / (arrives - event.at_ms);
      found.push({ from: event.from, to: event.to, class: event.class, lost: event.lost, share });
    }
    return found;
  }
}

/** The place of the first event after a moment. */
function firstAfter(events, at) {
  let [low, high] = [0, events.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle].at_ms <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}
