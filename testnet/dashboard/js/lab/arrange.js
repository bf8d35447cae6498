// Makes a run's events ready to be looked at: what the simulator does not say but follows from it.

/** Points of a chart over a whole run. */
const BINS = 90;

const byTime = (a, b) => a.at_ms - b.at_ms;
const CARRIES = new Set(["append", "pre_prepare", "accept", "blocks"]);

/** A block is at a node when the message that carries it arrives. */
function arrivals(events) {
  const made = [];
  for (const event of events) {
    if (event.kind !== "send" || !CARRIES.has(event.message) || !event.height) continue;
    const about = { kind: "proposed", height: event.height, view: event.view, from: event.from };
    made.push({ ...about, at_ms: event.at_ms, node: event.from });
    if (!event.lost && event.arrives_ms) made.push({ ...about, at_ms: event.arrives_ms, node: event.to });
  }
  return made;
}

function percentile(sorted, share) {
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : undefined;
}

/** Throughput, latency of blocks and messages per block, bin by bin. */
function metrics(events) {
  const end = events.at(-1)?.at_ms ?? 0;
  const width = Math.max(1, end / BINS);
  const bins = Array.from({ length: BINS }, () => ({ transactions: 0, blocks: 0, messages: 0, waits: [] }));
  const bin = (at) => bins[Math.min(BINS - 1, Math.floor(at / width))];
  const proposed = new Map();
  const decided = new Set();
  for (const event of events) {
    if (event.kind === "send") {
      bin(event.at_ms).messages += 1;
      if (event.height && !proposed.has(event.height)) proposed.set(event.height, event.at_ms);
    }
    if (event.kind !== "final" || decided.has(event.height)) continue;
    decided.add(event.height);
    const here = bin(event.at_ms);
    here.blocks += 1;
    here.transactions += event.transactions ?? 0;
    if (proposed.has(event.height)) here.waits.push(event.at_ms - proposed.get(event.height));
  }
  return bins.map((here, index) => {
    const waits = here.waits.sort((a, b) => a - b);
    return {
      kind: "metrics",
      at_ms: (index + 1) * width,
      tps: (here.transactions / width) * 1000,
      latency_p50_ms: percentile(waits, 0.5),
      latency_p95_ms: percentile(waits, 0.95),
      latency_p99_ms: percentile(waits, 0.99),
      messages_per_block: here.blocks ? here.messages / here.blocks : undefined,
    };
  });
}

/** Everything in the order of time: the run's events and what follows from them. */
export function arrange(events) {
  const end = events.at(-1)?.at_ms ?? 0;
  const extra = [...arrivals(events), ...metrics(events)].filter((event) => event.at_ms <= end);
  return [...events, ...extra].sort(byTime);
}
