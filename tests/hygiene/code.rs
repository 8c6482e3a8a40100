//! Rust source as code alone: comments and literals blanked, then cut into tokens.

/// The text with comments and literals as spaces; what is left stays on its line.
pub(crate) fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&first) = chars.get(at) {
        let end = end_of_prose(&chars, at);
        if end == at {
            code.push(first);
            at += 1;
        } else {
            let prose = &chars[at..end.min(chars.len())];
            code.extend(prose.iter().map(|&c| if c == '\n' { c } else { ' ' }));
            at = end;
        }
    }
    code
}

/// Where the comment or literal that begins at `at` ends; `at` if none begins there.
fn end_of_prose(chars: &[char], at: usize) -> usize {
    let is = |offset: usize, c: char| chars.get(at + offset) == Some(&c);
    match chars[at] {
        '/' if is(1, '/') => find(chars, at, |rest| rest[0] == '\n'),
        '/' if is(1, '*') => end_of_block(chars, at),
        '"' => end_of_quoted(chars, at, '"'),
        '\'' if is(1, '\\') || (is(2, '\'') && !is(1, '\'')) => end_of_quoted(chars, at, '\''),
        'r' if at == 0 || !is_word(chars[at - 1]) || chars[at - 1] == 'b' => {
            end_of_raw(chars, at).unwrap_or(at)
        }
        _ => at,
    }
}

fn find(chars: &[char], from: usize, is_end: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len())
        .find(|&at| is_end(&chars[at..]))
        .unwrap_or(chars.len())
}

/// Block comments nest.
fn end_of_block(chars: &[char], from: usize) -> usize {
    let (mut depth, mut at) = (0, from);
    while at < chars.len() {
        match chars[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_quoted(chars: &[char], from: usize, quote: char) -> usize {
    let mut at = from + 1;
    while let Some(&c) = chars.get(at) {
        at += match c {
            '\\' => 2,
            c if c == quote => return at + 1,
            _ => 1,
        };
    }
    at
}

fn end_of_raw(chars: &[char], from: usize) -> Option<usize> {
    let hashes = chars[from + 1..].iter().take_while(|&&c| c == '#').count();
    let start = from + 1 + hashes;
    // Otherwise it is a word such as `ready` or `r#type`.
    if chars.get(start) != Some(&'"') {
        return None;
    }
    let close: Vec<char> = "\"".chars().chain("#".repeat(hashes).chars()).collect();
    Some(find(chars, start + 1, |rest| rest.starts_with(&close)) + close.len())
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A word, `::`, or one other character.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(is_word)
    }
}

/// The code of a text, without the items that are compiled for tests alone.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (number, line) in blanked(text).lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let end = match first {
                c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                _ if rest.starts_with("::") => 2,
                c => c.len_utf8(),
            };
            let (text, after) = rest.split_at(end);
            let (line, text) = (number + 1, text.to_owned());
            tokens.push(Token { line, text });
            rest = after.trim_start();
        }
    }
    without_test_items(&tokens)
}

fn without_test_items(tokens: &[Token]) -> Vec<Token> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let rest = &tokens[at..];
        if rest.len() >= ATTRIBUTE.len() && rest.iter().zip(ATTRIBUTE).all(|(t, a)| t.is(a)) {
            at += ATTRIBUTE.len();
            at += length_of_item(&tokens[at..]);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Up to `;`, or up to the end of the first block of what ends with one.
fn length_of_item(tokens: &[Token]) -> usize {
    const END_WITH_SEMICOLON: [&str; 4] = ["use", "const", "static", "let"];
    let (mut depth, mut semicolon) = (0, false);
    for (at, token) in tokens.iter().enumerate() {
        semicolon |= depth == 0 && END_WITH_SEMICOLON.iter().any(|word| token.is(word));
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        let ends = if semicolon || depth > 0 {
            token.is(";")
        } else {
            token.is(";") || token.is("}")
        };
        if ends && depth <= 0 {
            return at + 1;
        }
    }
    tokens.len()
}

#[test]
fn neither_comments_nor_literals_are_code() {
    let words = |text| {
        let words: Vec<String> = tokens(text).into_iter().map(|t| t.text).collect();
        words.join(" ")
    };
    assert_eq!(words("a // use b\nc"), "a c");
    assert_eq!(words("a /* use /* b */ } */ c"), "a c");
    assert_eq!(words(r#"a("} \" use b") c"#), "a ( ) c");
    assert_eq!(words("a(r#\"use \" b\"#, br\"}\") c"), "a ( , b ) c");
    assert_eq!(words(r"f('{', '\'', b'\\') c"), "f ( , , b ) c");
    assert_eq!(
        words("f<'a>(x: &'a ready) r"),
        "f < ' a > ( x : & ' a ready ) r"
    );
    assert_eq!(tokens("a\n\n  \"x\ny\" b")[1].line, 4);
}

#[test]
fn what_is_compiled_for_tests_alone_is_left_out() {
    let words = |text| tokens(text).len();
    assert_eq!(words("#[cfg(test)] use a::{b, c}; d"), 1);
    assert_eq!(words("#[cfg(test)] #[cfg(unix)] mod a { fn b() {} } d"), 1);
    assert_eq!(words("#[cfg(test)] const A: [u8; 2] = [1; 2]; d"), 1);
    assert_eq!(
        words("#[cfg(test)] pub(crate) fn a(x: [u8; 2]) { x; } d"),
        1
    );
    assert_eq!(words("#[cfg(unix)] mod a;"), 10);
}
