//! What peers write on topics and streams, mutated.

use bincode::{Decode, Encode};
use chain::codec::{self, Bounded};
use chain::crypto::Keypair;
use chain::transaction::{Body, Payload};
use chain::types::{Digest, Height};
use fuzz::Target;
use fuzz::corpus::Form;

use super::access::Refusal;
use super::addresses::{Announcement, is_tcp};
use super::claims::Claim;
use super::frames::read_frame;
use super::handshake::Hello;
use super::transactions::read_batch;

fn read<T: Encode + Decode<()> + Bounded>(
    name: &'static str,
    values: impl IntoIterator<Item = T>,
    mut with: impl FnMut(&T),
) {
    let samples: Vec<_> = values.into_iter().map(|value| codec::encode(&value)).collect();
    let target = Target::new(name, Form::Codec, samples, |bytes| {
        let Ok(value) = codec::decode::<T>(bytes) else { return false };
        assert_eq!(codec::encode(&value), bytes, "two encodings of one value");
        with(&value);
        true
    });
    target.check();
}

#[test]
fn fuzz_gossip() {
    let key = Keypair::from_seed(&[7; 32]);
    let body = Body::Put { key: b"k".to_vec(), value: b"v".to_vec() };
    let (chain_id, sender, expiry) = (Digest([1; 32]), key.public(), Height::new(9));
    let transaction =
        Payload { chain_id, account: None, sender, nonce: 0, expiry, body }.sign(&key);
    let batches = [vec![transaction; 3], Vec::new()];
    let samples: Vec<_> = batches.iter().map(codec::encode).collect();
    let target = Target::new("gossip-transactions", Form::Codec, samples, |bytes| {
        let Ok(read) = read_batch(bytes) else { return false };
        let read: Vec<_> = read.iter().map(|hashed| hashed.transaction().clone()).collect();
        assert_eq!(codec::encode(&read), bytes, "two encodings of one batch");
        true
    });
    target.check();
    let listening = ["/ip4/10.0.0.2/tcp/26656", "/dns4/node.example/tcp/1"];
    let listening = listening.map(|text| text.parse().unwrap());
    read("gossip-addresses", [Announcement::new(&listening)], |announcement: &Announcement| {
        let addresses = announcement.addresses(true);
        assert!(addresses.len() <= 8 && addresses.iter().all(is_tcp));
    });
    read("gossip-height", [Claim(Height::new(7))], |_| {});
}

/// The first words and the frames of a stream.
#[test]
fn fuzz_streams() {
    let hello = Hello::new(Digest([1; 32]));
    read("handshake", [hello], |_| {});
    for byte in 0..=u8::MAX {
        if let Some(refusal) = Refusal::from_byte(byte) {
            assert_eq!(Refusal::from_byte(Refusal::to_byte(Some(refusal))), Some(refusal));
        }
    }
    const LONGEST: usize = 1024;
    let frame = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let samples = [frame(b"abc"), [frame(&[1; 100]), frame(b"d")].concat()];
    let target = Target::new("stream-frame", Form::Codec, samples, |bytes| {
        let mut stream = futures::io::Cursor::new(bytes);
        let mut read = 0;
        while let Ok(message) = futures::executor::block_on(read_frame(&mut stream, LONGEST)) {
            assert!((1..=LONGEST).contains(&message.len()));
            read += 4 + message.len();
            assert_eq!(stream.position() as usize, read);
        }
        read > 0
    });
    target.check();
}
