//! The OpenRPC document: every method with its parameters and its result.
//!
//! The one place that describes the interface for machines. A test of the node compares it with the
//! methods that are served.

use serde_json::{Value, json};

use crate::error::ErrorCode;
use crate::limits::{
    DEFAULT_SCAN, DEFAULT_WAIT, MAX_EVIDENCE, MAX_PROPOSALS, MAX_SCAN, MAX_SUBMIT_BATCH, MAX_WAIT,
};

/// Version of the OpenRPC specification that the document follows.
const OPENRPC: &str = "1.3.2";

/// A parameter: name, whether it may be left out, schema.
struct Param(&'static str, Needed, Value);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needed {
    Required,
    Optional,
}

use Needed::{Optional, Required};

/// The document.
pub fn document() -> Value {
    json!({
        "openrpc": OPENRPC,
        "info": {
            "title": "Catamaran node",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "JSON-RPC 2.0 over HTTP POST and WebSocket on one port. Parameters by \
                position or by name. Amounts are decimal strings, digests, keys and bytes are \
                hexadecimal, addresses start with cat1, times end in _ms. Errors carry a stable \
                name in data.code.",
        },
        "methods": methods(),
        "components": { "schemas": schemas(), "errors": errors() },
    })
}

/// The names of all methods in the document.
pub fn method_names() -> Vec<String> {
    let document = document();
    let methods = document["methods"].as_array().into_iter().flatten();
    methods.filter_map(|method| Some(method["name"].as_str()?.to_owned())).collect()
}

fn methods() -> Vec<Value> {
    [
        chain_methods(),
        tx_methods(),
        state_methods(),
        governance_methods(),
        proof_methods(),
        consensus_methods(),
    ]
    .concat()
}

fn chain_methods() -> Vec<Value> {
    let epoch = || json!({ "type": "integer", "minimum": 0 });
    vec![
        method(
            "chain_status",
            "Where the chain stands, seen from this node, and what finality is worth on it",
            &[],
            with_finality(),
        ),
        method(
            "chain_block",
            "A block by height, \"latest\" or hash; its transactions as detail says",
            &[
                Param("block", Required, reference("BlockRef")),
                Param("detail", Optional, one_of(&["none", "hashes", "full"])),
            ],
            with_finality(),
        ),
        method(
            "chain_validators",
            "The validators of an epoch, by default the current one, with the quorums and when each \
             took part last",
            &[Param("epoch", Optional, epoch())],
            object(),
        ),
        method(
            "chain_evidence",
            &format!("Evidence on chain from a height on, at most {MAX_EVIDENCE} records"),
            &[Param("from", Optional, reference("Height"))],
            list(object()),
        ),
        subscription(
            "chain_subscribe",
            "Blocks as they reach a status (final by default), as notifications chain_event; with \
             transactions: true also the hashes of their transactions and which failed",
            &[
                Param("status", Optional, one_of(&["ordered", "final"])),
                Param("transactions", Optional, json!({ "type": "boolean" })),
            ],
        ),
        unsubscription("chain_unsubscribe"),
    ]
}

fn tx_methods() -> Vec<Value> {
    let (wait, most) = (DEFAULT_WAIT.as_millis(), MAX_WAIT.as_millis() as u64);
    vec![
        method(
            "tx_submit",
            "Takes the canonical encoding of a signed transaction; checked in full and pending \
             when this answers; the same bytes again are safe",
            &[Param("transaction", Required, reference("Bytes"))],
            json!({
                "type": "object",
                "properties": { "hash": reference("Digest") },
                "required": ["hash"],
            }),
        ),
        method(
            "tx_submit_batch",
            &format!("Takes up to {MAX_SUBMIT_BATCH} transactions; a hash or an error for each"),
            &[Param("transactions", Required, list(reference("Bytes")))],
            list(object()),
        ),
        method(
            "tx_status",
            &format!(
                "What became of a transaction: pending, ordered, final, failed or unknown; with \
                 wait the answer comes once that much is known, at the latest after timeout_ms \
                 ({wait} by default)"
            ),
            &[
                Param("hash", Required, reference("Digest")),
                Param("wait", Optional, one_of(&["ordered", "final"])),
                Param(
                    "timeout_ms",
                    Optional,
                    json!({ "type": "integer", "minimum": 0, "maximum": most }),
                ),
            ],
            with_finality(),
        ),
    ]
}

