//! What waits for a device.

use bytes::Bytes;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::{ChatId, DeviceId, EnvelopeId, MessageId, TenantId, UserId};
use plasma_kit::{StoreError, SystemDb, Timestamp};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use uuid::Uuid;

use super::super::devices::ACTIVE;
use crate::delivery::{DeviceKey, Parcel, class};

const OF_PARCEL: &str = "envelope_id, chat_id, message_id, sender_tenant_id, sender_user_id, \
                         sender_device_id, ciphertext, accepted_at, class";

/// How much of what waits is read at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portion {
    /// Most envelopes.
    pub(crate) envelopes: usize,
    /// No more once there are so many bytes: the last envelope may exceed them.
    pub(crate) bytes: usize,
}

/// Reads what waits for a device but for some envelopes, oldest first; nothing for a device that is
/// gone. All of it is unacknowledged: that it is here says so.
pub(crate) async fn waiting(
    db: &SystemDb,
    device: DeviceKey,
    except: &[EnvelopeId],
    portion: Portion,
) -> Result<Vec<Parcel>, StoreError> {
    let backend = db.backend();
    let number = |count: usize| Value::from(i64::try_from(count).unwrap_or(i64::MAX));
    let mut values = vec![
        device.0.0.into(),
        device.1.0.into(),
        number(portion.envelopes),
        number(portion.bytes),
    ];
    let except_from = values.len() + 1;
    let places = if backend == DbBackend::Postgres {
        let except: Vec<Uuid> = except.iter().map(|envelope| envelope.0).collect();
        values.push(except.into());
        format!("SELECT unnest(${except_from}::uuid[])")
    } else {
        values.extend(except.iter().map(|envelope| Value::from(envelope.0)));
        let places = except_from..except_from + except.len();
        places.map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
    };
    let sql = format!(
        "SELECT {OF_PARCEL} FROM \
           (SELECT {OF_PARCEL}, ciphertext_bytes, \
                   sum(ciphertext_bytes) OVER (ORDER BY envelope_id ROWS UNBOUNDED PRECEDING) \
                     AS bytes_so_far \
            FROM envelopes \
            WHERE tenant_id = $1 AND device_id = $2 AND envelope_id NOT IN ({places}) AND EXISTS \
              (SELECT 1 FROM devices WHERE tenant_id = $1 AND device_id = $2 AND state = {ACTIVE}) \
            ORDER BY envelope_id LIMIT $3) AS oldest \
         WHERE bytes_so_far - ciphertext_bytes < $4 ORDER BY envelope_id"
    );
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let rows = db.conn().query_all_raw(statement).await?;
    rows.iter().map(|row| parcel(device, row)).collect()
}

fn parcel(device: DeviceKey, row: &QueryResult) -> Result<Parcel, StoreError> {
    let chat: Uuid = row.try_get("", "chat_id")?;
    let ciphertext: Vec<u8> = row.try_get("", "ciphertext")?;
    let number: i16 = row.try_get("", "class")?;
    Ok(Parcel {
        envelope: EnvelopeId(row.try_get("", "envelope_id")?),
        to: device,
        chat: (!chat.is_nil()).then_some(ChatId(chat)),
        message: MessageId(row.try_get("", "message_id")?),
        sender: DeviceActor {
            tenant: TenantId(row.try_get("", "sender_tenant_id")?),
            user: UserId(row.try_get("", "sender_user_id")?),
            device: DeviceId(row.try_get("", "sender_device_id")?),
        },
        ciphertext: Bytes::from(ciphertext),
        accepted_at: Timestamp(row.try_get("", "accepted_at")?),
        class: class(number.into()),
    })
}
