//! The documents: full, partial, patches. Each is rendered once for all subscribers who may see the same.

use std::sync::Arc;

use crate::changes::Change;
use crate::model::{Conference, User};
use crate::write::Writer;
use crate::{CONFERENCE_INFO, Changes, XCON_CONFERENCE_INFO, XCON_CONFERENCE_INFO_DIFF};

/// The whole conference (RFC 4575 §4.4, state `full`).
pub fn full(conference: &Conference) -> Rendering {
    let mut writer = Writer::new();
    root(&mut writer, &conference.entity, Some("full"));
    writer.description(&conference.description);
    if let Some(host) = &conference.host {
        writer.host(host);
    }
    writer.state(&conference.state);
    writer.raw("<users>");
    for (entity, user) in &conference.users {
        writer.user(entity, user, None);
    }
    writer.raw("</users></conference-info>");
    Rendering::new(CONFERENCE_INFO, writer)
}

/// What changed (RFC 4575 §4.4, state `partial`). A user that is told of is told whole, one that is gone is `deleted`; the
/// description, the host and the state are replaced as they are. A host that is not there any more is an empty one. Costs
/// what changed, however many users there are.
pub fn partial(conference: &Conference, changes: &Changes) -> Rendering {
    let mut writer = Writer::new();
    root(&mut writer, &conference.entity, Some("partial"));
    if changes.description {
        writer.description(&conference.description);
    }
    if changes.host {
        writer.host(conference.host.as_ref().unwrap_or(&Default::default()));
    }
    if changes.state {
        writer.state(&conference.state);
    }
    if !changes.users.is_empty() {
        writer.raw("<users state=\"partial\">");
        for (entity, change) in &changes.users {
            match (conference.users.get(entity), change) {
                (Some(user), _) => writer.user(entity, user, Some("full")),
                // Nobody ever heard of it.
                (None, Change::Added) => {}
                (None, _) => {
                    writer.raw("<user entity=\"");
                    writer.uri(entity);
                    writer.raw("\" state=\"deleted\"/>");
                }
            }
        }
        writer.raw("</users>");
    }
    writer.raw("</conference-info>");
    Rendering::new(CONFERENCE_INFO, writer)
}

/// That the conference is no more (RFC 4575 §5.2, state `deleted`).
pub fn deleted(entity: &str) -> Rendering {
    let mut writer = Writer::new();
    root(&mut writer, entity, Some("deleted"));
    writer.raw("</conference-info>");
    Rendering::new(CONFERENCE_INFO, writer)
}

/// The whole conference in the form of RFC 6501 (RFC 6502 §4). The description, the host, the state and the users are always
/// there, so that a patch can replace them.
///
/// It has a `version` too, as in the example of RFC 7701 §9.6, so that a subscriber sees when it missed a patch; RFC 6502
/// has no other means. It never has a `state`: that mechanism must not be used here (§5).
pub fn xcon_full(conference: &Conference) -> Rendering {
    let mut writer = Writer::new();
    root(&mut writer, &conference.entity, None);
    writer.description(&conference.description);
    writer.host(conference.host.as_ref().unwrap_or(&Default::default()));
    writer.state(&conference.state);
    writer.raw("<users>");
    for (entity, user) in &conference.users {
        writer.user(entity, user, None);
    }
    writer.raw("</users></conference-info>");
    Rendering::new(XCON_CONFERENCE_INFO, writer)
}

/// What changed, as a patch (RFC 6502 §5, RFC 5261) to the document that [`xcon_full`] renders. Its first operation replaces
/// the version. A nickname is patched as the attribute that it is; a user that changed otherwise is replaced whole.
/// Selectors name users by their URI, never by position. Costs what changed, however many users there are.
pub fn xcon_diff(conference: &Conference, changes: &Changes) -> Rendering {
    let mut writer = Writer::new();
    writer.raw("<xcon:conference-info-diff");
    writer.namespaces();
    writer.raw(" entity=\"");
    writer.uri(&conference.entity);
    writer.raw("\"><xcon:replace sel=\"*/@version\">");
    writer.version();
    writer.raw("</xcon:replace>");
    if changes.description {
        writer.raw("<xcon:replace sel=\"*/conference-description\">");
        writer.description(&conference.description);
        writer.raw("</xcon:replace>");
    }
    if changes.host {
        writer.raw("<xcon:replace sel=\"*/host-info\">");
        writer.host(conference.host.as_ref().unwrap_or(&Default::default()));
        writer.raw("</xcon:replace>");
    }
    if changes.state {
        writer.raw("<xcon:replace sel=\"*/conference-state\">");
        writer.state(&conference.state);
        writer.raw("</xcon:replace>");
    }
    for (entity, change) in &changes.users {
        patch_user(&mut writer, entity, conference.users.get(entity), *change);
    }
    writer.raw("</xcon:conference-info-diff>");
    Rendering::new(XCON_CONFERENCE_INFO_DIFF, writer)
}

