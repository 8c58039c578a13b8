//! Makes cargo look at the built app again: the files themselves are named by their content, so
//! a new one is not among those it has seen.

fn main() {
    println!("cargo:rerun-if-changed=web/dist");
}
