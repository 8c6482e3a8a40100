//! Servers of home routers that nobody here wrote, with the configuration of `docs/device.md`, and clients that know no TLS.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use apparatus::{Part, have, left_out, program};
use dc_core::Form;
use dc_tests::process::{Server, run_ok};

use crate::scene::{NOBODY, Scene, is_root};

#[test]
fn lighttpd_is_reached_by_the_devices_name_and_learns_who_the_client_is() {
    let Some(device) = Device::new("behind lighttpd") else {
        return;
    };
    let (port, log) = (free("127.0.0.1:0"), device.scene.file("access.log"));
    device.scene.write("index.html", "the router's page\n");
    let own = format!(
        "server.document-root = \"{}\"\nindex-file.names = (\"index.html\")\n\
         server.modules += ( \"mod_accesslog\" )\naccesslog.filename = \"{}\"\n",
        device.scene.folder.path().display(),
        log.display(),
    );
    let guide = with_port(block("server.bind"), "server.port = 80", port);
    device
        .scene
        .write("lighttpd.conf", &format!("{guide}{own}"));
    let lighttpd = program("lighttpd");
    let mut command = Command::new(&lighttpd);
    command
        .arg("-D")
        .arg("-f")
        .arg(device.scene.file("lighttpd.conf"));
    // Where the set-up has put them; a lighttpd that is installed knows where its own are.
    let modules = lighttpd.parent().unwrap();
    if modules.join("mod_extforward.so").exists() {
        command.arg("-m").arg(modules);
    }
    let mut lighttpd = Server::start("lighttpd", &mut command);
    let options = ["--proxy-protocol", "--alpn", "http/1.1"];
    let _terminator = device.terminator(&options, &format!("127.0.0.1:{port}"));
    let proxy = device.connect(&["--proxy", "127.0.0.1:0"]);
    let page = run_ok(
        Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--max-time", "60"])
            .args([
                "--proxytunnel",
                "--proxy",
                &format!("http://127.0.0.1:{}", proxy.port()),
            ])
            .arg(format!("http://{}:443/", device.scene.device.name)),
    );
    assert_eq!(page, "the router's page\n");
    // It writes what it has seen when it ends.
    let kill = format!("kill -TERM {}", lighttpd.pid());
    run_ok(Command::new("sh").args(["-c", &kill]));
    assert_eq!(lighttpd.wait_for_end(), Some(0), "{}", lighttpd.text());
    let log = fs::read_to_string(log).unwrap();
    assert!(log.starts_with("::1 "), "{log}");
}

#[test]
fn unbound_is_asked_over_tls_and_learns_who_the_client_is() {
    let Some(device) = Device::new("behind unbound") else {
        return;
    };
    let port = free("127.0.0.1:0");
    let guide = block("server:\n    interface").replace("8053", &port.to_string());
    let own = [
        "log-queries: yes",
        "use-syslog: no",
        "username: \"\"",
        "chroot: \"\"",
        "directory: \"\"",
        "pidfile: \"\"",
        "local-zone: \"example.\" static",
        "local-data: \"www.example. A 192.0.2.7\"",
    ];
    let own: String = own.iter().map(|line| format!("    {line}\n")).collect();
    device.scene.write("unbound.conf", &format!("{guide}{own}"));
    let mut command = Command::new(program("unbound"));
    command
        .arg("-d")
        .arg("-c")
        .arg(device.scene.file("unbound.conf"));
    let unbound = Server::start("unbound", &mut command);
    let backend = format!("127.0.0.1:{port}");
    let _terminator = device.terminator(&["--alpn", "dot", "--proxy-protocol"], &backend);
    assert_eq!(device.asked(), "192.0.2.7\n");
    assert!(
        unbound.says("info: ::1 www.example. A IN", 0),
        "{}",
        unbound.text()
    );
}

