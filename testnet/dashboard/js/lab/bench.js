// One run as it is shown: its nodes, chain and logs at the present moment.

import { h, mark, say } from "../dom.js";
import { banner } from "../views/banner.js";
import { circle } from "../views/circle.js";
import { lanes } from "../views/lanes.js";
import { ribbon } from "../views/ribbon.js";

/** `select(id)` when a node is chosen. */
export function bench({ name, select }) {
  const ring = circle({ title: `nodes of ${name}`, on: { select } });
  const views = [banner(), ribbon({ most: 8 }), lanes()];
  const title = h("h2", {});
  const verdict = h("p", { class: "verdict" });
  const [mode, chain, logs] = views.map(({ host }) => host);
  mark(mode, "aria-label", `mode of ${name}`);
  mark(mode, "aria-live", null);
  const host = h("section", { class: "bench card", "aria-label": name }, h("header", {}, title, verdict), mode, ring.host, chain, logs);
  let drawn = null;
  return {
    host,
    ring,
    frame(track) {
      ring.frame(track.particles());
      const now = `${track.at}/${track.state.version}`;
      if (drawn === now) return;
      drawn = now;
      const { request, summary, state } = track;
      mark(host, "data-engine", request.engine);
      say(title, request.imported ? `${request.engine}, a trace from a file` : `${request.engine}, ${request.scenario}, seed ${request.seed}`);
      const over = track.at >= track.end - 0.001;
      say(verdict, over && summary?.verdict ? summary.verdict : (request.faults?.length ? "a fork with another fault" : ""));
      mark(verdict, "data-outcome", over ? summary?.outcome : null);
      ring.update(state);
      for (const view of views) view.update(state);
    },
    again() {
      drawn = null;
    },
  };
}

/** The runs of a laboratory side by side. */
export function benches(lab, { select }) {
  const all = [bench({ name: "the run", select }), bench({ name: "the run beside it", select })];
  const host = h("div", { class: "benches" });
  let shown = 0;
  return {
    host,
    frame() {
      if (shown !== lab.tracks.length) {
        shown = lab.tracks.length;
        host.replaceChildren(...all.slice(0, shown).map(({ host }) => host));
        mark(host, "data-count", shown);
      }
      lab.tracks.forEach((track, index) => all[index].frame(track));
    },
    select(id) {
      for (const { ring } of all) ring.select(id);
    },
  };
}
