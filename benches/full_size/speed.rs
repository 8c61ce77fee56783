//! Networks beside PyTorch, in the same run, alternately.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use candle_core::{Device, Tensor};
use kinora::diffusion::text::clip::ClipTextEncoder;
use kinora::diffusion::unet::UNet;
use kinora::diffusion::vae::Autoencoder;
use kinora::models::ModelFolder;

/// Rounds that are measured; the least counts.
const ROUNDS: usize = 2;
/// What is measured, each with an input of its own on both sides.
const TASKS: [&str; 5] = ["unet1", "unet2", "decode", "encode", "text"];

/// Seconds of each network alone; `wanted` names some of the tasks.
pub fn parts(folder: &Path, wanted: &[&str]) {
    for task in TASKS.iter().filter(|task| wanted.is_empty() || wanted.contains(task)) {
        let mut network = Ours::load(&folder.join("diffusers"), task);
        let mut seconds: Vec<f64> = (0..=ROUNDS).map(|_| network.run()).collect();
        seconds.remove(0);
        println!("{task}: {}", seconds.iter().map(|s| format!("{s:.3} s")).collect::<Vec<_>>().join(", "));
    }
}

/// Both sides alternately, and the ratios of their least times. On a busy machine processor time says more.
pub fn beside_torch(folder: &Path, wanted: &[&str]) {
    let Ok(python) = std::env::var("KINORA_TORCH") else {
        println!("set KINORA_TORCH to a python with torch and safetensors");
        return;
    };
    let folder = folder.join("diffusers");
    let mut torch = Torch::start(&python, &folder);
    println!("task: ours, PyTorch, ours / PyTorch; processor time of each, ratio; largest difference");
    for task in TASKS.iter().filter(|task| wanted.is_empty() || wanted.contains(task)) {
        let mut network = Ours::load(&folder, task);
        let (mut least, mut busy) = ([f64::INFINITY; 2], [f64::INFINITY; 2]);
        let mut difference = 0.0;
        for round in 0..=ROUNDS {
            let before = processor_time();
            let ours = network.run();
            let used = processor_time() - before;
            let (theirs, theirs_used, summary) = torch.run(task);
            if round > 0 {
                least = [least[0].min(ours), least[1].min(theirs)];
                busy = [busy[0].min(used), busy[1].min(theirs_used)];
            } else {
                difference = compare(&network.summary(), &summary);
            }
        }
        println!(
            "{task}: {:.3} s, {:.3} s, {:.2}; {:.2} s, {:.2} s, {:.2}; {difference:.1e}",
            least[0],
            least[1],
            least[0] / least[1],
            busy[0],
            busy[1],
            busy[0] / busy[1]
        );
    }
}

/// Seconds that all threads of this process have computed (Linux counts them in hundredths).
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Largest difference over the largest value.
fn compare(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(1e-30, |m: f64, v| m.max(v.abs()));
    ours.iter().zip(theirs).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs())) / largest
}

/// A network with its input and last output.
struct Ours {
    run: Box<dyn Fn() -> Tensor>,
    out: Option<Tensor>,
}

impl Ours {
    fn load(folder: &Path, task: &str) -> Self {
        let model = ModelFolder::open(folder).unwrap();
        let cpu = Device::Cpu;
        let run: Box<dyn Fn() -> Tensor> = match task {
            "unet1" | "unet2" => {
                let unet = UNet::load(&model.join("unet"), &cpu).unwrap();
                let batch = if task == "unet1" { 1 } else { 2 };
                let (x, context) = (input(&[batch, 4, 64, 64]), input(&[batch, 77, 768]));
                Box::new(move || unet.forward(&x, &[500.0], &context, None, None).unwrap())
            }
            "decode" | "encode" => {
                let vae = Autoencoder::load(&model.join("vae"), &cpu).unwrap();
                let decodes = task == "decode";
                let x = if decodes { input(&[1, 4, 64, 64]) } else { input(&[1, 3, 512, 512]) };
                Box::new(move || if decodes { vae.decode(&x) } else { vae.encode(&x) }.unwrap())
            }
            _ => {
                let text = ClipTextEncoder::load(&model.join("text_encoder"), &cpu).unwrap();
                let tokens: Vec<u32> = (0..77).map(|i| i * 617 % 49406).collect();
                Box::new(move || text.forward(&[tokens.clone(), tokens.clone()]).unwrap().last)
            }
        };
        Self { run, out: None }
    }

    /// Seconds of one run.
    fn run(&mut self) -> f64 {
        let start = Instant::now();
        self.out = Some((self.run)());
        start.elapsed().as_secs_f64()
    }

    /// Every so many-th number of the output.
    fn summary(&self) -> Vec<f64> {
        let values: Vec<f32> = self.out.as_ref().unwrap().flatten_all().unwrap().to_vec1().unwrap();
        values.iter().step_by(values.len() / 64).take(64).map(|v| f64::from(*v)).collect()
    }
}

/// A sawtooth without short period, the same on both sides.
fn input(shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i| (i * 7919 % 10007) as f32 / 5003.0 - 1.0).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// The script beside this file, which waits for the name of a task and answers with seconds and some numbers.
struct Torch {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Torch {
    fn start(python: &str, folder: &Path) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/full_size/peer.py");
        let mut process = Command::new(python)
            .arg(script)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, to, from }
    }

    /// Seconds, processor time, and some numbers of the result.
    fn run(&mut self, task: &str) -> (f64, f64, Vec<f64>) {
        writeln!(self.to, "{task}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        let mut numbers = line.split_whitespace().map(|n| n.parse::<f64>().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap(), numbers.collect())
    }
}

impl Drop for Torch {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
