//! As much JSON as a small plugin needs: values read, texts written.

use std::iter::Peekable;
use std::str::Chars;

/// Deeper than this nobody writes by hand, and the stack of a plugin is small.
const MAX_DEPTH: usize = 64;

pub enum Value {
    Null,
    True,
    False,
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Goes down by the names in `path`.
    pub fn find(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self, |value, name| match value {
            Value::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, found)| found),
            _ => None,
        })
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The value that `text` holds, or what is wrong with it.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { rest: text.chars().peekable() };
    let value = reader.value(0)?;
    reader.space();
    match reader.rest.next() {
        None => Ok(value),
        Some(sign) => Err(format!("`{sign}` behind the JSON")),
    }
}

/// `text` as JSON, between quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for sign in text.chars() {
        match sign {
            '"' | '\\' => {
                out.push('\\');
                out.push(sign);
            }
            '\u{0}'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", sign as u32)),
            _ => out.push(sign),
        }
    }
    out.push('"');
    out
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Reader<'_> {
    fn space(&mut self) {
        while self.rest.next_if(|sign| " \n\r\t".contains(*sign)).is_some() {}
    }

    /// The next sign that is no space.
    fn sign(&mut self) -> Result<char, String> {
        self.space();
        self.rest.next().ok_or_else(|| "the JSON ends too early".to_string())
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        match self.sign()? {
            sign if sign == wanted => Ok(()),
            sign => Err(format!("`{sign}` where JSON has `{wanted}`")),
        }
    }

    /// Whether an empty list or object ends here.
    fn ends(&mut self, end: char) -> bool {
        self.space();
        self.rest.next_if_eq(&end).is_some()
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err("the JSON is nested too deeply".into());
        }
        match self.sign()? {
            '"' => Ok(Value::Text(self.text()?)),
            '[' => self.list(depth),
            '{' => self.object(depth),
            first => self.word(first),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        if self.ends(']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            match self.sign()? {
                ',' => {}
                ']' => return Ok(Value::List(items)),
                sign => return Err(format!("`{sign}` in a list")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        let mut members = Vec::new();
        if self.ends('}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.expect('"')?;
            let name = self.text()?;
            self.expect(':')?;
            members.push((name, self.value(depth + 1)?));
            match self.sign()? {
                ',' => {}
                '}' => return Ok(Value::Object(members)),
                sign => return Err(format!("`{sign}` in an object")),
            }
        }
    }

    fn word(&mut self, first: char) -> Result<Value, String> {
        let mut word = String::from(first);
        while let Some(sign) = self.rest.next_if(|sign| !",]} \n\r\t".contains(*sign)) {
            word.push(sign);
        }
        match word.as_str() {
            "null" => Ok(Value::Null),
            "true" => Ok(Value::True),
            "false" => Ok(Value::False),
            _ if first == '-' || first.is_ascii_digit() => Ok(Value::Number(word)),
            _ => Err(format!("`{word}` is no JSON")),
        }
    }

    /// Behind the opening quote.
    fn text(&mut self) -> Result<String, String> {
        let mut out = String::new();
        loop {
            match self.rest.next().ok_or("a text does not end")? {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                sign => out.push(sign),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let sign = self.rest.next().ok_or("a text does not end")?;
        let plain = match sign {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(),
            _ => sign,
        };
        Ok(plain)
    }

    /// Behind `\u`; half of a pair that stands alone reads as U+FFFD.
    fn unicode(&mut self) -> Result<char, String> {
        let first = self.hex()?;
        let mut code = first;
        if (0xd800..0xdc00).contains(&first) && self.rest.next_if_eq(&'\\').is_some() {
            self.rest.next_if_eq(&'u').ok_or("half of a pair of surrogates")?;
            let second = self.hex()?;
            code = 0x10000 + ((first - 0xd800) << 10) + (second.wrapping_sub(0xdc00) & 0x3ff);
        }
        Ok(char::from_u32(code).unwrap_or('\u{fffd}'))
    }

    fn hex(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            let sign = self.rest.next().ok_or("a text does not end")?;
            code = code * 16 + sign.to_digit(16).ok_or("`\\u` without four digits")?;
        }
        Ok(code)
    }
}
