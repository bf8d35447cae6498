// Guided tours: a paragraph a step, and the laboratory set to what it is about.

import { h, keep, mark, say } from "../dom.js";
import { benches } from "../lab/bench.js";
import { Laboratory } from "../lab/laboratory.js";
import { toQuery } from "../lab/link.js";
import { transport } from "../lab/transport.js";
import { TOURS } from "../learn/tours.js";
import { legend } from "../views/legend.js";

export function learnPage(app) {
  const lab = new Laboratory();
  const stage = benches(lab, { select: (id) => stage.select(id) });
  const bar = transport(lab);
  const classes = legend();
  const guide = guidePanel(app, lab);
  const host = h("div", { class: "learn" },
    h("h1", { class: "unseen" }, "Learn"), guide.host,
    h("div", { class: "shown" }, stage.host, bar.host, h("section", { class: "card" }, h("h2", { class: "unseen" }, "Messages"), classes.host)));
  return {
    host,
    lab,
    enter() {
      if (!lab.tracks.length) guide.show(3, 0);
    },
    leave: () => lab.pause(),
    frame() {
      lab.pass();
      if (!lab.tracks.length) return;
      stage.frame();
      classes.update(lab.tracks[0].state);
    },
  };
}

function guidePanel(app, lab) {
  const choice = h("div", { class: "tours", role: "group", "aria-label": "tours" });
  const about = h("p", { class: "hint" });
  const count = h("p", { class: "count" });
  const title = h("h2", {});
  const text = h("p", { class: "text" });
  const words = h("div", { "aria-live": "polite" }, count, title, text);
  const back = h("button", { type: "button" }, "Back");
  const next = h("button", { type: "button", class: "primary" }, "Next");
  const again = h("button", { type: "button" }, "Play again");
  const open = h("a", { href: "#lab" }, "Open in the laboratory");
  const dots = h("ol", { class: "dots", "aria-hidden": "true" });
  let [tour, step] = [0, 0];

  /** The run of a step is that of the last step which names one. */
  const runOf = (tour, step) => TOURS[tour].steps.slice(0, step + 1).findLast(({ request }) => request);

  function stretch() {
    const track = lab.tracks[0];
    const { from, to, speed } = TOURS[tour].steps[step];
    lab.speed = speed;
    lab.seek(Math.max(0, from(track)));
    lab.until = to(track);
    lab.play();
  }

  async function show(toTour, toStep) {
    [tour, step] = [toTour, toStep];
    const { steps, about: line } = TOURS[tour];
    keep(choice, TOURS, (_, index) => tourButton(index, show), (button, _, index) => mark(button, "aria-pressed", String(index === tour)));
    say(about, line);
    say(count, `${TOURS[tour].title}, step ${step + 1} of ${steps.length}`);
    say(title, steps[step].title);
    say(text, steps[step].text);
    keep(dots, steps, () => h("li", {}), (dot, _, index) => mark(dot, "data-now", index === step));
    back.disabled = step === 0;
    say(next, step + 1 < steps.length ? "Next" : "Next tour");
    const { request, beside } = runOf(tour, step);
    mark(open, "href", `#lab?${toQuery(request, { beside })}`);
    try {
      const shown = lab.tracks.map((track) => track.request);
      if (shown[0] !== request || (shown.length > 1) !== Boolean(beside)) {
        await lab.run(request);
        if (beside) await lab.beside(beside);
      }
      if (tour !== toTour || step !== toStep) return;
      stretch();
      mark(host, "data-shown", `${tour}.${step}`);
    } catch (error) {
      if (error.name !== "AbortError") app.announce(`No run: ${error.message}`);
    }
  }

  back.addEventListener("click", () => show(tour, step - 1));
  next.addEventListener("click", () => (step + 1 < TOURS[tour].steps.length ? show(tour, step + 1) : show((tour + 1) % TOURS.length, 0)));
  again.addEventListener("click", () => lab.tracks.length && stretch());
  const host = h("section", { class: "guide card", "aria-label": "tour" }, choice, about, dots, words,
    h("div", { class: "chips" }, back, next, again), open);
  return { host, show };
}

function tourButton(index, show) {
  const button = h("button", { type: "button", "data-engine": TOURS[index].engine }, TOURS[index].title);
  button.addEventListener("click", () => show(index, 0));
  return button;
}
