// A run as text: the link that reproduces it, and the command that does.

import { plural } from "../words.js";

/** A run as the query of a link. */
export function toQuery(request, more = {}) {
  const query = new URLSearchParams();
  const { engine, validators, seed, scenario, duration_ms, policy, faults, byzantine } = request;
  query.set("engine", engine);
  query.set("n", validators);
  query.set("scenario", scenario);
  query.set("seed", seed);
  if (duration_ms) query.set("ms", duration_ms);
  if (policy) query.set("policy", policy);
  if (faults?.length) query.set("faults", JSON.stringify(faults));
  if (byzantine?.length) query.set("liars", JSON.stringify(byzantine));
  for (const [name, value] of Object.entries(more)) if (value) query.set(name, value);
  return query.toString();
}

const whole = (text, fallback) => (/^\d{1,15}$/.test(text ?? "") ? Number(text) : fallback);

/** A list in JSON; a link that was cut off in the middle has none. */
function listed(text) {
  try {
    const list = JSON.parse(text ?? "[]");
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

/** The run of a link, or nothing where it names none. */
export function fromQuery(text) {
  const query = new URLSearchParams(text);
  if (!query.get("engine")) return null;
  const byzantine = listed(query.get("liars"));
  const request = {
    engine: query.get("engine"),
    validators: whole(query.get("n"), 4),
    scenario: query.get("scenario") ?? "calm",
    seed: whole(query.get("seed"), 1),
    faults: listed(query.get("faults")),
    ...(byzantine.length && { byzantine }),
  };
  const duration = whole(query.get("ms"));
  if (duration) request.duration_ms = duration;
  if (query.get("policy")) request.policy = query.get("policy");
  const [fork] = listed(query.get("fork"));
  return { request, at: whole(query.get("at"), 0), beside: query.get("beside"), fork };
}

/** The command that makes the same run, as far as the command line has words for it. */
export function command({ engine, validators, seed, scenario, duration_ms, policy, faults, byzantine }) {
  const parts = ["testnet simulate", `--engine ${engine}`, `--validators ${validators}`, `--scenario ${scenario}`, `--seed ${seed}`];
  if (duration_ms) parts.push(`--duration ${duration_ms / 1000}`);
  if (policy) parts.push(`--policy ${policy}`);
  const more = (faults?.length ?? 0) + (byzantine?.length ?? 0);
  return parts.join(" ") + (more ? `   # and ${plural(more, "more fault")}` : "");
}
