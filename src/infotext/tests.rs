use proptest::prelude::*;

use super::*;

fn parameters(prompt: &str, negative: &str, pairs: &[(&str, &str)]) -> Parameters {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Parameters {
        prompt: prompt.to_owned(),
        negative: negative.to_owned(),
        pairs: pairs.iter().map(own).collect(),
    }
}

#[test]
fn the_text_is_the_web_ui_s() {
    let made = parameters(
        "a lighthouse, (dusk:1.2)",
        "blurry",
        &[
            ("Steps", "20"),
            ("Sampler", "DPM++ 2M"),
            ("Lora hashes", "ink: 0123, \"x\": 4567"),
            ("Hires", "Hires"),
        ],
    );
    assert_eq!(
        made.text(),
        "a lighthouse, (dusk:1.2)\nNegative prompt: blurry\nSteps: 20, Sampler: DPM++ 2M, \
         Lora hashes: \"ink: 0123, \\\"x\\\": 4567\", Hires"
    );
    assert_eq!(Parameters::read(&made.text()), Some(made));
}

#[test]
fn texts_of_all_ages_are_understood() {
    let old = "a cat, <lora:ink:0.8>\r\nin the rain\r\nNegative prompt: blurry,\r\nugly\r\n\
               Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 1, Face restoration, Size: 512x768, Model hash: 45dee52b";
    let found = Parameters::read(old).unwrap();
    assert_eq!(
        (found.prompt.as_str(), found.negative.as_str()),
        ("a cat, <lora:ink:0.8>\nin the rain", "blurry,\nugly")
    );
    assert_eq!(found.get("Face restoration"), Some("Face restoration"));
    assert_eq!(found.get("Size"), Some("512x768"));
    assert_eq!(found.get("Model hash"), Some("45dee52b"));

    let control = "x\nSteps: 5, Sampler: Euler a, ControlNet 0: \"Module: canny, Model: c [d14c016b], Weight: 1.0\", Version: v1.10.1";
    let found = Parameters::read(control).unwrap();
    assert_eq!(found.get("ControlNet 0"), Some("Module: canny, Model: c [d14c016b], Weight: 1.0"));
    assert_eq!(found.get("Version"), Some("v1.10.1"));

    // Civitai's lists are not quoted; Dynamic Prompts writes lines of its own behind the pairs.
    let lists = "x\nSteps: 5, Sampler: Euler, Civitai resources: [{\"type\":\"lora\",\"weight\":0.5}], Seed: 7\nTemplate: {a|b}, c";
    let found = Parameters::read(lists).unwrap();
    assert_eq!(found.get("Civitai resources"), Some("[{\"type\":\"lora\",\"weight\":0.5}]"));
    assert_eq!(found.get("Seed"), Some("7"));
    assert_eq!(found.prompt, "x");

    let bare = Parameters::read("only a prompt: with, commas: and colons").unwrap();
    assert_eq!((bare.prompt.as_str(), bare.pairs.len()), ("only a prompt: with, commas: and colons", 0));
    let without_prompt = Parameters::read("Negative prompt: b\nSteps: 2, Seed: 3, Size: 8x8").unwrap();
    assert_eq!((without_prompt.prompt.as_str(), without_prompt.negative.as_str()), ("", "b"));
    assert_eq!(Parameters::read(" \n\0"), None);
}

#[test]
fn damaged_quotes_do_not_swallow_the_line() {
    for line in ["A: \"open, B: 2", "A: \"x\" y, B: 2", "A: \"bad \\q escape\", B: 2", "A: [1, 2, B: 2"] {
        let pairs = read_pairs(line);
        assert!(
            line.contains("open") || pairs.contains(&("B".to_owned(), "2".to_owned())),
            "{line}: {pairs:?}"
        );
    }
}

#[test]
fn prompts_that_the_web_ui_would_misread_come_back() {
    let long = "a very long prompt ".repeat(600);
    for prompt in [
        "",
        " lead",
        "trail \n",
        "two\n\nlines",
        "\n",
        "quote \" and \\ and \r\n",
        "Negative prompt: not so",
        "a\nNegative prompt: b",
        "Steps: 1, Seed: 2, Size: 3x3",
        "日本語 🦀 é",
        "\u{feff}x",
        "nul\0nul",
        &long,
    ] {
        for negative in ["", "b", " b\n", "Steps: 1, Seed: 2, Size: 3x3\nx", "Negative prompt: b", "🦀\0"] {
            let made = parameters(prompt, negative, &[("Steps", "20"), ("Seed", "1")]);
            let text = made.text();
            assert!(!text.contains('\0'));
            assert_eq!(Parameters::read(&text), Some(made), "{text:?}");
        }
    }
}

