// Orders to the network: every one is a command of `testnet`, shown before and after.

import * as api from "../api.js";

const groups = (order) => order.groups.map((group) => group.join(",")).join("/");

const COMMANDS = {
  kill: (order) => `testnet kill ${order.node}`,
  restart: (order) => `testnet restart ${order.node}`,
  pause: (order) => `testnet pause ${order.node}`,
  resume: (order) => `testnet resume ${order.node}`,
  partition: (order) => `testnet partition ${groups(order)}`,
  heal: () => "testnet heal",
  delay: (order) => `testnet delay ${order.node} ${order.ms}`,
  byzantine: (order) => `testnet byzantine ${order.node} ${order.behaviour}`,
  join: (order) => (order.node === undefined ? "testnet join" : `testnet join ${order.node}`),
  leave: (order) => `testnet leave ${order.node}`,
  load: (order) => `testnet load --rate ${order.rate}`,
  send: (order) => `wallet-cli send --to ${order.to ?? "…"} --amount ${order.amount ?? 1}`,
  put: (order) => `wallet-cli kv put ${order.key || "…"} ${order.value || "…"}`,
};

/** The command that does what an order does. */
export const commandOf = (order) => COMMANDS[order.do](order);

/** Gives orders one after the other and tells `said` what came of each. */
export class Orders {
  constructor(said) {
    this.said = said;
    this.last = Promise.resolve();
    this.waiting = 0;
  }

  give(order) {
    this.waiting += 1;
    this.last = this.last.then(() => this.carry(order)).finally(() => (this.waiting -= 1));
    return this.last;
  }

  async carry(order) {
    const command = commandOf(order);
    this.said({ command, waiting: true });
    try {
      const answer = await api.control(order);
      this.said({ command: answer.command ?? command, ok: answer.ok, output: answer.output });
      return answer;
    } catch (error) {
      this.said({ command, ok: false, output: error.message });
      return { ok: false, output: error.message };
    }
  }
}
