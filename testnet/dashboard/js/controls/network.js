// What can be done to the network as a whole: load, transactions, membership.

import { field, h, say } from "../dom.js";
import { number } from "../words.js";
import { orderButton } from "./button.js";
import { commandOf } from "./orders.js";

/** Rates of the slider, in transactions per second. */
const RATES = [0, 1, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

export function networkPanel(orders) {
  let state = null;
  const heal = orderButton({ name: "heal", title: "Heal", tone: "good", orders, order: () => ({ do: "heal" }) });
  const join = orderButton({ name: "join", title: "Add a validator", orders, order: () => ({ do: "join" }) });
  const load = loadSlider(orders);
  const send = form({
    name: "send",
    title: "Send a transaction",
    orders,
    fields: [["to", "to", "cat1… (empty: another account)"], ["amount", "amount", "1"]],
    order: ({ to, amount }) => ({ do: "send", ...(to && { to }), amount: amount || "1" }),
  });
  const put = form({
    name: "put",
    title: "Put a key",
    orders,
    fields: [["key", "key", "greeting"], ["value", "value", "hello"]],
    order: ({ key, value }) => ({ do: "put", key: key || "greeting", value: value || "hello" }),
  });
  return {
    host: h("section", { class: "panel network-panel" }, h("h2", {}, "Network"), load.host,
      h("div", { class: "grid2" }, heal.host, join.host), send.host, put.host),
    update(now, enabled) {
      state = now;
      heal.update(enabled);
      join.update(enabled);
      load.update(state, enabled);
      send.update(enabled);
      put.update(enabled);
    },
  };
}

function loadSlider(orders) {
  const slider = h("input", { type: "range", min: 0, max: RATES.length - 1, step: 1, value: 0, id: "load", "aria-label": "load, transactions per second" });
  const command = h("code", { class: "hint" });
  const order = () => ({ do: "load", rate: RATES[Number(slider.value)] });
  const show = () => {
    const rate = RATES[Number(slider.value)];
    slider.setAttribute("aria-valuetext", `${rate} transactions per second`);
    say(command, rate ? `${commandOf(order())}` : "no load");
  };
  let held = false;
  slider.addEventListener("input", () => {
    held = true;
    show();
  });
  slider.addEventListener("change", () => {
    orders.give(order()).finally(() => (held = false));
  });
  const now = h("output", { for: "load" });
  show();
  return {
    host: h("fieldset", { class: "load" }, h("legend", {}, "Load"), h("div", { class: "row" }, slider, now), command),
    update(state, enabled) {
      slider.disabled = !enabled;
      const rate = state.load?.rate ?? 0;
      say(now, `${number(state.load?.tps ?? 0)} tx/s`);
      if (held || document.activeElement === slider) return;
      const nearest = RATES.findLastIndex((one) => one <= rate);
      if (slider.value !== String(nearest)) {
        slider.value = String(nearest);
        show();
      }
    },
  };
}

function form({ name, title, orders, fields, order }) {
  const inputs = fields.map(([key, label, placeholder]) => [key, h("input", { name: key, placeholder, autocomplete: "off", spellcheck: "false" }), label]);
  const command = h("code", { class: "hint" });
  const submit = h("button", { type: "submit", class: "small" }, title);
  const values = () => order(Object.fromEntries(inputs.map(([key, input]) => [key, input.value.trim()])));
  const host = h("form", { class: "inline", "data-form": name }, inputs.map(([, input, label]) => field(label, input)), submit, command);
  const show = () => say(command, commandOf(values()));
  host.addEventListener("input", show);
  host.addEventListener("submit", (event) => {
    event.preventDefault();
    orders.give(values());
  });
  show();
  return {
    host,
    update(enabled) {
      submit.disabled = !enabled;
    },
  };
}
