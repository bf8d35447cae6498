use fuzz::corpus::Form;
use jsonrpsee::RpcModule;
use serde_json::{Value, json};

use super::*;
use crate::metrics::Metrics;

fn dispatcher() -> Dispatcher {
    let mut module = RpcModule::new(());
    module
        .register_method::<Result<u64, ErrorObjectOwned>, _>("add", |params, (), _| {
            let (a, b): (u64, u64) = params.parse()?;
            Ok(a + b)
        })
        .unwrap();
    module.register_async_method("never", |_, _, _| std::future::pending::<u64>()).unwrap();
    module.register_method("huge", |_, (), _| "x".repeat(40 << 20)).unwrap();
    Dispatcher::new(module.into(), Metrics::default().rpc())
}

/// Somebody who may call as fast as it can.
fn caller() -> Caller {
    Caller { pace: Pace::new(u32::MAX, Metrics::default().rpc()), websocket: None }
}

async fn answer(text: &str) -> Option<Value> {
    let answer = dispatcher().answer(text.as_bytes(), &caller()).await?;
    Some(serde_json::from_str(&answer.text).unwrap())
}

/// The examples of the JSON-RPC 2.0 specification, with this module's one method.
#[tokio::test]
async fn the_examples_of_the_specification() {
    let ok = |id: Value, result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result});
    let code = |text: &'static str| async move {
        let answer = answer(text).await.unwrap();
        (answer["error"]["code"].as_i64().unwrap(), answer["id"].clone())
    };
    let call = r#"{"jsonrpc": "2.0", "method": "add", "params": [42, 23], "id": 1}"#;
    assert_eq!(answer(call).await, Some(ok(1.into(), 65.into())));
    let call = r#" {"jsonrpc": "2.0", "method": "add", "params": [1, 2], "id": "s"} "#;
    assert_eq!(answer(call).await, Some(ok("s".into(), 3.into())));
    let call = r#"{"jsonrpc": "2.0", "method": "add", "params": [1, 2]}"#;
    assert_eq!(answer(call).await, None, "a notification");

    let unknown = r#"{"jsonrpc": "2.0", "method": "foobar", "id": "1"}"#;
    assert_eq!(code(unknown).await, (-32601, "1".into()));
    let wrong = r#"{"jsonrpc": "2.0", "method": "add", "params": ["a"], "id": 4}"#;
    assert_eq!(code(wrong).await, (-32602, 4.into()));
    for text in
        [r#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#, "", "\u{feff}{}"]
    {
        assert_eq!(code(text).await, (-32700, Value::Null), "{text}");
    }
    for text in [r#"{"jsonrpc": "2.0", "method": 1, "params": "bar"}"#, "[]", "1", "\"a\"", "{}"] {
        assert_eq!(code(text).await, (-32600, Value::Null), "{text}");
    }
    let old = r#"{"jsonrpc": "1.0", "method": "add", "id": 9}"#;
    assert_eq!(code(old).await, (-32600, 9.into()));

    let batch = answer("[1,2,3]").await.unwrap();
    assert_eq!(batch.as_array().unwrap().len(), 3);
    assert!(batch.as_array().unwrap().iter().all(|one| one["error"]["code"] == -32600));
    let batch = r#"[{"jsonrpc":"2.0","method":"add","params":[1,2],"id":1},
        {"jsonrpc":"2.0","method":"add","params":[1,2]},
        {"foo":"boo"},
        {"jsonrpc":"2.0","method":"none","id":"5"}]"#;
    let answers = answer(batch).await.unwrap();
    assert_eq!(answers.as_array().unwrap().len(), 3);
    assert_eq!(answers[0], ok(1.into(), 3.into()));
    assert_eq!(answers[2]["error"]["code"], -32601);
    let silent = r#"[{"jsonrpc":"2.0","method":"add"},{"jsonrpc":"2.0","method":"add"}]"#;
    assert_eq!(answer(silent).await, None);
}

