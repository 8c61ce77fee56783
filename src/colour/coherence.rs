//! Colour coherence: giving a frame the colours of an anchor picture.

use rayon::prelude::*;

use super::space;
use super::transport::{Moments, Transport};
use crate::canvas::Canvas;
use crate::timeline::frame::Coherence;

/// Pixels that a thread converts at a time: they stay in its nearest cache.
const CHUNK: usize = 4096;

/// Which way round the channels stand when a conversion calls the first one red.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelOrder {
    /// Red is red.
    Rgb,
    /// Red and blue are exchanged inside HSV and LAB: what Deforum does, which hands BGR pictures to conversions
    /// from RGB. RGB matching is the same both ways.
    Bgr,
}

/// The picture whose colours others are given, reduced to what that needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Anchor {
    coherence: Coherence,
    order: ChannelOrder,
    channels: [Quantiles; 3],
    /// With [`Coherence::Mkl`], which needs no quantiles.
    moments: Option<Moments>,
}

/// The values of one channel that occur, and the share of the picture at or below each.
#[derive(Clone, Debug, Default, PartialEq)]
struct Quantiles {
    values: Vec<f64>,
    shares: Vec<f64>,
}

type Histogram = [[u32; 256]; 3];

impl Anchor {
    /// Remembers the colours of `picture` in the colour space of `coherence`.
    pub fn new(picture: &Canvas, coherence: Coherence, order: ChannelOrder) -> Self {
        if coherence == Coherence::Mkl {
            let moments = (picture.size().area() > 0).then(|| Moments::of(picture));
            return Self { coherence, order, channels: Default::default(), moments };
        }
        let mut pixels = picture.clone().into_rgb8();
        let histogram = enter(&mut pixels, coherence, order);
        let channels = histogram.map(|counts| Quantiles::new(&counts, picture.size().area()));
        Self { coherence, order, channels, moments: None }
    }

    /// `picture` with each channel's histogram matched to the anchor's (scikit-image's `match_histograms`, values
    /// truncated to 8 bit), or its mean and covariance to the anchor's ([`Coherence::Mkl`]). Sizes may differ. With [`Coherence::None`], and for empty pictures, it is given
    /// back unchanged.
    pub fn matched(&self, picture: &Canvas) -> Canvas {
        self.matched_by(picture, None)
    }

    /// The same, by what would give another picture, `judged`, the anchor's colours: a part of `picture`, say, that is to
    /// have them. Colours that do not occur in it become those of the nearest that do, or go on in a straight line
    /// ([`Coherence::Mkl`]).
    pub fn matched_by(&self, picture: &Canvas, judged: Option<&Canvas>) -> Canvas {
        let size = picture.size();
        let counted = judged.unwrap_or(picture).size().area();
        if let Some(target) = self.moments.as_ref().filter(|_| counted > 0) {
            return Transport::between(&Moments::of(judged.unwrap_or(picture)), target).moved(picture);
        }
        let empty = self.channels.iter().any(|channel| channel.values.is_empty());
        if self.coherence == Coherence::None || empty || counted == 0 {
            return picture.clone();
        }
        let mut pixels = picture.clone().into_rgb8();
        let own = enter(&mut pixels, self.coherence, self.order);
        let histogram =
            judged.map_or(own, |judged| enter(&mut judged.clone().into_rgb8(), self.coherence, self.order));
        let tables: [[u8; 256]; 3] = std::array::from_fn(|c| self.channels[c].table(&histogram[c], counted));
        leave(&mut pixels, self.coherence, self.order, &tables);
        Canvas::from_rgb8(size, pixels)
    }
}

/// `share` of the way from a picture to another one of its size, values rounded half to even: 0 is the first, 1 the other
/// one, and what is beyond counts as the nearer of the two.
///
/// # Panics
/// When the sizes differ: a bug of the caller.
pub fn part_way(from: Canvas, to: &Canvas, share: f64) -> Canvas {
    assert_eq!(from.size(), to.size(), "two pictures of one size");
    if share >= 1.0 {
        return to.clone();
    }
    if share.is_nan() || share <= 0.0 {
        return from;
    }
    let share = share as f32;
    let mut mixed = from;
    mixed.as_rgb8_mut().par_chunks_mut(1 << 15).zip(to.as_rgb8().par_chunks(1 << 15)).for_each(
        |(mixed, to)| {
            for (v, to) in mixed.iter_mut().zip(to) {
                let (a, b) = (f32::from(*v), f32::from(*to));
                *v = (a + share * (b - a)).round_ties_even() as u8;
            }
        },
    );
    mixed
}

impl Quantiles {
    fn new(counts: &[u32; 256], total: usize) -> Self {
        let shares = shares(counts, total);
        let occurring = (0..256).filter(|v| counts[*v] > 0);
        occurring.fold(Self::default(), |mut all, v| {
            all.values.push(v as f64);
            all.shares.push(shares[v]);
            all
        })
    }

    /// New value of each value of a channel with these counts.
    fn table(&self, counts: &[u32; 256], total: usize) -> [u8; 256] {
        shares(counts, total).map(|share| self.value_at(share) as u8)
    }

