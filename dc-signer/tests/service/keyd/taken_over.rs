//! Refusals, which are all that a service that was taken over, and other users, get of a process.

use super::*;

#[test]
fn a_service_that_was_taken_over_gets_nothing_but_refusals() {
    let mut process = Process::start("per_minute = 5\n");
    let keyd = process.keyd();
    let key = rcgen::KeyPair::generate().unwrap();
    let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
    let of = (process.sha256(), Role::Server);
    let hour = Some(Duration::from_secs(3600));
    let issue = |of, name, lifetime| keyd.issue(of, &spki, name, lifetime);
    let reason = |asked: Result<Vec<u8>, ProcessFault>| match asked {
        Err(ProcessFault::Refused { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let week = Some(Duration::from_secs(8 * 86_400));
    let inside = Some("x.cpe.example.com");
    assert_eq!(
        reason(issue(of, Some("x.example.org"), hour)),
        Refusal::Name
    );
    assert_eq!(reason(issue(of, inside, week)), Refusal::Lifetime);
    assert_eq!(reason(issue(of, None, hour)), Refusal::Form);
    assert_eq!(
        reason(issue((Sha256::ZERO, Role::Server), inside, hour)),
        Refusal::Certificate
    );
    assert_eq!(
        reason(issue((process.sha256(), Role::Client), inside, hour)),
        Refusal::Role
    );

    // Garbage and frames without end: told once, and the connection is closed.
    for message in [
        vec![0xff; 64],
        [&0_u32.to_be_bytes()[..], b"x"].concat(),
        [
            &u32::try_from(MAX_FRAME + 1).unwrap().to_be_bytes()[..],
            &[0; 100],
        ]
        .concat(),
        [&3_u32.to_be_bytes()[..], &[9, 9, 9]].concat(),
        [&2_u32.to_be_bytes()[..], &[1, 99]].concat(),
    ] {
        let mut socket = UnixStream::connect(process.path("socket")).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        socket.write_all(&message).unwrap();
        let answer = dc_pki::keyd::read(&mut socket).unwrap();
        let Ok(Answer::Refused { reason, .. }) = Answer::decode(&answer) else {
            panic!("{answer:?}");
        };
        assert_eq!(reason, Refusal::Malformed);
        assert!(matches!(socket.read(&mut [0]), Ok(0) | Err(_)));
    }
    // One that begins a message and never ends it keeps nobody else.
    let mut slow = UnixStream::connect(process.path("socket")).unwrap();
    slow.write_all(&[0, 0]).unwrap();
    // And more connections than there are places are told so.
    let mut crowd = Vec::new();
    let busy = (0..200).find_map(|_| {
        let mut one = UnixStream::connect(process.path("socket")).unwrap();
        one.write_all(&[0, 0]).ok()?;
        one.set_read_timeout(Some(Duration::from_millis(10)))
            .unwrap();
        let answer = dc_pki::keyd::read(&mut one).ok();
        crowd.push(one);
        answer
    });
    let busy = Answer::decode(&busy.unwrap());
    assert!(
        matches!(
            busy,
            Ok(Answer::Refused {
                reason: Refusal::Busy,
                ..
            })
        ),
        "{busy:?}"
    );
    drop(crowd);
    // It has issued nothing of all that, and serves on, as soon as it has seen that the crowd is gone: up to its ceiling.
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(fault) = keyd.status() {
        assert!(
            matches!(
                fault,
                ProcessFault::Refused {
                    reason: Refusal::Busy,
                    ..
                }
            ) && Instant::now() < deadline,
            "{fault:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(process.status()["counts"]["issued"], 0);
    for _ in 0..5 {
        issue(of, inside, hour).unwrap();
    }
    assert_eq!(reason(issue(of, inside, hour)), Refusal::Rate);
    // Killing it gives nobody five more.
    process.kill();
    process.begin();
    assert_eq!(reason(issue(of, inside, hour)), Refusal::Rate);

    // A log may be signed for that is shown to have grown, and none that shrinks or forks, also after that.
    let tree = |size: u8| {
        let mut tree = dc_evidence::Frontier::new();
        (0..size).for_each(|number| tree.push(Hash::of_record(&[number])));
        tree
    };
    let sign = |size: u64, proof| {
        let root = match u8::try_from(size) {
            Ok(size) => *tree(size).root().as_bytes(),
            Err(_) => [7; 32],
        };
        keyd.sign_checkpoint((size, root), proof)
    };
    let leap = sign(u64::MAX, None).unwrap_err().to_string();
    assert!(leap.contains("checkpoints.most_new"), "{leap}");
    sign(9, None).unwrap();
    process.kill();
    process.begin();
    for (size, said) in [
        (8, "smaller than the one of 9"),
        (10, "a proof is wanted"),
        (u64::MAX, "a proof is wanted"),
    ] {
        let refused = sign(size, None).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
    let proof = |old: u8, new: u8| {
        let ranges = dc_evidence::consistency_ranges(old.into(), new.into()).unwrap();
        let part = |range: std::ops::Range<u64>| {
            let mut part = dc_evidence::Frontier::new();
            range.for_each(|number| part.push(Hash::of_record(&[u8::try_from(number).unwrap()])));
            *part.root().as_bytes()
        };
        Some((old.into(), ranges.into_iter().map(part).collect()))
    };
    sign(10, proof(9, 10)).unwrap();
    // Whoever makes checkpoints gets a signature for the text of one, of this log, and for no other text.
    let log = LogKey::find(process.keyd()).unwrap();
    assert_eq!(log.last(), Ok(Some((10, tree(10).root()))));
    let text = format!("example.com/audit\n11\n{}\n", tree(11).root());
    let (old, hashes): (u64, Vec<[u8; 32]>) = proof(10, 11).unwrap();
    let hashes: Vec<Hash> = hashes.into_iter().map(Hash::from_bytes).collect();
    log.sign(&text, None).unwrap_err();
    let signature = log.sign(&text, Some((old, &hashes))).unwrap();
    let note: Note = format!("{text}\n{signature}\n").parse().unwrap();
    assert_eq!(note.verify(log.verifying_key()), Ok(&*text));
    for other in [
        text.replace("audit", "other"),
        format!("{text}more\n"),
        text.replace("\n11\n", "\n011\n"),
        "I owe you a million\n".to_owned(),
        String::new(),
    ] {
        assert_eq!(
            log.sign(&other, None),
            Err(ProcessFault::NoMessages),
            "{other}"
        );
    }
}

/// For root alone, who can be somebody else.
#[test]
fn other_users_get_nothing_also_if_they_may_connect() {
    if !nix::unistd::getuid().is_root() {
        return;
    }
    let process = Process::start("");
    // As the folder of a service would be, and a socket that everybody may connect to.
    for (path, mode) in [("", 0o755), ("socket", 0o666)] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(process.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    let program = process.path("dc-signer");
    apparatus::copy_program(env!("CARGO_BIN_EXE_dc-signer"), &program);
    use std::os::unix::process::CommandExt;
    let asked = Command::new(&program)
        .args(["keyd", "status", "--socket"])
        .arg(process.path("socket"))
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    let said = String::from_utf8(asked.stderr).unwrap();
    assert!(
        !asked.status.success()
            && said.contains("the user 65534 may ask for nothing")
            && said.contains("runuser -u 0 -- "),
        "{said}"
    );
    // It is told first, and then written.
    let is_it =
        |line: &Value| (&line["reason"], &line["uid"]) == (&json!("caller"), &json!(65_534));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !process.written().last().is_some_and(is_it) {
        assert!(Instant::now() < deadline, "{:?}", process.written());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(process.status()["counts"]["refused"]["caller"], 1);
}
