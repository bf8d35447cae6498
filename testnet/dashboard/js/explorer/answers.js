// What the explorer shows of a block, a transaction, an account, a key, evidence.

import { takeApart } from "../api.js";
import { h } from "../dom.js";
import { number, plural } from "../words.js";
import { ask, readable } from "./ask.js";
import { facts, hash, table, to, when } from "./parts.js";
import { proofButtons } from "./proof.js";

const signers = (certificate) =>
  certificate && `${certificate.kind} votes of validators ${certificate.signers.join(", ")} (epoch ${certificate.epoch}, view ${certificate.view}, on block ${certificate.height})`;

export function block(app, it) {
  const rows = (it.transactions ?? []).map((tx, index) => {
    return [String(index), hash(tx.hash), what(tx), tx.receipt ? (tx.receipt.ok ? "done" : (tx.receipt.code ?? "refused")) : ""];
  });
  return facts(`Block ${number(it.height)}`, [
    ["status", it.finality ? `${it.status} (${it.finality})` : it.status],
    ["hash", hash(it.hash)],
    ["parent", it.height > 1 ? hash(it.parent) : h("code", { class: "wrap" }, it.parent)],
    ["proposer", `validator ${it.proposer}`],
    ["epoch, view", `${it.epoch}, ${it.view}`],
    ["mode", it.mode],
    ["kind", it.kind],
    ["time", when(it.timestamp_ms)],
    ["state root", h("code", { class: "wrap" }, it.state_root)],
    ["size", `${plural(it.transaction_count, "transaction")}, ${number(it.size_bytes)} bytes`],
    ["signed by", signers(it.certificate)],
  ], h("p", { class: "chips" }, it.height > 1 ? to(it.height - 1, `← ${it.height - 1}`) : null, to(it.height + 1, `${it.height + 1} →`)),
  rows.length ? table("transactions", ["place", "hash", "does", "result"], rows) : null);
}

/** A transaction in words: what its account asks for, or whom the system accuses. */
function what(tx) {
  const body = tx.body ?? {};
  if (tx.from === "system") return `validator ${tx.accused} is accused`;
  switch (body.type) {
    case "transfer":
      return h("span", {}, `${body.amount} to `, to(body.to, `${body.to.slice(0, 14)}…`));
    case "put":
      return h("span", {}, "put ", to(readable(body.key)));
    case "delete":
    case "compare_and_swap":
      return h("span", {}, `${body.type.replaceAll("_", " ")} `, to(readable(body.key)));
    default:
      return (body.type ?? "").replaceAll("_", " ");
  }
}

export async function transaction(app, status) {
  const full = status.height === undefined ? null : await ask(app, "chain_block", [status.height, "full"]);
  const tx = full?.transactions?.[status.index] ?? {};
  const body = tx.body ?? {};
  return facts("Transaction", [
    ["status", status.finality ? `${status.status} (${status.finality})` : status.status],
    ["hash", hash(status.hash)],
    ["block", status.height === undefined ? null : to(status.height, `block ${status.height}, place ${status.index}`)],
    ["sender", tx.sender && to(tx.sender)],
    ["nonce", tx.nonce === undefined ? null : String(tx.nonce)],
    ["does", what(tx)],
    ["value", body.type === "put" ? readable(body.value) : null],
    ["memo", body.memo ? readable(body.memo) : null],
    ["receipt", status.receipt && (status.receipt.ok ? "done" : (status.receipt.reason ?? status.receipt.code))],
  ], status.status === "final" ? proofButtons(app, { transaction: status.hash }, `transaction-${status.hash.slice(0, 8)}`) : null);
}

export function account(app, it) {
  return facts("Account", [
    ["address", h("code", { class: "wrap" }, it.address)],
    ["balance", number(Number(it.balance))],
    ["nonce", String(it.nonce)],
    ["pending", it.next_nonce > it.nonce ? plural(it.next_nonce - it.nonce, "transaction") : null],
    ["key", it.key ?? "the one that the address is made from"],
    ["roles", it.roles?.join(", ")],
    ["as of", to(it.height, `block ${it.height}`)],
  ], proofButtons(app, { account: it.address }, `account-${it.address.slice(0, 12)}`));
}

export function key(app, it) {
  return facts("Key", [
    ["key", h("code", { class: "wrap" }, readable(it.key))],
    ["value", h("code", { class: "wrap" }, readable(it.value))],
    ["version", String(it.version)],
    ["as of", to(it.height, `block ${it.height}`)],
  ], proofButtons(app, { key: it.key }, "key"));
}

const header = ({ header, signature }) =>
  Object.entries({ ...header, signature }).map(([name, value]) => [name.replaceAll("_", " "), typeof value === "object" ? JSON.stringify(value) : String(value)]);

const vote = ({ ballot, voter, signature }) =>
  Object.entries({ voter, kind: ballot.kind, block: ballot.block, ...ballot.position, signature }).map(([name, value]) => [name, String(value)]);

/** Two statements of one validator that exclude each other, side by side. */
export async function evidence(app, it) {
  const { first, second } = await takeApart(it.evidence);
  const rows = sides(it.kind === "proposals" ? header : vote, first, second);
  return facts(`Evidence against validator ${it.accused}`, [
    ["what", it.kind === "proposals" ? "signed two blocks at one height" : "voted twice"],
    ["where", `epoch ${it.epoch}, view ${it.view}, height ${it.at_height}`],
    ["on chain", to(it.height, `block ${it.height}`)],
    ["hash", hash(it.hash)],
    ["key", h("code", { class: "wrap" }, it.consensus_key ?? "")],
  ], table("the two statements", ["field", "first", "second"], rows),
  proofButtons(app, { evidence: it.hash }, `evidence-${it.hash.slice(0, 8)}`));
}

function sides(fields, one, two) {
  const second = Object.fromEntries(fields(two));
  return fields(one).map(([name, value]) => {
    const cell = (text) => h(second[name] === value ? "code" : "mark", { class: "wrap" }, text);
    return [name, cell(value), cell(second[name])];
  });
}
