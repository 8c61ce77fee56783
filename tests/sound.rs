//! Sound in a film: from files that the tests write themselves to the values of frames.

#![cfg(feature = "ffmpeg")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use kinora::encode::SoundReader;
use kinora::error::Error;
use kinora::run::sound::hearing;
use kinora::timeline::frame::{Camera, FrameParams};
use kinora::timeline::{Options, Timeline};

/// A WAV file of 16 bits: the header is 44 bytes.
fn wav(rate: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
    let size = samples.len() as u32 * 2;
    let block = channels * 2;
    let mut bytes = Vec::new();
    bytes.extend(b"RIFF");
    bytes.extend((36 + size).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    bytes.extend(1u16.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(block)).to_le_bytes());
    bytes.extend(block.to_le_bytes());
    bytes.extend(16u16.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(size.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    bytes
}

fn sampled(rate: u32, seconds: f64, sound: impl Fn(f64) -> f64) -> Vec<i16> {
    let count = (seconds * f64::from(rate)).round() as usize;
    let sample = |n: usize| (sound(n as f64 / f64::from(rate)) * 32_767.0).round() as i16;
    (0..count).map(sample).collect()
}

fn sine(frequency: f64) -> impl Fn(f64) -> f64 {
    move |time| libm::sin(std::f64::consts::TAU * frequency * time)
}

/// Short tones at 120 beats a minute.
fn clicks(time: f64) -> f64 {
    let since = time % 0.5;
    0.8 * libm::exp(-since / 0.01) * libm::cos(std::f64::consts::TAU * 2000.0 * since)
}

/// The sound of `examples/sound.flac`: four seconds at 120 beats a minute. A kick drum on every beat, its
/// tone falling to 50 Hz; a snare of noise and tone on every second one; a cymbal of noise between them.
fn example() -> Vec<i16> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    let mut before = 0.0;
    let mut value = move |n: usize| {
        let time = n as f64 / 44_100.0;
        let white = noise();
        let bright = white - before;
        before = white;
        let kick = time % 0.5;
        let phase = std::f64::consts::TAU * (50.0 * kick - 3.0 * libm::exp(-kick / 0.03));
        let snare = (time + 0.5) % 1.0;
        let hat = (time + 0.25) % 0.5;
        let body = libm::sin(std::f64::consts::TAU * 190.0 * snare);
        0.55 * libm::exp(-kick / 0.06) * libm::sin(phase)
            + libm::exp(-snare / 0.025) * (0.25 * white + 0.2 * body)
            + 0.12 * libm::exp(-hat / 0.008) * bright
    };
    // Twelve bits, which make the file small.
    (0..4 * 44_100).map(|n| (value(n) * 2047.0).round() as i16 * 16).collect()
}

fn film(folder: &Path, text: &str) -> Timeline {
    try_film(folder, text).unwrap_or_else(|error| panic!("{error:?}"))
}

fn try_film(folder: &Path, text: &str) -> Result<Timeline, Error> {
    let path = folder.join("film.kin");
    std::fs::write(&path, format!("kinora 1\nprompt = \"a\"\n{text}\n")).unwrap();
    kinora::timeline::check(&path, &hearing(Options::default())).map(|(_, timeline, _)| timeline)
}

fn zoom(params: &FrameParams) -> f64 {
    match params.camera {
        Camera::Flat(camera) => camera.zoom,
        Camera::Deep(_) => panic!("expected the flat camera"),
    }
}

fn zooms(timeline: &Timeline) -> Vec<f64> {
    (0..timeline.frames()).map(|frame| zoom(&timeline.at(frame).unwrap())).collect()
}

/// Frames in which `zoom = 1 + <truth value>` is 2.
fn frames_of(timeline: &Timeline) -> Vec<usize> {
    let values = zooms(timeline);
    (0..values.len()).filter(|frame| values[*frame] > 1.5).collect()
}

fn all(path: &Path) -> Vec<f64> {
    let mut reader = SoundReader::open(path).unwrap();
    let mut samples = Vec::new();
    while let Some(read) = reader.read().unwrap() {
        samples.extend(read);
    }
    samples
}

#[test]
fn samples_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let samples: Vec<i16> = vec![0, 1, -1, 32_767, -32_768, 12_345];
    std::fs::write(&path, wav(48_000, 1, &samples)).unwrap();
    let wanted: Vec<f64> = samples.iter().map(|sample| f64::from(*sample) / 32_768.0).collect();
    assert_eq!((SoundReader::open(&path).unwrap().rate(), all(&path)), (48_000, wanted.clone()));
    // Two channels: the mean.
    std::fs::write(&path, wav(48_000, 2, &samples)).unwrap();
    let mean: Vec<f64> = wanted.chunks(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect();
    assert_eq!(all(&path), mean);
}

/// `KINORA_BLESS=1` writes `examples/sound.wav`, to be packed by any FLAC encoder.
#[test]
fn the_flac_of_the_example_is_its_formula() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("example.wav");
    std::fs::write(&path, wav(44_100, 1, &example())).unwrap();
    if std::env::var_os("KINORA_BLESS").is_some() {
        std::fs::copy(&path, root.join("examples/sound.wav")).unwrap();
    }
    let flac = root.join("examples/sound.flac");
    assert!(std::fs::metadata(&flac).unwrap().len() < 100_000);
    assert_eq!(all(&flac), all(&path));
    // And so are all values of a film.
    std::fs::copy(&flac, folder.path().join("example.flac")).unwrap();
    let text = |name: &str| {
        format!(
            "video {{ fps = 24 }}\nframes = 100\nlet a = audio(\"{name}\")\n\
             zoom = 1 + a.band(20Hz, 120Hz).envelope().norm() + where(a.onset(\"snare\"), 1, a)"
        )
    };
    let [wav, flac] = ["example.wav", "example.flac"].map(|name| zooms(&film(folder.path(), &text(name))));
    assert_eq!(wav, flac);
}

