//! The same JSON in another spelling.

/// Other white space between the marks, and some letters and digits in texts as escapes (names of members stay as they are: what a
/// re-send renews is told by them, as spelled). `json` must be JSON; of what is none something comes out.
pub fn respelled(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() * 4);
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => {
                let end = text_end(json, at);
                let text = &json[at..end];
                let behind = json[end..].trim_ascii_start().first();
                if behind == Some(&b':') {
                    out.extend_from_slice(text);
                } else {
                    escape(text, &mut out);
                }
                at = end;
                continue;
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'{' | b'[' | b',' | b':' => out.extend_from_slice(&[byte, b'\n', b' ']),
            b'}' | b']' => out.extend_from_slice(&[b'\t', byte]),
            _ => out.push(byte),
        }
        at += 1;
    }
    out
}

/// Behind the quote that closes the text which opens at `at`.
fn text_end(json: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(byte) = json.get(end) {
        match byte {
            b'"' => return end + 1,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    json.len()
}

fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte == b'\\' {
            // An escape stays one, with its four digits where it has them.
            let length = if text.get(at + 1) == Some(&b'u') {
                6
            } else {
                2
            };
            let end = text.len().min(at + length);
            out.extend_from_slice(&text[at..end]);
            at = end;
            continue;
        }
        if byte.is_ascii_alphanumeric() && byte % 3 == 0 {
            out.extend_from_slice(format!("\\u{byte:04X}").as_bytes());
        } else {
            out.push(byte);
        }
        at += 1;
    }
}