fn state_methods() -> Vec<Value> {
    vec![
        method(
            "account_get",
            "Balance, nonce, signing key (null: its own) and roles of an address after the last final \
             block",
            &[Param("address", Required, reference("Address"))],
            object(),
        ),
        method(
            "kv_get",
            "The value of a key, or null, with its version and the block that it is the state after",
            &[Param("key", Required, reference("Bytes")), read_level(), token()],
            object(),
        ),
        method(
            "kv_scan",
            &format!(
                "Keys with a prefix in order, from start on, at most limit ({DEFAULT_SCAN} by \
                 default); next is the start of the following page"
            ),
            &[
                Param("prefix", Required, reference("Bytes")),
                Param("start", Optional, reference("Bytes")),
                Param(
                    "limit",
                    Optional,
                    json!({ "type": "integer", "minimum": 1, "maximum": MAX_SCAN }),
                ),
                read_level(),
                token(),
            ],
            object(),
        ),
        method(
            "kv_namespace",
            "Owner, writers and readers of a namespace of the key-value store",
            &[Param("name", Required, reference("Bytes"))],
            object(),
        ),
        subscription(
            "kv_subscribe",
            "Changes of the keys with a prefix in final blocks, in order and without gaps, from a \
             cursor on or from now on, as notifications kv_event; ends with an event that names \
             the cursor to go on from",
            &[
                Param("prefix", Required, reference("Bytes")),
                Param(
                    "from",
                    Optional,
                    json!({ "type": "string", "pattern": "^[0-9]+\\.[0-9]+$" }),
                ),
                token(),
            ],
        ),
        unsubscription("kv_unsubscribe"),
    ]
}

fn governance_methods() -> Vec<Value> {
    vec![
        method(
            "governance_proposals",
            &format!(
                "Proposals, newest first, at most {MAX_PROPOSALS}: who approved, how many must, \
                 what each waits for; pending ones where status is left out"
            ),
            &[Param("status", Optional, one_of(&["pending", "all"]))],
            object(),
        ),
        method(
            "governance_proposal",
            "One proposal by its number",
            &[Param("id", Required, json!({ "type": "integer", "minimum": 1 }))],
            object(),
        ),
        method(
            "governance_parameters",
            "The rules that governance may change, and how many validators it takes",
            &[],
            object(),
        ),
    ]
}

/// What opens namespaces that are not open to everybody.
fn token() -> Param {
    Param("auth", Optional, reference("Bytes"))
}

/// How new an answer must be: by default final on this node.
fn read_level() -> Param {
    Param("read", Optional, one_of(&["final", "ordered", "linearizable"]))
}

fn proof_methods() -> Vec<Value> {
    let subject = |name: &str, schema: Value| {
        let properties = json!({ name: schema });
        json!({ "type": "object", "properties": properties, "required": [name] })
    };
    let subjects = [
        subject("transaction", reference("Digest")),
        subject("account", reference("Address")),
        subject("key", reference("Bytes")),
        subject("validators", json!({ "type": "integer", "minimum": 0 })),
        subject("record", reference("Bytes")),
        subject("evidence", reference("Digest")),
    ];
    vec![method(
        "proof_get",
        "A self-contained proof file, checked with the genesis alone: a transaction is final with \
         its receipt, the state after the last final block holds this, a validator equivocated",
        &[Param("subject", Required, json!({ "oneOf": subjects })), token()],
        json!({
            "type": "object",
            "properties": { "file": { "type": "string" } },
            "required": ["file"],
        }),
    )]
}

