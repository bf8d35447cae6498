//! The encoding of every type: pinned, bounded, canonical, and deaf to nonsense.

mod decoders;
mod fuzz_targets;
mod golden;
mod samples;
