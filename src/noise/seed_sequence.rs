//! numpy's way of making many seeds of one (`numpy.random.SeedSequence`, NEP 19), after M. E. O'Neill's
//! `randutils`.

const INIT_A: u32 = 0x43B0_D7E5;
const MULT_A: u32 = 0x931E_8875;
const INIT_B: u32 = 0x8B51_F9DD;
const MULT_B: u32 = 0x58F3_8DED;
const MIX_LEFT: u32 = 0xCA01_F9DD;
const MIX_RIGHT: u32 = 0x4973_F715;

/// The first `n` words of `SeedSequence(entropy, spawn_key=spawn_key, pool_size=pool).generate_state(n)`.
/// `pool` is at least 4, as there.
pub(super) fn seed_words(entropy: u64, spawn_key: &[u64], pool: usize, n: usize) -> Vec<u32> {
    let mut words = words_of(entropy);
    if !spawn_key.is_empty() {
        // Padded, so that no seed's later words can pass for a spawn key.
        words.resize(words.len().max(pool), 0);
        words.extend(spawn_key.iter().flat_map(|key| words_of(*key)));
    }
    let pool = mixed(&words, pool);
    let mut constant = INIT_B;
    pool.iter().cycle().take(n).map(|word| hashed(*word, &mut constant, MULT_B)).collect()
}

/// A number in words of 32 bits, the lowest first; as few as it takes, 0 takes one.
fn words_of(number: u64) -> Vec<u32> {
    let (low, high) = (number as u32, (number >> 32) as u32);
    if high == 0 { vec![low] } else { vec![low, high] }
}

/// The pool after every word has had its effect on every place.
fn mixed(words: &[u32], size: usize) -> Vec<u32> {
    let mut constant = INIT_A;
    let mut hash = |word: u32| hashed(word, &mut constant, MULT_A);
    let mut pool: Vec<u32> = (0..size).map(|i| hash(words.get(i).copied().unwrap_or(0))).collect();
    for from in 0..size {
        for to in (0..size).filter(|to| *to != from) {
            pool[to] = merge(pool[to], hash(pool[from]));
        }
    }
    for word in words.iter().skip(size) {
        for place in &mut pool {
            *place = merge(*place, hash(*word));
        }
    }
    pool
}

fn hashed(word: u32, constant: &mut u32, factor: u32) -> u32 {
    let word = word ^ *constant;
    *constant = constant.wrapping_mul(factor);
    let word = word.wrapping_mul(*constant);
    word ^ (word >> 16)
}

fn merge(x: u32, y: u32) -> u32 {
    let word = MIX_LEFT.wrapping_mul(x).wrapping_sub(MIX_RIGHT.wrapping_mul(y));
    word ^ (word >> 16)
}