fn consensus_methods() -> Vec<Value> {
    vec![
        method(
            "consensus_state",
            "What the engine of this node does: role, view, mode (null: it has one) and why, \
             heights, quorums, what finality is worth",
            &[],
            with_finality(),
        ),
        subscription(
            "consensus_subscribe",
            "Changes of mode, view and epoch, and evidence, as notifications consensus_event, each \
             with a cursor to go on after; with messages: true also sums of what this node sends",
            &[
                Param("since", Optional, json!({ "type": "integer", "minimum": 0 })),
                Param("messages", Optional, json!({ "type": "boolean" })),
            ],
        ),
        unsubscription("consensus_unsubscribe"),
        method("rpc_discover", "This document", &[], object()),
    ]
}

fn method(name: &str, summary: &str, params: &[Param], result: Value) -> Value {
    let params: Vec<Value> = params
        .iter()
        .map(|Param(name, needed, schema)| {
            json!({ "name": name, "required": *needed == Required, "schema": schema })
        })
        .collect();
    json!({
        "name": name,
        "summary": summary,
        "params": params,
        "result": { "name": "result", "schema": result },
        "errors": [{ "$ref": "#/components/errors/Any" }],
    })
}

/// A method that only a WebSocket serves.
fn subscription(name: &str, summary: &str, params: &[Param]) -> Value {
    let id = json!({ "type": ["integer", "string"], "description": "subscription id" });
    let mut method = method(name, summary, params, id);
    method["tags"] = json!([{ "name": "websocket" }]);
    method
}

fn unsubscription(name: &str) -> Value {
    let id = Param("subscription", Required, json!({ "type": ["integer", "string"] }));
    let ended = json!({ "type": "boolean" });
    let mut method = method(name, "Ends a subscription of this connection", &[id], ended);
    method["tags"] = json!([{ "name": "websocket" }]);
    method
}

fn object() -> Value {
    json!({ "type": "object" })
}

/// An object that says what the finality of what it shows is worth, where that is final.
fn with_finality() -> Value {
    json!({ "type": "object", "properties": { "finality": reference("Finality") } })
}

fn list(item: Value) -> Value {
    json!({ "type": "array", "items": item })
}

fn one_of(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn schemas() -> Value {
    json!({
        "Address": { "type": "string", "pattern": "^cat1[02-9ac-hj-np-z]+$" },
        "Amount": { "type": "string", "pattern": "^[0-9]+$" },
        "BlockRef": {
            "oneOf": [
                { "$ref": "#/components/schemas/Height" },
                { "type": "string", "enum": ["latest"] },
                { "$ref": "#/components/schemas/Digest" },
            ],
        },
        "Bytes": { "type": "string", "pattern": "^(0x)?([0-9a-fA-F]{2})*$" },
        "Digest": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
        "Finality": {
            "type": "string",
            "enum": ["certified", "crash-final"],
            "description": "certified: proven by the votes of a quorum, even if some validators \
                lie; crash-final: a majority has it, which holds through crashes, not against liars",
        },
        "Height": { "type": "integer", "minimum": 0 },
    })
}

fn errors() -> Value {
    let names: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
    json!({
        "Any": {
            "code": -32050,
            "message": "one sentence for a person",
            "data": { "code": names.join(" | ") },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_method_is_described_once_and_completely() {
        let names = method_names();
        let distinct: BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
        let document = document();
        for method in document["methods"].as_array().unwrap() {
            assert!(method["summary"].as_str().is_some_and(|text| text.len() > 10), "{method}");
            assert!(method["result"]["schema"].is_object(), "{method}");
            for param in method["params"].as_array().unwrap() {
                assert!(param["name"].is_string() && param["schema"].is_object(), "{param}");
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn visit(value: &Value, document: &Value, seen: &mut usize) {
            match value {
                Value::Object(fields) => {
                    if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                        *seen += 1;
                        assert!(document.pointer(&target[1..]).is_some(), "{target}");
                    }
                    fields.values().for_each(|field| visit(field, document, seen));
                }
                Value::Array(items) => items.iter().for_each(|item| visit(item, document, seen)),
                _ => {}
            }
        }
        let (document, mut seen) = (document(), 0);
        visit(&document, &document, &mut seen);
        assert!(seen > 10, "{seen} references");
    }
}
