//! A page in a browser: what tests look at, click and wait for.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, MOUSE_BUTTON_LEFT, MouseActions, PointerAction};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::driver::Driver;

/// How long what a test waits for may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// Where nothing moved for so long, nothing is about to.
const STILL: Duration = Duration::from_millis(1500);
/// Findings of axe-core that no view may have.
const SERIOUS: [&str; 2] = ["serious", "critical"];

/// A browser with one page open.
pub(crate) struct Page {
    client: Client,
    runtime: Runtime,
    driver: Driver,
    _profile: TempDir,
}

impl Page {
    /// Opens an address in a new browser of 1280 by 800 pixels.
    pub(crate) fn open(url: &str) -> Self {
        let mut driver = Driver::start();
        let address = driver.address();
        let profile = tempfile::tempdir().expect("a temporary directory");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,800",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let capabilities = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let capabilities = capabilities.as_object().expect("an object").clone();
        let client = runtime
            .block_on(
                ClientBuilder::new(HttpConnector::new())
                    .capabilities(capabilities)
                    .connect(&address),
            )
            .unwrap_or_else(|error| panic!("no Chromium: {error}. `make deps` installs it"));
        let page = Self { client, runtime, driver, _profile: profile };
        page.go(url);
        page
    }

    /// The process that the browser belongs to.
    pub(crate) fn driver(&self) -> u32 {
        self.driver.pid()
    }

    pub(crate) fn go(&self, url: &str) {
        self.runtime.block_on(self.client.goto(url)).expect("the page opens");
    }

    /// What an expression in the page is.
    #[track_caller]
    pub(crate) fn get(&self, expression: &str) -> Value {
        self.run(&format!("return {expression};"))
    }

