//! Films that are made of videos, pictures and masks, rendered by the program.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Desk, root};
use kinora::canvas::{Canvas, Size};

const SIZE: Size = Size::new(64, 64);

/// Settings that make a film quick.
const QUICK: &str = "kinora 1\nprompt = \"a lamp\"\nsize = 64x64\nsteps = 2\nfps = 12\n";

/// A square on its way from the left to the right.
fn moving(number: usize) -> Canvas {
    let rgb = (0..SIZE.area()).flat_map(|at| {
        let (x, y) = (at % SIZE.width, at / SIZE.width);
        let is_in = (number * 4..number * 4 + 16).contains(&x) && (20..40).contains(&y);
        if is_in { [250, 240, 200] } else { [(x * 3) as u8, (y * 3) as u8, 90] }
    });
    Canvas::from_rgb8(SIZE, rgb.collect())
}

/// A desk with the square's way as a folder of pictures.
fn desk() -> Desk {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("clip")).unwrap();
    for number in 0..8 {
        std::fs::write(desk.path(&format!("clip/{number}.png")), moving(number).to_png().unwrap()).unwrap();
    }
    desk
}

fn frame(desk: &Desk, number: u32) -> Canvas {
    Canvas::open(&desk.path(&format!("film.frames/{number:06}.png"))).unwrap()
}

fn film(desk: &Desk, text: &str) {
    desk.write("film.kin", format!("{QUICK}{text}"));
}

#[test]
fn a_film_over_a_video_paints_again_only_what_changed() {
    let desk = desk();
    film(&desk, "source = video(\"clip\", every = 2)\nstrength = 0.5\n");
    desk.run(&["render", "film.kin"]).expect(0);
    assert_eq!(desk.frames("film.frames").len(), 4);
    let before: Vec<Canvas> = (0..4).map(|number| frame(&desk, number)).collect();
    assert_ne!(before[0], before[3]);
    // Picture 4 is frame 2's; picture 3 is nobody's.
    for number in [3, 4] {
        std::fs::write(desk.path(&format!("clip/{number}.png")), moving(0).to_png().unwrap()).unwrap();
    }
    let ran = desk.run(&["render", "film.kin"]).expect(0);
    assert!(ran.stderr.contains("were there already"), "{}", ran.stderr);
    for number in [0, 1, 3] {
        assert_eq!(frame(&desk, number), before[number as usize], "{number}");
    }
    assert_ne!(frame(&desk, 2), before[2]);
}

#[test]
fn outside_of_a_mask_the_picture_stays_to_the_byte() {
    let desk = desk();
    film(
        &desk,
        "frames = 2\nsource = still(\"clip/0.png\")\nmask = \"{box 0 0 0.5 1}\"\nmask_overlay_blur = 0\nstrength = 0.2\n",
    );
    desk.run(&["render", "film.kin"]).expect(0);
    let (still, painted) = (moving(0), frame(&desk, 1));
    let differs = |from: usize, to: usize| {
        (0..64)
            .flat_map(|y| (from..to).map(move |x| (x, y)))
            .any(|(x, y)| still.pixel(x, y) != painted.pixel(x, y))
    };
    assert!(differs(0, 32) && !differs(32, 64));
}

/// Renders a film; then again with everything from frame `from` on thrown away: the same bytes come.
fn resumes(text: &str, from: u32) {
    let desk = desk();
    film(&desk, text);
    desk.run(&["render", "film.kin"]).expect(0);
    let names = desk.frames("film.frames");
    let read = |desk: &Desk| -> Vec<Vec<u8>> {
        names.iter().map(|name| desk.read(&format!("film.frames/{name}"))).collect()
    };
    let whole = read(&desk);
    for name in names.iter().skip(from as usize) {
        std::fs::remove_file(desk.path(&format!("film.frames/{name}"))).unwrap();
    }
    desk.run(&["render", "film.kin"]).expect(0);
    assert!(whole == read(&desk), "the frames differ after a resumed run");
}

#[test]
fn hybrid_films_go_on_where_they_stopped() {
    for motion in ["optical_flow\nhybrid_flow_consistency = true", "affine", "perspective"] {
        resumes(
            &format!(
                "hybrid = video(\"clip\")\nhybrid_composite = normal\nhybrid_comp_mask_type = difference\n\
                 hybrid_motion = {motion}\nstrength = 0.6\n"
            ),
            4,
        );
    }
}

#[test]
fn a_scene_that_starts_from_the_one_before_goes_on_where_it_stopped() {
    let text = "scene one 3f { zoom = 1.02 }\nscene two 3f { source = previous  init_strength = 0.5  zoom = 0.98 }\n";
    resumes(text, 3);
    resumes(text, 4);
}

#[test]
fn guided_films_go_on_where_they_stopped() {
    resumes("frames = 5\nguide.images = 0: \"clip/0.png\", 3: \"clip/7.png\"\nimage_strength = 0.5\n", 3);
}

