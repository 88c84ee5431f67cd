//! The transactions there are, and what they are found by.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rand_core::Rng;

use super::api::TransactionId;
use super::config::Limits;
use crate::message::Response;
use crate::slots::Slots;
use crate::token::{Seeded, Token};
use crate::transaction::client::{ClientTransaction, ClientTransactionId};
use crate::transaction::server::ServerTransaction;
use crate::typed::{CSeq, Via};

/// Requests of peers.
pub(super) struct Servers {
    slots: Slots<ServerTransaction>,
    by_key: HashMap<Arc<str>, TransactionId, Seeded>,
    by_merged: HashMap<Arc<str>, TransactionId, Seeded>,
    /// What they hold together, in octets.
    octets: usize,
    limit: usize,
}

impl Servers {
    pub(super) fn new(limits: &Limits, random: &mut dyn Rng) -> Self {
        let seeded = Seeded::new(random);
        let (by_key, by_merged) = (HashMap::with_hasher(seeded.clone()), HashMap::with_hasher(seeded));
        let slots = Slots::new(limits.server_transactions);
        Self { slots, by_key, by_merged, octets: 0, limit: limits.server_octets }
    }

    pub(super) fn is_full(&self) -> bool {
        self.slots.is_full() || self.octets >= self.limit
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn insert(&mut self, transaction: ServerTransaction) -> Option<TransactionId> {
        let (key, merged) = (transaction.key.clone(), transaction.merged.clone());
        let weight = transaction.weight();
        let id = self.slots.insert(transaction)?;
        self.octets = self.octets.saturating_add(weight);
        self.by_key.insert(key, id);
        if !merged.is_empty() {
            self.by_merged.insert(merged, id);
        }
        Some(id)
    }

    pub(super) fn remove(&mut self, id: TransactionId) -> Option<ServerTransaction> {
        let transaction = self.slots.remove(id)?;
        self.octets = self.octets.saturating_sub(transaction.weight());
        self.by_key.remove(&transaction.key);
        if self.by_merged.get(&transaction.merged) == Some(&id) {
            self.by_merged.remove(&transaction.merged);
        }
        Some(transaction)
    }

    pub(super) fn get(&self, id: TransactionId) -> Option<&ServerTransaction> {
        self.slots.get(id)
    }

    /// Changes a transaction; what it holds afterwards is counted.
    pub(super) fn change<T>(
        &mut self,
        id: TransactionId,
        change: impl FnOnce(&mut ServerTransaction) -> T,
    ) -> Option<T> {
        let transaction = self.slots.get_mut(id)?;
        let before = transaction.weight();
        let outcome = change(transaction);
        self.octets = self.octets.saturating_sub(before).saturating_add(transaction.weight());
        Some(outcome)
    }

    pub(super) fn find(&self, key: &str) -> Option<TransactionId> {
        self.by_key.get(key).copied()
    }

    /// Whether another copy of this request is here already.
    pub(super) fn has_merged(&self, merged: &str) -> bool {
        self.by_merged.contains_key(merged)
    }
}

/// Requests of ours, each sending by itself. Found by our own branches, which nobody else can choose; a CANCEL shares the
/// branch of its INVITE.
pub(super) struct Clients {
    slots: Slots<ClientTransaction>,
    by_branch: BTreeMap<(Token, bool), ClientTransactionId>,
}

impl Clients {
    pub(super) fn new() -> Self {
        // Bounded by the requests of ours under way, of which each has a few.
        Self { slots: Slots::new(usize::MAX), by_branch: BTreeMap::new() }
    }

    pub(super) fn insert(&mut self, transaction: ClientTransaction) -> Option<ClientTransactionId> {
        let key = (transaction.branch, transaction.is_cancel());
        let id = self.slots.insert(transaction)?;
        self.by_branch.insert(key, id);
        Some(id)
    }

    pub(super) fn remove(&mut self, id: ClientTransactionId) -> Option<ClientTransaction> {
        let transaction = self.slots.remove(id)?;
        self.by_branch.remove(&(transaction.branch, transaction.is_cancel()));
        Some(transaction)
    }

    pub(super) fn get(&self, id: ClientTransactionId) -> Option<&ClientTransaction> {
        self.slots.get(id)
    }

    pub(super) fn get_mut(&mut self, id: ClientTransactionId) -> Option<&mut ClientTransaction> {
        self.slots.get_mut(id)
    }

    /// The request that this is a response to (RFC 3261 §17.1.3). One with several Via is somebody else's (§8.1.3.3).
    pub(super) fn find(&self, response: &Response) -> Option<ClientTransactionId> {
        let mut vias = response.headers.list("Via");
        let via = Via::parse(vias.next()?).ok()?;
        if vias.next().is_some() {
            return None;
        }
        let method = CSeq::parse(response.header("CSeq")?).ok()?.method;
        let id = *self.by_branch.get(&(Token::of_branch(via.branch?)?, method == "CANCEL"))?;
        self.slots.get(id).filter(|transaction| transaction.request.method.as_str() == method).map(|_| id)
    }
}
