//! LoRAs in films: named in prompts, checked, explained, rendered.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use candle_core::{Device, Tensor};
use common::{Desk, tiny_film};

/// A LoRA for one layer of `kinora-tiny`, whose matrices are `size` numbers wide.
fn lora(desk: &Desk, name: &str, layer: &str, size: usize, height: f64) {
    let values = |rows: usize, columns: usize| {
        let wave = (0..rows * columns).map(|i| ((i * 37 % 101) as f64 / 101.0 - 0.5) * height);
        Tensor::from_vec(wave.map(|v| v as f32).collect(), (rows, columns), &Device::Cpu).unwrap()
    };
    let parts = [
        (format!("{layer}.lora_down.weight"), values(4, size)),
        (format!("{layer}.lora_up.weight"), values(size, 4)),
    ];
    desk.write(name, safetensors::serialize(parts, None).unwrap());
}

const UNET: &str = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_v";

/// The pixels of each frame.
fn pixels(desk: &Desk, folder: &str) -> Vec<Vec<u8>> {
    let open =
        |name: &String| image::open(desk.path(&format!("{folder}/{name}"))).unwrap().to_rgb8().into_raw();
    desk.frames(folder).iter().map(open).collect()
}

fn film(frames: u32, prompt: &str) -> String {
    let own = tiny_film(frames);
    let lines = own.lines().filter(|line| !line.starts_with("prompt"));
    format!("{}\nprompt = \"{prompt}\"\n", lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_weight_follows_the_film_and_weight_0_is_the_model_itself() {
    let desk = Desk::new();
    lora(&desk, "loras/wave.safetensors", UNET, 96, 0.8);
    desk.write("plain.kin", film(3, "the sea"));
    desk.write("moved.kin", film(3, "the sea<lora:Wave:${0.5 * t}>"));
    desk.run(&["render", "plain.kin"]).expect(0);
    desk.run(&["render", "moved.kin"]).expect(0);
    let (plain, moved) = (pixels(&desk, "plain.frames"), pixels(&desk, "moved.frames"));
    assert!(plain[0] == moved[0], "weight 0 changes nothing");
    assert!(plain[1] != moved[1] && plain[2] != moved[2]);

    // What is there is kept as long as the file is the same.
    let again = desk.run(&["render", "moved.kin"]).expect(0);
    assert!(
        again.stderr.contains("3 frames were there already") || again.stderr.contains("were there"),
        "{}",
        again.stderr
    );
    lora(&desk, "loras/wave.safetensors", UNET, 96, 0.4);
    desk.run(&["render", "moved.kin"]).expect(0);
    let changed = pixels(&desk, "moved.frames");
    assert!(changed[0] == plain[0] && changed[1] != moved[1] && changed[1] != plain[1]);
}

#[test]
fn check_marks_missing_and_malformed_loras() {
    let desk = Desk::new();
    lora(&desk, "loras/wave.safetensors", UNET, 96, 0.5);
    desk.write("missing.kin", film(2, "the sea <lora:wvae:0.5>"));
    let ran = desk.run(&["check", "missing.kin"]).expect(1);
    assert!(ran.stderr.contains("E43") && ran.stderr.contains("did you mean `wave`?"), "{}", ran.stderr);
    desk.write("malformed.kin", film(2, "the sea <lora:wave:much>"));
    let ran = desk.run(&["check", "malformed.kin"]).expect(1);
    assert!(ran.stderr.contains("E44") && ran.stderr.contains("`much`"), "{}", ran.stderr);
    desk.write("fine.kin", film(2, "the sea <lora:wave:${0.1 * t}>"));
    desk.run(&["check", "fine.kin"]).expect(0);
}

#[test]
fn explain_lists_the_loras_in_force() {
    let desk = Desk::new();
    desk.write("film.kin", film(5, "the sea <lora:wave:${0.1 * t}> <lyco:ink:0.5:1>"));
    let ran = desk.run(&["explain", "film.kin", "--frame", "3"]).expect(0);
    assert!(ran.stdout.contains("LoRAs\n    wave = 0.3\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("    ink = 1 for the UNet, 0.5 for the text\n"), "{}", ran.stdout);
    let ran = desk.run(&["explain", "film.kin", "--frame", "3", "--format", "json"]).expect(0);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["loras"][1], serde_json::json!({ "name": "ink", "unet": 1.0, "text": 0.5 }));
}

#[test]
fn a_lora_for_another_model_is_refused_before_a_frame_is_painted() {
    let desk = Desk::new();
    lora(&desk, "loras/flux.safetensors", "lora_unet_double_blocks_0_img_mlp_0", 64, 0.5);
    desk.write("loras/text.safetensors", "this is no LoRA at all");
    desk.write("flux.kin", film(2, "the sea <lora:flux:${t}>"));
    let ran = desk.run(&["render", "flux.kin"]).expect(3);
    assert!(ran.stderr.contains("this LoRA is for Flux"), "{}", ran.stderr);
    assert!(desk.frames("flux.frames").is_empty());
    desk.write("text.kin", film(2, "the sea <lora:text>"));
    let ran = desk.run(&["render", "text.kin"]).expect(3);
    assert!(ran.stderr.contains("safetensors"), "{}", ran.stderr);
}
