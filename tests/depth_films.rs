//! Films over depth: kept steady, given as pictures, stored beside the frames; and what `kinora depth` writes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Desk, picture};
use kinora::canvas::{Canvas, Size};
use kinora::render::depth_file;

/// A flight that the embedded models render in a few seconds.
fn flight(frames: u32, more: &str) -> String {
    format!(
        "kinora 1\nvideo {{ size = 64x64  fps = 4 }}\nframes = {frames}\nprompt = \"a tunnel, purple\"\n\
         translation_z = 8\nrotation_3d_y = 1\nsteps = 2\n{more}"
    )
}

fn hashes(desk: &Desk, name: &str) -> Vec<(String, String)> {
    let folder = format!("{name}.frames");
    let hash = |file: &String| blake3::hash(&desk.read(&format!("{folder}/{file}"))).to_hex().to_string();
    desk.pictures(&folder).iter().map(|file| (file.clone(), hash(file))).collect()
}

/// The depth of a frame is part of what the next one is made of, and comes out of the store again to the bit.
#[test]
fn a_steady_flight_that_is_taken_up_again_has_the_same_bytes() {
    let desk = Desk::new();
    desk.write("film.kin", flight(7, ""));
    desk.run(&["render", "film.kin"]).expect(0);
    let whole = hashes(&desk, "film");
    assert!(whole.iter().any(|(name, _)| name == "000006.depth.png"), "{whole:?}");
    // The frames behind the fourth are gone, as after a kill.
    let frames = desk.path("film.frames");
    for frame in 4..7 {
        std::fs::remove_file(frames.join(format!("{frame:06}.png"))).unwrap();
        std::fs::remove_file(frames.join(format!("{frame:06}.depth.png"))).unwrap();
    }
    desk.run(&["render", "film.kin"]).expect(0).says(&["were there already"]);
    assert_eq!(hashes(&desk, "film"), whole);
    // A depth that is damaged is made again, and everything behind it.
    std::fs::write(frames.join("000002.depth.png"), b"damaged").unwrap();
    desk.run(&["render", "film.kin"]).expect(0);
    assert_eq!(hashes(&desk, "film"), whole);
}

#[test]
fn steadiness_and_near_and_far_change_the_film_and_saving_does_not() {
    let desk = Desk::new();
    let films = [
        ("plain", "depth.steady = false\n"),
        ("saved", "depth.steady = false\ndepth.save = true\n"),
        ("steady", "depth.steady = true\n"),
        ("wide", "depth.steady = false\ndepth.far = 5\n"),
        ("turned", "depth.steady = false\ndepth.invert = true\n"),
        ("equal", "depth.equalise = true\n"),
    ];
    let mut last = Vec::new();
    for (name, more) in films {
        desk.write(&format!("{name}.kin"), flight(4, more));
        desk.run(&["render", &format!("{name}.kin")]).expect(0);
        last.push(desk.read(&format!("{name}.frames/000003.png")));
    }
    assert!(last[0] == last[1], "what is stored beside a frame changes nothing in it");
    for (i, (name, _)) in films.iter().enumerate().skip(2) {
        assert!(last[i] != last[0], "{name} is as if it had not been said");
    }
    let stored = |name: &str| desk.pictures(&format!("{name}.frames")).len();
    assert_eq!((stored("plain"), stored("saved"), stored("steady"), stored("equal")), (4, 8, 8, 4));
    let depth = depth_file::read(&desk.path("saved.frames/000002.depth.png")).unwrap();
    assert_eq!(depth.size(), Size::new(64, 64));
}

/// A ramp whose brightness begins at `first`.
fn ramp(desk: &Desk, name: &str, first: u16) {
    let size = 64_u32;
    let value = |x: u32, _: u32| image::Luma([first + (x * 400) as u16]);
    let path = desk.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::ImageBuffer::from_fn(size, size, value).save(path).unwrap();
}

#[test]
fn every_frame_has_its_own_picture_of_depth() {
    let desk = Desk::new();
    (0..4).for_each(|i| ramp(&desk, &format!("depth/d{i:02}.png"), 1000 * i));
    let film = flight(4, "depth = pictures(\"depth/d%02d.png\")\ncontrol depth { weight = 0.5 }\n");
    desk.write("film.kin", &film);
    desk.write("folder.kin", film.replace("depth/d%02d.png", "depth"));
    desk.run(&["render", "film.kin"]).expect(0);
    desk.run(&["render", "folder.kin"]).expect(0);
    let whole = hashes(&desk, "film");
    assert_eq!(hashes(&desk, "folder"), whole, "a folder is the same pictures");
    // Another picture changes its own frame and those behind it, and no earlier one.
    ramp(&desk, "depth/d02.png", 30_000);
    desk.run(&["render", "film.kin"]).expect(0).says(&["were there already"]);
    let after = hashes(&desk, "film");
    let same: Vec<bool> = whole.iter().zip(&after).map(|(a, b)| a == b).collect();
    assert_eq!(same, [true, true, false, false]);
}

#[test]
fn a_missing_picture_of_depth_is_named_when_the_film_is_checked() {
    let desk = Desk::new();
    (0..3).for_each(|i| ramp(&desk, &format!("depth/{i:04}.png"), 0));
    desk.write("film.kin", flight(5, "depth = pictures(\"depth/%04d.png\")\n"));
    desk.run(&["check", "film.kin"]).expect(1).says(&["E60", "frame 3 needs the file `depth/0003.png`"]);
    desk.write("film.kin", flight(5, "depth = pictures(\"depth\")\n"));
    desk.run(&["render", "film.kin"])
        .expect(1)
        .says(&["frame 3 needs picture 4 of the folder `depth`, which has 3"]);
    desk.write("film.kin", flight(3, "depth = pictures(\"depth/%04d.png\")\n"));
    desk.run(&["check", "film.kin"]).expect(0);
}

#[test]
fn the_depth_of_a_picture_is_written_and_read_again_on_its_own_scale() {
    let desk = Desk::new();
    picture(&desk.path("photo.png"), 80, 56);
    desk.run(&["depth", "photo.png"]).expect(0).says(&["photo.depth.png", "80x56", "kinora-depth"]);
    let stored = depth_file::read(&desk.path("photo.depth.png")).unwrap();
    assert_eq!(stored.size(), Size::new(80, 56));
    let low = stored.values().iter().fold(f32::MAX, |m, v| m.min(*v));
    let high = stored.values().iter().fold(f32::MIN, |m, v| m.max(*v));
    assert!(low < 0.05 && high > 0.95, "{low} {high}");
    let again = kinora::depth::read_picture(&desk.path("photo.depth.png")).unwrap();
    let apart = again.values().iter().zip(stored.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-5, "{apart}");
    let canvas = Canvas::open(&desk.path("photo.png")).unwrap();
    assert_eq!(canvas.size(), stored.size());
    desk.run(&["depth", "photo.png", "-o", "photo.png"]).expect(2);
    desk.run(&["depth", "photo.png", "--model", "no-such"]).expect(3).says(&["no-such"]);
    desk.run(&["depth", "nothing.png"]).expect(3).says(&["nothing.png"]);
}
