// The page: which view is shown, and the one loop that draws it.

import { h, mark, say } from "./dom.js";
import { Live } from "./stage/live.js";
import { livePage } from "./pages/live.js";
import { labPage } from "./pages/lab.js";
import { explorerPage } from "./pages/explorer.js";
import { learnPage } from "./pages/learn.js";

const main = document.getElementById("main");
const live = new Live();
const makers = { live: livePage, lab: labPage, explorer: explorerPage, learn: learnPage };
const pages = {};
let shown = null;

/** Says something to everybody, screen readers included. */
function announce(text) {
  const toast = document.getElementById("toast");
  toast.replaceChildren(h("p", {}, text));
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => toast.replaceChildren(), 6000);
}

const app = { live, announce, go: (hash) => (location.hash = hash) };

function route() {
  const [name, query = ""] = location.hash.slice(1).split("?");
  const page = makers[name] ? name : live.stage.live ? "live" : "lab";
  pages[page] ??= makers[page](app);
  if (shown !== pages[page]) {
    shown?.leave?.();
    shown = pages[page];
    main.replaceChildren(shown.host);
    mark(main, "data-page", page);
  }
  for (const link of document.querySelectorAll("nav [data-page]")) {
    mark(link, "aria-current", link.dataset.page === page ? "page" : null);
  }
  document.title = `${page === "live" ? "" : `${page} · `}Catamaran`;
  shown.enter?.(query);
}

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  dispatchEvent(new Event("theme"));
}

/** Between two pictures, in milliseconds, where a page does not say it. */
const EVERY = 30;

/** Draws again and again. */
function frame() {
  const pause = shown?.frame?.() ?? EVERY;
  setTimeout(() => requestAnimationFrame(frame), pause);
}

/** What stands in the corner. */
function corner() {
  const { engine } = live.state;
  const chip = document.getElementById("engine");
  say(chip, engine ?? "");
  mark(chip, "data-engine", engine);
  const link = document.getElementById("link");
  const state = !live.stage.live ? "none" : live.connected ? "on" : "off";
  mark(link, "data-state", state);
  const on = live.pace.isBusy ? "live, machine busy" : "live";
  say(link, { on, off: "not connected", none: "no network" }[state]);
  mark(link, "title", live.pace.isBusy ? "This page draws less, so that the nodes have the processor." : null);
}

const chosen = localStorage.getItem("theme");
if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
document.getElementById("theme").addEventListener("click", theme);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", route);
addEventListener("pagehide", () => live.close());
setInterval(corner, 500);

try {
  await live.start();
} catch (error) {
  announce(`The server does not answer: ${error.message}`);
}
corner();
route();
requestAnimationFrame(frame);
