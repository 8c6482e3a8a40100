//! A home, its router and what is outside, each in a network of its own, as `docs/home-router.md` has it: dnsmasq for DHCP,
//! `home-router` for names, and clients with nothing configured.

mod names;
mod plugged;
mod services;

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use apparatus::{left_out, program};

use crate::{
    namespace::{Namespace, Seen},
    ours,
    process::{Outcome, Server, run, run_ok},
    setup,
    vendor::Device,
};

/// Everything in it, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Home {
    // The processes end before the networks that they are in.
    router: Server,
    _dnsmasq: Server,
    inside: Namespace,
    outside: Namespace,
    _router: Namespace,
    folder: PathBuf,
}

impl Home {
    /// A home whose router is this device; `None`, which is noted, if nobody may make networks here.
    pub(crate) fn new(device: &Device, options: &[&str]) -> Option<Self> {
        let what = "the home router in a network of its own";
        if !Path::new("/proc/net/if_inet6").exists() {
            left_out(what, "this machine has no IPv6");
            return None;
        }
        let folder = setup::run().join(format!("home-{}", device.name));
        fs::create_dir_all(&folder).unwrap();
        let networks = (Namespace::new(), Namespace::new(), Namespace::new());
        let (Some(router), Some(inside), Some(outside)) = networks else {
            let why = match fs::metadata("/proc/self").map(|own| own.uid()) {
                Ok(0) => "this machine lets nobody make network namespaces",
                _ => "only root can make network namespaces",
            };
            left_out(what, why);
            return None;
        };
        router.connect("br-lan", &inside, "eth0");
        router.connect("wan", &outside, "eth0");
        router
            .sh("ip address add 192.168.1.1/24 dev br-lan && ip address add fd00::1/64 dev br-lan");
        router.sh("ip address add 203.0.113.1/24 dev wan");
        outside
            .sh("ip address add 203.0.113.2/24 dev eth0 && ip route add default via 203.0.113.1");
        let dnsmasq = dnsmasq(&router, device, &folder);
        let router_program = router_program(&router, device, options);
        Some(Self {
            router: router_program,
            _dnsmasq: dnsmasq,
            inside,
            outside,
            _router: router,
            folder,
        })
    }

