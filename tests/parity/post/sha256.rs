//! SHA-256 (FIPS 180-4): the peers' data names frames by it, and nothing in kinora needs it.

/// The digest in lower-case hexadecimal.
pub fn sha256(message: &[u8]) -> String {
    let mut state = roots(2, 8);
    let constants = roots(3, 64);
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((message.len() + 9).next_multiple_of(64) - 8, 0);
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    padded.chunks(64).for_each(|block| compress(&mut state, block, &constants));
    state.iter().map(|word| format!("{word:08x}")).collect()
}

/// The first 32 bits of the fractional parts of the square or cube roots of the first primes.
fn roots(degree: u32, count: usize) -> Vec<u32> {
    let prime = |n: &u64| (2..*n).all(|d| !n.is_multiple_of(d));
    (2u64..).filter(prime).take(count).map(|p| root(degree, p) as u32).collect()
}

/// `floor(p^(1/degree) * 2^32)` exactly, by bisection.
fn root(degree: u32, p: u64) -> u64 {
    let (mut low, mut high) = (0u64, 1u64 << 36);
    while high - low > 1 {
        let middle = (low + high) / 2;
        // middle^3 has up to 108 bits, p << 96 up to 105: both fit in 128.
        if u128::from(middle).pow(degree) <= u128::from(p) << (32 * degree) {
            low = middle
        } else {
            high = middle
        }
    }
    low
}

fn compress(state: &mut [u32], block: &[u8], constants: &[u32]) {
    let mut w: Vec<u32> = block.chunks(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]])).collect();
    for i in 16..64 {
        let s0 = w[i - 15].rotate_right(7) ^ w[i - 15].rotate_right(18) ^ (w[i - 15] >> 3);
        let s1 = w[i - 2].rotate_right(17) ^ w[i - 2].rotate_right(19) ^ (w[i - 2] >> 10);
        w.push(w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1));
    }
    let mut v: Vec<u32> = state.to_vec();
    for i in 0..64 {
        let s1 = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
        let choice = (v[4] & v[5]) ^ (!v[4] & v[6]);
        let t1 = [v[7], s1, choice, constants[i], w[i]].into_iter().fold(0u32, u32::wrapping_add);
        let s0 = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
        let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        v.rotate_right(1);
        v[4] = v[4].wrapping_add(t1);
        v[0] = t1.wrapping_add(s0).wrapping_add(majority);
    }
    state.iter_mut().zip(v).for_each(|(s, v)| *s = s.wrapping_add(v));
}
