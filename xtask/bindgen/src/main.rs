//! `aetherflow-bindgen INPUT.wasm OUTPUT_DIR`: writes the JavaScript glue around the wasm.
//!
//! The generator must match the `wasm-bindgen` library to the patch. As a member of this workspace
//! both come from one Cargo.lock, and nobody has to install a tool; it also builds in a third of
//! the time of the command-line program, which brings a web server along.

use std::env::args_os;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<_> = args_os().skip(1).collect();
    let [input, output] = arguments.as_slice() else {
        eprintln!("usage: aetherflow-bindgen INPUT.wasm OUTPUT_DIR");
        return ExitCode::from(2);
    };
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(input)
        .out_name("aetherflow")
        .typescript(true)
        .omit_default_module_path(true);
    let result = bindgen.web(true).and_then(|bindgen| bindgen.generate(output));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aetherflow-bindgen: {error:?}");
            ExitCode::FAILURE
        }
    }
}