    /// The client, with the name servers that DHCP has told it.
    pub(crate) fn client(&self) -> Seen<'_> {
        self.inside.seen_with(&self.folder.join("resolv.conf"))
    }

    /// Gives the client addresses, without DHCP.
    pub(crate) fn settle(&self) {
        self.inside
            .sh("ip address add 192.168.1.2/24 dev eth0 && ip address add fd00::2/64 dev eth0");
        let resolv_conf = "nameserver 192.168.1.1\nnameserver fd00::1\n";
        fs::write(self.folder.join("resolv.conf"), resolv_conf).unwrap();
    }

    /// Plugs the client's cable in, so to speak: it asks for addresses and whatever else there is, with DHCP of both
    /// families, and goes on as long as the guard lives. What it was told, by the names that dhcpcd has for it.
    pub(crate) fn plug_in(&self) -> (Running, String) {
        let (told, resolv_conf) = (self.folder.join("told"), self.folder.join("resolv.conf"));
        let hook = self.folder.join("hook");
        let (told_at, resolv_at) = (told.display(), resolv_conf.display());
        let script = format!(
            "#!/bin/sh\nenv >>{told_at}\n\
             for server in $new_domain_name_servers $new_dhcp6_name_servers; do\n\
             echo nameserver $server >>{resolv_at}\ndone\n\
             echo done $reason >>{told_at}\n"
        );
        fs::write(&hook, script).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        let settings = self.folder.join("dhcpcd.conf");
        fs::write(&settings, DHCPCD).unwrap();
        let mut dhcpcd = Command::new(program("dhcpcd"));
        dhcpcd.arg("-B").arg("-f").arg(settings).arg("-c").arg(hook);
        // It would keep its number in /run, where another may be at work.
        let own_run = "mount -t tmpfs none /run && exec \"$0\" \"$@\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", own_run]).arg(dhcpcd.get_program());
        shell.args(dhcpcd.get_args()).arg("eth0");
        let running = Running::start(
            &mut self.client().command(&shell),
            &self.folder.join("dhcpcd.log"),
        );
        let until = Instant::now() + PATIENCE;
        loop {
            let said = fs::read_to_string(&told).unwrap_or_default();
            if ["done BOUND\n", "done BOUND6\n"]
                .iter()
                .all(|done| said.contains(done))
            {
                return (running, said);
            }
            let log = || fs::read_to_string(self.folder.join("dhcpcd.log"));
            assert!(Instant::now() < until, "{said}\n{:?}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// kdig as somebody at home or outside runs it.
    pub(crate) fn kdig(&self, from: &Namespace, options: &str) -> Outcome {
        let mut kdig = Command::new("kdig");
        kdig.args(options.split(' '));
        run(&mut from.command(&kdig))
    }
}

/// A program that ends with this.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::create(log).unwrap();
        let both = log.try_clone().unwrap();
        let quiet = command.stdin(Stdio::null()).stdout(log).stderr(both);
        Self(quiet.spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As the guide has it, with what `home-router` prints for it, and two names that only the upstream knows.
fn dnsmasq(network: &Namespace, device: &Device, folder: &Path) -> Server {
    let mut hand_out = Command::new(ours::home_router());
    hand_out.arg("--identity").arg(&device.identity);
    hand_out.args(["--hand-out", "192.168.1.1", "--hand-out", "fd00::1"]);
    let printed = run_ok(hand_out.args(["--hand-out-as", "dnsmasq"]));
    let settings = folder.join("dnsmasq.conf");
    let of_the_guide = block("# /etc/dnsmasq.conf");
    fs::write(&settings, format!("{of_the_guide}\n{printed}")).unwrap();
    let mut dnsmasq = Command::new("dnsmasq");
    dnsmasq.args([
        "--keep-in-foreground",
        "--no-resolv",
        "--no-hosts",
        "--no-ping",
        "--user=root",
    ]);
    dnsmasq.arg(format!("--conf-file={}", settings.display()));
    dnsmasq.arg(format!(
        "--dhcp-leasefile={}",
        folder.join("leases").display()
    ));
    dnsmasq.arg("--address=/www.example/192.0.2.7");
    for number in 0..10 {
        dnsmasq.arg(format!("--txt-record=big.example,{number:0200}"));
    }
    Server::start("dnsmasq", &mut network.command(&dnsmasq))
}

/// As the guide has it.
fn router_program(network: &Namespace, device: &Device, options: &[&str]) -> Server {
    let line = block("home-router --home");
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("home-router"));
    let mut router = Command::new(ours::home_router());
    router.args(words).arg("--identity").arg(&device.identity);
    router.args([
        "--status",
        "/there-is-no-agent",
        "--withdrawn",
        "/there-is-no-list",
    ]);
    let server = Server::start("home router", &mut network.command(router.args(options)));
    assert!(server.says("serving a credential", 0), "{}", server.text());
    server
}

/// The block of the guide that begins so, as it stands there.
fn block(beginning: &str) -> &'static str {
    const GUIDE: &str = include_str!("../../../../docs/home-router.md");
    let mut blocks = GUIDE.split("```").skip(1).step_by(2);
    let text = blocks.find_map(|block| {
        let (_, text) = block.split_once('\n')?;
        text.starts_with(beginning).then_some(text)
    });
    text.unwrap_or_else(|| panic!("no block '{beginning}…' in docs/home-router.md"))
}

/// A client that knows DNR asks for it; this one only writes down what it gets. It does not ask whether anybody else has
/// its address, which takes five seconds.
const DHCPCD: &str = "define 162 binhex dnr\n\
    define6 144 binhex dnr\n\
    option domain_name_servers\noption dnr\n\
    option dhcp6_name_servers\noption dhcp6_dnr\n\
    noipv4ll\nnoarp\nduid\nia_na\n";
const PATIENCE: Duration = Duration::from_secs(60);
