//! Notes, checkpoints, proofs and their keys: what is read is written alike, and what is signed is opened.
#![no_main]

use dc_evidence::{
    Checkpoint, Error, Note, Proven, Signature, SigningKey, VerifyingKey, WitnessKey, WitnessRequest,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    if let Ok(note) = input.parse::<Note>() {
        assert_eq!(note.to_string(), input);
        assert!(!note.signatures().is_empty());
        assert!(note.signatures().len() <= Note::MAX_SIGNATURES);
    }
    if let Ok(proven) = input.parse::<Proven>() {
        assert_eq!(proven.to_string(), input);
        assert!(proven.hashes.len() <= 64);
    }
    if let Ok(key) = input.parse::<VerifyingKey>() {
        assert_eq!(key.to_string(), input);
    }
    if let Ok(key) = input.parse::<WitnessKey>() {
        assert_eq!(key.to_string(), input);
    }
    if let Ok(request) = input.parse::<WitnessRequest>() {
        assert_eq!(request.to_string(), input);
        assert!(request.proof.len() <= 63);
    }
    if let Ok(signature) = input.parse::<Signature>() {
        assert_eq!(signature.to_string(), input);
    }
    if let Ok(notes) = Note::read_all(input) {
        let file: String = notes.iter().map(Note::to_string).collect();
        assert_eq!(Note::read_all(&file), Ok(notes));
    }
    open(input);
});

/// Signs the input as the text of a note: it is a checkpoint exactly if plain sentences say so.
fn open(text: &str) {
    let key = SigningKey::from_pkcs8("log", &PKCS8).expect("a seed of 32 bytes");
    let Ok(note) = Note::sign(text, &key) else {
        return;
    };
    let note = note.to_string();
    match Checkpoint::open(&note, key.verifying_key()) {
        Ok(checkpoint) => {
            assert_eq!(checkpoint.to_string(), text);
            assert_eq!(checkpoint.origin(), "log");
            assert_eq!(text.lines().nth(1), Some(&*checkpoint.size().to_string()));
            assert_eq!(text.lines().nth(2), Some(&*checkpoint.root().to_string()));
        }
        Err(Error::WrongOrigin { found, .. }) => assert_eq!(text.lines().next(), Some(&*found)),
        Err(error) => assert_eq!(error, Error::BadCheckpoint),
    }
}

/// RFC 8410 §7, around a seed of zeros.
const PKCS8: [u8; 48] = {
    let head = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let mut der = [0; 48];
    let mut place = 0;
    while place < head.len() {
        der[place] = head[place];
        place += 1;
    }
    der
};
