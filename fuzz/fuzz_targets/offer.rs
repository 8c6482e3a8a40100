//! The lists of a ClientHello.
#![no_main]

use dc_core::SchemeList;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(list) = SchemeList::decode(input) else {
        return;
    };
    let mut encoded = Vec::new();
    list.encode(&mut encoded).expect("it came out of a decoder");
    assert_eq!(encoded, input);
    let schemes: Vec<_> = list.iter().collect();
    assert!(!schemes.is_empty());
    assert_eq!(input.len(), 2 + 2 * schemes.len());
    assert!(schemes.iter().all(|&scheme| list.contains(scheme)));
    assert_eq!(SchemeList::new(schemes).as_ref(), Ok(&list));
});