#[test]
fn dnsmasq_is_asked_over_tls() {
    let Some(device) = Device::new("behind dnsmasq") else {
        return;
    };
    let port = free("127.0.0.1:0");
    let own = format!("port={port}\nno-resolv\nno-hosts\naddress=/www.example/192.0.2.7\n");
    let guide = block("listen-address=127.0.0.1");
    device.scene.write("dnsmasq.conf", &format!("{guide}{own}"));
    let mut command = Command::new("dnsmasq");
    command.args(["--keep-in-foreground", "--user="]);
    command.arg(format!(
        "--conf-file={}",
        device.scene.file("dnsmasq.conf").display()
    ));
    command.arg("--pid-file");
    let _dnsmasq = Server::start("dnsmasq", &mut command);
    // The command of the guide, in its own words.
    let guide = block("dc-terminator --identity /var/lib/dc-identity/current --listen '[::]:853'");
    let mut words = guide
        .split_whitespace()
        .skip_while(|word| *word != "--alpn");
    let [alpn, dot] = [words.next().unwrap(), words.next().unwrap()];
    let _terminator = device.terminator(&[alpn, dot], &format!("127.0.0.1:{port}"));
    assert_eq!(device.asked(), "192.0.2.7\n");
}

/// A device whose program listens on IPv6, so that the client's address is another one than the program's own.
#[derive(Debug)]
struct Device {
    scene: Scene,
    port: u16,
}

impl Device {
    fn new(what: &str) -> Option<Self> {
        if !have(Part::Tools) {
            return None;
        }
        if TcpListener::bind("[::1]:0").is_err() {
            left_out(&format!("dc-terminator {what}"), "no IPv6 on loopback");
            return None;
        }
        let scene = Scene::new(&[Form::Named]);
        scene.write("roots.pem", &scene.vendor.root_pem());
        let port = free("[::1]:0");
        Some(Self { scene, port })
    }

    fn terminator(&self, options: &[&str], backend: &str) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dc-terminator"));
        command.arg("--identity").arg(self.scene.file("identity"));
        if is_root() {
            command.args(["--user", NOBODY]);
        }
        // The second port is one that the kernel's table of IPv4 shows when the program is ready.
        command.args(["--listen", &self.address(), "--listen", "127.0.0.1:0"]);
        command.args(["--backend", backend]).args(options);
        Server::start("dc-terminator", &mut command)
    }

    fn address(&self) -> String {
        format!("[::1]:{}", self.port)
    }

    /// The other end: a program that knows no TLS talks to it.
    fn connect(&self, options: &[&str]) -> Server {
        let terminator = Path::new(env!("CARGO_BIN_EXE_dc-terminator"));
        let mut command = Command::new(terminator.with_file_name("dc-connect"));
        command.arg("--roots").arg(self.scene.file("roots.pem"));
        command.args(["--to", &self.address()]).args(options);
        Server::start("dc-connect", &mut command)
    }

    /// The address of `www.example`, as kdig gets it.
    fn asked(&self) -> String {
        let name = format!("{}:853", self.scene.device.name);
        let port = self.connect(&["--listen", "127.0.0.1:0", &name, "--alpn", "dot"]);
        let mut kdig = Command::new("kdig");
        kdig.args(["@127.0.0.1", "-p", &port.port().to_string()]);
        run_ok(kdig.args(["+tcp", "+short", "www.example"]))
    }
}

/// The block of the guide that begins so, as it stands there.
fn block(beginning: &str) -> &'static str {
    const GUIDE: &str = include_str!("../../../../docs/device.md");
    let mut blocks = GUIDE.split("```").skip(1).step_by(2);
    let text = blocks.find_map(|block| {
        let (_, text) = block.split_once('\n')?;
        text.starts_with(beginning).then_some(text)
    });
    text.unwrap_or_else(|| panic!("no block '{beginning}…' in docs/device.md"))
}

/// The same with a port that this user may open.
fn with_port(block: &str, line: &str, port: u16) -> String {
    assert!(block.contains(line), "{line} in {block}");
    let (before, _) = line.rsplit_once(' ').unwrap();
    block.replace(line, &format!("{before} {port}"))
}

fn free(address: &str) -> u16 {
    let listener = TcpListener::bind(address).unwrap();
    listener.local_addr().unwrap().port()
}
