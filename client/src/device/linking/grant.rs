//! What an approver hands to the device that it has added, so that it begins with what the person
//! has confirmed and set up: contacts, chats, names, settings.

use plasma_e2ee::MAX_GRANT_LENGTH;
use plasma_identity::{Fingerprint, UserAddress};
use plasma_proto::content::v1::{KnownChat, KnownContact, LinkingGrant};
use prost::Message as _;
use rusqlite::Connection;
use zeroize::Zeroizing;

use crate::content;
use crate::error::Error;
use crate::id::ChatId;
use crate::store::contacts::{self, ToldContact};
use crate::store::settings::{self, TimerSet};
use crate::store::{StoreError, accounts, chats, device_names, read_user, user_key};

/// Writes what this device knows, the most precious first: what does not fit can be had from the
/// service, without the person's confirmations.
pub(in crate::device) fn write(
    connection: &Connection,
    own: UserAddress,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let names = device_names::list(connection)?;
    let mut grant = LinkingGrant {
        device_names: names.iter().map(device_names::NamedDevice::to_content).collect(),
        account_settings: Some(settings::account(connection)?.to_content()),
        ..LinkingGrant::default()
    };
    let mut contacts = known_contacts(connection, own)?;
    contacts.sort_by_key(|contact| !contact.verified && contact.changed_from.is_empty());
    let mut room = MAX_GRANT_LENGTH.saturating_sub(grant.encoded_len());
    for contact in contacts {
        if take(&mut room, contact.encoded_len()) {
            grant.contacts.push(contact);
        }
    }
    for chat in chats::list(connection)? {
        let known = KnownChat {
            chat_id: chat.known.id.0.as_bytes().to_vec().into(),
            peer: user_key(chat.known.peer).to_vec().into(),
            host_tenant_id: chat.known.host_tenant.as_bytes().to_vec().into(),
            lamport: chat.lamport,
            settings: Some(settings::chat(connection, chat.known.id)?.to_content()),
            timer: settings::timer_set(connection, chat.known.id)?.map(TimerSet::to_content),
        };
        if take(&mut room, known.encoded_len()) {
            grant.chats.push(known);
        }
    }
    Ok(Zeroizing::new(grant.encode_to_vec()))
}

/// A field of a message costs its bytes, a tag and a length.
fn take(room: &mut usize, length: usize) -> bool {
    let fits = room.checked_sub(length + 4);
    *room = fits.unwrap_or(*room);
    fits.is_some()
}

fn known_contacts(
    connection: &Connection,
    own: UserAddress,
) -> Result<Vec<KnownContact>, StoreError> {
    let mut known = contacts::list(connection)?;
    for user in accounts::users(connection)? {
        if let Some(seen) = accounts::load(connection, user)?.filter(|_| user != own) {
            known.push(ToldContact {
                user,
                fingerprint: seen.account.fingerprint(),
                verified: seen.verified.is_some(),
                changed_from: seen.changed_from,
            });
        }
    }
    let write = |contact: ToldContact| {
        let bytes = |fingerprint: Fingerprint| fingerprint.to_bytes().to_vec();
        KnownContact {
            user: user_key(contact.user).to_vec().into(),
            fingerprint: bytes(contact.fingerprint).into(),
            verified: contact.verified,
            changed_from: contact.changed_from.map(bytes).unwrap_or_default().into(),
        }
    };
    Ok(known.into_iter().map(write).collect())
}

/// Keeps what the approver knows.
pub(in crate::device) fn keep(
    connection: &Connection,
    grant: &LinkingGrant,
    own: UserAddress,
) -> Result<(), Error> {
    for contact in &grant.contacts {
        let contact = read_contact(contact).ok_or(Error::Answer("grant.contacts"))?;
        if contact.user != own {
            contacts::insert(connection, contact)?;
        }
    }
    for chat in &grant.chats {
        let known = read_chat(chat).ok_or(Error::Answer("grant.chats"))?;
        chats::insert(connection, known)?;
        let lamport = chat.lamport.min(chats::LAMPORT_MAX);
        chats::observe_lamport(connection, known.id, lamport)?;
        if let Some(setup) = chat.settings.and_then(content::read_chat_settings) {
            settings::set_chat(connection, known.id, setup)?;
        }
        if let Some(timer) = chat.timer.as_ref().and_then(content::read_timer) {
            settings::set_timer(connection, known.id, timer)?;
        }
    }
    if let Some(setup) = grant.account_settings.and_then(content::read_account_settings) {
        settings::set_account(connection, setup)?;
    }
    for name in &grant.device_names {
        device_names::apply(connection, name)?;
    }
    Ok(())
}

fn read_contact(contact: &KnownContact) -> Option<ToldContact> {
    let read = |bytes: &[u8]| bytes.try_into().ok().map(Fingerprint::from_bytes);
    let changed_from = match &contact.changed_from[..] {
        [] => None,
        bytes => Some(read(bytes)?),
    };
    Some(ToldContact {
        user: read_user(&contact.user).ok()?,
        fingerprint: read(&contact.fingerprint)?,
        verified: contact.verified,
        changed_from,
    })
}

fn read_chat(chat: &KnownChat) -> Option<chats::KnownChat> {
    Some(chats::KnownChat {
        id: ChatId(uuid::Uuid::from_slice(&chat.chat_id).ok()?),
        peer: read_user(&chat.peer).ok()?,
        host_tenant: uuid::Uuid::from_slice(&chat.host_tenant_id).ok()?,
    })
}
