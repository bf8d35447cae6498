//! Compiles the library behind faulty disks, and everything anew where a file of the dashboard's page
//! appears or goes away.

use std::path::PathBuf;

const SOURCE: &str = "disk/faultdisk.c";

fn main() {
    println!("cargo::rerun-if-changed=dashboard");
    println!("cargo::rerun-if-changed={SOURCE}");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let compiler = cc::Build::new().opt_level(2).warnings(true).extra_warnings(true).get_compiler();
    let mut command = compiler.to_command();
    command.args(["-shared", "-fPIC", "-o"]).arg(out.join("faultdisk.so")).args([SOURCE, "-ldl"]);
    let status = command.status().expect("the C compiler that RocksDB needs too can be started");
    assert!(status.success(), "{command:?} fails: see above");
}
