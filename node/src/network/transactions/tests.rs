use chain::crypto::Keypair;
use chain::transaction::{Body, Payload};
use chain::types::{Digest, Height};

use super::*;

fn transaction(nonce: u64, value: usize) -> SignedTransaction {
    let key = Keypair::from_seed(&[3; 32]);
    let body = Body::Put { key: vec![1], value: vec![0; value] };
    let (chain_id, expiry) = (Digest([1; 32]), Height::new(9));
    Payload { chain_id, account: None, sender: key.public(), nonce, expiry, body }.sign(&key)
}

fn read(batch: &[u8]) -> Vec<SignedTransaction> {
    let read = read_batch(batch).unwrap();
    read.iter().map(|hashed| hashed.transaction().clone()).collect()
}

fn batches(batcher: &Batcher) -> Vec<Vec<SignedTransaction>> {
    let taken = std::iter::from_fn(|| batcher.take());
    let decode = |(bytes, count): (Vec<u8>, u32)| {
        let batch = read(&bytes);
        assert_eq!(batch.len(), count as usize);
        batch
    };
    taken.map(decode).collect()
}

#[test]
fn a_batch_is_the_encoding_of_the_list_of_its_transactions() {
    let batcher = Batcher::default();
    let transactions: Vec<_> = (0..3).map(|nonce| transaction(nonce, 10)).collect();
    assert_eq!(batcher.add(&transactions), 3);
    assert_eq!(batches(&batcher), [transactions]);
    assert_eq!(batcher.take(), None);
    assert_eq!(batcher.lock().bytes, 0);
}

#[test]
fn batches_close_at_their_target_and_are_never_too_large() {
    let batcher = Batcher::default();
    let sizes = [100, 30_000, 29_000, 2_000, 65_000, 100];
    let transactions: Vec<_> =
        (0..).zip(sizes).map(|(nonce, size)| transaction(nonce, size)).collect();
    assert_eq!(batcher.add(&transactions), transactions.len());
    let batches = batches(&batcher);
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 1, 1]);
    assert_eq!(batches.concat(), transactions);
    assert_eq!(batcher.lock().bytes, 0);
}

#[test]
fn what_waits_is_bounded() {
    let batcher = Batcher::default();
    let large = transaction(0, 60_000);
    let added = (0..1000).filter(|_| batcher.add([&large]) == 1).count();
    assert!((60..=69).contains(&added), "{added} transactions of 60 kB fit into 4 MiB");
    assert!(batcher.lock().bytes <= MAX_WAITING_BYTES);
    assert_eq!(batches(&batcher).iter().map(Vec::len).sum::<usize>(), added);
}

/// The clock of the runtime counts whole milliseconds.
const ROUNDING: Duration = Duration::from_micros(500);

/// The paused clock moves only when everything waits: so these are exact moments.
#[tokio::test(start_paused = true)]
async fn the_first_goes_at_once_and_what_follows_is_collected() {
    let (batcher, start) = (Batcher::default(), tokio::time::Instant::now());
    let (sender, mut sent) = tokio::sync::mpsc::channel(16);
    let publish = |batch: Vec<u8>| {
        let count = read(&batch).len();
        let sender = sender.clone();
        async move { sender.send((start.elapsed(), count)).await.unwrap() }
    };
    let arrivals = async {
        batcher.add([&transaction(0, 10)]);
        let first = sent.recv().await.unwrap();
        batcher.add(&(1..=50).map(|nonce| transaction(nonce, 10)).collect::<Vec<_>>());
        let second = sent.recv().await.unwrap();
        batcher.add([&transaction(51, 10)]);
        [first, second, sent.recv().await.unwrap()]
    };
    let seen = tokio::select! {
        seen = arrivals => seen,
        () = batcher.run(publish) => unreachable!("the batcher runs for ever"),
    };
    let second = COLLECT_PER_TRANSACTION + ROUNDING;
    assert_eq!(seen, [(Duration::ZERO, 1), (second, 50), (second + COLLECT_MAX, 1)]);
}
