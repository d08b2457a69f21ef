//! Style, script and the chart library, as they were compiled in. Their addresses name their content, so that browsers keep them for ever.

use crate::api::answer::{self, Answer, Keep};
use crate::api::problem::{Kind, Problem};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

/// Where they are.
pub(super) const ROOT: &str = "/assets/";

/// One of them.
pub(super) struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

static ASSETS: [Asset; 6] = [
    Asset {
        name: "page.css",
        kind: STYLE,
        bytes: include_bytes!("../../assets/page.css"),
    },
    Asset {
        name: "page.js",
        kind: SCRIPT,
        bytes: include_bytes!("../../assets/page.js"),
    },
    Asset {
        name: "icon.svg",
        kind: "image/svg+xml",
        bytes: include_bytes!("../../assets/icon.svg"),
    },
    Asset {
        name: "uPlot.iife.min.js",
        kind: SCRIPT,
        bytes: include_bytes!("../../assets/uPlot.iife.min.js"),
    },
    Asset {
        name: "uPlot.min.css",
        kind: STYLE,
        bytes: include_bytes!("../../assets/uPlot.min.css"),
    },
    Asset {
        name: "uPlot.LICENSE",
        kind: "text/plain; charset=utf-8",
        bytes: include_bytes!("../../assets/uPlot.LICENSE"),
    },
];

/// The addresses, with the beginning of each content's digest.
static ADDRESSES: LazyLock<[String; ASSETS.len()]> = LazyLock::new(|| {
    ASSETS.each_ref().map(|asset| {
        let digest = Sha256::digest(asset.bytes);
        let short: Vec<u8> = digest.iter().take(6).copied().collect();
        format!("{ROOT}{}/{}", hex::encode(short), asset.name)
    })
});

/// The address of one.
pub(super) fn address(name: &str) -> &'static str {
    let at = ASSETS.iter().position(|asset| asset.name == name);
    at.and_then(|at| ADDRESSES.get(at))
        .map_or("", String::as_str)
}

/// The one at an address, without [`ROOT`]. Only the very content that the address names: what an old page asks for may be gone.
pub(super) fn answer(path: &str) -> Result<Answer, Problem> {
    let at = ADDRESSES
        .iter()
        .position(|address| address.strip_prefix(ROOT) == Some(path));
    let asset = at
        .and_then(|at| ASSETS.get(at))
        .ok_or_else(|| Problem::new(Kind::NotFound, "there is no such file"))?;
    Ok(answer::bytes(asset.kind, asset.bytes, Keep::Always))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_at_its_address_and_the_library_has_its_licence_beside_it() {
        for asset in &ASSETS {
            let address = address(asset.name);
            assert!(
                answer(address.strip_prefix(ROOT).unwrap()).is_ok(),
                "{address}"
            );
        }
        assert!(answer("page.css").is_err());
        let licence = std::str::from_utf8(ASSETS[5].bytes).unwrap();
        assert!(licence.contains("MIT License") && licence.contains("Leon Sorokin"));
        let library = std::str::from_utf8(ASSETS[3].bytes).unwrap();
        assert!(
            library.contains("v1.6.32"),
            "the README beside it says which"
        );
    }
}