#[test]
fn the_drums_of_the_example_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.wav"), wav(44_100, 1, &example())).unwrap();
    let found = |name: &str| {
        let text = format!("video {{ fps = 24 }}\nframes = 100\nzoom = 1 + audio(\"a.wav\").onset({name})");
        frames_of(&film(folder.path(), &text))
    };
    assert_eq!(found("\"kick\""), (0..8).map(|n| 12 * n).collect::<Vec<_>>());
    assert_eq!(found("\"snare\""), (0..4).map(|n| 12 + 24 * n).collect::<Vec<_>>());
    // The cymbal is on the half beats; the snare's noise reaches up there too.
    let hats = found("\"hat\"");
    assert!((0..8).all(|n| hats.contains(&(6 + 12 * n))), "{hats:?}");
    // A snare lies on a kick and counts once; the cymbals are soft.
    assert_eq!(found(""), (0..8).map(|n| 12 * n).collect::<Vec<_>>());
    assert_eq!(found("threshold=0.1"), (0..16).map(|n| 6 * n).collect::<Vec<_>>());
}

#[test]
fn clicks_at_120_beats_a_minute_are_found() {
    let folder = tempfile::tempdir().unwrap();
    for rate in [44_100, 48_000, 22_050] {
        std::fs::write(folder.path().join("a.wav"), wav(rate, 1, &sampled(rate, 10.0, clicks))).unwrap();
        let text = |zoom: &str| format!("video {{ fps = 30 }}\nframes = 300\nzoom = {zoom}");
        let onsets = film(folder.path(), &text("1 + audio(\"a.wav\").onset()"));
        assert_eq!(frames_of(&onsets), (0..20).map(|n| 15 * n).collect::<Vec<_>>(), "{rate} Hz");
        let tempo = zooms(&film(folder.path(), &text("audio(\"a.wav\").tempo() / 120")));
        assert!(tempo.iter().all(|tempo| (tempo * 120.0 - 120.0).abs() < 0.5), "{rate} Hz: {}", tempo[0]);
    }
}

#[test]
fn a_sound_runs_with_the_film_and_not_with_its_scenes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.wav"), wav(44_100, 1, &sampled(44_100, 4.0, clicks))).unwrap();
    let scenes = "video { fps = 10 }\nlet a = audio(\"a.wav\")\n\
                  scene one 1.3s { zoom = 1 + a.onset() }\nscene two 2s { zoom = 1 + a.onset() }";
    assert_eq!(frames_of(&film(folder.path(), scenes)), [0, 5, 10, 15, 20, 25, 30]);
    let moved = |offset: &str| {
        let text = format!(
            "video {{ fps = 10  bpm = 60 }}\nframes = 50\nzoom = 1 + audio(\"a.wav\", offset={offset}).onset()"
        );
        frames_of(&film(folder.path(), &text))
    };
    let late: Vec<usize> = (0..8).map(|n| 3 + 5 * n).collect();
    for offset in ["300ms", "0.3s", "3f", "3", "0.3b"] {
        assert_eq!(moved(offset), late, "{offset}");
    }
    assert_eq!(moved("-1.2s"), [3, 8, 13, 18, 23]);
}

#[test]
fn any_frame_alone_is_what_it_is_in_sequence() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.wav"), wav(44_100, 1, &example())).unwrap();
    let text = "video { fps = 24000/1001 }\nframes = 110\nlet a = audio(\"a.wav\")\n\
                zoom = 1 + a.envelope() + a.centroid().norm() + where(a.beat(), 1, a.rms())";
    let values = zooms(&film(folder.path(), text));
    for frame in [109, 50, 0, 3, 95] {
        let alone = film(folder.path(), text).at(frame).unwrap();
        assert_eq!(zoom(&alone), values[frame as usize]);
    }
    // The sound ends at 4 s, frame 95.9: then it is silent.
    assert_eq!(values[100], 1.0 + 0.0);
}