    /// Value below which a share of the anchor lies, linear in between (NumPy's `interp`, same order of operations).
    fn value_at(&self, share: f64) -> f64 {
        let (x, y) = (&self.shares, &self.values);
        let above = x.partition_point(|s| *s <= share);
        if above == 0 {
            return y[0];
        }
        let i = above - 1;
        if above == x.len() || x[i] == share {
            return y[i];
        }
        (y[above] - y[i]) / (x[above] - x[i]) * (share - x[i]) + y[i]
    }
}

/// Share of the pixels at or below each value.
fn shares(counts: &[u32; 256], total: usize) -> [f64; 256] {
    let mut sum = 0_u64;
    counts.map(|count| {
        sum += u64::from(count);
        sum as f64 / total as f64
    })
}

/// Converts RGB pixels to the space in place and counts what is there.
fn enter(pixels: &mut [u8], coherence: Coherence, order: ChannelOrder) -> Histogram {
    let pieces = pixels.as_chunks_mut::<3>().0.par_chunks_mut(CHUNK);
    let counts = pieces.fold(empty, |mut counts, piece| {
        match coherence {
            Coherence::Hsv => {
                swap(piece, order);
                space::to_hsv(piece);
            }
            Coherence::Lab => space::to_lab(piece, red(order)),
            Coherence::Rgb | Coherence::Mkl | Coherence::None => {}
        }
        count(piece, &mut counts);
        counts
    });
    // Sums of integers: the order in which threads finish cannot show.
    let [even, odd] = *counts.reduce(empty, |mut a, b| {
        add(a.as_flattened_mut(), b.as_flattened());
        a
    });
    let mut all = even;
    add(&mut all, &odd);
    all
}

fn add(to: &mut [[u32; 256]], from: &[[u32; 256]]) {
    to.as_flattened_mut().iter_mut().zip(from.as_flattened()).for_each(|(to, from)| *to += from);
}

/// Counts pixels, every other one in histograms of its own: neighbours are often equal, and adding to the same
/// number twice in a row makes the processor wait.
fn count(pixels: &[[u8; 3]], counts: &mut [Histogram; 2]) {
    let [even, odd] = counts;
    let (pairs, last) = pixels.as_chunks::<2>();
    let one = |histogram: &mut Histogram, pixel: &[u8; 3]| {
        for c in 0..3 {
            histogram[c][usize::from(pixel[c])] += 1;
        }
    };
    for [a, b] in pairs {
        one(even, a);
        one(odd, b);
    }
    last.iter().for_each(|pixel| one(even, pixel));
}

/// Applies a table to each channel and converts back to RGB, in place.
fn leave(pixels: &mut [u8], coherence: Coherence, order: ChannelOrder, tables: &[[u8; 256]; 3]) {
    pixels.as_chunks_mut::<3>().0.par_chunks_mut(CHUNK).for_each(|piece| {
        if coherence == Coherence::Lab {
            return space::from_lab(piece, tables, red(order));
        }
        for pixel in piece.iter_mut() {
            *pixel = std::array::from_fn(|c| tables[c][usize::from(pixel[c])]);
        }
        if coherence == Coherence::Hsv {
            space::from_hsv(piece);
            swap(piece, order);
        }
    });
}

/// The channel that the conversions call red.
fn red(order: ChannelOrder) -> usize {
    match order {
        ChannelOrder::Rgb => 0,
        ChannelOrder::Bgr => 2,
    }
}

/// Exchanges red and blue where the space is to see them exchanged.
fn swap(pixels: &mut [[u8; 3]], order: ChannelOrder) {
    if order == ChannelOrder::Bgr {
        pixels.iter_mut().for_each(|pixel| pixel.swap(0, 2));
    }
}

