//! One module per group of commands.

mod account;
mod blocks;
mod govern;
mod key;
mod kv;
mod network;
mod proof;
mod tx;

use crate::args::{AccountCommand, Arguments, BlockCommand, Command};
use crate::failure::Outcome;

pub(crate) async fn run(arguments: Arguments) -> Outcome<()> {
    let Arguments { global, command } = arguments;
    match command {
        Command::Key(command) => key::run(&global, command).await,
        Command::Account(AccountCommand::Show { address }) => account::show(&global, address).await,
        Command::Balance { address } => account::balance(&global, address).await,
        Command::Send(send) => account::send(&global, send).await,
        Command::Kv(command) => kv::run(&global, command).await,
        Command::Govern(command) => govern::run(&global, command).await,
        Command::Tx(command) => tx::run(&global, command).await,
        Command::Proof(command) => proof::run(&global, command).await,
        Command::Validators => network::validators(&global).await,
        Command::Status => network::status(&global).await,
        Command::Block(BlockCommand::Show { block }) => blocks::show(&global, block).await,
        Command::Watch(watch) => blocks::watch(&global, &watch).await,
    }
}
