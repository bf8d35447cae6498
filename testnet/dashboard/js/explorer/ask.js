// Questions to the network: a node that runs answers.

import * as api from "../api.js";

/** Asks a node that is up; the most advanced one first. */
export async function ask({ live }, method, params) {
  const up = live.state.nodes.filter((node) => node.alive && !node.paused).sort((a, b) => b.final - a.final);
  if (!live.stage.live) throw new Error("there is no network here: start one with `testnet up`");
  if (!up.length) throw new Error("no node is up: restart one on the Live page");
  return api.rpc(up[0].id, method, params);
}

/** As [`ask`], and nothing where the network knows no such thing. */
export async function maybe(app, method, params) {
  try {
    return await ask(app, method, params);
  } catch (error) {
    if (error.code === undefined) throw error;
    return null;
  }
}

const bytes = new TextEncoder();
const text = new TextDecoder("utf-8", { fatal: true });

export const toHex = (words) => [...bytes.encode(words)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Bytes in hexadecimal as text where they are, else as they stand. */
export function readable(hex) {
  if (!hex) return "";
  const raw = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  try {
    const words = text.decode(raw);
    return /^[\x20-\x7e\u00a0-\uffff\s]*$/.test(words) ? words : `0x${hex}`;
  } catch {
    return `0x${hex}`;
  }
}