    #[track_caller]
    fn run(&self, script: &str) -> Value {
        self.runtime
            .block_on(self.client.execute(script, Vec::new()))
            .unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Asks again and again until an expression holds; what it was in the end.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, expression: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.get(expression);
            if !matches!(value, Value::Null | Value::Bool(false)) && value != json!("") {
                return value;
            }
            if Instant::now() >= deadline {
                let picture = self.picture();
                panic!("waited in vain for {what}: {expression}; see {}", picture.display());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The text of the first element, `null` where there is none.
    #[track_caller]
    pub(crate) fn text(&self, css: &str) -> Value {
        self.get(&format!("document.querySelector({css:?})?.textContent"))
    }

    /// Clicks as a person does: the element is there, and not disabled.
    #[track_caller]
    pub(crate) fn click(&self, css: &str) {
        self.wait_for(
            css,
            &format!("document.querySelector({css:?})?.matches(':not(:disabled)') === true"),
        );
        let clicked = self.runtime.block_on(async {
            let element = self.client.find(Locator::Css(css)).await?;
            element.click().await
        });
        clicked.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// Types into a field or onto whatever has the focus after it.
    #[track_caller]
    pub(crate) fn keys(&self, css: &str, keys: &str) {
        let typed = self
            .runtime
            .block_on(async { self.client.find(Locator::Css(css)).await?.send_keys(keys).await });
        typed.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// Sets a field or slider to a value, as if a person had.
    #[track_caller]
    pub(crate) fn set(&self, css: &str, value: &str) {
        self.run(&format!(
            "const it = document.querySelector({css:?}); it.value = {value:?};
             for (const kind of ['input', 'change'])
               it.dispatchEvent(new Event(kind, {{ bubbles: true }}));"
        ));
    }

    /// Waits until an element stays where it is: a busy page moves it in steps a second apart.
    #[track_caller]
    fn wait_until_still(&self, css: &str) {
        let rectangle =
            format!("document.querySelector({css:?})?.getBoundingClientRect().toJSON()");
        let (mut last, mut since) = (self.get(&rectangle), Instant::now());
        let deadline = since + PATIENCE;
        while last.is_null() || since.elapsed() < STILL {
            assert!(Instant::now() < deadline, "{css} never stands still");
            std::thread::sleep(PAUSE);
            let now = self.get(&rectangle);
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
    }

    /// Drags an element by so many pixels.
    #[track_caller]
    pub(crate) fn drag(&self, css: &str, x: f64, y: f64) {
        self.wait_until_still(css);
        let moment = Some(Duration::from_millis(250));
        let dragged = self.runtime.block_on(async {
            let element = self.client.find(Locator::Css(css)).await?;
            let mouse = MouseActions::new("mouse".to_owned())
                .then(PointerAction::MoveToElement { element, duration: moment, x: 0.0, y: 0.0 })
                .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
                .then(PointerAction::MoveBy { duration: moment, x: x / 2.0, y: y / 2.0 })
                .then(PointerAction::MoveBy { duration: moment, x: x / 2.0, y: y / 2.0 })
                .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
            self.client.perform_actions(mouse).await
        });
        dragged.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// What the developer tools answer to a command without parameters.
    #[track_caller]
    pub(crate) fn devtools(&self, command: &str) -> Value {
        self.ask("goog/cdp/execute", json!({ "cmd": command, "params": {} }))
    }

    #[track_caller]
    fn ask(&self, path: &'static str, body: Value) -> Value {
        let answer = self.runtime.block_on(self.client.issue_cmd(Chromium { path, body }));
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A picture of the page, for whoever looks into a failure.
    pub(crate) fn picture(&self) -> PathBuf {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("dashboard.png");
        if let Ok(bytes) = self.runtime.block_on(self.client.screenshot()) {
            let _ = std::fs::write(&path, bytes);
        }
        path
    }

    /// No error was logged, by the page or by the browser about it, since the last time.
    #[track_caller]
    pub(crate) fn assert_silent(&self) {
        let errors = self.take_errors();
        assert!(errors.is_empty(), "the console says {errors:#?}");
    }

    /// What the page wrote to its console, and the browser about it, since the last time.
    pub(crate) fn take_errors(&self) -> Vec<Value> {
        let log = self.ask("se/log", json!({ "type": "browser" }));
        let lines = log.as_array().expect("a list");
        lines.iter().filter(|line| line["level"] == "SEVERE").cloned().collect()
    }

    /// No serious finding of axe-core on what is shown now.
    #[track_caller]
    pub(crate) fn assert_accessible(&self, view: &str) {
        let axe = axe();
        self.run(&axe);
        let script = "const done = arguments[arguments.length - 1];
            axe.run(document, { resultTypes: ['violations'] }).then(
              (found) => done(found.violations.map(({ id, impact, nodes }) =>
                ({ id, impact, where: nodes.slice(0, 5).map(({ target }) => String(target)) }))),
              (error) => done([{ id: String(error), impact: 'critical' }]));";
        let found = self.runtime.block_on(self.client.execute_async(script, Vec::new()));
        let found = found.expect("axe-core runs");
        let found = found.as_array().expect("a list");
        let is_serious = |one: &&Value| SERIOUS.iter().any(|impact| one["impact"] == *impact);
        let serious: Vec<&Value> = found.iter().filter(is_serious).collect();
        assert!(serious.is_empty(), "{view}: {serious:#?}");
        println!("{view}: axe-core finds nothing serious, {} lesser findings", found.len());
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // The driver's end takes what is left with it.
        let _ = self.runtime.block_on(self.client.clone().close());
    }
}

/// The text of axe-core, as `.config/deps.sh` fetched it.
fn axe() -> String {
    let home = std::env::var("HOME").unwrap_or_default();
    let path = PathBuf::from(home).join(".cache/catamaran/axe-core.min.js");
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}. `make deps` fetches it", path.display()))
}

/// A question to the driver of Chromium that other browsers do not know.
#[derive(Debug)]
struct Chromium {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Chromium {
    fn endpoint(
        &self,
        base_url: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}
