//! The style and the icon: their addresses and texts.

use std::sync::LazyLock;

use crate::registry::Sha256;

/// The address of the style: another one for another text, so that it can be kept for good.
pub(super) fn style_address() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| {
        let hash = Sha256::of(STYLE_TEXT.as_bytes()).to_string();
        let version: String = hash.chars().take(12).collect();
        format!("{STYLE}?v={version}")
    });
    &ADDRESS
}

/// The path of the style.
pub(super) const STYLE: &str = "/style.css";
/// The path of the icon.
pub(super) const ICON: &str = "/icon.svg";

/// The style.
pub(super) const STYLE_TEXT: &str = include_str!("style.css");