/// A document of which the version is still open, and who reads it. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Rendering {
    content_type: &'static str,
    octets: Arc<[u8]>,
    /// Where the version goes.
    version_at: usize,
    /// Where the mark of the reader's own user goes, by the users' URIs, whose order is that of the document.
    own_at: Arc<[(String, usize)]>,
}

impl Rendering {
    /// The media type.
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// How many octets the document has, but for the version and the mark.
    pub fn len(&self) -> usize {
        self.octets.len()
    }

    /// Never: a document has at least its root.
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// The document for a subscriber who is none of the users. What the version has to be is its owner's to know: one more
    /// than in the subscriber's last document that told of a change (RFC 4575 §5.2).
    pub fn document(&self, version: u32) -> Vec<u8> {
        self.document_for(version, None)
    }

    /// The document for the subscriber who is this user: its own element is marked, where the document has it.
    pub fn document_for(&self, version: u32, own: Option<&str>) -> Vec<u8> {
        let own_at = own.and_then(|own| {
            let found = self.own_at.binary_search_by(|(entity, _)| entity.as_str().cmp(own)).ok()?;
            self.own_at.get(found).map(|(_, at)| *at)
        });
        let mut octets = Vec::with_capacity(self.octets.len() + MARK.len() + 10);
        let (before, after) = self.octets.split_at(self.version_at);
        octets.extend_from_slice(before);
        octets.extend_from_slice(version.to_string().as_bytes());
        // The version stands in the root or in the first operation: before every user.
        let (before, after) = after.split_at(own_at.map_or(0, |at| at.saturating_sub(self.version_at)));
        octets.extend_from_slice(before);
        if own_at.is_some() {
            octets.extend_from_slice(MARK.as_bytes());
        }
        octets.extend_from_slice(after);
        octets
    }

    fn new(content_type: &'static str, writer: Writer) -> Self {
        let (text, version_at, own_at) = writer.finish();
        Self { content_type, octets: text.into_bytes().into(), version_at, own_at: own_at.into() }
    }
}

/// What marks the reader's own user. It brings its namespace along, which so is not declared for everybody else.
pub(crate) const MARK: &str = " xmlns:own=\"urn:tertulia:conference-info\" own:own=\"true\"";

/// Begins a document of RFC 4575 or RFC 6501.
fn root(writer: &mut Writer, entity: &str, state: Option<&str>) {
    writer.raw("<conference-info");
    writer.namespaces();
    writer.raw(" entity=\"");
    writer.uri(entity);
    if let Some(state) = state {
        writer.raw("\" state=\"");
        writer.raw(state);
    }
    writer.raw("\" version=\"");
    writer.version();
    writer.raw("\">");
}

/// The operation that makes the user that the subscriber knows into `user`.
fn patch_user(writer: &mut Writer, entity: &str, user: Option<&User>, change: Change) {
    match (user, change) {
        (None, Change::Added) => {}
        (None, _) => writer.empty_operation("remove", entity, ""),
        (Some(user), Change::Added) => {
            writer.raw("<xcon:add sel=\"*/users\">");
            writer.user(entity, user, None);
            writer.raw("</xcon:add>");
        }
        (Some(user), Change::Nickname { had_one }) => patch_nickname(writer, entity, user.nickname.as_deref(), had_one),
        (Some(user), Change::Changed | Change::Removed) => {
            writer.operation("replace", entity, "", "");
            writer.user(entity, user, None);
            writer.raw("</xcon:replace>");
        }
    }
}

fn patch_nickname(writer: &mut Writer, entity: &str, nickname: Option<&str>, had_one: bool) {
    match (nickname, had_one) {
        (None, false) => {}
        (None, true) => writer.empty_operation("remove", entity, "/@xcon:nickname"),
        (Some(nickname), true) => {
            writer.operation("replace", entity, "/@xcon:nickname", "");
            writer.text(nickname);
            writer.raw("</xcon:replace>");
        }
        (Some(nickname), false) => {
            writer.operation("add", entity, "", " type=\"@xcon:nickname\"");
            writer.text(nickname);
            writer.raw("</xcon:add>");
        }
    }
}
