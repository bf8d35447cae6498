// The laboratory: deterministic runs of four engines, with a slider through time.

import * as api from "../api.js";
import { download, field, h, mark, options, say } from "../dom.js";
import { benches } from "../lab/bench.js";
import { FAULTS } from "../lab/faults.js";
import { Laboratory } from "../lab/laboratory.js";
import { command, fromQuery, toQuery } from "../lab/link.js";
import { mermaid } from "../lab/mermaid.js";
import { transport } from "../lab/transport.js";
import { charts } from "../views/charts.js";
import { legend } from "../views/legend.js";
import { machine } from "../views/machine.js";
import { timeline } from "../views/timeline.js";

const FIRST = { engine: "hybrid", validators: 4, seed: 7, scenario: "leader-crash", faults: [] };

export function labPage(app) {
  const lab = new Laboratory();
  let chosen = 0;
  const select = (id) => {
    chosen = id;
    stage.select(id);
    again = true;
  };
  const stage = benches(lab, { select });
  const bar = transport(lab);
  const setup = setupForm(app, lab);
  const fork = forkForm(app, lab, () => chosen);
  const out = exports(app, lab);
  const automaton = machine();
  const views = [timeline({ on: { seek: (at) => lab.seek(at) } }), charts(), legend()];
  const [happened, graphs, classes] = views.map(({ host }) => host);
  const empty = h("p", { class: "empty" }, "Choose a scenario and run it.");
  const host = h("div", { class: "lab" },
    h("h1", { class: "unseen" }, "Laboratory"), setup.host, empty, stage.host, bar.host,
    h("div", { class: "under" }, fork.host, out.host),
    h("section", { class: "card" }, h("h2", {}, "What happened"), happened),
    h("section", { class: "card" }, h("h2", {}, "State machine"), automaton.host, classes),
    h("section", { class: "wide" }, h("h2", { class: "unseen" }, "Charts"), graphs));

  let again = true;
  lab.addEventListener("change", () => {
    again = true;
    empty.hidden = lab.tracks.length > 0 || Boolean(lab.running);
    host.dataset.running = String(Boolean(lab.running));
  });
  host.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.target.closest("button, input, select, textarea, [role=button]")) return;
    event.preventDefault();
    lab.playing ? lab.pause() : lab.play();
  });
  return {
    host,
    lab,
    async enter(query) {
      await setup.ready;
      const linked = fromQuery(query);
      if (linked) await setup.make(linked);
      else if (!lab.tracks.length) await setup.make({ request: FIRST });
    },
    leave: () => lab.pause(),
    frame() {
      lab.pass();
      if (!lab.tracks.length) return;
      stage.frame();
      if (!again) return;
      again = false;
      const { state } = lab.tracks.at(-1);
      for (const view of views) view.update(state);
      automaton.update(state, chosen);
    },
  };
}

function setupForm(app, lab) {
  const engine = h("select", { name: "engine" });
  const validators = h("input", { name: "validators", type: "number", min: 1, max: 32, value: 4 });
  const scenario = h("select", { name: "scenario" });
  const seed = h("input", { name: "seed", type: "number", min: 0, value: 7 });
  const policy = h("select", { name: "policy" });
  const beside = h("select", { name: "beside" });
  const liar = h("select", { name: "liar" });
  const lie = h("select", { name: "lie" });
  const about = h("p", { class: "hint about" });
  const run = h("button", { type: "submit", class: "primary" }, "Run");
  const policyField = field("policy", policy);
  const host = h("form", { class: "setup card" }, field("engine", engine), field("nodes", validators), field("scenario", scenario),
    field("seed", seed), field("liar", liar), field("does", lie), policyField, field("beside it", beside), run, about);
  let known = null;

  const liars = () => {
    const ids = Array.from({ length: Number(validators.value) || 0 }, (_, id) => ({ name: String(id), title: `node ${id}` }));
    options(liar, [{ name: "", title: "nobody" }, ...ids.slice(0, 32)], liar.value);
    lie.disabled = liar.value === "";
  };
  const tell = () => say(about, known?.scenarios.find(({ name }) => name === scenario.value)?.about ?? "");
  const show = (request, second) => {
    engine.value = request.engine;
    validators.value = request.validators;
    scenario.value = request.scenario;
    seed.value = request.seed;
    if (request.policy) policy.value = request.policy;
    beside.value = second ?? "";
    const [first] = request.byzantine ?? [];
    liars();
    liar.value = first ? String(first.node) : "";
    if (first) lie.value = first.does;
    tell();
  };
  const ready = api.labOptions().then((answer) => {
    known = answer;
    options(engine, known.engines, "hybrid");
    options(scenario, known.scenarios.map(({ name }) => name), "leader-crash");
    options(policy, [{ name: "", title: "as written" }, ...(known.policies ?? [])], "");
    policyField.hidden = !known.policies?.length;
    options(beside, [{ name: "", title: "nothing" }, ...known.engines], "");
    options(lie, known.behaviours.map(({ name }) => ({ name, title: name.replaceAll("_", " ") })), "equivocate");
    validators.max = known.max_validators ?? 32;
    liars();
    tell();
  }, (error) => app.announce(`The laboratory does not answer: ${error.message}`));

  // The others have one mode, and so nothing to choose.
  const hasModes = () => engine.value === "hybrid";
  const asked = () => ({
    engine: engine.value,
    validators: Number(validators.value),
    seed: Number(seed.value),
    scenario: scenario.value,
    faults: [],
    ...(policy.value && hasModes() && { policy: policy.value }),
    ...(liar.value && { byzantine: [{ node: Number(liar.value), does: lie.value }] }),
  });
  async function make({ request, at = 0, beside: second, fork }) {
    show(request, second);
    run.disabled = true;
    try {
      await lab.run(request);
      if (second) await lab.beside(second);
      else if (fork) await lab.fork(fork.fault, fork.at_ms);
      lab.seek(at);
      if (!at) lab.play();
    } catch (error) {
      if (error.name !== "AbortError") app.announce(`No run: ${error.message}`);
    } finally {
      run.disabled = false;
    }
  }
  scenario.addEventListener("change", tell);
  validators.addEventListener("change", liars);
  liar.addEventListener("change", () => (lie.disabled = liar.value === ""));
  host.addEventListener("submit", (event) => {
    event.preventDefault();
    make({ request: asked(), beside: beside.value });
  });
  return { host, ready, make };
}

