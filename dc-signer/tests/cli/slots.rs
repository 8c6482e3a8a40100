//! Correcting what was done to a zone's certificates, while there is nothing worse than the mistake.

use crate::signer::Signer;

const ROLLOVER: [&str; 3] = ["zones", "rollover", "cpe.example.com"];
const END: [&str; 3] = ["zones", "end", "cpe.example.com"];

fn with_second() -> Signer {
    let signer = Signer::new();
    let init = ["init", "second", "--zone", "cpe.example.com"];
    signer.sandbox().run(&init).succeeded();
    let import = ["--import", "second"];
    signer.run(&[&ROLLOVER[..], &import].concat()).succeeded();
    signer
}

fn states(signer: &Signer) -> Vec<String> {
    let zones = signer.json(&["zones", "list"]).remove(0);
    let slots = zones[0]["slots"].as_array().unwrap();
    let states = slots.iter().map(|slot| slot["state"].as_str().unwrap());
    states.map(ToOwned::to_owned).collect()
}

#[test]
fn a_move_to_the_wrong_certificate_is_taken_back_and_that_certificate_ended() {
    let signer = with_second();
    signer
        .run(&[&ROLLOVER[..], &["--now"]].concat())
        .succeeded();
    assert_eq!(states(&signer), ["draining", "active"]);
    signer
        .run(&[&ROLLOVER[..], &["--to", "1"]].concat())
        .succeeded();
    assert_eq!(states(&signer), ["active", "draining"]);
    // Nobody is asked to agree to what is so.
    signer
        .run(&[&ROLLOVER[..], &["--to", "1"]].concat())
        .refused(&["slot 1 is what the zone issues from"]);
    let end = |arguments: &[&str]| signer.run(&[&END[..], arguments].concat());
    end(&["1", "--yes"]).refused(&["slot 1", "issues from", "roll over"]);
    end(&["2"]).refused(&["nothing was changed", "--yes"]);
    end(&["2", "--yes"]).succeeded();
    assert_eq!(states(&signer), ["active", "gone"]);
    assert_eq!(keys(&signer), 1, "the other key is removed");
    let back = signer.run(&[&ROLLOVER[..], &["--to", "2"]].concat());
    back.refused(&["slot 2", "has ended for good"]);
    let none = signer.run(&[&ROLLOVER[..], &["--to", "9"]].concat());
    none.refused(&["no slot 9"]);
    signer.run(&["audit", "verify"]).succeeded();
}

#[test]
fn a_certificate_that_was_imported_by_mistake_is_ended_before_it_is_used() {
    let signer = with_second();
    assert_eq!(states(&signer), ["active", "next"]);
    signer
        .run(&[&END[..], &["2", "--yes"]].concat())
        .succeeded();
    assert_eq!(states(&signer), ["active", "gone"]);
    let again = [&ROLLOVER[..], &["--import", "second"]].concat();
    signer.run(&again).refused(&["slot 2", "ended for good"]);
    assert_eq!(
        keys(&signer),
        1,
        "a key that is worth nothing here is not kept"
    );
}

#[test]
fn the_devices_of_a_slot_are_those_of_a_zone_that_is_named() {
    let signer = with_second();
    let list = ["devices", "list", "--on-slot", "1"];
    signer.run(&list).wrong_usage(&["--zone"]);
    let of = |zone, slot| signer.run(&["devices", "list", "--zone", zone, "--on-slot", slot]);
    of("cpe.example.com", "1").succeeded();
    of("cpe.example.com", "3").refused(&["no slot 3"]);
    of("no.example.com", "1").refused(&["no such zone"]);
}

fn keys(signer: &Signer) -> usize {
    let folders = std::fs::read_dir(signer.sandbox().path("data/delegations")).unwrap();
    let keys = folders.map(|entry| entry.unwrap().path().join("key.pem"));
    keys.filter(|key| key.exists()).count()
}

#[test]
fn what_is_imported_to_be_used_now_is_what_is_used_also_beside_a_next_one_that_lasts_longer() {
    let signer = Signer::new();
    let init = |name: &str| {
        let init = ["init", name, "--zone", "cpe.example.com"];
        signer.sandbox().run(&init).succeeded();
    };
    init("third");
    // Certificates end at whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    init("second");
    let import = |arguments: &[&str]| signer.run(&[&ROLLOVER[..], arguments].concat());
    import(&["--import", "second"]).succeeded();
    let now = import(&["--import", "third", "--now"]);
    assert_eq!(now.code, Some(0), "{now:?}");
    assert_eq!(states(&signer), ["draining", "next", "active"]);
    assert!(
        now.stderr.contains("slot 2 is next and lasts longer"),
        "{now:?}"
    );
}
