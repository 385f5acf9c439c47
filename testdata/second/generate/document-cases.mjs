// Vectors at the level of bytes: strict JSON, RFC 8785, canonical payloads, base64, DSSE's encoding.

import { jcs, pae } from '../bytes.mjs';
import { MAX_DEPTH, parseStrict } from '../strictjson.mjs';

const STRICT = 'decision 3; RFC 8259; RFC 7493';
const utf8 = (text) => Buffer.from(text, 'utf8');
const around = (before, bytes, after) => Buffer.concat([utf8(before), Buffer.from(bytes), utf8(after)]);
const input = (bytes) => ({ input_base64: Buffer.from(bytes).toString('base64') });
const nested = (open, close, times) => ({ input_parts: [{ text: open, times }, { text: close, times }] });

const GOOD = {
  'scalar-at-top': ['a scalar is a document', '"x"'],
  'white-space': ['all four kinds of white space, around and within', ' \t\r\n{ "a" :\n[ 1 , 2 ] } \n'],
  'escapes': ['every escape', String.raw`"\" \\ \/ \b \f \n \r \t \u00e9 \uD83D\uDE00"`],
  'delete-character': ['U+007F and U+2028 need no escape', '"\u007f\u2028"'],
  'nul-escaped': ['an escaped NUL is a character', String.raw`"\u0000"`],
  'number-smallest': ['the smallest subnormal', '5e-324'],
  'number-largest': ['the largest double', '1.7976931348623157e308'],
  'number-underflow': ['what underflows is zero, not an error', '[1e-400, -1e-400]'],
  'number-inexact-integer': ['an integer that a double cannot hold is rounded', '9007199254740993'],
  'number-minus-zero': ['minus zero', '-0'],
  'number-long-fraction': ['more digits than a double holds', `0.${'3'.repeat(400)}`],
  'names-differ-in-case': ['member names are compared exactly', '{"name":1,"Name":2,"NAME":3}'],
  'names-differ-in-normalisation': ['nothing is normalised: é composed and é decomposed are two names', '{"\u00e9":1,"e\u0301":2}'],
  'name-empty': ['the empty name is a name', '{"":1}'],
  'name-proto': ['names that mean something to a programming language', '{"__proto__":{"a":1},"constructor":2,"toJSON":3,"hasOwnProperty":4}'],
  'same-name-in-siblings': ['one name in two objects is no duplicate', '[{"a":1},{"a":1},{"b":{"a":1},"a":2}]'],
};

const BAD = {
  'empty': ['no document', ''],
  'white-space-only': ['no document', ' \n'],
  'bom': ['a byte order mark', around('', [0xef, 0xbb, 0xbf], '{}')],
  'trailing-text': ['text behind the document', '{} x'],
  'trailing-document': ['a second document', '{}{}'],
  'trailing-nul': ['a NUL behind the document', '{}\u0000'],
  'trailing-comma-array': ['a comma too many', '[1,]'],
  'trailing-comma-object': ['a comma too many', '{"a":1,}'],
  'comment': ['a comment', '{"a":1/* one */}'],
  'single-quotes': ["single quotes", "{'a':1}"],
  'bare-name': ['a name without quotes', '{a:1}'],
  'unterminated-string': ['the document ends in a string', '"abc'],
  'unterminated-object': ['the document ends in an object', '{"a":1'],
  'word-case': ['True is not true', 'True'],
  'nan': ['NaN', 'NaN'],
  'infinity': ['-Infinity', '-Infinity'],
  'control-character': ['a line feed in a string must be escaped', '"a\nb"'],
  'non-ascii-space': ['a no-break space is not white space', '[1,\u00a02]'],
  'escape-unknown': ['an unknown escape', String.raw`"\x41"`],
  'escape-short': ['\\u with three digits', String.raw`"\u12"`],
  'duplicate': ['a member twice, with one value', '{"a":1,"a":1}'],
  'duplicate-by-escape': ['a member twice, one of them spelled with an escape', String.raw`{"a":1,"\u0061":2}`],
  'duplicate-surrogate-escape': ['a member twice, one of them spelled with a surrogate pair', String.raw`{"😀":1,"\uD83D\uDE00":2}`],
  'duplicate-nested': ['a member twice, deep within', '{"a":[{"b":{"c":1,"d":2,"c":3}}]}'],
  'duplicate-proto': ['a member twice that an object with a prototype would hide', '{"__proto__":1,"__proto__":2}'],
  'utf8-truncated': ['a UTF-8 sequence cut short', around('"', [0xe2, 0x82], '"')],
  'utf8-continuation': ['a continuation byte alone', around('"', [0x80], '"')],
  'utf8-overlong': ['an overlong slash', around('"', [0xc0, 0xaf], '"')],
  'utf8-overlong-nul': ['an overlong NUL', around('"', [0xc0, 0x80], '"')],
  'utf8-encoded-surrogate': ['a surrogate encoded in three bytes', around('"', [0xed, 0xa0, 0x80], '"')],
  'utf8-beyond-unicode': ['U+110000', around('"', [0xf4, 0x90, 0x80, 0x80], '"')],
  'utf8-in-a-name': ['invalid UTF-8 in a member name', around('{"', [0xff], '":1}')],
  'utf-16': ['UTF-16', around('', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00], '')],
  'surrogate-high-alone': ['a high surrogate alone', String.raw`"\uD83D"`],
  'surrogate-low-alone': ['a low surrogate alone', String.raw`"\uDE00"`],
  'surrogates-swapped': ['a pair the wrong way round', String.raw`"\uDE00\uD83D"`],
  'surrogate-high-twice': ['two high surrogates', String.raw`"\uD83D\uD83D\uDE00"`],
  'surrogate-in-a-name': ['a lone surrogate in a member name', String.raw`{"\uD800":1}`],
  'number-1e400': ['beyond the largest double', '1e400'],
  'number-minus-1e400': ['beyond the largest double', '[-1e400]'],
  'number-just-beyond': ['rounds to infinity', '1.7976931348623159e308'],
  'number-400-digits': ['an integer beyond the largest double', '9'.repeat(400)],
  'number-leading-zero': ['01', '01'],
  'number-plus': ['+1', '+1'],
  'number-no-integer': ['.5', '.5'],
  'number-no-fraction': ['1.', '1.'],
  'number-empty-exponent': ['1e', '1e'],
  'number-hexadecimal': ['0x10', '0x10'],
  'number-underscore': ['1_000', '1_000'],
  'number-minus-alone': ['-', '-'],
};

