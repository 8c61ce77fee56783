//! A map by name that is quick to ask: every frame asks for every parameter, and most are not set.

/// Places of the table that says where a name's entry is; more than four times the parameters there are.
const PLACES: usize = 512;

/// Values by name, in the order of the names.
#[derive(Clone, Debug)]
pub(super) struct ByName<T> {
    /// Sorted by name.
    entries: Vec<(&'static str, T)>,
    /// 1 + the entry's number at the place of its name or the next free one behind it; 0 is free.
    places: Box<[u16; PLACES]>,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), places: Box::new([0; PLACES]) }
    }
}

/// Tells the names of parameters apart by their length and four of their letters.
fn place(name: &str) -> usize {
    let bytes = name.as_bytes();
    let n = bytes.len();
    let at = |i: usize| bytes.get(i).map_or(0, |byte| usize::from(*byte));
    (n * 37 + at(0) * 3 + at(n / 3) * 17 + at(n / 2) * 59 + at(n.saturating_sub(1)) * 101) % PLACES
}

impl<T> ByName<T> {
    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&T> {
        let mut at = place(name);
        loop {
            let number = self.places[at].checked_sub(1)?;
            let (known, value) = &self.entries[usize::from(number)];
            if *known == name {
                return Some(value);
            }
            at = (at + 1) % PLACES;
        }
    }

    /// Whether there is a value of that name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets the value of `name`.
    ///
    /// # Panics
    /// Beyond half as many names as the table has places: there are not that many parameters.
    pub fn insert(&mut self, name: &'static str, value: T) {
        match self.entries.binary_search_by_key(&name, |(known, _)| known) {
            Ok(at) => self.entries[at].1 = value,
            Err(at) => {
                assert!(self.entries.len() < PLACES / 2, "{PLACES} places hold {} names", PLACES / 2);
                self.entries.insert(at, (name, value));
                self.find_places();
            }
        }
    }

    /// Names and values in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = &(&'static str, T)> {
        self.entries.iter()
    }

    /// Forgets the value of `name`.
    pub fn remove(&mut self, name: &str) {
        if let Ok(at) = self.entries.binary_search_by_key(&name, |(known, _)| known) {
            self.entries.remove(at);
            self.find_places();
        }
    }

    /// Values in the order of their names.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// As [`Self::values`], to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    fn find_places(&mut self) {
        self.places.fill(0);
        for (number, (name, _)) in (1..).zip(&self.entries) {
            let mut at = place(name);
            while self.places[at] != 0 {
                at = (at + 1) % PLACES;
            }
            self.places[at] = number;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::schedule::params::all;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), any::<u8>()), 0..200)) {
            let (mut found, mut wanted) = (ByName::default(), BTreeMap::new());
            for (pick, insert, value) in steps {
                let name = pick.get(all()).name;
                if insert {
                    found.insert(name, value);
                    wanted.insert(name, value);
                } else {
                    found.remove(name);
                    wanted.remove(name);
                }
            }
            prop_assert!(all().iter().all(|param| found.get(param.name) == wanted.get(param.name)));
            prop_assert_eq!(found.values().collect::<Vec<_>>(), wanted.values().collect::<Vec<_>>());
            prop_assert!(found.get("nothing of that name").is_none());
        }
    }

    #[test]
    fn the_parameters_are_spread_over_the_table() {
        let names: std::collections::BTreeSet<&str> = all().iter().map(|param| param.name).collect();
        let mut places: Vec<usize> = names.iter().map(|name| place(name)).collect();
        places.sort_unstable();
        places.dedup();
        assert!(places.len() * 4 > names.len() * 3, "{} places for {} names", places.len(), names.len());
    }
}
