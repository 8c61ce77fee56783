//! The program as its users meet it: commands, messages, exit codes, and what bad input does.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Desk, picture, root, tiny_film};

#[test]
fn help_and_version_are_no_errors() {
    let desk = Desk::new();
    let help = desk.run(&["--help"]).expect(0);
    for command in ["render", "check", "preview", "warp", "params", "deflicker", "batch"] {
        assert!(help.stdout.contains(command), "{command} is not in --help");
        desk.run(&[command, "--help"]).expect(0);
    }
    desk.run(&["--version"]).expect(0);
}

#[test]
fn wrong_usage_is_2() {
    let desk = Desk::new();
    desk.run(&["rendr"]).expect(2);
    desk.run(&["render"]).expect(2);
    desk.write("film.kin", tiny_film(2));
    desk.run(&["render", "film.kin", "--frames", "5-2"]).expect(2).says(&["2-5"]);
    desk.run(&["render", "film.kin", "--frames", "0-9"]).expect(2).says(&["frames 0 to 1"]);
    desk.run(&["params", "no-such-parameter"]).expect(2);
}

#[test]
fn params_prints_the_table_and_searches_it() {
    let desk = Desk::new();
    let all = desk.run(&["params"]).expect(0).stdout;
    for name in ["zoom", "translation_x", "strength", "rotation_3d_y", "deflicker"] {
        assert!(all.contains(name), "{name} is not in the table");
    }
    let found = desk.run(&["params", "zoom"]).expect(0).stdout;
    assert!(found.contains("zoom") && found.len() < all.len());
}

#[test]
fn every_mistake_of_a_film_is_reported_at_once() {
    let desk = Desk::new();
    let mistakes: String = (0..40).map(|i| format!("strenght_{i} = 0.5\n")).collect();
    desk.write("film.kin", format!("frames = 4\nprompt = \"a\"\n{mistakes}"));
    let ran =
        desk.run(&["check", "film.kin"]).expect(1).says(&["film.kin:3:1", "film.kin:42:1", "40 errors"]);
    assert_eq!(ran.stderr.matches("error[").count(), 40);
    let json = desk.run(&["check", "film.kin", "--format", "json"]).expect(1).stdout;
    let data: serde_json::Value = serde_json::from_str(&json).expect("the data form is JSON");
    let count = data.as_array().map_or_else(|| data["diagnostics"].as_array().unwrap().len(), Vec::len);
    assert!(count >= 40, "{json}");
    desk.run(&["render", "film.kin"]).expect(1);
}

#[test]
fn a_missing_film_and_missing_files_are_3_or_named_in_the_film() {
    let desk = Desk::new();
    desk.run(&["render", "no.kin"]).expect(3).says(&["no.kin"]);
    desk.write("film.kin", format!("{}source = init(\"no.png\")\n", tiny_film(2)));
    let ran = desk.run(&["check", "film.kin"]);
    assert!(matches!(ran.code, Some(1 | 3)), "{ran:?}");
    assert!(ran.stderr.contains("no.png"), "{}", ran.stderr);
}

#[test]
fn a_missing_model_names_the_nearest_folder() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("dreamy-v1")).unwrap();
    desk.write("film.kin", format!("{}model = \"dreamy-v2\"\n", tiny_film(2)));
    // It is the film that names it, so the place is shown; whatever else is wrong is said in the same run.
    desk.run(&["render", "film.kin"]).expect(1).says(&[
        "dreamy-v2",
        "film.kin:7:9",
        "did you mean `dreamy-v1`?",
    ]);
}

