// A button that shows the command it stands for.

import { h, mark, say } from "../dom.js";
import { commandOf } from "./orders.js";

/** `order()` says what the button would do now, or nothing where there is nothing to do. */
export function orderButton({ title, order, orders, tone, name }) {
  const label = h("span", { class: "label" }, title);
  const command = h("code", {});
  const button = h("button", { type: "button", class: "order", "data-tone": tone, "data-order": name }, label, command);
  button.addEventListener("click", () => {
    orders.give(...[order()].flat().filter(Boolean));
  });
  return {
    host: button,
    /** `title`: what the button says from now on, where that changes. */
    update(enabled, title) {
      const now = [order()].flat().filter(Boolean);
      const able = enabled && now.length > 0;
      if (button.disabled === able) button.disabled = !able;
      if (title) say(label, title);
      const text = now.length ? now.map(commandOf).join("; ") : "nothing to do";
      say(command, text);
      mark(button, "title", text);
    },
  };
}
