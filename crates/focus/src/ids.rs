//! The handles by which owners name what is theirs: plain, copyable, and never valid for anything that came later.

/// One of the workers of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u8);

/// An owner that mail can be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The owner of all SIP of the node.
    Signalling,
    /// A worker: connections, sessions, rooms and branches.
    Worker(WorkerId),
}

/// A slot of an arena and the generation of what lives in it: an id of something gone finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// An MSRP connection of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(crate) Handle);

impl ConnectionId {
    /// The index under which a shell may keep what belongs to the connection: small, and reused after the connection is gone.
    pub fn slot(self) -> usize {
        self.0.slot as usize
    }
}

/// An MSRP session on a connection of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    pub(crate) worker: WorkerId,
    pub(crate) handle: Handle,
}

/// A room, from its creation to its deletion. Allotted by signalling, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub(crate) u64);

/// A message on its way through the switch, from its first octet to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    pub(crate) origin: WorkerId,
    pub(crate) number: u64,
}