function* strictJSON() {
  for (const [name, [description, text]] of Object.entries(GOOD)) yield [name, { description, mis: STRICT, expect: 'valid', ...input(text) }];
  for (const [name, [description, text]] of Object.entries(BAD)) {
    yield [name, { description: `${description}: refused`, mis: STRICT, expect: 'invalid', ...input(text) }];
  }
  const deep = { mis: 'decision 3; this project\'s bound' };
  yield ['depth-at-the-bound', { ...deep, description: `${MAX_DEPTH} arrays in each other`, expect: 'valid', ...nested('[', ']', MAX_DEPTH) }];
  yield ['depth-beyond-the-bound', { ...deep, description: `${MAX_DEPTH + 1} arrays in each other`, expect: 'invalid', ...nested('[', ']', MAX_DEPTH + 1) }];
  yield ['depth-100000-arrays', { ...deep, description: '100,000 arrays in each other', expect: 'invalid', ...nested('[', ']', 100000) }];
  const objects = { input_parts: [{ text: '{"a":', times: 100000 }, { text: '1', times: 1 }, { text: '}', times: 100000 }] };
  yield ['depth-100000-objects', { ...deep, description: '100,000 objects in each other', expect: 'invalid', ...objects }];
  yield ['depth-100000-unclosed', { ...deep, description: '100,000 opening brackets', expect: 'invalid', input_parts: [{ text: '[', times: 100000 }] }];
}

// What is canonicalised, and why; the outputs are computed.
const FORMS = {
  'sorts-members': ['members by their names, at every level', '{"b":{"d":1,"c":2},"a":[{"z":1,"y":2}]}'],
  'sorts-by-utf-16': ['by UTF-16 code units: U+1F600 stands before U+FB33', '{"\ufb33":1,"\u{1f600}":2,"\u00e9":3,"a":4,"A":5,"1":6,"":7}'],
  'sorts-digits-as-text': ['10 stands before 9: names are text', '{"9":1,"10":2,"1":3}'],
  'prefix-first': ['a name stands before what it begins', '{"ab":1,"a":2,"abc":3}'],
  'keeps-array-order': ['arrays are not sorted', '[3,1,2,"b","a"]'],
  'white-space-goes': ['no white space remains', '{ "a" : [ 1 , { } , [ ] ] }'],
  'escapes-needed': ['only what must be escaped is, in the short form where there is one', String.raw`"\u0000\u0001\b\t\n\u000b\f\r\u001f\u0020\"\/\\\u007f\u0080\u2028\u00e9\ud83d\ude00"`],
  'no-normalisation': ['composed and decomposed é stay what they are', '["\u00e9","e\u0301"]'],
  'numbers-integers': ['integers', '[0,-0,1.0,10.00,1e2,-5,100000000000000000000,1e20,1E+21,9007199254740991,9007199254740992,9007199254740993]'],
  'numbers-fractions': ['fractions', '[0.1,0.10,1.5e0,0.000001,1e-6,1e-7,0.0000001,123456.789,4.35,0.002,333333333.33333329]'],
  'numbers-extremes': ['the ends of the range', '[5e-324,-5e-324,2.2250738585072014e-308,1.7976931348623157e308,1e-400,1e23,9.999999999999997e22,295147905179352830000]'],
  'words': ['words', ' [ true , false , null ] '],
  'name-proto': ['names that mean something to a programming language', '{"toJSON":1,"__proto__":{"b":1,"a":2},"constructor":3}'],
  'empty-object': ['{}', '{ }'],
  'scalar': ['a scalar', ' "x" '],
  'schema-of-27.1': ['the input schema of the standard\'s own vector', '{"type":"object","properties":{"query":{"type":"string","description":"Search keyword"},"max_results":{"type":"integer","default":10}},"required":["query"]}'],
};

