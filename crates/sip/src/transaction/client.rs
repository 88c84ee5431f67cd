//! stub
pub(crate) struct ClientTransaction;
pub(crate) type ClientTransactionId = crate::slots::Id<ClientTransaction>;
