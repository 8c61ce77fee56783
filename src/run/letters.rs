//! Small letters drawn into pictures: numbers and names on a contact sheet.

use crate::canvas::Canvas;

/// Columns and rows of a letter, without the space after it.
const LETTER: (usize, usize) = (3, 5);

/// Fifteen dots a letter, from the top left, row by row.
fn dots(letter: char) -> u16 {
    match letter.to_ascii_lowercase() {
        '0' => 0b111_101_101_101_111,
        '1' => 0b010_110_010_010_111,
        '2' => 0b111_001_111_100_111,
        '3' => 0b111_001_111_001_111,
        '4' => 0b101_101_111_001_001,
        '5' => 0b111_100_111_001_111,
        '6' => 0b111_100_111_101_111,
        '7' => 0b111_001_010_010_010,
        '8' => 0b111_101_111_101_111,
        '9' => 0b111_101_111_001_111,
        'a' => 0b010_101_111_101_101,
        'b' => 0b110_101_110_101_110,
        'c' => 0b011_100_100_100_011,
        'd' => 0b110_101_101_101_110,
        'e' => 0b111_100_110_100_111,
        'f' => 0b111_100_110_100_100,
        'g' => 0b011_100_101_101_011,
        'h' => 0b101_101_111_101_101,
        'i' => 0b111_010_010_010_111,
        'j' => 0b001_001_001_101_010,
        'k' => 0b101_101_110_101_101,
        'l' => 0b100_100_100_100_111,
        'm' => 0b101_111_111_101_101,
        'n' => 0b110_101_101_101_101,
        'o' => 0b010_101_101_101_010,
        'p' => 0b110_101_110_100_100,
        'q' => 0b010_101_101_111_011,
        'r' => 0b110_101_110_101_101,
        's' => 0b011_100_010_001_110,
        't' => 0b111_010_010_010_010,
        'u' => 0b101_101_101_101_111,
        'v' => 0b101_101_101_101_010,
        'w' => 0b101_101_111_111_101,
        'x' => 0b101_101_010_101_101,
        'y' => 0b101_101_010_010_010,
        'z' => 0b111_001_010_100_111,
        '.' => 0b000_000_000_000_010,
        ',' => 0b000_000_000_010_100,
        '_' => 0b000_000_000_000_111,
        '-' => 0b000_000_111_000_000,
        '+' => 0b000_010_111_010_000,
        ' ' => 0,
        // Whatever has no letter of its own is a box.
        _ => 0b111_101_101_101_111,
    }
}

/// Height of a line in pixels.
pub(super) const fn height(scale: usize) -> usize {
    (LETTER.1 + 2) * scale
}

/// Letters that fit into so many pixels.
pub(super) const fn fit(width: usize, scale: usize) -> usize {
    width / ((LETTER.0 + 1) * scale)
}

/// Writes a line of text, its top left at (`x`, `y`); what does not fit into the picture is cut off.
pub(super) fn write(canvas: &mut Canvas, (x, y): (usize, usize), text: &str, scale: usize, colour: [u8; 3]) {
    let (width, height) = (canvas.width(), canvas.height());
    for (index, letter) in text.chars().enumerate() {
        let left = x + index * (LETTER.0 + 1) * scale;
        let bits = dots(letter);
        for at in 0..LETTER.0 * LETTER.1 * scale * scale {
            let (px, py) = (at % (LETTER.0 * scale), at / (LETTER.0 * scale));
            let dot = py / scale * LETTER.0 + px / scale;
            let is_set = bits >> (LETTER.0 * LETTER.1 - 1 - dot) & 1 == 1;
            let (px, py) = (left + px, y + py);
            if is_set && px < width && py < height {
                let at = (py * width + px) * 3;
                canvas.as_rgb8_mut()[at..at + 3].copy_from_slice(&colour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;

    #[test]
    fn a_one_is_drawn_dot_by_dot_and_cut_off_at_the_edge() {
        let mut canvas = Canvas::filled(Size::new(4, 6), [0; 3]);
        write(&mut canvas, (0, 0), "11", 1, [255; 3]);
        let rows: Vec<String> = canvas
            .as_rgb8()
            .chunks(12)
            .map(|row| row.chunks(3).map(|p| if p[0] > 0 { '#' } else { '.' }).collect())
            .collect();
        assert_eq!(rows, [".#..", "##..", ".#..", ".#..", "###.", "...."]);
    }

    #[test]
    fn letters_and_digits_differ() {
        let letters: Vec<u16> = ('a'..='z').chain('0'..='9').map(dots).collect();
        let mut unique = letters.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), letters.len(), "two look the same");
    }
}
