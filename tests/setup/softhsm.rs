//! A SoftHSM, which has its tokens in files: its folder can be taken away and brought back, as a token can.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Part, have, program};

/// A folder with a SoftHSM and, in it, a token `hsm` whose PIN is `pin-of-hsm`, which is in no log by chance. A process sees it if the
/// variable [`SoftHsm::VARIABLE`] names its settings.
#[derive(Clone, Debug)]
pub struct SoftHsm(PathBuf);

impl SoftHsm {
    /// The variable of the environment that SoftHSM reads the place of its settings from.
    pub const VARIABLE: &str = "SOFTHSM2_CONF";

    /// Makes one in a folder that is there; `None` if tests with tokens are left out.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn new(folder: &Path) -> Option<Self> {
        if !have(Part::Tokens) {
            return None;
        }
        let hsm = Self(folder.to_owned());
        let tokens = hsm.tokens();
        fs::create_dir(&tokens).expect("a new folder");
        let text = format!(
            "directories.tokendir = {}\nlog.level = ERROR\n",
            tokens.display()
        );
        fs::write(hsm.settings(), text).expect("a new file");
        hsm.util("--init-token --free --label hsm --pin pin-of-hsm --so-pin 5678");
        Some(hsm)
    }

    /// The one that is in a folder already.
    #[must_use]
    pub fn of(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The file that [`SoftHsm::VARIABLE`] names.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.0.join("softhsm2.conf")
    }

    /// The PKCS#11 module, which is beside the program.
    #[must_use]
    pub fn module() -> PathBuf {
        let program = program("softhsm2-util");
        let usr = program.parent().and_then(Path::parent);
        usr.unwrap_or_else(|| Path::new("/usr"))
            .join("lib/softhsm/libsofthsm2.so")
    }

    /// Runs `softhsm2-util` in the folder, with arguments that have no blanks.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn util(&self, arguments: &str) {
        let output = Command::new(program("softhsm2-util"))
            .args(arguments.split(' '))
            .arg("--module")
            .arg(Self::module())
            .env(Self::VARIABLE, self.settings())
            .current_dir(&self.0)
            .output()
            .expect("it was installed");
        assert!(output.status.success(), "{arguments}: {output:?}");
    }

    /// Takes all tokens away.
    ///
    /// # Panics
    ///
    /// If they are away.
    pub fn pull(&self) {
        fs::rename(self.tokens(), self.away()).expect("the tokens are there");
        fs::create_dir(self.tokens()).expect("it was moved");
    }

    /// Brings them back.
    ///
    /// # Panics
    ///
    /// If they are not away.
    pub fn plug(&self) {
        fs::remove_dir(self.tokens()).expect("nothing is in it");
        fs::rename(self.away(), self.tokens()).expect("the tokens are away");
    }

    /// Sets flags of the token, as PKCS#11 numbers them (`CKF_…`), besides those that it has: SoftHSM locks no PIN by itself.
    ///
    /// # Panics
    ///
    /// If the token is not in the files as it was when this was written.
    pub fn set_flags(&self, flags: u64) {
        let folders = fs::read_dir(self.tokens()).expect("the tokens are there");
        for folder in folders {
            let file = folder.expect("a folder").path().join("token.object");
            let mut bytes = fs::read(&file).expect("each token has one");
            let head = [FLAGS.to_be_bytes(), NUMBER.to_be_bytes()].concat();
            let mut places = bytes.windows(head.len());
            let at = places.position(|place| place == head);
            let at = at.expect("the flags are in it") + head.len();
            let new = (FRESH | flags).to_be_bytes();
            bytes.splice(at..at + new.len(), new);
            // A process that has read the file reads it again when this number is another one.
            let count = bytes.get_mut(7).expect("it begins with a number");
            *count = count.wrapping_add(1);
            fs::write(&file, bytes).expect("it is ours");
        }
    }

    fn tokens(&self) -> PathBuf {
        self.0.join("tokens")
    }

    fn away(&self) -> PathBuf {
        self.0.join("pulled")
    }
}

/// The attribute with a token's flags in SoftHSM's files, and how they mark a number.
const FLAGS: u64 = 0x8000_534b;
const NUMBER: u64 = 2;
/// Random numbers, a login that is required, a PIN that is set, no key to restore, and initialised.
const FRESH: u64 = 0x42d;
