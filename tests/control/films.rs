//! Films with controls: what each is shown, and that its numbers reach the picture.

use std::path::Path;

use kinora::canvas::{Canvas, DepthMap, Size};
use kinora::edges::canny;
use kinora::error::Result;
use kinora::render::frame_loop::{LoopState, Rules, StageTimes, Studio};
use kinora::render::seams::{PaintRequest, Painter, Sources};
use kinora::timeline::frame::{DepthSource, Fit, FrameParams};
use kinora::timeline::{Options, Timeline};

use crate::common::{Desk, picture};

const SIZE: Size = Size::new(32, 24);

/// Paints nothing new and keeps what it was shown.
#[derive(Default)]
struct Keeper {
    shown: Vec<Vec<Option<Canvas>>>,
    init: Vec<Option<Canvas>>,
}

impl Painter for Keeper {
    fn paint(
        &mut self,
        request: &PaintRequest<'_>,
        _: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        self.shown.push(request.hints.clone());
        self.init.push(request.init.cloned());
        let mut made = request.init.cloned().unwrap_or_else(|| blocks(0));
        made.as_rgb8_mut()[0] = request.params.frame as u8;
        Ok(Some(made))
    }
}

/// A picture of hard-edged blocks.
fn blocks(shift: usize) -> Canvas {
    let pixel = |i: usize| {
        let (x, y) = (i % SIZE.width + shift, i / SIZE.width);
        if (x / 8 + y / 8).is_multiple_of(2) { [220, 200, 90] } else { [10, 40, 30] }
    };
    Canvas::from_rgb8(SIZE, (0..SIZE.area()).flat_map(pixel).collect())
}

/// Every file shows the blocks; its edges are marked by the thresholds that they were asked with.
#[derive(Default)]
struct Shelf {
    fits: Vec<Fit>,
}

impl Sources for Shelf {
    fn picture(&mut self, _: &Path, _: Size, fit: Fit) -> Result<Canvas> {
        self.fits.push(fit);
        Ok(blocks(3))
    }

    fn edges(&mut self, _: &Path, size: Size, _: Fit, (low, high): (f64, f64)) -> Result<Canvas> {
        Ok(Canvas::filled(size, [low as u8, high as u8, 7]))
    }

    fn depth(&mut self, _: &DepthSource, picture: &Canvas) -> Result<DepthMap> {
        Ok(DepthMap::filled(picture.size(), 1.0))
    }

    fn hint(&self, depth: &DepthMap) -> Canvas {
        Canvas::filled(depth.size(), [128; 3])
    }
}

fn frames(text: &str) -> Vec<FrameParams> {
    let (film, found) = kinora::schedule::read("film.kin", text).unwrap();
    assert!(!found.has_errors());
    let timeline = Timeline::new(&film, &Options::default()).unwrap();
    (0..timeline.frames()).map(|frame| timeline.at(frame).unwrap()).collect()
}

/// Runs a film and gives what was shown, frame by frame and control by control.
fn shown(text: &str) -> (Keeper, Shelf) {
    let (mut keeper, mut shelf) = (Keeper::default(), Shelf::default());
    let mut state = LoopState::default();
    for params in frames(text) {
        let mut studio = Studio {
            painter: &mut keeper,
            sources: &mut shelf,
            size: SIZE,
            rules: Rules::NATIVE,
            times: StageTimes::default(),
        };
        studio.frame(&params, &mut state, &mut |_, _| true).unwrap().unwrap();
    }
    (keeper, shelf)
}

const HEAD: &str = "kinora 1\nframes = 3\nprompt = \"a lamp\"\nnoise = 0.2\ncoherence = none\n";

#[test]
fn canny_without_a_picture_sees_the_moved_frame_before_its_noise() {
    let (keeper, _) =
        shown(&format!("{HEAD}control e {{ from = canny  canny.low = 80  canny.high = 160 }}\n"));
    assert_eq!(keeper.shown[0], [None], "a first frame from text has nothing to show");
    // Nothing moves: the moved frame is the frame before.
    let mut before = blocks(0);
    before.as_rgb8_mut()[0] = 0;
    assert_eq!(keeper.shown[1], [Some(canny(&before, 80.0, 160.0))]);
    assert_ne!(keeper.init[1].as_ref().unwrap(), &before, "noise was added to what is painted over");
}

#[test]
fn thresholds_are_those_of_the_frame() {
    let (keeper, _) = shown(&format!(
        "{HEAD}control e {{ from = canny  image = \"a.png\"  canny.low = 0: 10, 2: 30  canny.high = 90 }}\n"
    ));
    let corner = |frame: usize| keeper.shown[frame][0].as_ref().unwrap().pixel(0, 0);
    assert_eq!([corner(0), corner(1), corner(2)], [[10, 90, 7], [20, 90, 7], [30, 90, 7]]);
}

