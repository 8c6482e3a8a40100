//! Scenarios that cannot be simulated, and what to write instead.

/// A scenario that cannot be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something begins after the end of the run.
    #[error(
        "{what} begins {start} s after the beginning, and the run has {span} s: begin it earlier, or simulate more days"
    )]
    AfterTheEnd {
        /// The thing.
        what: &'static str,
        /// When it would begin.
        start: u32,
        /// The end of the run.
        span: u32,
    },
    /// The certificate of a zone is too short for the credentials.
    #[error(
        "certificates of {life} s cannot have credentials of {lifetime} s under them: certificates have to live for at least twice as long"
    )]
    CertificateTooShort {
        /// Of a certificate, in seconds.
        life: u32,
        /// Of a credential, in seconds.
        lifetime: u32,
    },
    /// A number is not one that can be simulated.
    #[error("{what} is {given}: use {least} to {most}")]
    OutOfRange {
        /// The number.
        what: &'static str,
        /// Its value.
        given: f64,
        /// The least that it may be.
        least: f64,
        /// The most that it may be.
        most: f64,
    },
    /// There is no such site.
    #[error(
        "site {given} has an outage, and there are sites 1 to {sites}: name one of them, or have more of them"
    )]
    NoSuchSite {
        /// The number of the site.
        given: u32,
        /// How many there are.
        sites: u32,
    },
    /// The fleet asks for more than there is, even if nothing goes wrong.
    #[error(
        "{devices} devices ask for {needed:.1} credentials a second, and {rate:.1} a second can be issued: raise the rate, or lower the number of devices"
    )]
    RateTooLow {
        /// How many there are.
        devices: u32,
        /// The credentials a second that they ask for.
        needed: f64,
        /// The credentials a second that all sites together issue.
        rate: f64,
    },
    /// The window is not one that a device believes.
    #[error(
        "devices do not renew between {from} % and {until} % of a credential's life: name a window of 5 % to 90 % that is not backwards"
    )]
    Window {
        /// Its beginning, as a part of the life in percent.
        from: u32,
        /// Its end.
        until: u32,
    },
}
