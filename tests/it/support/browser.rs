//! A real browser, driven over its own protocol through two pipes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// What a page must hold for people who do not see it, or do not use a mouse.
const ACCESSIBILITY: &str = include_str!("accessibility.js");

/// What axe-core finds against WCAG 2.2 (levels A and AA) and its own good practice; colors that the system forces are its
/// own affair. What stands in frames is looked at by itself.
const AXE: &str = r#"(async () => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const rules = { "color-contrast": { enabled: !matchMedia("(forced-colors: active)").matches } };
  const found = await axe.run(document, { runOnly: { type: "tag", values: tags }, rules, iframes: false, resultTypes: ["violations"] });
  const told = (node) => node.html.slice(0, 160) + "; " + [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ");
  return found.violations.map((rule) => "axe " + rule.id + ", " + rule.nodes.length + " times, " + rule.help + ": " + told(rule.nodes[0]));
})()"#;

/// A headless Chromium. It is ended when dropped.
pub(crate) struct Browser {
    child: Child,
    to: File,
    from: File,
    held: Vec<u8>,
    events: VecDeque<Value>,
    next: u64,
    /// The program text of axe-core, where it was fetched.
    axe: Option<String>,
    _folder: tempfile::TempDir,
}

/// A window of its own, with cookies of its own.
#[derive(Debug, Clone)]
pub(crate) struct Window(String);

/// Where a Chromium is, if there is one.
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|file| file.is_file())
}

/// axe-core, which `.ci/run` fetches beside what is built; it is no part of the repository.
#[expect(clippy::print_stderr, reason = "says what was not tried")]
fn axe() -> Option<String> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?.join("axe/axe.min.js");
    let text = std::fs::read_to_string(&file).ok();
    if text.is_none() {
        eprintln!("axe-core was skipped: there is no axe/axe.min.js beside what is built; `.ci/run` fetches it");
    }
    text
}

