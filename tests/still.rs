//! `kinora still` and `kinora inspect`: pictures by themselves, what they say about their making, and that
//! they can be made again from it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;

use common::{Desk, Ran, picture};
use kinora::canvas::{Canvas, Size};
use kinora::infotext::{Parameters, described};

/// Runs `still` with two steps at 64x64, which takes a fraction of a second.
fn quick(desk: &Desk, args: &[&str]) -> Ran {
    let small = ["still", "--size", "64x64", "--steps", "2", "--quiet"];
    desk.run(&[&small, args].concat())
}

fn open(desk: &Desk, name: &str) -> Canvas {
    Canvas::open(&desk.path(name)).unwrap()
}

/// What a picture says, as `inspect` prints it.
fn said(desk: &Desk, name: &str) -> serde_json::Value {
    let ran = desk.run(&["inspect", "--json", name]).expect(0);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}", ran.stdout))
}

/// Writes a picture with an alpha of 0 in its left half.
fn half_transparent(path: &Path, width: u32, height: u32) {
    let pixel = |x, y| image::Rgba([(x * 3) as u8, (y * 3) as u8, 60, if x < width / 2 { 0 } else { 255 }]);
    image::RgbaImage::from_fn(width, height, pixel).save(path).unwrap();
}

#[test]
fn several_pictures_have_seeds_and_names_of_their_own() {
    let desk = Desk::new();
    let ran = quick(&desk, &["a tunnel", "--seed", "5", "--count", "3", "-o", "a.png"]).expect(0);
    assert_eq!(ran.stdout, "a-1.png\na-2.png\na-3.png\n");
    let seeds: Vec<_> =
        (1..=3).map(|i| said(&desk, &format!("a-{i}.png"))["parameters"]["Seed"].clone()).collect();
    assert_eq!(seeds, ["5", "6", "7"]);
    // The second of three is the picture of its own seed.
    quick(&desk, &["a tunnel", "--seed", "6", "-o", "six.png"]).expect(0);
    assert_eq!(desk.read("six.png"), desk.read("a-2.png"));
    assert_ne!(open(&desk, "a-1.png"), open(&desk, "a-2.png"));
}

#[test]
fn a_finished_picture_is_never_replaced_unasked() {
    let desk = Desk::new();
    for name in ["still.png", "still-2.png"] {
        assert_eq!(quick(&desk, &["a tunnel"]).expect(0).stdout, format!("{name}\n"));
    }
    assert_eq!(desk.read("still.png"), desk.read("still-2.png"));
    quick(&desk, &["a cave", "--force"]).expect(0);
    assert_ne!(desk.read("still.png"), desk.read("still-2.png"));
    assert_eq!(said(&desk, "still.png")["prompt"], "a cave");
    assert_eq!(quick(&desk, &["a", "-o", "new/"]).expect(0).stdout, "new/00001.png\n");
}

#[test]
fn a_picture_that_is_not_repainted_comes_back_as_it_was() {
    let desk = Desk::new();
    for (width, height) in [(64, 64), (61, 43), (1, 1)] {
        picture(&desk.path("in.png"), width, height);
        let args =
            ["still", "a", "--init", "in.png", "--denoise", "0", "-o", "out.png", "--force", "--quiet"];
        desk.run(&args).expect(0);
        assert_eq!(open(&desk, "out.png"), open(&desk, "in.png"), "{width}x{height}");
    }
}

