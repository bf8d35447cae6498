//! The door of the swarm: asks the book about every connection.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use either::Either;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::book::{Admission, Book};

/// Lets connections in, or not.
#[derive(Debug)]
pub(super) struct Gate {
    book: Arc<Book>,
}

/// A connection that the book does not want.
#[derive(Debug)]
struct Unwanted;

impl fmt::Display for Unwanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this node does not talk to the peer")
    }
}

impl std::error::Error for Unwanted {}

impl Gate {
    pub(super) const fn new(book: Arc<Book>) -> Self {
        Self { book }
    }

    fn allowed(&self, peer: &PeerId) -> Result<(), ConnectionDenied> {
        match self.book.get_allowed(peer) {
            Some(_) => Ok(()),
            None => Err(ConnectionDenied::new(Unwanted)),
        }
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        match self.book.admit(&peer) {
            Admission::Welcome | Admission::ToBeTold => Ok(dummy::ConnectionHandler),
            Admission::Closed => Err(ConnectionDenied::new(Unwanted)),
        }
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        peer.map_or(Ok(()), |peer| self.allowed(&peer))?;
        Ok(Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.allowed(&peer)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

/// A behaviour that hears nothing of peers that are connected only to be told that they are refused.
///
/// The book lets in no further connection of such a peer, so the connections of one peer are all of
/// one kind.
pub(super) struct Inside<B> {
    pub(super) behaviour: B,
    book: Arc<Book>,
    kept_out: BTreeSet<ConnectionId>,
}

impl<B> Inside<B> {
    pub(super) const fn new(behaviour: B, book: Arc<Book>) -> Self {
        Self { behaviour, book, kept_out: BTreeSet::new() }
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Inside<B> {
    type ConnectionHandler = Either<THandler<B>, dummy::ConnectionHandler>;
    type ToSwarm = B::ToSwarm;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if self.book.refusal(&peer).is_some() {
            self.kept_out.insert(connection);
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        let behaviour = &mut self.behaviour;
        behaviour
            .handle_established_inbound_connection(connection, peer, local, remote)
            .map(Either::Left)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.behaviour.handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let behaviour = &mut self.behaviour;
        behaviour
            .handle_established_outbound_connection(connection, peer, address, role, port)
            .map(Either::Left)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let connection = match &event {
            FromSwarm::ConnectionEstablished(event) => Some(event.connection_id),
            FromSwarm::ConnectionClosed(event) => Some(event.connection_id),
            FromSwarm::AddressChange(event) => Some(event.connection_id),
            _ => None,
        };
        if connection.is_none_or(|id| !self.kept_out.contains(&id)) {
            self.behaviour.on_swarm_event(event);
        } else if let FromSwarm::ConnectionClosed(event) = event {
            self.kept_out.remove(&event.connection_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            Either::Left(event) => {
                self.behaviour.on_connection_handler_event(peer, connection, event);
            }
            Either::Right(event) => match event {},
        }
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.behaviour.poll(context).map(|event| event.map_in(Either::Left))
    }
}
