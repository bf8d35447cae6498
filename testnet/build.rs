//! Compiles anew where a file of the dashboard's page appears or goes away.

fn main() {
    println!("cargo::rerun-if-changed=dashboard");
}
