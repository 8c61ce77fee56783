//! How a run tells what it does, and how it is told to stop.
//!
//! The only place that knows the progress-bar library. Callers report; whether a bar, log lines or
//! nothing comes of it is decided once, at the start.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Receives what a run reports.
pub trait Progress: Send + Sync {
    /// A stage begins: `label` («diffusion»), how many frames it has and how many are there already.
    fn begin(&self, label: &str, total: u64, done: u64);
    /// Step `step` of `steps` within the frame that is being made.
    fn step(&self, step: usize, steps: usize);
    /// One more frame of the stage is finished.
    fn frame(&self);
    /// So many frames of the stage are finished.
    fn reach(&self, done: u64);
    /// The stage is over.
    fn end(&self);
    /// Something is to be read while the stage goes on.
    fn note(&self, line: &str) {
        say(line);
    }
    /// A short word on how things stand, beside the bar; it stays until the next one.
    fn status(&self, _text: &str) {}
}

/// Writes a line to stderr. That nobody reads it any more (`2>&1 | head`) is no reason to stop a render.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Reports nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _label: &str, _total: u64, _done: u64) {}
    fn step(&self, _step: usize, _steps: usize) {}
    fn frame(&self) {}
    fn reach(&self, _done: u64) {}
    fn end(&self) {}
}

/// A bar when stderr is a terminal, plain lines otherwise, nothing when `quiet`.
pub fn for_stderr(quiet: bool) -> Box<dyn Progress> {
    counting("frame", quiet)
}

/// As [`for_stderr`], for things of another name: `picture`.
pub fn counting(noun: &'static str, quiet: bool) -> Box<dyn Progress> {
    if quiet {
        Box::new(Silent)
    } else if std::io::stderr().is_terminal() {
        Box::new(Bar { noun, bar: Mutex::default(), status: Mutex::default() })
    } else {
        Box::new(Log { noun, state: Mutex::default() })
    }
}

/// A bar with steps, frames, rate and time left.
struct Bar {
    noun: &'static str,
    bar: Mutex<Option<ProgressBar>>,
    status: Mutex<String>,
}

impl Bar {
    fn with(&self, act: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            act(bar);
        }
    }
}

impl Progress for Bar {
    fn begin(&self, label: &str, total: u64, done: u64) {
        let noun = self.noun;
        let template =
            format!("{{prefix:>12}} {{bar:32}} {{pos}}/{{len}} {noun}s  {{per_sec}}  {{eta}} left  {{msg}}");
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style);
        bar.set_prefix(label.to_owned());
        bar.set_position(done);
        // The rate must not count the frames that a resumed run finds finished.
        bar.reset_eta();
        bar.enable_steady_tick(Duration::from_millis(200));
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn step(&self, step: usize, steps: usize) {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.with(|bar| bar.set_message(format!("step {step}/{steps}  {status}")));
    }

    fn note(&self, line: &str) {
        match self.bar.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(bar) => bar.suspend(|| say(line)),
            None => say(line),
        }
    }

    fn status(&self, text: &str) {
        text.clone_into(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn frame(&self) {
        self.with(|bar| bar.inc(1));
    }

    fn reach(&self, done: u64) {
        self.with(|bar| bar.set_position(done));
    }

    fn end(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.set_message("");
            bar.abandon();
        }
    }
}

/// Plain lines at 1, 2, 4, 8 … seconds and then every minute, so that a log stays readable.
struct Log {
    noun: &'static str,
    state: Mutex<Option<LogState>>,
}

struct LogState {
    label: String,
    total: u64,
    position: u64,
    found: u64,
    start: Instant,
    next: Duration,
}

impl LogState {
    fn line(&self, noun: &str) -> String {
        let made = self.position.saturating_sub(self.found);
        let seconds = self.start.elapsed().as_secs_f64();
        let each = seconds / made.max(1) as f64;
        let left = each * self.total.saturating_sub(self.position) as f64;
        format!(
            "{}: {}/{} {noun}s, {each:.2} s a {noun}, {} left",
            self.label,
            self.position,
            self.total,
            indicatif::HumanDuration(Duration::from_secs_f64(left.min(1e9)))
        )
    }
}

impl Log {
    fn advance(&self, next: impl FnOnce(u64) -> u64) {
        if let Some(state) = self.state.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            state.position = next(state.position);
            let elapsed = state.start.elapsed();
            if elapsed >= state.next {
                say(&state.line(self.noun));
                state.next = elapsed + elapsed.clamp(Duration::from_secs(1), Duration::from_secs(60));
            }
        }
    }
}

impl Progress for Log {
    fn begin(&self, label: &str, total: u64, done: u64) {
        let there = if done > 0 { format!(", {done} already there") } else { String::new() };
        let plural = if total == 1 && self.noun != "frame" { "" } else { "s" };
        say(&format!("{label}: {total} {}{plural}{there}", self.noun));
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(LogState {
            label: label.to_owned(),
            total,
            position: done,
            found: done,
            start: Instant::now(),
            next: Duration::from_secs(1),
        });
    }

    fn step(&self, _step: usize, _steps: usize) {}

    fn frame(&self) {
        self.advance(|position| position + 1);
    }

    fn reach(&self, done: u64) {
        self.advance(|_| done);
    }

    fn end(&self) {
        if let Some(state) = self.state.lock().unwrap_or_else(PoisonError::into_inner).take() {
            say(&state.line(self.noun));
        }
    }
}

/// How urgently a run should stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Not at all.
    No,
    /// When the frame at hand is finished.
    AfterFrame,
    /// At the next step; the frame at hand is given up.
    Now,
}

/// The user's wish to stop; clones share it.
#[derive(Clone, Debug, Default)]
pub struct StopFlag {
    asked: Arc<AtomicU8>,
}

impl StopFlag {
    /// Asks once more: the first time to end after the frame, the second at the next step. Returns
    /// how often it was asked before.
    pub fn ask(&self) -> u8 {
        self.asked.fetch_add(1, Ordering::SeqCst)
    }

    /// How often it was asked.
    pub fn asked(&self) -> u8 {
        self.asked.load(Ordering::SeqCst)
    }

    /// What the user wants.
    pub fn get(&self) -> Stop {
        match self.asked() {
            0 => Stop::No,
            1 => Stop::AfterFrame,
            _ => Stop::Now,
        }
    }
}
