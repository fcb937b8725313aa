//! The line and the column of a place in a JSON text that a JSON pointer names.

/// Line and column, from 1, of the value that `pointer` (RFC 6901) names in `text`, or of the
/// nearest value around it that is there. `text` is JSON.
pub(super) fn of(text: &str, pointer: &str) -> (usize, usize) {
    let mut wanted: Vec<String> =
        pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
    wanted.reverse();
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, found: 0 };
    scan.value(&mut wanted, true);
    let before = &text.as_bytes()[..scan.found.min(text.len())];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    (line, 1 + String::from_utf8_lossy(&before[start..]).chars().count())
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the innermost value on the way begins.
    found: usize,
}

impl Scan<'_> {
    fn peek(&mut self) -> u8 {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied().unwrap_or_default()
    }

    /// Passes a value; on the way it is the one, or holds the one, that is looked for.
    fn value(&mut self, wanted: &mut Vec<String>, on_the_way: bool) {
        let first = self.peek();
        if on_the_way {
            self.found = self.at;
        }
        match first {
            b'{' => self.members(wanted, on_the_way, b'}'),
            b'[' => self.members(wanted, on_the_way, b']'),
            b'"' => drop(self.text()),
            _ => {
                let ends = |byte: &u8| b",]} \n\r\t".contains(byte);
                while self.bytes.get(self.at).is_some_and(|byte| !ends(byte)) {
                    self.at += 1;
                }
            }
        }
    }

    fn members(&mut self, wanted: &mut Vec<String>, on_the_way: bool, close: u8) {
        self.at += 1;
        let mut number = 0_usize;
        while self.peek() != close && self.at < self.bytes.len() {
            let key = if close == b'}' {
                let key = self.text();
                if self.peek() == b':' {
                    self.at += 1;
                }
                key
            } else {
                number.to_string()
            };
            let here = on_the_way && wanted.last() == Some(&key);
            if here {
                wanted.pop();
            }
            let before = self.at;
            self.value(wanted, here);
            if here {
                // What is wanted of what lies behind is not on the way any more.
                wanted.clear();
            }
            number += 1;
            if self.peek() == b',' {
                self.at += 1;
            } else if self.at == before {
                return;
            }
        }
        self.at += 1;
    }

    /// Passes a text in quotes; escapes of keys are those that pointers do not need.
    fn text(&mut self) -> String {
        let start = self.at + 1;
        self.at = start;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        let end = self.at.min(self.bytes.len());
        self.at += 1;
        String::from_utf8_lossy(self.bytes.get(start..end).unwrap_or_default()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_have_lines_and_columns() {
        let text = "{\n  \"a\": [1, {\"b\": \"x]\\\"\",\n    \"c\": null}],\n  \"d\": 2\n}";
        let cases = [
            ("", (1, 1)),
            ("/a", (2, 8)),
            ("/a/0", (2, 9)),
            ("/a/1/b", (2, 18)),
            ("/a/1/c", (3, 10)),
            ("/a/1/missing/deep", (2, 12)),
            ("/d", (4, 8)),
            ("/nothing", (1, 1)),
        ];
        for (pointer, expected) in cases {
            assert_eq!(of(text, pointer), expected, "{pointer}");
        }
    }
}