/// A grey PNG of one pixel.
fn pixel() -> Vec<u8> {
    crate::canvas::Canvas::filled(crate::canvas::Size::new(1, 1), [9; 3]).to_png().unwrap()
}

#[test]
fn a_png_carries_the_text_as_pillow_writes_it() {
    let latin = described(&pixel(), "naïve");
    assert_eq!(&latin[37..41], b"tEXt");
    let wide = described(&pixel(), "日本");
    assert_eq!(&wide[37..56], b"iTXtparameters\0\0\0\0\0");
    for (png, text) in [(latin, "naïve"), (wide, "日本")] {
        assert_eq!(find(&png), Found::Text(text.to_owned()));
        let mut decoder = png::Decoder::new(std::io::Cursor::new(&png));
        decoder.set_ignore_text_chunk(false);
        assert!(decoder.read_info().is_ok(), "the checksum is right");
    }
    assert_eq!(find(&pixel()), Found::Nothing);
}

/// Exif data with a comment, as piexif lays it out.
fn exif(big: bool, coding: &[u8], text: &[u8]) -> Vec<u8> {
    let short = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let long = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let comment = [coding, text].concat();
    let mut bytes = if big { b"MM".to_vec() } else { b"II".to_vec() };
    bytes.extend(short(42));
    bytes.extend(long(8));
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        [&short(1)[..], &short(tag), &short(kind), &long(count), &long(value), &long(0)].concat()
    };
    bytes.extend(entry(0x8769, 4, 1, 26));
    bytes.extend(entry(0x9286, 7, comment.len() as u32, 44));
    bytes.extend(comment);
    bytes
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
}

fn jpeg_with(tiff: &[u8]) -> Vec<u8> {
    let segment = [b"Exif\0\0", tiff].concat();
    let length = (segment.len() as u16 + 2).to_be_bytes();
    [b"\xff\xd8\xff\xe0\0\x04ab\xff\xe1".as_slice(), &length, &segment, b"\xff\xda"].concat()
}

#[test]
fn jpeg_and_webp_carry_it_in_exif() {
    let text = "a cat 🦀\nSteps: 2, Seed: 3, Size: 8x8";
    for (block, letters) in [(true, true), (false, true), (false, false)] {
        let tiff = exif(block, b"UNICODE\0", &utf16(text, letters));
        assert_eq!(find(&jpeg_with(&tiff)), Found::Text(text.to_owned()));
        let mut webp = b"RIFF\0\0\0\0WEBPVP8X\x03\0\0\0abc\0EXIF".to_vec();
        webp.extend((tiff.len() as u32).to_le_bytes());
        webp.extend(&tiff);
        assert_eq!(find(&webp), Found::Text(text.to_owned()));
    }
    let ascii = exif(true, b"ASCII\0\0\0", b"plain words");
    assert_eq!(find(&jpeg_with(&ascii)), Found::Text("plain words".to_owned()));
}

#[test]
fn forms_of_other_programs_are_named() {
    let comfy = {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
        encoder.add_text_chunk("prompt".to_owned(), "{\"3\": {}}".to_owned()).unwrap();
        encoder.write_header().unwrap().write_image_data(&[0]).unwrap();
        bytes
    };
    assert_eq!(find(&comfy), Found::Foreign("ComfyUI"));
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_back(
        prompt in any::<String>(),
        negative in any::<String>(),
        values in prop::collection::vec("\\PC{1,20}", 1..5),
    ) {
        let mut made = parameters(&prompt, &negative, &[("Steps", "20")]);
        for (number, value) in values.iter().enumerate() {
            made.set(&format!("Name {number}"), value);
        }
        let text = made.text();
        prop_assert_eq!(Parameters::read(&text), Some(made), "{:?}", text);
    }

    #[test]
    fn a_png_gives_every_text_back(text in "[^\0]+") {
        prop_assert_eq!(find(&described(&pixel(), &text)), Found::Text(text));
    }

    #[test]
    fn nothing_in_a_file_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0usize..300, at in 0usize..300, with: u8) {
        let _ = find(&bytes);
        for start in [PNG_START, b"\xff\xd8\xff\xe1", b"RIFF\0\0\0\0WEBPEXIF"] {
            let _ = find(&[start, &bytes].concat());
        }
        let mut whole = jpeg_with(&exif(false, b"UNICODE\0", &utf16("a cat", true)));
        if let Some(byte) = whole.get_mut(at) {
            *byte = with;
        }
        whole.truncate(cut);
        let _ = find(&whole);
    }
}

const PNG_START: &[u8] = b"\x89PNG\r\n\x1a\n";