/// Copies the embedded model's files out of the repository.
fn copy_model(desk: &Desk, name: &str) {
    fn copy(from: &std::path::Path, to: &std::path::Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().flatten() {
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &target);
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    copy(&root().join("presets/models/kinora-tiny"), &desk.path(name));
}

#[test]
fn a_model_folder_renders_like_the_embedded_model() {
    let desk = Desk::new();
    copy_model(&desk, "model");
    desk.write("a.kin", tiny_film(2));
    desk.write("b.kin", format!("{}model = \"model\"\n", tiny_film(2)));
    desk.run(&["render", "a.kin"]).expect(0);
    desk.run(&["render", "b.kin"]).expect(0);
    // The files differ: each says the name of its model.
    let frame = |film: &str| kinora::canvas::Canvas::open(&desk.path(&format!("{film}.frames/000001.png")));
    assert_eq!(frame("a").unwrap(), frame("b").unwrap());
}

#[test]
fn damaged_models_are_named_with_what_is_wrong() {
    let desk = Desk::new();
    copy_model(&desk, "model");
    desk.write("film.kin", format!("{}model = \"model\"\n", tiny_film(2)));
    let weights = desk.path("model/unet/diffusion_pytorch_model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    desk.run(&["render", "film.kin"]).expect(3).says(&["unet", "truncated"]);

    std::fs::write(&weights, &whole).unwrap();
    let config = desk.path("model/unet/config.json");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
    let channels = json["block_out_channels"][0].as_u64().unwrap();
    json["block_out_channels"][0] = (channels * 2).into();
    std::fs::write(&config, json.to_string()).unwrap();
    desk.run(&["render", "film.kin"]).expect(3).says(&[
        "unet",
        "of another shape: conv_in.bias (expected [",
        "found [",
    ]);

    std::fs::write(&config, "{").unwrap();
    desk.run(&["render", "film.kin"]).expect(3).says(&["config.json"]);

    std::fs::remove_dir_all(desk.path("model/unet")).unwrap();
    desk.run(&["render", "film.kin"]).expect(3).says(&["unet"]);
}

#[test]
fn an_output_that_cannot_be_written_is_known_before_the_first_frame() {
    let desk = Desk::new();
    desk.write("film.kin", tiny_film(2));
    desk.write("file", "not a folder");
    let ran = desk.run(&["render", "film.kin", "-o", "file/film.mp4"]).expect(4);
    assert!(ran.stderr.contains("file"), "{}", ran.stderr);
    desk.run(&["render", "film.kin", "-o", "film.xyz"]).expect(2).says(&["xyz"]);
    assert!(desk.frames("film.frames").is_empty());
}

#[test]
fn an_unknown_encoder_is_an_error_of_the_film() {
    let desk = Desk::new();
    desk.write("film.kin", format!("{}post {{ encode = h265x(crf=20) }}\n", tiny_film(2)));
    desk.run(&["check", "film.kin"]).expect(1).says(&["h265x"]);
}

#[test]
fn a_picture_of_another_size_is_cut_and_resampled() {
    let desk = Desk::new();
    picture(&desk.path("start.png"), 100, 50);
    desk.write("film.kin", format!("{}source = init(\"start.png\")\n", tiny_film(2)));
    desk.run(&["render", "film.kin"]).expect(0);
    let frame = kinora::canvas::Canvas::open(&desk.path("film.frames/000001.png")).unwrap();
    assert_eq!(frame.size(), kinora::canvas::Size::new(64, 64));
}

#[test]
fn a_picture_that_is_none_is_named() {
    let desk = Desk::new();
    desk.write("start.png", "no picture");
    desk.write("film.kin", format!("{}source = init(\"start.png\")\n", tiny_film(2)));
    desk.run(&["render", "film.kin"]).expect(3).says(&["start.png"]);
}

#[test]
fn a_batch_goes_on_after_a_failure_and_skips_what_is_finished() {
    let desk = Desk::new();
    desk.write("a.kin", tiny_film(1));
    desk.write("bad.kin", "zom = 1\n");
    desk.write("c.kin", tiny_film(2));
    let ran = desk.run(&["batch", "a.kin", "bad.kin", "c.kin", "-o", "out"]).expect(4);
    assert!(ran.stdout.contains("a.kin: done") && ran.stdout.contains("c.kin: done"), "{}", ran.stdout);
    assert!(ran.stdout.contains("bad.kin: failed"), "{}", ran.stdout);
    assert!(ran.stderr.contains("1 of 3 jobs failed"), "{}", ran.stderr);
    let again = desk.run(&["batch", "a.kin", "c.kin", "-o", "out"]).expect(0);
    assert_eq!(again.stderr.matches("up to date").count(), 2, "{}", again.stderr);
    desk.run(&["batch", "a.kin", "./a.kin", "-o", "out"]).expect(2);
}

#[test]
fn preview_needs_no_model_and_shows_every_frame() {
    let desk = Desk::new();
    desk.write("film.kin", format!("{}model = \"none-such\"\n", tiny_film(6)));
    desk.run(&["preview", "film.kin"]).expect(0);
    assert!(desk.path("film.preview.mp4").is_file());
}

#[test]
fn deflicker_steadies_a_folder_and_leaves_the_originals_alone() {
    let desk = Desk::new();
    let source = root().join("examples/deflicker-timelapse");
    std::fs::create_dir(desk.path("in")).unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&source).unwrap().flatten() {
        std::fs::copy(entry.path(), desk.path("in").join(entry.file_name())).unwrap();
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let before: Vec<Vec<u8>> = names.iter().map(|n| desk.read(&format!("in/{n}"))).collect();
    desk.run(&["deflicker", "in", "-o", "steady"]).expect(0);
    let after: Vec<Vec<u8>> = names.iter().map(|n| desk.read(&format!("in/{n}"))).collect();
    assert_eq!(before, after, "an original was touched");
    let flicker = |folder: &str| -> f64 {
        let means: Vec<f64> = names
            .iter()
            .map(|n| {
                let canvas = kinora::canvas::Canvas::open(&desk.path(folder).join(n)).unwrap();
                canvas.as_rgb8().iter().map(|v| f64::from(*v)).sum::<f64>() / canvas.as_rgb8().len() as f64
            })
            .collect();
        // Rms second difference, as the metric F of the reference measures flicker.
        let second: Vec<f64> = means.windows(3).map(|w| w[0] - 2.0 * w[1] + w[2]).collect();
        (second.iter().map(|d| d * d).sum::<f64>() / second.len() as f64).sqrt()
    };
    let (raw, steady) = (flicker("in"), flicker("steady"));
    // The reference's prototype leaves a tenth; a third is a safe floor for 24 short frames.
    assert!(steady < raw / 3.0, "flicker {raw:.2} became {steady:.2}");
    desk.run(&["deflicker", "in", "-o", "in"]).expect(2);
    desk.run(&["deflicker", "none", "-o", "x"]).expect(3).says(&["none"]);
}

#[test]
fn a_video_s_name_that_is_taken_by_a_folder_is_known_before_the_first_frame() {
    let desk = Desk::new();
    desk.write("film.kin", tiny_film(2));
    std::fs::create_dir(desk.path("film.mp4")).unwrap();
    desk.run(&["render", "film.kin"]).expect(4).says(&["film.mp4", "found a folder", "hint"]);
    assert!(desk.frames("film.frames").is_empty());
}

#[test]
fn what_a_later_scene_cannot_use_is_known_before_the_first_frame() {
    let desk = Desk::new();
    desk.write("broken.png", "");
    let scene = "scene b 1s { prompt = \"b\"  source = init(\"broken.png\") }";
    let film = tiny_film(4).replace("frames = 4", "scene a 1s { prompt = \"a\" }");
    desk.write("film.kin", format!("{film}{scene}\n"));
    desk.run(&["render", "film.kin"]).expect(3).says(&["broken.png", "PNG and JPEG"]);
    copy_model(&desk, "model");
    desk.write("model/unet/diffusion_pytorch_model.safetensors", "");
    desk.write("film.kin", film + "scene b 1s { prompt = \"b\"  model = \"model\" }\n");
    desk.run(&["render", "film.kin"]).expect(3).says(&["unet", "truncated"]);
    assert!(!desk.path("film.frames").exists(), "a folder was left behind");
}

#[test]
fn folders_that_are_no_models_are_told_what_they_are() {
    let desk = Desk::new();
    copy_model(&desk, "model");
    std::fs::create_dir(desk.path("empty")).unwrap();
    let cases = [
        ("model/unet", "folder above"),
        ("empty", "model_index.json"),
        ("kinora-depth", "another kind"),
        ("kinora-tin", "kinora-tiny"),
        ("", "empty text"),
    ];
    for (model, says) in cases {
        desk.write("film.kin", format!("{}model = \"{model}\"\n", tiny_film(2)));
        let ran = desk.run(&["render", "film.kin"]);
        assert!(matches!(ran.code, Some(1 | 3)), "{model}: {ran:?}");
        assert!(ran.stderr.contains(says), "{model}: {}", ran.stderr);
    }
}

#[test]
fn pictures_of_others_are_never_replaced() {
    let desk = Desk::new();
    for folder in ["day1", "day2"] {
        std::fs::create_dir(desk.path(folder)).unwrap();
        for n in 0..4 {
            picture(&desk.path(&format!("{folder}/{n}.png")), 16 + 8 * n, 16);
        }
    }
    desk.run(&["deflicker", "day1", "-o", "day2"]).expect(2).says(&["day2", "did not write"]);
    desk.run(&["deflicker", "day1", "-o", "film.mkv"]).expect(2).says(&["film.mkv", ".mp4"]);
    assert!(!desk.path("film.mkv").exists());
    std::fs::create_dir(desk.path("film.frames")).unwrap();
    desk.write("film.frames/000001.png", "mine");
    desk.write("film.kin", tiny_film(2));
    desk.run(&["render", "film.kin"]).expect(4).says(&["film.frames", "did not paint"]);
    assert_eq!(desk.read("film.frames/000001.png"), b"mine");
}

#[test]
fn a_size_that_is_no_number_is_named_by_the_import() {
    let desk = Desk::new();
    desk.write("settings.txt", "{\"W\": \"wide\", \"H\": 256, \"zoom\": \"0:(1.01)\"}");
    desk.run(&["import", "settings.txt", "-o", "film.kin"]).expect(0).says(&["W = \"wide\"", "512"]);
}

#[test]
fn a_contact_sheet_takes_the_place_of_the_preview() {
    let desk = Desk::new();
    desk.write("film.kin", format!("{}angle = 0: 0, 3: 2\n", tiny_film(6)));
    desk.run(&["preview", "film.kin", "--sheet"]).expect(0);
    desk.run(&["preview", "film.kin", "-o", "sheet.png"]).expect(0);
    assert_eq!(desk.read("film.preview.png"), desk.read("sheet.png"));
    assert!(!desk.path("film.preview.mp4").exists());
    desk.run(&["preview", "film.kin", "--sheet", "-o", "sheet.mp4"]).expect(2).says(&[".png"]);
}

#[test]
fn warp_moves_one_picture_and_says_how() {
    let desk = Desk::new();
    picture(&desk.path("in.png"), 64, 64);
    desk.write(
        "film.kin",
        "kinora 1\nprompt = \"a\"\nframes = 10\nsize = 64x64\ntranslation_x = 16\nborder = zeros\n",
    );
    let ran = desk.run(&["warp", "in.png", "film.kin", "--frame", "3", "--coverage", "mask.png"]).expect(0);
    assert!(ran.stdout.contains("matrix") && ran.stdout.contains("75.00 % of 64x64"), "{}", ran.stdout);
    let moved = kinora::canvas::Canvas::open(&desk.path("in.warp-3.png")).unwrap();
    let given = kinora::canvas::Canvas::open(&desk.path("in.png")).unwrap();
    let mask = kinora::canvas::Canvas::open(&desk.path("mask.png")).unwrap();
    for (x, y) in [(16, 0), (40, 20), (63, 63)] {
        assert_eq!((moved.pixel(x, y), mask.pixel(x, y)), (given.pixel(x - 16, y), [255; 3]));
    }
    assert_eq!((moved.pixel(15, 9), mask.pixel(15, 9)), ([0; 3], [0; 3]));
    desk.run(&["warp", "in.png", "film.kin", "--frame", "10"]).expect(2).says(&["there is no frame 10"]);
    desk.run(&["warp", "none.png", "film.kin", "--frame", "1"]).expect(3).says(&["none.png"]);
    desk.write(
        "deep.kin",
        "kinora 1\nprompt = \"a\"\nframes = 10\nsize = 64x64\ntranslation_z = 9\ndepth = flat\n",
    );
    let ran =
        desk.run(&["warp", "in.png", "deep.kin", "--frame", "50%", "-o", "deep.png", "--compat", "deforum"]);
    let ran = ran.expect(0);
    assert!(ran.stdout.contains("rotation") && ran.stdout.contains("focal"), "{}", ran.stdout);
}
