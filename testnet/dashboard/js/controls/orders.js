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

/** Gives orders and tells `said` twice of each: that it is under way, and what came of it. */
export class Orders {
  constructor(said) {
    this.said = said;
    this.given = 0;
  }

  /** Several orders follow each other; a refused one ends them. */
  async give(...orders) {
    for (const order of orders) {
      const { ok } = await this.carry(order);
      if (!ok) return;
    }
  }

  async carry(order) {
    const command = commandOf(order);
    const id = (this.given += 1);
    this.said({ id, command, waiting: true });
    try {
      const { ok, command: real, output } = await api.control(order);
      this.said({ id, command: real ?? command, waiting: false, ok, output });
      return { ok };
    } catch (error) {
      this.said({ id, command, waiting: false, ok: false, output: error.message });
      return { ok: false };
    }
  }
}