#[test]
fn a_picture_is_painted_over_at_its_own_size() {
    let desk = Desk::new();
    picture(&desk.path("in.png"), 61, 43);
    let over = ["still", "a tunnel", "--init", "in.png", "--steps", "4", "--quiet"];
    desk.run(&[&over[..], &["--denoise", "0.5", "-o", "half.png"]].concat()).expect(0);
    desk.run(&[&over[..], &["--denoise", "1", "-o", "all.png"]].concat()).expect(0);
    let far = |a: &Canvas, b: &Canvas| -> u32 {
        a.as_rgb8().iter().zip(b.as_rgb8()).map(|(a, b)| u32::from(a.abs_diff(*b))).sum()
    };
    let (init, half, all) = (open(&desk, "in.png"), open(&desk, "half.png"), open(&desk, "all.png"));
    assert_eq!(half.size(), Size::new(61, 43));
    assert!(far(&init, &half) > 0 && far(&init, &half) < far(&init, &all));
    let half = said(&desk, "half.png");
    assert_eq!(half["parameters"]["Denoising strength"], "0.5");
    assert_eq!(half["parameters"]["Init image"], "in.png");
    assert_eq!(half["parameters"]["Size"], "61x43");
}

/// Copies the embedded model's autoencoder out of the repository.
fn copy_vae(desk: &Desk, name: &str) {
    std::fs::create_dir(desk.path(name)).unwrap();
    let folder = common::root().join("presets/models/kinora-tiny/vae");
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        std::fs::copy(entry.path(), desk.path(name).join(entry.file_name())).unwrap();
    }
}