#[test]
fn pictures_are_fitted_and_inverted_as_the_block_says() {
    let (keeper, shelf) = shown(&format!(
        "{HEAD}control a {{ image = \"a.png\"  invert = true  resize = stretch }}\n\
         control b {{ image = \"a.png\"  resize = fit }}\ncontrol c {{ image = \"a.png\" }}\n"
    ));
    assert_eq!(shelf.fits[..3], [Fit::Stretch, Fit::Inside, Fit::Crop]);
    let pixel = |control: usize| keeper.shown[0][control].as_ref().unwrap().pixel(0, 0);
    assert_eq!(pixel(0), pixel(1).map(|value| 255 - value));
    assert_eq!(pixel(1), pixel(2));
}

#[test]
fn a_reference_without_a_picture_is_the_scene_s_first_frame() {
    let (keeper, _) = shown(&format!("{HEAD}control s {{ from = reference }}\n"));
    assert_eq!(keeper.shown[0], [None], "a first frame cannot look at itself");
    let first = keeper.shown[1][0].as_ref().unwrap();
    assert_eq!(first, keeper.shown[2][0].as_ref().unwrap());
    assert_eq!(first.pixel(0, 0)[0], 0, "it is that of frame 0");
}

/// A film of two frames over a still picture, which do not depend on each other.
fn over_still(control: &str) -> String {
    format!(
        "kinora 1\nvideo {{ size = 64x64  fps = 4 }}\nframes = 2\nprompt = \"a tunnel\"\nsteps = 2\nstrength = 0.3\n\
         guidance = 3\nsource = still(\"still.png\")\n{control}"
    )
}

#[test]
fn keyed_weights_reach_the_picture_frame_by_frame() {
    let desk = Desk::new();
    picture(&desk.path("still.png"), 64, 64);
    picture(&desk.path("style.png"), 80, 40);
    let render = |name: &str, control: &str| {
        desk.write(&format!("{name}.kin"), over_still(control));
        desk.run(&["render", &format!("{name}.kin"), "-o", &format!("{name}.mp4")]).expect(0);
        [0, 1].map(|frame| desk.read(&format!("{name}.frames/00000{frame}.png")))
    };
    let plain = render("plain", "");
    for (name, control) in [
        ("depth", "control c { from = depth  weight = 0: 0, 1: 1 }\n"),
        ("edges", "control c { from = canny  canny.low = 20  canny.high = 40  weight = 0: 0, 1: 1 }\n"),
        ("style", "control c { from = reference  image = \"style.png\"  weight = 0: 0, 1: 1 }\n"),
    ] {
        let found = render(name, control);
        assert!(found[0] == plain[0], "{name}: weight 0 is as good as absent");
        assert!(found[1] != plain[1], "{name}: weight 1 changes the picture");
    }
    let styled = |fidelity: &str| {
        format!("control c {{ from = reference  image = \"style.png\"  fidelity = {fidelity} }}\n")
    };
    let (loose, close) = (render("loose", &styled("0")), render("close", &styled("0: 0, 1: 1")));
    assert!(loose[0] == close[0] && loose[1] != close[1], "fidelity is keyed");
    let moments = |start: &str| format!("control c {{ from = canny  start = {start}  end = 1 }}\n");
    let (early, late) = (render("early", &moments("0")), render("late", &moments("0: 0, 1: 1")));
    assert!(early[0] == late[0] && early[1] != late[1], "start is keyed");
}

#[test]
fn a_control_that_cannot_be_is_refused_before_the_first_frame() {
    let desk = Desk::new();
    picture(&desk.path("still.png"), 64, 64);
    let refused = |control: &str, code: i32, words: &[&str]| {
        desk.write("film.kin", over_still(control));
        desk.run(&["render", "film.kin", "-o", "film.mp4"]).expect(code).says(words);
        assert!(desk.frames("film.frames").is_empty());
    };
    refused("control c { from = canny  image = \"gone.png\" }\n", 3, &["gone.png"]);
    refused("control c { from = reference }\n", 1, &["E45"]);
    std::fs::write(desk.path("lines.pth"), b"PK").unwrap();
    std::fs::write(desk.path("letter.safetensors"), b"dear reader").unwrap();
    let model = |name: &str| format!("control c {{ from = depth  model = \"{name}\" }}\n");
    refused(&model("lines.pth"), 3, &["convert it to safetensors"]);
    refused(&model("letter"), 3, &["letter.safetensors", "safetensors file"]);
    refused(&model("leter.safetensors"), 3, &["did you mean `letter"]);
}
