// Play, pause, step, speed, and a slider through time.

import { h, keep, mark, say } from "../dom.js";
import { faultInWords } from "../words.js";
import { SPEEDS } from "./laboratory.js";

const icon = (d) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = `<path d="${d}" fill="currentColor"></path>`;
  return svg;
};

const ICONS = {
  start: "M4 4h2v12H4ZM16 4v12L7 10Z",
  back: "M13 4v12L5 10ZM14 4h2v12h-2Z",
  play: "M5 3v14l12-7Z",
  pause: "M5 4h4v12H5ZM11 4h4v12h-4Z",
  forward: "M7 4v12l8-6ZM4 4h2v12H4Z",
  next: "M14 4h2v12h-2ZM4 4v12l9-6Z",
};

function button(name, label, action) {
  const element = h("button", { type: "button", class: "icon", "aria-label": label, title: label, "data-act": name }, icon(ICONS[name]));
  element.addEventListener("click", action);
  return element;
}

export function transport(lab) {
  const play = button("play", "play", () => (lab.playing ? lab.pause() : lab.play()));
  const slider = h("input", { type: "range", min: 0, max: 1000, step: "any", value: 0, "aria-label": "time in the run", class: "time" });
  slider.addEventListener("input", () => {
    // Pausing draws, and where the slider has no focus that moves it back.
    const share = Number(slider.value) / 1000;
    lab.pause();
    lab.seek(share * lab.end);
  });
  slider.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    lab.step(event.key === "ArrowRight");
  });
  const marks = h("div", { class: "time-marks", "aria-hidden": "true" });
  const clock = h("output", { class: "clock" });
  const speed = h("select", { "aria-label": "speed" },
    SPEEDS.map((value) => h("option", { value, selected: value === lab.speed }, value >= 1000 ? "real time" : `${1000 / value}× slower`)));
  speed.addEventListener("change", () => (lab.speed = Number(speed.value)));
  const host = h("div", { class: "transport card" },
    h("div", { class: "buttons" },
      button("start", "last mark", () => lab.jump(false)),
      button("back", "step back", () => lab.step(false)),
      play,
      button("forward", "step", () => lab.step(true)),
      button("next", "next mark", () => lab.jump(true))),
    h("div", { class: "time-host" }, slider, marks), clock, speed);

  function update() {
    host.inert = lab.tracks.length === 0;
    mark(play, "aria-label", lab.playing ? "pause" : "play");
    mark(play.querySelector("path"), "d", lab.playing ? ICONS.pause : ICONS.play);
    if (document.activeElement !== slider || lab.playing) slider.value = String(lab.end ? (lab.at / lab.end) * 1000 : 0);
    slider.setAttribute("aria-valuetext", `${lab.at.toFixed(1)} of ${lab.end.toFixed(0)} milliseconds`);
    say(clock, `${lab.at.toFixed(1)} / ${lab.end.toFixed(0)} ms`);
    if (speed.value !== String(lab.speed)) speed.value = String(lab.speed);
  }

  let marked = null;
  function drawMarks() {
    if (marked === lab.tracks) return;
    marked = lab.tracks;
    const all = lab.tracks.flatMap((track, bench) => track.marks.map((event) => ({ event, bench })));
    keep(marks, all, () => h("i", {}), (tick, { event, bench }) => {
      tick.style.left = `${(event.at_ms / (lab.end || 1)) * 100}%`;
      mark(tick, "data-kind", event.kind);
      mark(tick, "data-bench", bench);
      mark(tick, "title", event.kind === "fault" ? faultInWords(event.fault) : event.kind);
    });
  }
  lab.addEventListener("change", () => {
    update();
    drawMarks();
  });
  update();
  return { host };
}
