//! The walls between the crates, read from what cargo knows and not from what somebody remembers.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What each crate may import of this workspace. Crates that are not there yet have their place already.
const IMPORTS: &[(&str, &[&str])] = &[
    ("sip", &[]),
    ("msrp", &[]),
    ("cpim", &[]),
    ("conference-info", &[]),
    ("room", &[]),
    ("focus", &["sip", "msrp", "cpim", "conference-info", "room"]),
    ("client", &["sip", "msrp", "cpim", "conference-info"]),
    ("store", &["room"]),
    // The shell names the cores' own types where it moves their octets.
    ("server", &["focus", "store", "client", "sip", "msrp", "cpim", "conference-info", "room"]),
    ("sim", &["focus", "client", "store", "sip", "msrp", "cpim", "conference-info", "room"]),
];

/// What tests may import beyond that: never on the ground floor.
const IMPORTS_OF_TESTS: &[(&str, &[&str])] =
    &[("focus", &["client", "sim"]), ("client", &["focus", "sim"]), ("store", &["sim"]), ("server", &["sim"])];

/// The crates that are handed time, randomness and octets.
const CORES: &[&str] = &["sip", "msrp", "cpim", "conference-info", "room", "focus", "client"];

/// What would bring sockets, threads, a clock or chance of its own into a core, directly or by way of others.
const IMPURE: &[&str] = &[
    "async-io",
    "async-std",
    "chrono",
    "crossbeam-channel",
    "fastrand",
    "getrandom",
    "hyper",
    "mio",
    "native-tls",
    "openssl",
    "parking_lot",
    "polling",
    "rand",
    "rayon",
    "ring",
    "rustls",
    "smol",
    "socket2",
    "sqlx",
    "time",
    "tokio",
    "tracing",
];

/// What every core's clippy must refuse.
const BANS: &[&str] = &[
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread::spawn",
    "std::thread::sleep",
    "std::env::var",
    "std::fs::read",
    "std::fs::File::open",
    "std::fs::File::create",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::collections::hash_map::RandomState",
];

#[test]
fn every_import_between_our_crates_points_down() {
    let workspace = Workspace::read();
    for (name, package) in &workspace.ours {
        let imports = allowed(IMPORTS, name).unwrap_or_else(|| panic!("{name} has no place in the architecture yet"));
        let for_tests = allowed(IMPORTS_OF_TESTS, name).unwrap_or_default();
        for dependency in package["dependencies"].as_array().unwrap() {
            let imported = dependency["name"].as_str().unwrap();
            if !workspace.ours.contains_key(imported) {
                continue;
            }
            let is_test = dependency["kind"] == "dev";
            let is_allowed = imports.contains(&imported) || (is_test && for_tests.contains(&imported));
            assert!(is_allowed, "{name} must not import {imported}");
        }
    }
}

#[test]
fn nothing_below_the_server_brings_sockets_threads_a_clock_or_chance() {
    let workspace = Workspace::read();
    for core in workspace.cores() {
        let reached = workspace.reached_from(core);
        let impure: Vec<_> = IMPURE.iter().filter(|name| reached.contains(**name)).collect();
        assert!(impure.is_empty(), "{core} must not depend on {impure:?}");
    }
    assert!(workspace.reached_from("server").contains("tokio"), "the graph of dependencies was not read");
}

#[test]
fn every_core_s_clippy_refuses_clock_threads_and_input_output() {
    let workspace = Workspace::read();
    let shared = read(&workspace.root.join("clippy-core.toml"));
    for ban in BANS {
        assert!(shared.contains(&format!("{{ path = \"{ban}\",")), "clippy-core.toml does not ban {ban}");
    }
    for core in workspace.cores() {
        let directory = workspace.directory(core);
        assert_eq!(read(&directory.join("clippy.toml")), shared, "{core} has other bans");
        let manifest = read(&directory.join("Cargo.toml"));
        assert!(manifest.contains("[lints]\nworkspace = true"), "{core} does not take the workspace's lints");
        for file in sources(&directory.join("src")) {
            // What ships. A test in the file, which comes last there, has no other way to an instant than to ask for one.
            let text = read(&file);
            let ships = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let lifts = |line: &str| line.contains("allow(") || line.contains("expect(");
            let allows = ships.lines().any(|line| lifts(line) && line.contains("clippy::disallowed_"));
            assert!(!allows, "{} lifts a ban", file.display());
        }
    }
}