function forkForm(app, lab, selected) {
  const fault = h("select", { "aria-label": "fault" });
  options(fault, FAULTS, "crash-leader");
  const button = h("button", { type: "submit", class: "primary" }, "Fork from here");
  const alone = h("button", { type: "button" }, "Close the fork");
  const parted = h("p", { class: "hint", role: "status" });
  const host = h("form", { class: "fork card" }, h("h2", {}, "What if …"), field("now", fault), button, alone, parted);
  host.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!lab.tracks.length) return;
    const chosen = FAULTS.find(({ name }) => name === fault.value);
    try {
      await lab.fork(chosen.make(selected(), lab.tracks[0].request.validators));
      lab.play();
    } catch (error) {
      app.announce(`No fork: ${error.message}`);
    }
  });
  alone.addEventListener("click", () => lab.alone());
  let compared = null;
  lab.addEventListener("change", () => {
    button.disabled = !lab.tracks.length || Boolean(lab.tracks[0].request.imported) || Boolean(lab.running);
    alone.hidden = lab.tracks.length < 2;
    if (compared === lab.tracks) return;
    compared = lab.tracks;
    const at = lab.parting();
    say(parted, lab.tracks.length < 2 ? "The same run with one more fault at this moment, beside it." :
      at === null ? "The two runs are the same." : `The two runs are the same until ${at.toFixed(1)} ms.`);
    mark(parted, "data-at", at);
  });
  return { host };
}

function exports(app, lab) {
  const text = h("code", { class: "hint" });
  const hash = h("code", { class: "hint hash" });
  const button = (label, action) => {
    const element = h("button", { type: "button" }, label);
    element.addEventListener("click", action);
    return element;
  };
  const name = () => `${lab.tracks[0].request.engine}-${lab.tracks[0].request.seed}`;
  const lines = () => lab.tracks[0].raw.map((event) => JSON.stringify(event));
  const link = () => {
    const { request } = lab.tracks[0];
    const second = lab.tracks[1];
    const beside = second && !second.fork && second.request.engine;
    const fork = second?.fork && JSON.stringify([second.fork]);
    const query = toQuery(request, { at: Math.round(lab.at), beside, fork });
    return `${location.origin}${location.pathname}#lab?${query}`;
  };
  const copy = async () => {
    history.replaceState(null, "", link());
    try {
      await navigator.clipboard.writeText(link());
      app.announce("The link is copied.");
    } catch {
      app.announce("The link is in the address bar.");
    }
  };
  const file = h("input", { type: "file", accept: ".jsonl,.json,.ndjson,.txt", hidden: true, "aria-label": "trace file" });
  file.addEventListener("change", async () => {
    try {
      if (file.files[0]) lab.open(await file.files[0].text());
    } catch (error) {
      app.announce(`No trace: ${error.message}`);
    }
    file.value = "";
  });
  const host = h("section", { class: "export card" }, h("h2", {}, "Keep it"),
    h("div", { class: "chips" },
      button("Copy link", copy),
      button("Trace", () => download(`${name()}.jsonl`, `${lines().join("\n")}\n`, "application/x-ndjson")),
      button("Mermaid from here", () => download(`${name()}.mmd`, mermaid(lab.tracks[0]), "text/plain")),
      button("Open a trace …", () => file.click()), file),
    text, hash);
  lab.addEventListener("change", () => {
    const track = lab.tracks[0];
    if (!track) return;
    say(text, track.request.imported ? "from a file" : command(track.request));
    say(hash, track.summary?.trace_hash ? `trace hash ${track.summary.trace_hash}` : "");
    mark(hash, "data-hash", track.summary?.trace_hash ?? null);
  });
  return { host };
}
