//! HTTP/3 with aioquic and DNS over QUIC with dnspython: clients that know no credentials, and are served the fallback
//! certificate.

use super::{Options, upstream::Upstream};
use crate::{lab::NAME, process::run, setup, tlslite::python};

#[test]
fn aioquic_and_dnspython_are_served_the_fallback_certificate_over_quic() {
    let Some(lab) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-quic", "P-256", "both");
    let router = Options::new(&device.identity, &upstream)
        .fallback(lab.ordinary())
        .start();
    let ask = |kind: &str, name: &str, port: u16| {
        let mut command = python("quic_client.py");
        run(command
            .arg(kind)
            .arg(lab.root())
            .args([name, &port.to_string()]))
    };
    let doq = ask("doq", NAME, router.doq);
    assert_eq!(doq.exit, Some(0), "{doq:?}");
    assert!(doq.stdout.contains("192.0.2.1"), "{doq:?}");
    for (priority, protocol, port) in [(1, "doq", router.doq), (3, "h3", router.http3)] {
        let name = &device.name;
        let service = format!("designated {priority} {name}. alpn=\"{protocol}\" port=\"{port}\"");
        assert!(doq.stdout.contains(&service), "{service}: {doq:?}");
    }
    let http3 = ask("http3", NAME, router.http3);
    assert_eq!(http3.exit, Some(0), "{http3:?}");
    for line in ["page 200 True", "answer 200 ", "192.0.2.1", "too long 413"] {
        assert!(http3.stdout.contains(line), "{line}: {http3:?}");
    }
    // HTTP/3 needs no second hint.
    assert!(http3.stdout.contains("page alt-svc None"), "{http3:?}");
    // Whoever looks at the name goes no further.
    for (kind, port) in [("doq", router.doq), ("http3", router.http3)] {
        let other = ask(kind, "other.example.net", port);
        assert_ne!(other.exit, Some(0), "{kind}: {other:?}");
    }
}
