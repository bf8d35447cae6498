//! Not a benchmark: shows that nothing waits where it should not, and prints what it saw.

use super::*;
use crate::process::ProcessUse;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_trip_waits_for_nothing() {
    const ROUNDS: usize = 1000;
    let mut nodes = connected(2).await;
    let echo = nodes.pop().unwrap();
    let (inbox, stopper, mut outbox) =
        (echo.network.inbox.clone(), echo.network.inbox.clone(), echo.outbox);
    let echoing = std::thread::spawn(move || {
        while let Waited::Turn(messages) = inbox.wait(None) {
            for (_, note) in messages {
                outbox.send(Recipients::One(ValidatorIndex::new(0)), &note);
            }
        }
    });
    let Node { network, mut outbox, .. } = nodes.pop().unwrap();
    let inbox = network.inbox.clone();
    let asking = std::thread::spawn(move || {
        let mut times = Vec::with_capacity(ROUNDS);
        for round in 0..ROUNDS {
            let note = Note::new(vec![round as u8; 256]);
            let began = Instant::now();
            outbox.send(Recipients::One(ValidatorIndex::new(1)), &note);
            match inbox.wait(Some(began + PATIENCE)) {
                Waited::Turn(answer) if answer.is_empty() => panic!("no answer"),
                Waited::Turn(answer) => assert_eq!(answer[0].1, note),
                Waited::Stopped => panic!("nobody stopped the inbox"),
            }
            times.push(began.elapsed());
        }
        times.sort();
        times
    });
    let times = tokio::task::spawn_blocking(|| asking.join().unwrap()).await.unwrap();
    stopper.stop();
    tokio::task::spawn_blocking(|| echoing.join().unwrap()).await.unwrap();
    println!(
        "{ROUNDS} round trips: p50 {:?}, p99 {:?}",
        times[ROUNDS / 2],
        times[ROUNDS * 99 / 100]
    );
    assert!(times[ROUNDS / 2] < Duration::from_millis(20), "p50 {:?}", times[ROUNDS / 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_transactions_travels_in_few_batches() {
    const COUNT: usize = 14_000;
    let mut nodes = connected(4).await;
    let transactions: Vec<_> = (0..COUNT as u64).map(transaction).collect();
    let (began, cpu) = (Instant::now(), cpu_time());
    let mut listening = tokio::task::JoinSet::new();
    for mut node in nodes.split_off(1) {
        listening.spawn(async move {
            let (mut heard, mut batches) = (0, 0);
            while heard < COUNT {
                let batch = node.receive_batch().await;
                heard += batch.transactions.len();
                batches += 1;
                batch.accept();
            }
            (batches, node)
        });
    }
    for some in transactions.chunks(14) {
        assert_eq!(nodes[0].handle().gossip_transactions(some), some.len());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let listened = listening.join_all().await;
    let batches: Vec<usize> = listened.iter().map(|(batches, _)| *batches).collect();
    let (took, cpu) = (began.elapsed(), cpu_time() - cpu);
    println!(
        "{COUNT} transactions to 3 nodes in {took:?}: {batches:?} batches, {:.1} us of CPU per \
         transaction for all four nodes",
        cpu.as_micros() as f64 / COUNT as f64
    );
    assert!(batches.iter().all(|count| *count < COUNT / 4));
}

/// Processor time of this process.
fn cpu_time() -> Duration {
    Duration::from_secs_f64(ProcessUse::now().unwrap().processor)
}