/// With the ends of frames at the same moments, a frame at 12 a second is as loud as the louder one of its
/// halves at 24.
#[test]
fn nothing_falls_between_two_frames() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.wav"), wav(44_100, 1, &example())).unwrap();
    let values = |fps: u32, what: &str| {
        let text = format!("video {{ fps = {fps} }}\nframes = {}\nzoom = 1 + {what}", fps * 4);
        zooms(&film(folder.path(), &text))
    };
    for what in ["audio(\"a.wav\").envelope(1ms, 10ms)", "audio(\"a.wav\").onset(\"kick\")"] {
        let (slow, fast) = (values(12, what), values(24, what));
        let joined: Vec<f64> = fast.chunks(2).map(|pair| pair[0].max(pair[1])).collect();
        assert_eq!(slow, joined, "{what}");
    }
}

#[test]
fn bands_are_apart_by_many_decibels() {
    let folder = tempfile::tempdir().unwrap();
    let low = |time: f64| 0.7 * sine(60.0)(time);
    std::fs::write(folder.path().join("a.wav"), wav(44_100, 1, &sampled(44_100, 4.0, low))).unwrap();
    let loudness = |band: &str| {
        let text =
            format!("video {{ fps = 10 }}\nframes = 40\nzoom = 1 + audio(\"a.wav\").band({band}).rms()");
        zooms(&film(folder.path(), &text))[20] - 1.0
    };
    let (kick, snare) = (loudness("20Hz, 120Hz"), loudness("480Hz, 5000Hz"));
    assert!((kick - 0.7 / 2f64.sqrt()).abs() < 0.01, "{kick}");
    // Three octaves below the edge: 72 dB less.
    let apart = 20.0 * libm::log10(kick / snare);
    assert!((apart - 72.0).abs() < 2.0, "{apart} dB");
}

#[test]
fn what_cannot_be_heard_is_an_error_at_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("text.wav"), "no sound at all").unwrap();
    std::fs::write(at("empty.wav"), "").unwrap();
    std::fs::write(at("short.wav"), &wav(44_100, 1, &sampled(44_100, 1.0, clicks))[..30]).unwrap();
    let still = kinora::canvas::Canvas::filled(kinora::canvas::Size::new(8, 8), [1, 2, 3]);
    std::fs::write(at("still.png"), still.to_png().unwrap()).unwrap();
    let flac = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/sound.flac")).unwrap();
    std::fs::write(at("cut.flac"), &flac[..40_000]).unwrap();
    for name in ["cut.flac", "text.wav", "empty.wav", "short.wav", "still.png", ".", "absent.wav"] {
        let text = format!("frames = 2\nzoom = 1 + audio(\"{name}\")");
        let Err(Error::Schedule(found)) = try_film(folder.path(), &text) else { panic!("{name} was heard") };
        assert_eq!(found.list.len(), 1, "{name}: {found:?}");
        let found = &found.list[0];
        assert_eq!((found.code, found.span.end - found.span.start), ("E71", name.len() as u32 + 2), "{name}");
        assert!(!found.hints.is_empty(), "{name}: {found:?}");
    }
}

/// A header without a sample behind it, and a second of nothing: every value is that of silence.
#[test]
fn silence_divides_by_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for samples in [vec![], vec![0; 44_100]] {
        std::fs::write(folder.path().join("a.wav"), wav(44_100, 1, &samples)).unwrap();
        let text = "video { fps = 10 }\nframes = 20\nlet a = audio(\"a.wav\")\n\
                    zoom = 1 + a + a.norm(0.5, 2) + a.centroid().norm() + a.onset() + a.beat() + a.envelope()";
        assert_eq!(zooms(&film(folder.path(), text)), [1.5; 20]);
    }
}

/// Where nobody hears, `audio` is refused by name.
#[test]
fn a_timeline_without_ears_says_so() {
    let (film, _) = kinora::schedule::read("film.kin", "frames = 2\nzoom = 1 + audio(\"a.wav\")").unwrap();
    let Err(Error::Schedule(found)) = Timeline::new(&film, &Options::default()) else {
        panic!("it was heard")
    };
    assert_eq!(found.list[0].code, "E71");
}

/// What a film needs beside it is listed, each place once.
#[test]
fn the_files_of_sounds_are_files_of_the_film() {
    let text =
        "frames = 2\nlet a = audio(\"a.wav\")\nzoom = 1 + a.norm() + a.rms()\nangle = audio(\"b.flac\")";
    let (film, _) = kinora::schedule::read("film.kin", text).unwrap();
    let files: Vec<String> = film.files().iter().map(|file| file.path.display().to_string()).collect();
    assert_eq!(files, ["a.wav", "b.flac"]);
}