#[test]
fn an_autoencoder_takes_the_place_of_the_model_s_own() {
    let desk = Desk::new();
    copy_vae(&desk, "same");
    copy_vae(&desk, "dark");
    // The first of its weights, which are the decoder's, are nothing.
    let file = desk.path("dark").join("diffusion_pytorch_model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[8 + header..][..4000].fill(0);
    std::fs::write(&file, bytes).unwrap();
    quick(&desk, &["a tunnel", "-o", "own.png"]).expect(0);
    quick(&desk, &["a tunnel", "--vae", "same", "-o", "same.png"]).expect(0);
    quick(&desk, &["a tunnel", "--vae", "kinora-tiny", "-o", "whole.png"]).expect(0);
    quick(&desk, &["a tunnel", "--vae", "dark", "-o", "dark.png"]).expect(0);
    assert_eq!(open(&desk, "own.png"), open(&desk, "same.png"));
    assert_eq!(open(&desk, "own.png"), open(&desk, "whole.png"));
    assert_ne!(open(&desk, "own.png"), open(&desk, "dark.png"));
    assert_eq!(said(&desk, "same.png")["parameters"]["VAE"], "same");

    let config = String::from_utf8(desk.read("same/config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["latent_channels"] = 16.into();
    desk.write("same/config.json", config.to_string());
    quick(&desk, &["a tunnel", "--vae", "same"])
        .expect(3)
        .says(&["channels of the latent", "another family"]);
    quick(&desk, &["a tunnel", "--vae", "sane"]).expect(3).says(&["did you mean `same`?"]);
    // A picture whose autoencoder is gone.
    std::fs::remove_dir_all(desk.path("dark")).unwrap();
    desk.run(&["still", "--from", "dark.png", "-o", "x.png"]).expect(3).says(&["dark", "--vae"]);
}

/// A mask that is white in a box: left, top, right, bottom.
fn white_box(path: &Path, size: Size, [left, top, right, bottom]: [usize; 4]) {
    let inside = |x, y| (left..right).contains(&x) && (top..bottom).contains(&y);
    let value = |i: usize| if inside(i % size.width, i / size.width) { 255 } else { 0 };
    let rgb = (0..size.area()).flat_map(|i| [value(i); 3]).collect();
    std::fs::write(path, Canvas::from_rgb8(size, rgb).to_png().unwrap()).unwrap();
}

/// Left, top, right and bottom edge of what differs between two pictures.
fn difference(a: &Canvas, b: &Canvas) -> Option<[usize; 4]> {
    assert_eq!(a.size(), b.size());
    let places = (0..a.height()).flat_map(|y| (0..a.width()).map(move |x| (x, y)));
    places.filter(|(x, y)| a.pixel(*x, *y) != b.pixel(*x, *y)).fold(None, |edges, (x, y)| {
        let [left, top, right, bottom] = edges.unwrap_or([x, y, x, y]);
        Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
    })
}

#[test]
fn only_what_is_masked_is_repainted() {
    let desk = Desk::new();
    let size = Size::new(90, 70);
    picture(&desk.path("in.png"), size.width, size.height);
    white_box(&desk.path("mask.png"), size, [30, 20, 60, 50]);
    half_transparent(&desk.path("holes.png"), 90, 70);
    let painted = |args: &[&str]| {
        let small =
            ["still", "a tunnel", "--steps", "3", "--mask-blur", "0", "-o", "out.png", "--force", "--quiet"];
        desk.run(&[&small, args].concat()).expect(0);
        open(&desk, "out.png")
    };
    let (init, holes) = (open(&desk, "in.png"), open(&desk, "holes.png"));
    let masked = ["--init", "in.png", "--mask", "mask.png"];
    let inside = |edges: Option<[usize; 4]>, [left, top, right, bottom]: [usize; 4]| {
        let [l, t, r, b] = edges.expect("something was repainted");
        assert!(l >= left && t >= top && r < right && b < bottom, "{edges:?}");
    };
    for fill in ["original", "fill", "latent-noise", "latent-nothing"] {
        inside(difference(&init, &painted(&[&masked[..], &["--fill", fill]].concat())), [30, 20, 60, 50]);
    }
    inside(
        difference(&init, &painted(&[&masked[..], &["--only-masked", "8", "--size", "64x64"]].concat())),
        [30, 20, 60, 50],
    );
    let rest = painted(&[&masked[..], &["--invert-mask"]].concat());
    assert_eq!(difference(&init.cut(30, 20, Size::new(30, 30)), &rest.cut(30, 20, Size::new(30, 30))), None);
    assert!(difference(&init, &rest).is_some());
    // One box, at any size; and what is transparent.
    let boxed = painted(&["--init", "in.png", "--region", "5,6,20,30", "--size", "64x64"]);
    inside(difference(&init, &boxed), [5, 6, 25, 36]);
    inside(difference(&holes, &painted(&["--init", "holes.png"])), [0, 0, 45, 70]);
    // The mask is softened beyond its edge unless it is told not to.
    let soft = ["still", "a tunnel", "--steps", "3", "-o", "soft.png", "--quiet"];
    desk.run(&[&soft[..], &masked].concat()).expect(0);
    let [left, ..] = difference(&init, &open(&desk, "soft.png")).unwrap();
    assert!(left < 30, "{left}");
}

#[test]
fn seeds_of_the_web_ui_are_those_of_the_graphics_card_unless_it_says_otherwise() {
    let desk = Desk::new();
    picture(&desk.path("plain.png"), 8, 8);
    let plain = desk.read("plain.png");
    let text = "a\nSteps: 2, Sampler: Euler, CFG scale: 3, Seed: 3, Size: 64x64, Model: kinora-tiny";
    desk.write("gpu.png", described(&plain, &format!("{text}, Version: v1.10.1")));
    desk.write("cpu.png", described(&plain, &format!("{text}, RNG: CPU, Version: v1.10.1")));
    for (name, rng) in [("gpu", "NV"), ("cpu", "CPU")] {
        let (from, out) = (format!("{name}.png"), format!("{name}-out.png"));
        desk.run(&["still", "--from", &from, "-o", &out, "--quiet"]).expect(0);
        assert_eq!(said(&desk, &out)["parameters"]["RNG"], rng);
    }
    assert_ne!(open(&desk, "gpu-out.png"), open(&desk, "cpu-out.png"));
}

#[test]
fn prompts_of_every_kind_come_back_letter_for_letter() {
    let desk = Desk::new();
    let long = "a lighthouse, (dusk:1.2), ".repeat(400);
    assert!(long.len() >= 10_000);
    let cases = [
        ("quotes \" ' and \\ and, commas: colons", "x"),
        ("two\nlines\n\n and a third ", ""),
        ("a\nNegative prompt: not the negative one", "b\nSteps: 1, Seed: 2, Size: 3x3"),
        ("日本語 🦀 naïve", "ß"),
        (long.as_str(), "blurry"),
        ("Steps: 1, Sampler: none, Seed: 3", " "),
    ];
    for (prompt, negative) in cases {
        desk.write("p.txt", prompt);
        desk.write("n.txt", format!("{negative}\n"));
        quick(&desk, &["@p.txt", "--negative", "@n.txt", "-o", "a.png", "--force"]).expect(0);
        let said = said(&desk, "a.png");
        assert_eq!((&said["prompt"], &said["negative"]), (&prompt.into(), &negative.into()));
        desk.run(&["still", "--from", "a.png", "-o", "b.png", "--force", "--quiet"]).expect(0);
        assert_eq!(desk.read("a.png"), desk.read("b.png"), "{prompt}");
    }
    quick(&desk, &["@@home", "-o", "at.png"]).expect(0);
    assert_eq!(said(&desk, "at.png")["prompt"], "@home");
}

#[test]
fn a_picture_is_made_again_from_what_it_says() {
    let desk = Desk::new();
    picture(&desk.path("init.png"), 70, 50);
    std::fs::create_dir(desk.path("shown")).unwrap();
    half_transparent(&desk.path("holes.png"), 40, 40);
    copy_vae(&desk, "bright-vae");
    white_box(&desk.path("mask.png"), Size::new(70, 50), [20, 10, 40, 30]);
    picture(&desk.path("shown/depth.png"), 64, 64);
    let own = ["--size", "64x64", "--control"];
    let cases: Vec<Vec<&str>> = vec![
        vec![],
        vec!["--sampler", "Euler a", "--seed", "4294967295", "--guidance", "6.1", "--negative", "dull"],
        vec!["--sampler", "DPM++ 2M SDE Karras", "--steps", "3"],
        vec!["--sampler", "dpmpp_sde", "--spacing", "exponential", "--clip-skip", "2"],
        vec!["--subseed", "9", "--subseed-strength", "0.3", "--seed", "random"],
        vec!["--init", "init.png", "--denoise", "0.35"],
        vec!["--init", "init.png", "--size", "64x48"],
        [&own[..], &["depth=shown/depth.png,weight=0.8,end=0.7,mode=control"]].concat(),
        vec!["--init", "init.png", "--control", "depth=auto"],
        vec!["--rng", "nv", "--sampler", "euler_a", "--eta", "0.7", "--s-noise", "1.02", "--ensd", "31337"],
        vec!["--sampler", "DDIM", "--eta", "0.4"],
        vec![
            "--init",
            "init.png",
            "--mask",
            "mask.png",
            "--fill",
            "latent-noise",
            "--mask-blur",
            "2.5",
            "--soft-mask",
        ],
        vec![
            "--init",
            "init.png",
            "--mask",
            "mask.png",
            "--invert-mask",
            "--only-masked",
            "8",
            "--size",
            "64x64",
        ],
        vec!["--init", "init.png", "--region", "10,10,20,20", "--size", "64x64", "--fill", "latent-nothing"],
        vec!["--init", "holes.png"],
        vec!["--vae", "bright-vae"],
    ];
    for (number, case) in cases.iter().enumerate() {
        let (first, again) = (format!("{number}.png"), format!("{number}-again.png"));
        let args = ["still", "a tunnel, purple", "--quiet", "--steps", "2", "-o", &first];
        let size: &[&str] =
            if case.contains(&"--init") || case.contains(&"--size") { &[] } else { &["--size", "64x64"] };
        let args: Vec<&str> =
            if case.contains(&"--steps") { [&args[..3], &args[5..]].concat() } else { args.to_vec() };
        desk.run(&[&args[..], size, case].concat()).expect(0);
        desk.run(&["still", "--from", &first, "-o", &again, "--quiet"]).expect(0);
        assert_eq!(desk.read(&first), desk.read(&again), "{case:?}: {}", said(&desk, &first)["text"]);
    }
    // What is said on the command line counts for more.
    desk.run(&["still", "--from", "0.png", "--seed", "77", "-o", "other.png", "--quiet"]).expect(0);
    assert_eq!(said(&desk, "other.png")["parameters"]["Seed"], "77");
    assert_ne!(open(&desk, "other.png"), open(&desk, "0.png"));
}

#[test]
fn what_is_missing_to_make_it_again_is_named() {
    let desk = Desk::new();
    picture(&desk.path("plain.png"), 8, 8);
    let plain = desk.read("plain.png");
    let write = |name: &str, text: &str| desk.write(name, described(&plain, text));
    let from = |name: &str| desk.run(&["still", "--from", name, "-o", "out.png", "--quiet"]);

    from("plain.png").expect(3).says(&["does not say how it was made"]);
    from("no.png").expect(3).says(&["no.png"]);
    desk.write("text.png", "no picture at all");
    from("text.png").expect(3).says(&["no PNG, JPEG or WebP"]);

    write("model.png", "a\nSteps: 2, Seed: 1, Size: 64x64, Model hash: 0123456789, Model: dreamy_v9");
    from("model.png").expect(3).says(&["dreamy_v9", "0123456789", "--model"]);
    desk.run(&["still", "--from", "model.png", "--model", "kinora-tiny", "-o", "mine.png", "--quiet"])
        .expect(0);

    let tiny = "Model: kinora-tiny, Version: v1.10.1";
    write("over.png", &format!("a\nSteps: 2, Seed: 1, Size: 64x64, Denoising strength: 0.4, {tiny}"));
    from("over.png").expect(2).says(&["painted over another picture", "0.4", "--init"]);
    write(
        "seen.png",
        &format!("a\nSteps: 2, Seed: 1, Size: 64x64, ControlNet 0: \"Module: canny, Model: c [ab]\", {tiny}"),
    );
    from("seen.png").expect(2).says(&["ControlNet 0", "--control"]);

    // The init picture has changed since.
    picture(&desk.path("init.png"), 64, 64);
    desk.run(&["still", "a", "--init", "init.png", "--steps", "2", "-o", "was.png", "--quiet"]).expect(0);
    picture(&desk.path("init.png"), 64, 32);
    from("was.png").expect(2).says(&["init.png", "not found unchanged"]);
}

#[test]
fn pictures_of_the_web_ui_are_repeated_as_far_as_kinora_can() {
    let desk = Desk::new();
    picture(&desk.path("plain.png"), 8, 8);
    let text = "a tunnel, (purple:1.2)\nNegative prompt: dull\nSteps: 2, Sampler: Euler a, CFG scale: 6.5, Seed: 3, \
                Size: 64x64, Model hash: 0123456789, Model: kinora-tiny, Denoising strength: 0.7, Clip skip: 2, \
                Hires upscale: 2, Hires upscaler: Latent, Tiling: True, RNG: CPU, Version: v1.10.1";
    desk.write("web.png", described(&desk.read("plain.png"), text));
    let ran = desk.run(&["still", "--from", "web.png", "-o", "out.png", "--quiet"]).expect(0);
    let ran = ran.says(&["Hires upscale: 2", "Hires upscaler: Latent", "Tiling: True", "hash 0123456789"]);
    assert!(!ran.stderr.contains("Version"), "{}", ran.stderr);
    let said = said(&desk, "out.png");
    let expected = [
        ("Sampler", "Euler a"),
        ("Schedule type", "Uniform"),
        ("CFG scale", "6.5"),
        ("Seed", "3"),
        ("Clip skip", "2"),
    ];
    for (name, value) in expected {
        assert_eq!(said["parameters"][name], value, "{name}");
    }
    assert_eq!(said["prompt"], "a tunnel, (purple:1.2)");
    let inspected = desk.run(&["inspect", "web.png"]).expect(0).stdout;
    assert!(
        inspected.contains("made by A1111") && inspected.contains("kinora does not have it"),
        "{inspected}"
    );
}

/// A JPEG with the text in Exif, big-endian UTF-16 as piexif writes it.
fn jpeg(text: &str) -> Vec<u8> {
    use image::ImageEncoder as _;
    let words: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let comment = [b"UNICODE\0".as_slice(), &words].concat();
    let mut exif = b"MM\0\x2a\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0".to_vec();
    exif.extend(b"\0\x01\x92\x86\0\x07");
    exif.extend((comment.len() as u32).to_be_bytes());
    exif.extend(b"\0\0\0\x2c\0\0\0\0");
    exif.extend(comment);
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new(&mut bytes);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&[90; 16 * 8 * 3], 16, 8, image::ExtendedColorType::Rgb8).unwrap();
    bytes
}

#[test]
fn a_jpeg_says_it_too() {
    let desk = Desk::new();
    let text = "a tunnel 🦀\nSteps: 2, Sampler: Euler, Seed: 1, Size: 64x64, Model: kinora-tiny, RNG: CPU";
    desk.write("web.jpg", jpeg(text));
    let said = said(&desk, "web.jpg");
    assert_eq!(
        (&said["prompt"], &said["format"], &said["width"]),
        (&"a tunnel 🦀".into(), &"JPEG".into(), &16.into())
    );
    desk.run(&["still", "--from", "web.jpg", "--quiet"]).expect(0);
    desk.run(&[
        "still",
        "a tunnel 🦀",
        "--steps",
        "2",
        "--sampler",
        "Euler",
        "--spacing",
        "uniform",
        "--seed",
        "1",
        "--size",
        "64x64",
        "-o",
        "own.png",
        "--quiet",
    ])
    .expect(0);
    assert_eq!(desk.read("still.png"), desk.read("own.png"));
}

#[test]
fn frames_say_how_they_were_made() {
    let desk = Desk::new();
    let film = "kinora 1\nvideo { size = 64x64  fps = 4 }\nframes = 2\nprompt = \"a tunnel, purple\"\nzoom = 1.05\n\
                steps = 2\nseed = 7\nnegative = \"dull\"\n";
    desk.write("a.kin", film);
    desk.write("b.kin", film);
    desk.run(&["render", "a.kin", "--quiet"]).expect(0);
    desk.run(&["render", "b.kin", "--quiet"]).expect(0);
    for frame in ["000000.png", "000001.png"] {
        assert_eq!(desk.read(&format!("a.frames/{frame}")), desk.read(&format!("b.frames/{frame}")));
    }
    let (first, second) = (said(&desk, "a.frames/000000.png"), said(&desk, "a.frames/000001.png"));
    assert_eq!(first["prompt"], "a tunnel, purple");
    assert_eq!(first["parameters"]["Seed"], "7");
    assert_eq!(first["parameters"]["Denoising strength"], serde_json::Value::Null);
    assert_eq!(second["parameters"]["Denoising strength"], "0.5");
    // The first frame comes from text alone: a still of the same settings is the same file.
    desk.run(&["still", "--from", "a.frames/000000.png", "-o", "again.png", "--quiet"]).expect(0);
    assert_eq!(desk.read("again.png"), desk.read("a.frames/000000.png"));
    desk.run(&["still", "--from", "a.frames/000001.png", "--quiet"])
        .expect(2)
        .says(&["painted over another picture"]);
}

#[test]
fn a_film_goes_on_from_a_still() {
    let desk = Desk::new();
    quick(&desk, &["a tunnel"]).expect(0);
    desk.write("film.kin", format!("{}source = init(\"still.png\")\n", common::tiny_film(2)));
    desk.run(&["render", "film.kin", "--quiet"]).expect(0);
    let first = said(&desk, "film.frames/000000.png");
    assert_eq!(first["parameters"]["Init image"], "still.png");
    desk.run(&["still", "--from", "film.frames/000000.png", "-o", "again.png", "--quiet"]).expect(0);
    assert_eq!(desk.read("again.png"), desk.read("film.frames/000000.png"));
}

#[test]
fn what_cannot_be_is_refused_with_its_fix() {
    let desk = Desk::new();
    picture(&desk.path("in.png"), 64, 64);
    half_transparent(&desk.path("holes.png"), 64, 64);
    let black = Canvas::filled(Size::new(64, 64), [0; 3]).to_png().unwrap();
    desk.write("black.png", black);
    let cases: &[&[&str]] = &[
        &[],
        &["a", "--size", "10"],
        &["a", "--size", "60x64"],
        &["a", "--sampler", "euler b"],
        &["a", "--spacing", "wide"],
        &["a", "--steps", "0"],
        &["a", "--seed", "x"],
        &["a", "--denoise", "2"],
        &["a", "--denoise", "0.5"],
        &["a", "--mask", "in.png"],
        &["a", "--init", "no.png"],
        &["a", "--init", "im.png"],
        &["a", "--init", "in.png", "--invert-mask"],
        &["a", "--init", "in.png", "--mask", "black.png"],
        &["a", "--init", "in.png", "--region", "60,0,10,10"],
        &["a", "--control", "depth"],
        &["a", "--control", "depth=auto"],
        &["a", "--control", "depth=in.png", "--control", "depth=in.png"],
        &["a", "--control", "depth=in.png,mode=both"],
        &["a", "-o", "a.jpg"],
        &["a", "-o", "no/a.png"],
        &["a", "--model", "kinora-tinny"],
        &["@no.txt"],
    ];
    let mut text = String::new();
    for case in cases {
        let ran = desk.run(&[&["still"], *case].concat());
        assert!(matches!(ran.code, Some(2..=4)), "{case:?}: {ran:?}");
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        let told: Vec<&str> = ran
            .stderr
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with("Usage") && !l.starts_with("For more"))
            .collect();
        text.push_str(&format!(
            "$ still {}\n[{}] {}\n\n",
            case.join(" "),
            ran.code.unwrap(),
            told.join("\n    ")
        ));
    }
    assert!(
        desk.frames(".").iter().all(|name| ["in.png", "holes.png", "black.png"].contains(&name.as_str()))
    );
    insta::assert_snapshot!("refusals", text.replace(&std::path::MAIN_SEPARATOR.to_string(), "/"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_is_130_and_leaves_no_half_picture() {
    use std::io::BufRead as _;
    let desk = Desk::new();
    // Long enough to be still at it when the signal comes; it ends long before its thousand steps.
    let args = ["still", "a tunnel", "--steps", "1000", "--size", "256x256"];
    for (count, asked) in [("1", 1), ("3", 2)] {
        let mut child = desk
            .kinora(&[&args[..], &["--count", count]].concat())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
        // The model is loaded and painting begins.
        assert!(lines.any(|line| line.unwrap().starts_with("still:")));
        for number in 0..asked {
            let sent =
                std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
            assert!(sent.success());
            if number + 1 < asked {
                assert!(lines.any(|line| line.unwrap().contains("after this picture")));
            }
        }
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let left: Vec<_> =
            std::fs::read_dir(desk.path("")).unwrap().flatten().map(|e| e.file_name()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn several_pictures_are_looked_into() {
    let desk = Desk::new();
    quick(&desk, &["a tunnel", "--count", "2", "-o", "#.png"]).expect(0);
    let ran = desk.run(&["inspect", "1.png", "2.png"]).expect(0);
    assert!(ran.stdout.contains("1.png: PNG, 64x64, made by kinora") && ran.stdout.contains("\n\n2.png"));
    picture(&desk.path("plain.png"), 8, 8);
    desk.run(&["inspect", "plain.png"]).expect(3).says(&["does not say how it was made"]);
    // One that says nothing keeps no other back.
    let ran = desk.run(&["inspect", "none.png", "plain.png", "1.png"]).expect(3);
    assert!(ran.stdout.starts_with("1.png: PNG"), "{}", ran.stdout);
    ran.says(&["none.png: cannot read the picture", "does not say how it was made"]);
    assert_eq!(said(&desk, "plain.png")["text"], serde_json::Value::Null);
    assert!(Parameters::read(said(&desk, "1.png")["text"].as_str().unwrap()).is_some());
}
