//! axe-core, which says what of a page people cannot use without eyes, a mouse or good sight.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::driver::Browser;

/// Its findings about the page that the browser shows, as lines; there are none if nothing is wrong.
pub(super) fn findings(browser: &Browser) -> Vec<String> {
    if browser.script("return typeof axe") == "undefined" {
        let source = std::fs::read_to_string(file()).unwrap();
        browser.script(&source);
    }
    let found = browser.script_with(RUN, &json!({ "resultTypes": ["violations"] }));
    assert!(
        found["checked"].as_u64() > Some(5),
        "axe-core looked at nothing: {found}"
    );
    let found = found["found"].as_array().unwrap();
    found.iter().map(Value::to_string).collect()
}

const RUN: &str = "axe.run(document, arguments[0]).then(all => arguments[1]({ \
    checked: all.passes.length, \
    found: all.violations.map(one => [one.id, one.help, one.nodes.slice(0, 3).map(node => node.html + ' ' + node.failureSummary)]), \
}), why => arguments[1]({ found: [String(why)] }))";

/// tests/setup/setup.sh puts it there, for the part with the browser.
fn file() -> PathBuf {
    let folder = apparatus::target().join("axe/venv/lib");
    let mut inside = std::fs::read_dir(&folder).unwrap();
    let python = inside.find_map(|entry| {
        let file = entry
            .unwrap()
            .path()
            .join("site-packages/axe_playwright_python/axe.min.js");
        file.exists().then_some(file)
    });
    python.unwrap_or_else(|| panic!("no axe-core in {}", folder.display()))
}