#[test]
fn the_workspace_denies_what_is_banned_and_forbids_unsafe_code() {
    let manifest = read(&Workspace::read().root.join("Cargo.toml"));
    for line in ["disallowed_methods = \"deny\"", "disallowed_types = \"deny\"", "unsafe_code = \"forbid\""] {
        assert!(manifest.lines().any(|found| found == line), "the workspace's lints lack {line}");
    }
}

#[test]
fn every_dependency_stands_in_the_architecture_with_its_reason() {
    let workspace = Workspace::read();
    let page = read(&workspace.root.join("ARCHITECTURE.md"));
    let (_, table) = page.split_once("## Dependencies").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `")).map(|line| line.split(" | ").next().unwrap());
    let written: BTreeSet<_> = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let ours = workspace.ours.values().flat_map(|package| package["dependencies"].as_array().unwrap());
    let names = ours.map(|dependency| dependency["name"].as_str().unwrap());
    let used: BTreeSet<_> = names.filter(|name| !workspace.ours.contains_key(*name)).collect();
    assert_eq!(written, used);
}

/// What cargo says of this workspace.
struct Workspace {
    root: PathBuf,
    ours: BTreeMap<String, Value>,
    /// Each package's id with its name and those that it needs outside of tests.
    graph: BTreeMap<String, (String, Vec<String>)>,
}

impl Workspace {
    fn read() -> Self {
        let host = output(Command::new(env!("CARGO")).arg("-vV"));
        let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let metadata = output(Command::new(env!("CARGO")).current_dir(env!("CARGO_MANIFEST_DIR")).args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            host,
        ]));
        let metadata: Value = serde_json::from_str(&metadata).unwrap();
        let members: BTreeSet<_> = metadata["workspace_members"].as_array().unwrap().iter().map(text).collect();
        let packages = metadata["packages"].as_array().unwrap();
        let names: BTreeMap<_, _> =
            packages.iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
        let ours = packages.iter().filter(|package| members.contains(&text(&package["id"])));
        let graph = metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| {
            let id = text(&node["id"]);
            let is_needed = |dependency: &&Value| {
                dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null())
            };
            let needed = node["deps"].as_array().unwrap().iter().filter(is_needed).map(|found| text(&found["pkg"]));
            (id.clone(), (names[&id].clone(), needed.collect()))
        });
        Workspace {
            root: text(&metadata["workspace_root"]).into(),
            ours: ours.map(|package| (text(&package["name"]), package.clone())).collect(),
            graph: graph.collect(),
        }
    }

    /// The cores that are there.
    fn cores(&self) -> impl Iterator<Item = &'static str> {
        CORES.iter().copied().filter(|core| self.ours.contains_key(*core))
    }

    fn directory(&self, name: &str) -> PathBuf {
        Path::new(self.ours[name]["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
    }

    /// The names of all packages that are linked into this one.
    fn reached_from(&self, name: &str) -> BTreeSet<String> {
        let mut open = vec![text(&self.ours[name]["id"])];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id.clone()) {
                open.extend(self.graph[&id].1.iter().cloned());
            }
        }
        seen.iter().map(|id| self.graph[id].0.clone()).collect()
    }
}

fn allowed(table: &[(&str, &'static [&'static str])], name: &str) -> Option<&'static [&'static str]> {
    table.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, allowed)| *allowed)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.into_iter().chain(directories.iter().flat_map(|directory| sources(directory))).collect()
}
