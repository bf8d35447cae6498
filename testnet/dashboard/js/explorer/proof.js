// Proof files: downloaded, and checked by the server of this page without asking any node.

import * as api from "../api.js";
import { download, h, mark, say } from "../dom.js";
import { ask } from "./ask.js";

async function check(file, said) {
  try {
    const { ok, sentence } = await api.verify(file);
    mark(said, "data-ok", String(ok));
    say(said, sentence);
  } catch (error) {
    mark(said, "data-ok", "false");
    say(said, error.message);
  }
}

/** Buttons that fetch a proof of a subject. */
export function proofButtons(app, subject, name) {
  const said = h("p", { class: "proven", role: "status" });
  const act = (label, action) => {
    const button = h("button", { type: "button", "data-proof": label.split(" ")[0].toLowerCase() }, label);
    button.addEventListener("click", async () => {
      try {
        const { file } = await ask(app, "proof_get", [subject]);
        await action(file);
      } catch (error) {
        mark(said, "data-ok", "false");
        say(said, error.message);
      }
    });
    return button;
  };
  return h("div", { class: "proof" },
    h("div", { class: "chips" }, act("Download proof", (file) => download(`${name}.proof.json`, file)), act("Check proof", (file) => check(file, said))), said);
}

/** Checks a proof file that somebody else made. */
export function proofCheck() {
  const said = h("p", { class: "proven", role: "status" });
  const file = h("input", { type: "file", accept: ".json", "aria-label": "proof file" });
  file.addEventListener("change", async () => {
    if (file.files[0]) await check(await file.files[0].text(), said);
  });
  return { host: h("section", { class: "card" }, h("h2", {}, "Check a proof file"), h("p", { class: "hint" }, "With nothing but the genesis: no node is asked."), file, said) };
}
