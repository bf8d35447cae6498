// Search by anything: what a text can name is tried in turn.

import { h } from "../dom.js";
import { account, block, evidence, key, transaction } from "./answers.js";
import { maybe, toHex } from "./ask.js";

const HASH = /^(0x)?[0-9a-f]{64}$/i;

/** An element that shows what a text names. */
export async function find(app, query) {
  if (/^\d+$/.test(query) || query === "latest") {
    const number = query === "latest" ? query : Number(query);
    const found = await maybe(app, "chain_block", [number, "full"]);
    if (found) return block(app, found);
    throw new Error(`There is no block ${query} here: it is not made yet, or was pruned.`);
  }
  if (HASH.test(query)) return byHash(app, query.replace(/^0x/i, "").toLowerCase());
  if (/^cat1[0-9a-z]+$/.test(query)) {
    const found = await maybe(app, "account_get", [query]);
    if (found) return account(app, found);
    throw new Error(`${query} is no address: a character is wrong or missing.`);
  }
  return byKey(app, query);
}

async function byHash(app, hash) {
  const status = await maybe(app, "tx_status", [hash]);
  if (status && status.status !== "unknown") return transaction(app, status);
  const found = await maybe(app, "chain_block", [hash, "full"]);
  if (found) return block(app, found);
  const records = await maybe(app, "chain_evidence", []);
  const record = records?.find((one) => one.hash === hash);
  if (record) return evidence(app, record);
  const value = await maybe(app, "kv_get", [hash]);
  if (value?.value) return key(app, value);
  throw new Error("No transaction, block, evidence or key has this hash.");
}

async function byKey(app, query) {
  const value = await maybe(app, "kv_get", [toHex(query)]);
  if (value?.value !== undefined && value?.value !== null) return key(app, value);
  const page = await maybe(app, "kv_scan", [toHex(query), null, 20]);
  if (page?.entries?.length) return h("div", {}, page.entries.map((entry) => key(app, { ...page, ...entry })));
  throw new Error(`Nothing is called ${JSON.stringify(query)}: search for a height, a hash, an address (cat1…) or a key.`);
}