impl Browser {
    /// Starts the browser; `None` where none is installed, which is said.
    #[expect(clippy::print_stderr, reason = "says why nothing was tried")]
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = chromium() else {
            eprintln!("skipped: no Chromium is installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let (to, from) = (folder.path().join("to"), folder.path().join("from"));
        assert!(Command::new("mkfifo").args([&to, &from]).status().unwrap().success());
        // The protocol is spoken on the third and fourth descriptor, which a shell can open.
        let line = "exec \"$0\" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                    --remote-debugging-pipe --user-data-dir=\"$1\" 3<\"$2\" 4>\"$3\"";
        let child = Command::new("sh")
            .args(["-c", line])
            .args([&program, &folder.path().join("profile"), &to, &from])
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = File::options().write(true).open(to).unwrap();
        let from = File::open(from).unwrap();
        Some(Self { child, to, from, held: Vec::new(), events: VecDeque::new(), next: 0, axe: axe(), _folder: folder })
    }

    fn read(&mut self) -> Value {
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == 0) {
                let message: Vec<u8> = self.held.drain(..=end).collect();
                return serde_json::from_slice(&message[..end]).unwrap();
            }
            let mut buffer = [0; 16_384];
            let count = self.from.read(&mut buffer).unwrap();
            assert!(count > 0, "the browser ended");
            self.held.extend_from_slice(&buffer[..count]);
        }
    }

    fn ask(&mut self, window: Option<&Window>, method: &str, params: &Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(Window(session)) = window {
            message["sessionId"] = session.clone().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.read();
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.events.push_back(answer);
        }
    }

    /// Opens a window that shares nothing with others.
    pub(crate) fn window(&mut self) -> Window {
        let context = self.ask(None, "Target.createBrowserContext", &json!({}))["browserContextId"].clone();
        let target = self.ask(None, "Target.createTarget", &json!({ "url": "about:blank", "browserContextId": context }));
        let attached = self.ask(None, "Target.attachToTarget", &json!({ "targetId": target["targetId"], "flatten": true }));
        let window = Window(attached["sessionId"].as_str().unwrap().to_owned());
        for part in ["Page", "Runtime", "Network", "Log"] {
            self.ask(Some(&window), &format!("{part}.enable"), &json!({}));
        }
        window
    }

    fn wait_for(&mut self, window: &Window, method: &str) {
        let is_it = |event: &Value| event["method"] == method && event["sessionId"] == window.0.as_str();
        if self.events.iter().any(is_it) {
            return;
        }
        loop {
            let event = self.read();
            let found = is_it(&event);
            self.events.push_back(event);
            if found {
                return;
            }
        }
    }

    /// Forgets that earlier pages were loaded, and keeps all else.
    fn forget_loads(&mut self, window: &Window) {
        self.events.retain(|event| event["method"] != "Page.loadEventFired" || event["sessionId"] != window.0.as_str());
    }

    pub(crate) fn go(&mut self, window: &Window, url: &str) {
        self.forget_loads(window);
        self.ask(Some(window), "Page.navigate", &json!({ "url": url }));
        self.wait_for(window, "Page.loadEventFired");
    }

    /// Does something that loads another page, and waits for it.
    pub(crate) fn and_load(&mut self, window: &Window, act: impl FnOnce(&mut Self)) {
        self.forget_loads(window);
        act(self);
        self.wait_for(window, "Page.loadEventFired");
    }

    pub(crate) fn tell(&mut self, window: &Window, script: &str) -> Value {
        let params = json!({ "expression": script, "returnByValue": true, "awaitPromise": true });
        let answer = self.ask(Some(window), "Runtime.evaluate", &params);
        assert!(answer["exceptionDetails"].is_null(), "{script}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    pub(crate) fn text(&mut self, window: &Window, script: &str) -> String {
        self.tell(window, script).as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn size(&mut self, window: &Window, width: u32) {
        let params = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.ask(Some(window), "Emulation.setDeviceMetricsOverride", &params);
    }

    /// Lets scripts of pages run in a window, or not; what the protocol asks is answered either way.
    pub(crate) fn scripts(&mut self, window: &Window, run: bool) {
        self.ask(Some(window), "Emulation.setScriptExecutionDisabled", &json!({ "value": !run }));
    }

    pub(crate) fn media(&mut self, window: &Window, scheme: &str, forced: bool) {
        let forced = if forced { "active" } else { "none" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }, { "name": "forced-colors", "value": forced }]);
        self.ask(Some(window), "Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Presses a key: `Tab`, `Enter`, `Space`, or with `Shift+` before it.
    pub(crate) fn press(&mut self, window: &Window, key: &str) {
        let (shift, key) = key.strip_prefix("Shift+").map_or((0, key), |key| (8, key));
        let (key, code, number, text) = match key {
            "Tab" => ("Tab", "Tab", 9, ""),
            "Enter" => ("Enter", "Enter", 13, "\r"),
            "Space" => (" ", "Space", 32, " "),
            other => panic!("{other}"),
        };
        let mut params = json!({ "type": if text.is_empty() { "rawKeyDown" } else { "keyDown" }, "key": key, "code": code,
            "windowsVirtualKeyCode": number, "modifiers": shift });
        if !text.is_empty() {
            params["text"] = text.into();
        }
        self.ask(Some(window), "Input.dispatchKeyEvent", &params);
        params["type"] = "keyUp".into();
        self.ask(Some(window), "Input.dispatchKeyEvent", &params);
    }

    pub(crate) fn write(&mut self, window: &Window, text: &str) {
        self.ask(Some(window), "Input.insertText", &json!({ "text": text }));
    }

    /// Moves the focus by keyboard alone until it is where the selector says.
    pub(crate) fn tab_to(&mut self, window: &Window, selector: &str) {
        for _ in 0..400 {
            if self.tell(window, &format!("document.activeElement.matches({})", json!(selector))) == true {
                let outline = self.text(window, "getComputedStyle(document.activeElement).outlineWidth");
                assert_eq!(outline, "3px", "the focus on {selector} is seen");
                return;
            }
            self.press(window, "Tab");
        }
        panic!("{selector} cannot be reached by keyboard");
    }

    /// Faults of the page for people who do not see it, or do not use a mouse: by our own rules, and by those of axe-core.
    pub(crate) fn faults(&mut self, window: &Window) -> Vec<String> {
        let mut found = vec![self.tell(window, ACCESSIBILITY)];
        if let Some(axe) = self.axe.take() {
            // The page's own policy would not let it in, and does not bind the protocol.
            self.tell(window, &format!("{axe};true"));
            found.push(self.tell(window, AXE));
            self.axe = Some(axe);
        }
        let faults = found.iter().flat_map(|faults| faults.as_array().unwrap());
        faults.map(|fault| fault.as_str().unwrap().to_owned()).collect()
    }

    /// What was loaded from elsewhere than `base`, and what the policy or the scripts complained of.
    pub(crate) fn complaints(&mut self, base: &str) -> Vec<String> {
        let told = self.events.iter().filter_map(|event| match event["method"].as_str()? {
            "Network.requestWillBeSent" => {
                let url = event["params"]["request"]["url"].as_str()?;
                (!url.starts_with(base) && !url.starts_with("about:")).then(|| url.to_owned())
            }
            "Runtime.exceptionThrown" => Some(event["params"]["exceptionDetails"].to_string()),
            "Log.entryAdded" => {
                let entry = &event["params"]["entry"];
                (entry["source"] == "security" || entry["text"].as_str()?.contains("Content Security Policy")).then(|| entry.to_string())
            }
            _ => None,
        });
        told.collect()
    }

    /// Keeps a picture of the window, whole, where `CLARION_PICTURES` names a folder.
    pub(crate) fn picture(&mut self, window: &Window, name: &str) {
        let Some(folder) = std::env::var_os("CLARION_PICTURES") else { return };
        let size = self.tell(window, "[innerWidth, Math.min(document.documentElement.scrollHeight, 4000)]");
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let shot =
            self.ask(Some(window), "Page.captureScreenshot", &json!({ "format": "png", "captureBeyondViewport": true, "clip": clip }));
        let decoded = decode(shot["data"].as_str().unwrap());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), decoded).unwrap();
    }
}

/// RFC 4648, section 4.
fn decode(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0u32, 0);
    for six in text.bytes().filter_map(value) {
        held = held << 6 | u32::from(six);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).unwrap());
        }
    }
    bytes
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.to.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        for _ in 0..40 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
