//! What a person reads: chapters, steps with the time they took, checks as they pass.

use std::io::{IsTerminal, Write, stdout};
use std::time::Instant;

use crate::check::{Check, Checks};

const WIDTH: usize = 78;

/// The story as it is told, and the checks on the way.
#[derive(Debug)]
pub struct Transcript {
    begun: Instant,
    chapter: u32,
    title: String,
    colour: bool,
    checks: Checks,
    said: Vec<String>,
}

impl Transcript {
    /// Begins the story.
    pub fn new() -> Self {
        Self {
            begun: Instant::now(),
            chapter: 0,
            title: String::new(),
            colour: stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            checks: Checks::default(),
            said: Vec::new(),
        }
    }

    /// Begins a chapter.
    pub fn chapter(&mut self, title: &str) {
        self.chapter += 1;
        title.clone_into(&mut self.title);
        let head = format!("── {}. {title} ", self.chapter);
        let rest = "─".repeat(WIDTH.saturating_sub(head.chars().count()));
        self.line(&format!("\n{}", self.bold(&format!("{head}{rest}"))));
    }

    /// Tells one step, with the seconds since the beginning.
    pub fn step(&self, text: &str) {
        let seconds = self.begun.elapsed().as_secs_f64();
        self.line(&format!("{seconds:6.1}s  {text}"));
    }

    /// Tells more of a step.
    pub fn detail(&self, label: &str, value: impl std::fmt::Display) {
        self.line(&format!("           {label:<22} {value}"));
    }

    /// Shows a block of text as it is.
    pub fn block(&self, text: &str) {
        for line in text.lines() {
            self.line(&format!("           {line}"));
        }
    }

    /// Notes whether a promise was kept.
    pub fn check(&mut self, promise: &str, passed: bool, seen: impl std::fmt::Display) {
        let seen = seen.to_string();
        let mark = if passed { self.paint("32", "✓") } else { self.paint("31", "✗") };
        self.line(&format!("         {mark} {promise}: {seen}"));
        self.checks.add(Check { promise: promise.to_owned(), seen, passed });
    }

    /// Makes a text that somebody says: with an ending that nothing else has, so that a search
    /// for it finds it and only it.
    pub fn saying(&mut self, text: &str) -> String {
        let text = format!("{text} ({})", &plasma_testkit::secret::name()[..10]);
        self.said.push(text.clone());
        text
    }

    /// Lists everything that was said.
    pub fn said(&self) -> &[String] {
        &self.said
    }

    /// Notes that the story could not go on.
    pub fn broken(&mut self, error: &anyhow::Error) {
        let promise = format!("chapter {} ({}) goes on to its end", self.chapter, self.title);
        self.check(&promise, false, format!("{error:#}"));
    }

    /// Ends the story with the table of checks; tells whether all passed.
    pub fn finish(&self) -> bool {
        self.line(&format!("\n{}", self.checks.table()));
        let (passed, all) = self.checks.count();
        for check in self.checks.failed() {
            self.line(&format!("failed: {}: {}", check.promise, check.seen));
        }
        self.line(&format!("demo: {passed} of {all} checks passed"));
        passed == all && all > 0
    }

    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A reader that has gone away is no reason to stop before the checks are done.
    #[expect(clippy::unused_self, reason = "reads as a sentence of the transcript")]
    fn line(&self, text: &str) {
        let mut out = stdout().lock();
        let _reader_is_gone = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}