fn empty() -> Box<[Histogram; 2]> {
    Box::new([[[0; 256]; 3]; 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;
    use proptest::prelude::*;

    const ALL: [Coherence; 3] = [Coherence::Rgb, Coherence::Hsv, Coherence::Lab];

    fn picture(bytes: &[u8]) -> Canvas {
        Canvas::from_rgb8(Size::new(bytes.len() / 3, 1), bytes[..bytes.len() / 3 * 3].to_vec())
    }

    proptest! {
        #[test]
        fn a_picture_matched_to_itself_is_itself(bytes in prop::collection::vec(any::<u8>(), 3..300)) {
            let canvas = picture(&bytes);
            let anchor = Anchor::new(&canvas, Coherence::Rgb, ChannelOrder::Bgr);
            prop_assert_eq!(anchor.matched(&canvas), canvas.clone());
            // In the other spaces it is the picture after the round trip through the space, which loses levels
            // but maps equal colours to equal colours.
            for coherence in [Coherence::Hsv, Coherence::Lab] {
                let mut bytes = canvas.clone().into_rgb8();
                enter(&mut bytes, coherence, ChannelOrder::Rgb);
                let identity = [std::array::from_fn(|v| v as u8); 3];
                leave(&mut bytes, coherence, ChannelOrder::Rgb, &identity);
                let anchor = Anchor::new(&canvas, coherence, ChannelOrder::Rgb);
                prop_assert_eq!(anchor.matched(&canvas).into_rgb8(), bytes);
            }
        }

        #[test]
        fn the_order_of_channels_mirrors_the_result(
            a in prop::collection::vec(any::<u8>(), 3..200),
            b in prop::collection::vec(any::<u8>(), 3..200),
        ) {
            let swapped = |canvas: &Canvas| {
                let mut bytes = canvas.clone().into_rgb8();
                bytes.as_chunks_mut::<3>().0.iter_mut().for_each(|p| p.swap(0, 2));
                Canvas::from_rgb8(canvas.size(), bytes)
            };
            let (a, b) = (picture(&a), picture(&b));
            for coherence in ALL {
                let bgr = Anchor::new(&a, coherence, ChannelOrder::Bgr).matched(&b);
                let rgb = Anchor::new(&swapped(&a), coherence, ChannelOrder::Rgb).matched(&swapped(&b));
                prop_assert_eq!(bgr, swapped(&rgb));
            }
        }

        #[test]
        fn matching_in_rgb_stays_within_the_anchor(
            a in prop::collection::vec(any::<u8>(), 3..200),
            b in prop::collection::vec(any::<u8>(), 3..200),
        ) {
            let (a, b) = (picture(&a), picture(&b));
            let matched = Anchor::new(&a, Coherence::Rgb, ChannelOrder::Rgb).matched(&b);
            for c in 0..3 {
                let channel = |canvas: &Canvas| -> Vec<u8> {
                    canvas.as_rgb8().iter().skip(c).step_by(3).copied().collect()
                };
                let (low, high) = (channel(&a).into_iter().min(), channel(&a).into_iter().max());
                prop_assert!(channel(&matched).into_iter().min() >= low);
                prop_assert_eq!(channel(&matched).into_iter().max(), high);
            }
        }
    }

    #[test]
    fn a_part_of_the_way_lies_between() {
        let (a, b) = (picture(&[0, 100, 200]), picture(&[255, 110, 0]));
        assert_eq!(part_way(a.clone(), &b, 0.0), a);
        assert_eq!(part_way(a.clone(), &b, f64::NAN), a);
        assert_eq!(part_way(a.clone(), &b, 1.0), b);
        assert_eq!(part_way(a, &b, 0.5).pixel(0, 0), [128, 105, 100]);
    }

    #[test]
    fn linear_transport_gives_the_anchor_s_mean() {
        let anchor = picture(&[90, 110, 100, 120, 130, 90, 150, 140, 120, 130, 100, 140]);
        let other = picture(&[110, 120, 60, 150, 190, 160, 60, 130, 72, 90, 80, 61]);
        let matched = Anchor::new(&anchor, Coherence::Mkl, ChannelOrder::Rgb).matched(&other);
        let (wanted, found) = (Moments::of(&anchor), Moments::of(&matched));
        for c in 0..3 {
            // Four values, each rounded.
            assert!((wanted.mean[c] - found.mean[c]).abs() <= 0.5, "{wanted:?} {found:?}");
        }
        let nothing = Canvas::from_rgb8(Size::new(0, 0), Vec::new());
        assert_eq!(Anchor::new(&nothing, Coherence::Mkl, ChannelOrder::Rgb).matched(&other), other);
    }

    #[test]
    fn none_and_empty_pictures_change_nothing() {
        let canvas = picture(&[1, 2, 3, 4, 5, 6]);
        let nothing = Canvas::from_rgb8(Size::new(0, 0), Vec::new());
        assert_eq!(Anchor::new(&nothing, Coherence::None, ChannelOrder::Rgb).matched(&canvas), canvas);
        assert_eq!(Anchor::new(&nothing, Coherence::Lab, ChannelOrder::Rgb).matched(&canvas), canvas);
        assert_eq!(Anchor::new(&canvas, Coherence::Lab, ChannelOrder::Rgb).matched(&nothing), nothing);
    }

    #[test]
    fn a_picture_can_be_matched_by_a_part_of_it() {
        let bytes = |from: u8| (0..48).map(|i| from + i * 2).collect::<Vec<u8>>();
        let anchor = Canvas::from_rgb8(Size::new(4, 4), bytes(90));
        let part = Canvas::from_rgb8(Size::new(4, 4), bytes(60));
        let mut whole = Canvas::filled(Size::new(4, 12), [10, 40, 70]);
        whole.as_rgb8_mut()[48..96].copy_from_slice(part.as_rgb8());
        for coherence in [Coherence::Rgb, Coherence::Hsv, Coherence::Lab, Coherence::Mkl] {
            let anchor = Anchor::new(&anchor, coherence, ChannelOrder::Rgb);
            let matched = anchor.matched_by(&whole, Some(&part)).cut(0, 4, part.size());
            assert_eq!(matched, anchor.matched(&part), "{coherence:?}");
        }
    }
}