function* canonicalization() {
  for (const [name, [description, text]] of Object.entries(FORMS)) {
    const outputs = { canonical_base64: jcs(parseStrict(utf8(text))).toString('base64') };
    yield [name, { description, mis: '§7.3; decision 4; RFC 8785', expect: 'valid', ...input(text), outputs }];
  }
}

const CANONICAL = {
  'canonical': ['the canonical form', '{"a":1,"b":[true,null,"é"]}', true],
  'canonical-control': ['a control character in its short form', String.raw`"\n"`, true],
  'white-space': ['a blank', '{"a": 1}', false],
  'trailing-newline': ['a line feed at the end', '{"a":1}\n', false],
  'order': ['members out of order', '{"b":1,"a":2}', false],
  'order-by-code-point': ['members by code point instead of UTF-16 code unit', '{"\ufb33":1,"\u{1f600}":2}', false],
  'escaped-letter': ['an escape that is not needed', String.raw`"\u0041"`, false],
  'escaped-slash': ['an escape that is not needed', String.raw`"\/"`, false],
  'escaped-long': ['the long form where a short one exists', String.raw`"\u000a"`, false],
  'escape-upper-case': ['hexadecimal digits in upper case', String.raw`"\u001F"`, false],
  'number-fraction': ['1.0', '[1.0]', false],
  'number-exponent': ['1e2', '[1e2]', false],
  'number-minus-zero': ['-0', '[-0]', false],
  'number-inexact': ['an integer that rounds to another', '[9007199254740993]', false],
  'duplicate': ['a duplicate member', '{"a":1,"a":1}', false],
};

function* canonical() {
  for (const [name, [description, text, good]] of Object.entries(CANONICAL)) {
    const said = good ? description : `${description}: not the canonical form`;
    yield [name, { description: said, mis: 'decision 3', expect: good ? 'valid' : 'invalid', ...input(text) }];
  }
}

const BASE64 = {
  'url-unpadded': ['the form that is written', '-_8', [0xfb, 0xff]],
  'url-padded': ['with padding', '-_8=', [0xfb, 0xff]],
  'standard-unpadded': ['the standard alphabet', '+/8', [0xfb, 0xff]],
  'standard-padded': ['the standard alphabet, with padding', '+/8=', [0xfb, 0xff]],
  'neutral': ['a text that is in both alphabets', 'QUJD', [0x41, 0x42, 0x43]],
  'one-byte': ['one byte', 'QQ', [0x41]],
  'one-byte-padded': ['one byte with padding', 'QQ==', [0x41]],
  'mixed-alphabets': ['both alphabets in one text', '+_8', null],
  'mixed-alphabets-far': ['both alphabets in one text', 'AAAA+AAA-AAA', null],
  'space': ['a blank', 'QU JD', null],
  'newline': ['a line feed at the end', 'QUJD\n', null],
  'newline-within': ['a line break within', 'QUJD\r\nQUJD', null],
  'stray-bits-one-byte': ['bits that belong to no byte', 'QR', null],
  'stray-bits-two-bytes': ['bits that belong to no byte', 'QUJ', null],
  'stray-bits-padded': ['bits that belong to no byte', 'QR==', null],
  'padding-half': ['half of the padding', 'QQ=', null],
  'padding-too-much': ['padding where none belongs', 'QUJD=', null],
  'padding-too-much-4': ['padding where none belongs', 'QUJD====', null],
  'padding-first': ['padding in front', '=QUJ', null],
  'padding-within': ['padding within', 'QQ==QQ==', null],
  'impossible-length': ['a single digit', 'Q', null],
  'impossible-length-5': ['five digits', 'QUJDQ', null],
  'foreign-character': ['a character of no alphabet', 'QU!D', null],
  'non-ascii': ['a letter that looks like one', 'QU\u0410D', null],
};

function* base64() {
  for (const [name, [description, text, bytes]] of Object.entries(BASE64)) {
    const verdict = bytes === null ? { expect: 'invalid' } : { expect: 'valid' };
    const outputs = bytes === null ? {} : { outputs: { bytes_base64: Buffer.from(bytes).toString('base64') } };
    yield [name, { description, mis: '§7.4; decision 5', ...verdict, input: text, ...outputs }];
  }
}

const PAE = {
  'dsse-example': ['the example of the DSSE specification', 'http://example.com/HelloWorld', 'hello world'],
  'manifest': ['a manifest\'s type', 'application/vnd.mcp-integrity.manifest+json', '{"a":1}'],
  'lengths-in-bytes': ['both lengths count bytes, not characters', 'application/é', 'é😀'],
  'empty': ['nothing has the length 0', '', ''],
};

function* preAuthentication() {
  for (const [name, [description, type, text]] of Object.entries(PAE)) {
    const outputs = { pae_base64: pae(type, utf8(text)).toString('base64') };
    yield [name, { description, mis: '§7.4; decision 1', expect: 'valid', payload_type: type, payload_base64: utf8(text).toString('base64'), outputs }];
  }
}

export const kinds = { json: strictJSON, canonicalization, canonical, base64, pae: preAuthentication };
