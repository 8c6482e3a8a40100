//! When each device does something next: a calendar queue.
//!
//! A page of it has a few minutes, on sheets; those of the page that is open are in a list for each second. So what is put in goes to the end
//! of some sheet, and what is taken out lies together: with ten million devices the memory is what takes the time. Sheets are all
//! of one size, and those of a page that has been opened are written on again.

/// All that devices wait for.
#[derive(Debug)]
pub(crate) struct Wheel {
    /// In the order in which devices were put in.
    pages: Vec<Vec<Sheet>>,
    /// Empty ones.
    sheets: Vec<Sheet>,
    /// The page that is open.
    open: usize,
    seconds: Vec<Vec<u32>>,
}

/// Seconds and devices.
type Sheet = Vec<(u32, u32)>;

impl Wheel {
    /// For so many seconds, which are taken one after the other.
    pub(crate) fn new(seconds: u32) -> Self {
        let pages = index(seconds.div_ceil(PAGE)).max(1);
        Self {
            pages: vec![Vec::new(); pages],
            sheets: Vec::new(),
            open: 0,
            seconds: vec![Vec::new(); index(PAGE)],
        }
    }

    /// A device does something in a second that was not taken yet. Nothing is later than the last second.
    pub(crate) fn put(&mut self, device: u32, second: u32) {
        let page = index(second / PAGE).min(self.pages.len() - 1);
        match page <= self.open {
            true => self.seconds[index(second % PAGE)].push(device),
            false => self.write(page, (second, device)),
        }
    }

    fn write(&mut self, page: usize, entry: (u32, u32)) {
        let page = &mut self.pages[page];
        match page.last_mut().filter(|sheet| sheet.len() < SHEET) {
            Some(sheet) => sheet.push(entry),
            None => {
                let sheet = self.sheets.pop();
                let mut sheet = sheet.unwrap_or_else(|| Vec::with_capacity(SHEET));
                sheet.push(entry);
                page.push(sheet);
            }
        }
    }

    /// Takes those who do something in a second.
    pub(crate) fn take(&mut self, second: u32, who: &mut Vec<u32>) {
        let page = index(second / PAGE);
        while self.open < page {
            self.open += 1;
            let Some(page) = self.pages.get_mut(self.open) else {
                return;
            };
            for mut sheet in std::mem::take(page) {
                for (second, device) in sheet.drain(..) {
                    self.seconds[index(second % PAGE)].push(device);
                }
                self.sheets.push(sheet);
            }
        }
        who.append(&mut self.seconds[index(second % PAGE)]);
    }

    /// Takes all who do something later, with the second.
    pub(crate) fn take_all(&mut self) -> Vec<(u32, u32)> {
        let open = self.open_since();
        let mut all = Vec::new();
        for (second, devices) in (open..).zip(&mut self.seconds) {
            all.extend(devices.drain(..).map(|device| (second, device)));
        }
        for mut sheet in self.pages.iter_mut().flat_map(std::mem::take) {
            all.append(&mut sheet);
            self.sheets.push(sheet);
        }
        all
    }

    /// How many do something in a second or later.
    pub(crate) fn count_from(&self, second: u32) -> usize {
        let seconds = (self.open_since()..).zip(&self.seconds);
        let open = seconds.filter(|(at, _)| *at >= second);
        let open: usize = open.map(|(_, devices)| devices.len()).sum();
        let later = self.pages.iter().flatten().flatten();
        open + later.filter(|(at, _)| *at >= second).count()
    }

    /// The first second of the page that is open.
    fn open_since(&self) -> u32 {
        u32::try_from(self.open).unwrap_or(u32::MAX) * PAGE
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Seconds of a page.
const PAGE: u32 = 512;
/// Entries of a sheet: 8 kB.
const SHEET: usize = 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn everybody_is_taken_in_the_second_that_they_were_put_in(
            seconds in proptest::collection::vec(0..5_000_u32, 0..200),
            again in 1..2_000_u32,
        ) {
            let mut wheel = Wheel::new(8_000);
            for (device, second) in (0..).zip(&seconds) {
                wheel.put(device, *second);
            }
            let (mut taken, mut who) = (0, Vec::new());
            for second in 0..5_000 {
                wheel.take(second, &mut who);
                for device in who.drain(..) {
                    prop_assert_eq!(seconds[index(device)], second);
                    taken += 1;
                    wheel.put(device + 1_000, (second + again).max(5_000));
                }
            }
            prop_assert_eq!(taken, seconds.len());
            prop_assert_eq!(wheel.count_from(5_000), taken);
            prop_assert_eq!(wheel.count_from(7_000), seconds.iter().filter(|second| *second + again >= 7_000).count());
            let mut rest = wheel.take_all();
            prop_assert!(rest.iter().all(|(second, device)| *second == (seconds[index(device - 1_000)] + again).max(5_000)));
            rest.dedup();
            prop_assert_eq!(rest.len(), seconds.len());
        }
    }
}
