// Strict JSON: bytes to a value, or a refusal.
//
// JSON.parse cannot serve here: it takes the last of two duplicate members, it is handed text in which broken UTF-8 has
// already become U+FFFD, it keeps lone surrogates and turns 1e400 into Infinity. Each of these gives two readers two readings
// of one signed document. So: RFC 8259 to the letter, and beyond it RFC 7493's refusals of duplicate members, of lone
// surrogates and of numbers outside IEEE 754 binary64. What is within the range but not exact (9007199254740993, 1e-400)
// is rounded, as RFC 8785 has it.
//
// Objects come back without a prototype, so that a member called "__proto__" or "toJSON" is a member like any other.

// Nesting beyond which a document is refused: no tool schema comes near, and a recursive reader must stop somewhere.
export const MAX_DEPTH = 1000;

export class JSONRefused extends Error {
  constructor(message, offset) {
    super(`${message} at byte ${offset}`);
    this.name = 'JSONRefused';
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const WHITE = /[ \t\n\r]*/y;
const HEX4 = /[0-9a-fA-F]{4}/y;
const ESCAPES = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
const WORDS = [['true', true], ['false', false], ['null', null]];

/** Parses the bytes of exactly one JSON document. Throws JSONRefused. */
export function parseStrict(bytes) {
  let text;
  try {
    // fatal refuses overlong forms and encoded surrogates too; ignoreBOM keeps a BOM in the text, where the grammar refuses it.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JSONRefused('invalid UTF-8', 0);
  }
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.white();
  if (reader.at !== text.length) reader.refuse('text behind the document');
  return value;
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  refuse(message) {
    throw new JSONRefused(message, Buffer.byteLength(this.text.slice(0, this.at)));
  }

  // take runs a sticky expression at the present place and gives what it matched, or null.
  take(expression) {
    expression.lastIndex = this.at;
    const match = expression.exec(this.text);
    if (match === null) return null;
    this.at = expression.lastIndex;
    return match[0];
  }

  white() {
    this.take(WHITE);
  }

  value(depth) {
    this.white();
    const c = this.text[this.at];
    if (c === '{') return this.object(depth + 1);
    if (c === '[') return this.array(depth + 1);
    if (c === '"') return this.string();
    for (const [word, value] of WORDS) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  number() {
    const token = this.take(NUMBER);
    if (token === null) this.refuse('no value');
    const value = Number(token);
    if (!Number.isFinite(value)) this.refuse(`number ${token.slice(0, 40)} outside IEEE 754 binary64`);
    return value;
  }

  string() {
    this.at++;
    let out = '';
    for (;;) {
      out += this.take(PLAIN);
      const c = this.text[this.at];
      if (c === undefined) this.refuse('unterminated string');
      if (c === '"') break;
      if (c !== '\\') this.refuse('control character in a string');
      out += this.escape();
    }
    this.at++;
    if (!out.isWellFormed()) this.refuse('lone surrogate in a string');
    return out;
  }

  escape() {
    const c = this.text[this.at + 1];
    this.at += 2;
    if (c === 'u') {
      const hex = this.take(HEX4);
      if (hex === null) this.refuse('\\u without four hexadecimal digits');
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    if (c === undefined || !Object.hasOwn(ESCAPES, c)) this.refuse('unknown escape');
    return ESCAPES[c];
  }

  deeper(depth) {
    if (depth > MAX_DEPTH) this.refuse(`nested deeper than ${MAX_DEPTH}`);
    this.at++;
    this.white();
  }

  // more says whether another element follows: true behind a comma, false behind the closing bracket.
  more(close) {
    this.white();
    const c = this.text[this.at];
    if (c !== ',' && c !== close) this.refuse(`no comma and no ${close}`);
    this.at++;
    return c === ',';
  }

  array(depth) {
    this.deeper(depth);
    const out = [];
    if (this.text[this.at] === ']') {
      this.at++;
      return out;
    }
    do out.push(this.value(depth)); while (this.more(']'));
    return out;
  }

  object(depth) {
    this.deeper(depth);
    const out = Object.create(null);
    if (this.text[this.at] === '}') {
      this.at++;
      return out;
    }
    do {
      this.white();
      if (this.text[this.at] !== '"') this.refuse('no member name');
      const name = this.string();
      if (Object.hasOwn(out, name)) this.refuse(`duplicate member ${JSON.stringify(name).slice(0, 100)}`);
      this.white();
      if (this.text[this.at] !== ':') this.refuse('no colon');
      this.at++;
      out[name] = this.value(depth);
    } while (this.more('}'));
    return out;
  }
}
