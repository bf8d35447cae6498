// Runs of the simulator side by side under one clock.

import * as api from "../api.js";
import { importTrace } from "./import.js";
import { Track } from "./track.js";

/** Most events of a run that the page keeps. */
const MOST_EVENTS = 400_000;

/** How fast a run is played: simulated milliseconds per second. */
export const SPEEDS = [2, 5, 10, 25, 50, 100, 250, 1000];

export class Laboratory extends EventTarget {
  constructor() {
    super();
    this.tracks = [];
    this.at = 0;
    this.playing = false;
    this.speed = 25;
    /** Where playing stops by itself. */
    this.until = Infinity;
    this.running = null;
    /** When a frame was drawn last. */
    this.drawn = performance.now();
  }

  get end() {
    return Math.max(0, ...this.tracks.map((track) => track.end));
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** Makes a run and puts it on a bench: 0 the first one, 1 beside it. */
  async run(request, bench = 0) {
    this.running?.abort();
    const abort = new AbortController();
    this.running = abort;
    this.changed();
    try {
      const { scenarios } = await api.labOptions();
      const lies = scenarios.find(({ name }) => name === request.scenario)?.lies ?? [];
      const { events, summary } = await read(request, abort.signal);
      const track = new Track(request, events, summary, [...lies, ...(request.byzantine ?? [])]);
      this.put(track, bench);
      return track;
    } finally {
      if (this.running === abort) this.running = null;
      this.changed();
    }
  }

  put(track, bench) {
    this.tracks = bench === 0 ? [track] : [this.tracks[0], track];
    this.until = Infinity;
    if (bench === 0) this.at = 0;
    for (const one of this.tracks) one.seek(this.at);
    this.changed();
  }

  /** The same run with one more fault, beside it; by default at the present moment. */
  async fork(fault, at_ms = Math.max(1, Math.ceil(this.at))) {
    const { request } = this.tracks[0];
    this.pause();
    const fork = { at_ms, fault };
    await this.run({ ...request, faults: [...(request.faults ?? []), fork] }, 1);
    this.tracks[1].fork = fork;
    this.seek(Math.max(0, at_ms - 1));
  }

  /** The same schedule on another engine, beside it: by that engine's own policy. */
  async beside(engine) {
    this.pause();
    const { policy, ...schedule } = this.tracks[0].request;
    return this.run({ ...schedule, engine }, 1);
  }

  alone() {
    this.tracks = this.tracks.slice(0, 1);
    this.changed();
  }

  /** A trace from a file instead of a run. */
  open(text) {
    this.put(importTrace(text), 0);
  }

  seek(at) {
    this.at = Math.max(0, Math.min(this.end, at));
    for (const track of this.tracks) track.seek(this.at);
    this.changed();
  }

  play() {
    if (this.at >= this.end) this.seek(0);
    this.playing = true;
    this.changed();
  }

  pause() {
    this.playing = false;
    this.changed();
  }

  step(forward) {
    this.pause();
    const places = this.tracks.map((track) => (forward ? track.after() : track.before()));
    this.seek(forward ? Math.min(...places.filter((at) => at > this.at), this.end) : Math.max(...places));
  }

  /** To the next or last thing that is marked on the slider. */
  jump(forward) {
    this.pause();
    const marks = this.tracks.flatMap((track) => track.marks.map((event) => event.at_ms));
    const found = forward ? Math.min(...marks.filter((at) => at > this.at + 0.05)) : Math.max(...marks.filter((at) => at < this.at - 0.05));
    this.seek(Number.isFinite(found) ? found : forward ? this.end : 0);
  }

  /** So much real time went by, in milliseconds. */
  pass() {
    const now = performance.now();
    const real = now - this.drawn;
    this.drawn = now;
    if (!this.playing) return;
    const stop = Math.min(this.end, this.until);
    this.seek(Math.min(stop, this.at + (Math.min(real, 100) / 1000) * this.speed));
    if (this.at >= stop) this.pause();
  }

  /** The first moment at which the two runs differ, or nothing. */
  parting() {
    if (this.tracks.length < 2) return null;
    const [one, two] = this.tracks.map((track) => track.raw);
    const index = one.findIndex((event, index) => JSON.stringify(event) !== JSON.stringify(two[index]));
    if (index < 0) return two.length > one.length ? two[one.length].at_ms : null;
    return Math.min(one[index].at_ms, two[index]?.at_ms ?? Infinity);
  }
}

async function read(request, signal) {
  const events = [];
  let summary = null;
  for await (const event of api.labRun(request, signal)) {
    if (event.kind === "summary") summary = event;
    else if (event.kind === "error") throw new Error(event.error);
    else if (events.length < MOST_EVENTS) events.push(event);
  }
  return { events, summary };
}
