//! Subscriptions, and clients that do not keep up.

use std::time::Duration;

use ::chain::block::Mode;
use ::chain::transaction::Body;
use ::chain::types::{Epoch, Height, ValidatorIndex, View};
use consensus::engine::{Event, Reason};
use futures::{SinkExt as _, StreamExt as _};
use jsonrpsee::core::client::{ClientT as _, Subscription};
use jsonrpsee::rpc_params;
use node_api::block::{BlockEvent, BlockNotice, BlockStatus};
use node_api::consensus::{ConsensusEvent, ModeChange, Reason as ApiReason};
use node_api::{ChainApiClient as _, ConsensusApiClient as _, TxApiClient as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::fixture::Fixture;

async fn next<T: serde::de::DeserializeOwned>(subscription: &mut Subscription<T>) -> T {
    let next = tokio::time::timeout(Duration::from_secs(10), subscription.next());
    next.await.expect("in time").expect("open").expect("readable")
}

async fn block(subscription: &mut Subscription<BlockEvent>) -> BlockNotice {
    match next(subscription).await {
        BlockEvent::Block(notice) => notice,
        lagged @ BlockEvent::Lagged { .. } => panic!("{lagged:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_come_as_they_become_ordered_and_final() {
    let mut chain = Fixture::start().await;
    let client = chain.ws().await;
    let mut finals = client.subscribe_blocks(None, None).await.unwrap();
    let mut full = client.subscribe_blocks(Some(BlockStatus::Final), Some(true)).await.unwrap();
    let mut ordered = client.subscribe_blocks(Some(BlockStatus::Ordered), None).await.unwrap();
    let (good, bytes) = chain.transfer(0, 1);
    client.submit(bytes).await.unwrap();
    let (bad, bytes) = chain.transaction(1, Body::Delete { key: b"none".to_vec() });
    client.submit(bytes).await.unwrap();

    let first = chain.propose();
    chain.view.mark_ordered(&first.hash());
    let notice = block(&mut ordered).await;
    assert_eq!((notice.status, notice.hash), (BlockStatus::Ordered, first.hash()));
    chain.finalize(&first);
    let notice = block(&mut finals).await;
    assert_eq!((notice.status, notice.height), (BlockStatus::Final, Height::new(1)));
    assert_eq!((notice.transaction_count, notice.transactions), (2, None));
    let notice = block(&mut full).await;
    assert_eq!(notice.transactions, Some(vec![good, bad]));
    assert_eq!(notice.failed, Some(vec![1]));

    // Final at once: who waits for ordered hears of it too, and of the block before only once.
    let second = chain.make_block();
    let notice = block(&mut ordered).await;
    assert_eq!((notice.status, notice.hash), (BlockStatus::Final, second.hash()));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_the_engine_are_passed_on() {
    let chain = Fixture::start().await;
    let client = chain.ws().await;
    let mut events = client.subscribe_events(None, None).await.unwrap();
    let height = Height::new(7);
    chain.events.send(Event::Ordered { height, block: chain.genesis.hash() }).unwrap();
    let (from, to) = (Mode::Fast, Mode::Pbft);
    let reason = Reason::Equivocation;
    chain.events.send(Event::ModeChanged { height, from, to, reason }).unwrap();
    let (epoch, view, leader) = (Epoch::new(0), View::new(3), ValidatorIndex::new(0));
    chain.events.send(Event::ViewStarted { epoch, view, leader }).unwrap();
    let reason = ApiReason::Equivocation;
    let expected = ConsensusEvent::ModeChanged(ModeChange { height, from, to, reason });
    let changed = next(&mut events).await;
    assert_eq!(changed.event, expected);
    let started = next(&mut events).await;
    assert_eq!(started.event, ConsensusEvent::ViewStarted { epoch, view, leader });

    // A second client asks for what followed the first.
    let mut again = client.subscribe_events(Some(changed.cursor), Some(true)).await.unwrap();
    assert_eq!(next(&mut again).await, started);
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_of_a_connection_are_bounded_and_end() {
    let chain = Fixture::start().await;
    let client = chain.ws().await;
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(client.subscribe_events(None, None).await.unwrap());
    }
    let error = client.subscribe_events(None, None).await.unwrap_err().to_string();
    assert!(error.contains("Too many subscriptions"), "{error}");
    // The oldest: the library answers before it knows a new one by its id.
    open.remove(0).unsubscribe().await.unwrap();
    // The client does not wait for the server to hear of it.
    let again = async {
        loop {
            match client.subscribe_events(None, None).await {
                Ok(subscription) => break subscription,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    open.push(tokio::time::timeout(Duration::from_secs(60), again).await.expect("a place"));
    let error = chain.http().request::<u64, _>("chain_subscribe", rpc_params![]).await.unwrap_err();
    assert!(error.to_string().contains("need a WebSocket"), "{error}");
}

/// The connection of a client that asks until nothing of it is taken any more, and reads nothing.
async fn unread(chain: &Fixture) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(chain.server.address).await.unwrap();
    let url = format!("ws://{}/", chain.server.address);
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"rpc_discover"}"#;
    let mut sent = 0;
    // Buffers of the kernel take some; then nothing moves.
    while let Ok(result) = tokio::time::timeout(
        Duration::from_secs(2),
        socket.send(Message::text(format!("{request}{}", " ".repeat(100_000)))),
    )
    .await
    {
        result.unwrap();
        sent += 1;
        assert!(sent < 2000, "200 MB were taken without an answer read");
    }
    assert!(sent > 10, "{sent}");
    socket
}

/// A client that asks and never reads is not read from any more, long before its requests fill the
/// memory, and others are served meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_not_read_from() {
    let chain = Fixture::start().await;
    let mut socket = unread(&chain).await;
    let status = node_api::ChainApiClient::status(&chain.http()).await.unwrap();
    assert_eq!(status.height_final, Height::new(0));
    // Once it reads, it gets its answers.
    let answer = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.unwrap();
    assert!(answer.unwrap().unwrap().into_text().unwrap().contains("openrpc"));
}

/// Who opens the store after a node does not wait until the clients of that node are gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_does_not_hold_the_store() {
    let chain = Fixture::start().await;
    let _socket = unread(&chain).await;
    let closed = chain.view.closed();
    let Fixture { server, application, view, .. } = chain;
    server.stop().await;
    drop((application, view));
    // Less than a client has time to take a message.
    tokio::time::timeout(Duration::from_secs(10), closed.cancelled()).await.expect("let go of");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_subscriber_is_told_how_much_it_missed() {
    let mut chain = Fixture::start().await;
    let client = chain.ws().await;
    // The client library reads on, so the lag is made where the notices are passed.
    let mut notices = super::super::Relay::new().listen(BlockStatus::Final);
    assert!(notices.try_recv().is_err());
    let mut events = client.subscribe_events(None, None).await.unwrap();
    // 16 fit: the subscriber's task gets no chance to run in between only by luck, so count both.
    let many = 5000u64;
    for view in 0..many {
        let (epoch, leader) = (Epoch::new(0), ValidatorIndex::new(0));
        chain.events.send(Event::ViewStarted { epoch, view: View::new(view), leader }).unwrap();
    }
    let mut told = 0;
    while told < many {
        told += match next(&mut events).await.event {
            ConsensusEvent::Lagged { missed } => missed,
            _ => 1,
        };
    }
    assert_eq!(told, many, "every event came or was counted as missed");
    chain.make_block();
}
