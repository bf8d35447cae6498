//! What a block is and what executing it does.
//!
//! Pure code: no async runtime, sockets, database, clock, ambient randomness, environment or files.
//! Everything that is hashed or signed goes through [`codec`] and [`crypto::Hasher`], everything
//! that changes balances or keys through [`execute`].

pub mod access;
pub mod block;
pub mod certificate;
pub mod codec;
pub mod crypto;
pub mod evidence;
pub mod execute;
pub mod finality;
pub mod genesis;
pub mod governance;
pub mod ledger;
pub mod light;
pub mod mempool;
pub mod merkle;
pub mod namespace;
pub mod quorum;
pub mod reading;
pub mod receipt;
pub mod snapshot;
pub mod state;
#[cfg(test)]
mod testing;
pub mod transaction;
pub mod types;
pub mod validator;