#[tokio::test]
async fn a_batch_is_bounded() {
    let call = r#"{"jsonrpc":"2.0","method":"add","params":[1,2],"id":1}"#;
    let batch = |count| format!("[{}]", vec![call; count].join(","));
    assert_eq!(answer(&batch(10)).await.unwrap().as_array().unwrap().len(), 10);
    let refused = answer(&batch(11)).await.unwrap();
    assert_eq!(refused["error"]["code"], -32010, "{refused}");
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_a_batch_are_waited_for() {
    let pace = Pace::new(10, Metrics::default().rpc());
    let caller = Caller { pace, websocket: None };
    let call = r#"{"jsonrpc":"2.0","method":"add","params":[1,2],"id":1}"#;
    let batch = format!("[{}]", [call; 10].join(","));
    let start = tokio::time::Instant::now();
    for _ in 0..2 {
        dispatcher().answer(batch.as_bytes(), &caller).await.unwrap();
    }
    // Nine each: what reads the text waits for the first.
    assert!((800..820).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_ends_is_given_up() {
    let answer = answer(r#"{"jsonrpc":"2.0","method":"never","id":1}"#).await.unwrap();
    assert_eq!(answer["error"]["data"]["code"], "unavailable", "{answer}");
    assert_eq!(answer["id"], 1);
}

#[tokio::test]
async fn an_answer_is_bounded_and_gives_its_memory_back() {
    let dispatcher = dispatcher();
    let all = dispatcher.budget.free_kib();
    let call = r#"{"jsonrpc":"2.0","method":"huge","id":1}"#;
    let answer = dispatcher.answer(call.as_bytes(), &caller()).await.unwrap();
    assert!(answer.text.contains("too large"), "{}", answer.text);
    drop(answer);
    assert_eq!(dispatcher.budget.free_kib(), all);
}

/// Whatever is posted gets an answer of the specification, or none where it only notifies.
#[test]
fn fuzz_requests() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (dispatcher, caller) = (dispatcher(), caller());
    let call = r#"{"jsonrpc":"2.0","method":"add","params":[42,23],"id":1}"#;
    let samples = [call.to_owned(), format!("[{call},{call}]")].map(String::into_bytes);
    let target = fuzz::Target::new("rpc-request", Form::Json, samples, |bytes| {
        // One that never ends would be waited for.
        if bytes.windows(5).any(|word| word == b"never") {
            return false;
        }
        let Some(answer) = runtime.block_on(dispatcher.answer(bytes, &caller)) else { return true };
        let answer: Value = serde_json::from_str(&answer.text).expect("an answer is JSON");
        let answers = answer.as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
        assert!(!answers.is_empty() && answers.len() <= 10, "{answer}");
        for answer in &answers {
            assert_eq!(answer["jsonrpc"], "2.0");
            let known = |code: i64| {
                [-32700, -32600, -32601, -32602].contains(&code)
                    || (-32099..=-32000).contains(&code)
            };
            let fault = answer.get("error").map(|error| error["code"].as_i64());
            assert!(fault.is_none_or(|code| code.is_some_and(known)), "{answer}");
        }
        answers.iter().all(|answer| answer.get("result").is_some())
    });
    target.check();
}

/// What parameters of calls are read as.
#[test]
fn fuzz_parameters() {
    use node_api::HexBytes;
    use node_api::block::BlockRef;
    use node_api::kv::{Cursor, ReadLevel};
    use node_api::proof::Subject;

    let samples =
        [r#""latest""#, "7", r#""0x00ff""#, r#""00ff""#].map(|text| text.as_bytes().to_vec());
    let target = fuzz::Target::new("rpc-parameters", Form::Json, samples, |bytes| {
        let block = serde_json::from_slice::<BlockRef>(bytes).is_ok();
        let hex = serde_json::from_slice::<HexBytes>(bytes).is_ok();
        let address = serde_json::from_slice::<::chain::types::Address>(bytes).is_ok();
        let amount = serde_json::from_slice::<::chain::types::Amount>(bytes).is_ok();
        let cursor = serde_json::from_slice::<Cursor>(bytes).is_ok();
        let level = serde_json::from_slice::<ReadLevel>(bytes).is_ok();
        let subject = serde_json::from_slice::<Subject>(bytes).is_ok();
        block || hex || address || amount || cursor || level || subject
    });
    target.check();
}
