//! Connections to it, of callers that hold on to theirs.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use super::*;
use crate::config::KeydCaller;
use crate::keyd::Callers;
use crate::keyd::hall::{Hall, attend};

/// One of a user's, after all that was sent before was read.
async fn connect(hall: &Arc<Hall>, uid: u32, sends: &[u8]) -> DuplexStream {
    let (mut near, far) = tokio::io::duplex(4096);
    let hall = hall.clone();
    tokio::spawn(async move { attend(&hall, far, Caller::Process { uid, pid: 1 }).await });
    near.write_all(sends).await.unwrap();
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    near
}

fn hall(rig: &Rig) -> Arc<Hall> {
    let callers = Callers::find(&[KeydCaller::User("7".to_owned())]).unwrap();
    Arc::new(Hall::new(Arc::new(rig.open("")), callers))
}

async fn answer(stream: &mut DuplexStream) -> Answer {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.unwrap();
    let length = u32::from_be_bytes(head).try_into().unwrap();
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await.unwrap();
    Answer::decode(&message).unwrap()
}

fn frame(ask: &Ask) -> Vec<u8> {
    let mut frame = Vec::new();
    dc_pki::keyd::write(&mut frame, &ask.encode()).unwrap();
    frame
}

#[tokio::test]
async fn a_service_that_holds_on_to_all_that_it_can_does_not_keep_root_from_ending_a_certificate() {
    let rig = Rig::new();
    let hall = hall(&rig);
    let mut held = Vec::new();
    // With a message that never comes.
    for _ in 0..64 {
        held.push(connect(&hall, 7, &[0, 0]).await);
    }
    let mut more = connect(&hall, 7, &frame(&Ask::Status)).await;
    assert_eq!(refused(&answer(&mut more).await), Refusal::Busy);
    let certificate = Sha256::of(rig.certificate.der());
    let end = frame(&Ask::End {
        certificate,
        reason: None,
    });
    let mut root = connect(&hall, 0, &end).await;
    assert_eq!(answer(&mut root).await, Answer::Ended);
}

#[tokio::test]
async fn connections_that_ask_nothing_make_room_and_those_that_ask_stay() {
    let rig = Rig::new();
    let hall = hall(&rig);
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(connect(&hall, 7, &[]).await);
    }
    let mut next = connect(&hall, 7, &frame(&Ask::Status)).await;
    assert!(matches!(answer(&mut next).await, Answer::Status(_)));
    // The first one was closed, and only that.
    assert_eq!(held[0].read(&mut [0]).await.unwrap(), 0);
    held[1].write_all(&frame(&Ask::Status)).await.unwrap();
    assert!(matches!(answer(&mut held[1]).await, Answer::Status(_)));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_has_begun_ends_in_seconds() {
    let rig = Rig::new();
    let hall = hall(&rig);
    let began = Instant::now();
    for sends in [&[0][..], &[0, 0], &[0, 0, 0, 9], &[0, 0, 0, 9, 1]] {
        let mut slow = connect(&hall, 7, sends).await;
        assert_eq!(slow.read(&mut [0]).await.unwrap(), 0);
    }
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}
