//! A test for free space in the database: something large is written, and removed again.

use ring::rand::{SecureRandom, SystemRandom};

use crate::Error;
use crate::connection::Session;
use crate::registry::{DeviceId, Sha256};
use crate::sql::Value;

use super::shared::Shared;

/// Writes so many bytes as an answer to nobody, which also goes after an hour if it cannot be removed now.
pub(super) async fn try_out(shared: &Shared, bytes: usize) -> Result<(), Error> {
    let mut ballast = vec![0; bytes];
    // Zeros would be packed, but if there are no random bytes they are better than nothing.
    let _ = SystemRandom::new().fill(&mut ballast);
    let [device, key] = place(&shared.signer.node);
    let hash = Sha256::of(shared.signer.node.as_bytes());
    let sql = "INSERT INTO answers (device, key, request, answer, expires) \
               VALUES ($1, $2, $3, $4, 0) \
               ON CONFLICT (device, key) DO UPDATE SET answer = excluded.answer";
    let values = vec![device, key, (&hash).into(), Value::Blob(Some(ballast))];
    execute(shared, sql, values).await?;
    let sql = "DELETE FROM answers WHERE device = $1 AND key = $2";
    execute(shared, sql, place(&shared.signer.node).into()).await
}

/// Writes as little as can be, and removes it in the same transaction. A row that is set to what it has is not written at
/// all, and would work on a disk without room.
pub(super) async fn write_and_remove(session: &mut Session, node: &str) -> Result<(), Error> {
    let [device, key] = place(node);
    let hash = Sha256::of(node.as_bytes());
    let nothing = Value::Blob(Some(vec![0; 16]));
    let sql = "INSERT INTO answers (device, key, request, answer, expires) \
               VALUES ($1, $2, $3, $4, 0) \
               ON CONFLICT (device, key) DO UPDATE SET answer = excluded.answer";
    let values = vec![device, key, (&hash).into(), nothing];
    session.tell(sql, values).await?;
    let sql = "DELETE FROM answers WHERE device = $1 AND key = $2";
    session.tell(sql, place(node).into()).await
}

/// Where no device has an answer, and no other signer.
fn place(node: &str) -> [Value; 2] {
    let nobody = DeviceId::from_bytes([0; 16]);
    let id = nobody.as_bytes()[..].into();
    [id, (&Sha256::of(node.as_bytes())).into()]
}

async fn execute(shared: &Shared, sql: &'static str, values: Vec<Value>) -> Result<(), Error> {
    let done = shared.write_to_any(async |work| work.session.execute(sql, values).await);
    done.await.map(|_| ())
}