#[cfg(feature = "ffmpeg")]
#[test]
fn videos_are_read_and_their_sound_is_kept() {
    use kinora::encode::{Fps, SoundReader, VideoReader, VideoSettings, VideoWriter};
    let desk = desk();
    let mut writer =
        VideoWriter::open(&desk.path("pictures.mp4"), SIZE, Fps::new(12, 1), &VideoSettings::default())
            .unwrap();
    (0..8).for_each(|number| writer.push(&moving(number)).unwrap());
    writer.finish().unwrap();
    std::fs::copy(root().join("grammar/corpus/beat.wav"), desk.path("beat.wav")).unwrap();
    film(&desk, "source = video(\"pictures.mp4\")\naudio = \"beat.wav\"\nout = \"heard.mp4\"\n");
    desk.run(&["render", "film.kin"]).expect(0);
    let mut video = VideoReader::open(&desk.path("heard.mp4")).unwrap();
    assert_eq!((video.count_frames().unwrap(), video.has_sound()), (8, true));
    // The sound is cut to the pictures: 8 frames of a twelfth. AAC has a packet of 1024 samples to start with, and the
    // last one is filled up.
    let mut sound = SoundReader::open(&desk.path("heard.mp4")).unwrap();
    let (mut heard, mut peak) = (0, 0.0_f64);
    while let Some(samples) = sound.read().unwrap() {
        heard += samples.len();
        peak = samples.iter().fold(peak, |peak, sample| peak.max(sample.abs()));
    }
    let seconds = heard as f64 / f64::from(sound.rate());
    assert!(
        (0.4..=8.0 / 12.0 + 2048.0 / f64::from(sound.rate())).contains(&seconds) && peak > 0.01,
        "{seconds} s, peak {peak}"
    );
    // What has sound can lend it to the next film, from its first frame that is used on.
    film(&desk, "source = video(\"heard.mp4\", from = 2)\naudio = source\nout = \"again.mp4\"\n");
    desk.run(&["render", "film.kin"]).expect(0);
    let mut again = VideoReader::open(&desk.path("again.mp4")).unwrap();
    assert_eq!((again.count_frames().unwrap(), again.has_sound()), (6, true));
    assert!(!desk.path(".again.mp4.silent.mp4").exists());
    let first = desk.read("again.mp4");
    std::fs::remove_file(desk.path("again.mp4")).unwrap();
    desk.run(&["render", "film.kin"]).expect(0);
    assert!(first == desk.read("again.mp4"), "the same film gave another file");
}

#[cfg(feature = "ffmpeg")]
#[test]
fn the_sound_of_a_film_that_goes_round_leads_into_its_beginning() {
    use kinora::encode::SoundReader;
    let desk = desk();
    std::fs::copy(root().join("grammar/corpus/beat.wav"), desk.path("beat.wav")).unwrap();
    let heard = |label: &str| {
        // Three quarters of a second, of a sound of two.
        film(
            &desk,
            &format!("audio = \"beat.wav\"\nout = \"heard.mp4\"\nscene a 9f {label} {{ zoom = 1.02 }}\n"),
        );
        desk.run(&["render", "film.kin"]).expect(0);
        let mut sound = SoundReader::open(&desk.path("heard.mp4")).unwrap();
        let mut all = Vec::new();
        while let Some(samples) = sound.read().unwrap() {
            all.extend(samples);
        }
        all
    };
    let (once, round) = (heard(""), heard("loop"));
    assert_eq!(once.len(), round.len());
    let difference = |range: std::ops::Range<usize>| {
        let sum: f64 = range.clone().map(|n| (once[n] - round[n]).abs()).sum();
        sum / range.len() as f64
    };
    // A quarter of the film at 8000 samples a second begins with a beat; a packet later the codec has forgotten it.
    let (faded, rest) = (difference(0..1500), difference(4096..6000));
    assert!(faded > 0.01 && rest < 0.1 * faded, "{faded} and {rest}");
}

#[cfg(feature = "ffmpeg")]
#[test]
fn a_crossfade_keeps_the_length_and_mixes_the_scenes() {
    use kinora::encode::VideoReader;
    let desk = desk();
    film(
        &desk,
        "scene one 3f { source = still(\"clip/0.png\")  strength = 1 }\n\
         scene two 4f { source = still(\"clip/7.png\")  strength = 1  transition = crossfade(length = 3) }\n",
    );
    desk.run(&["render", "film.kin"]).expect(0);
    let shown: Vec<Canvas> =
        VideoReader::open(&desk.path("film.mp4")).unwrap().collect::<kinora::error::Result<_>>().unwrap();
    assert_eq!(shown.len(), 7);
    // Where the square of the second scene is, which comes in by quarters.
    let light: Vec<u8> = shown.iter().map(|picture| picture.pixel(38, 30)[0]).collect();
    let stored = frame(&desk, 4).pixel(38, 30)[0];
    assert!(light[2] + 20 < light[3] && light[3] + 20 < light[4] && light[4] + 20 < light[5], "{light:?}");
    assert!(stored.abs_diff(light[6]) < 12, "{stored} {light:?}");
}
