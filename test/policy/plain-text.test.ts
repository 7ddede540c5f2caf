import { expect, it } from 'vitest'
import { toPlain, whyNotPlain } from '../../src/policy/plain-text.js'

const why = (text: string): string | undefined => whyNotPlain(text, 1, 200)

const INVISIBLE = [
  0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x180b, 0x180e, 0x200b, 0x200c, 0x200d, 0x200e, 0x2028, 0x2029, 0x202e, 0x2060, 0x2066,
  0x2800, 0x3164, 0xfe00, 0xfe0e, 0xfe0f, 0xfeff, 0xffa0, 0xfff9, 0xfffa, 0xfffb, 0x1bca0, 0x1d173, 0x1d17a, 0xe0001, 0xe0041, 0xe007f,
  0xe0100, 0xe01ef,
]

it.each(INVISIBLE.map((code) => [code.toString(16), String.fromCodePoint(code)]))(
  'U+%s is rejected where it is invisible',
  (_hex, char) => {
    for (const text of [char, `a${char}b`, `${char}a`, `a${char}`, `a ${char}${char}`, `1${char}`]) {
      expect([text, why(text)]).toEqual([text, 'must not contain invisible or direction-changing characters'])
    }
    expect(toPlain(`a${char}b`)).toBe('ab')
  },
)

it.each([
  ['Arabic with marks', 'مُحَمَّد'],
  ['Persian with a non-joiner', 'می\u200cخواهم'],
  ['Hindi with a joiner', 'क्\u200dष राज्य'],
  ['Sinhala with a joiner', 'ශ්\u200dරී'],
  ['Japanese with a variant character', '葛\u{e0100}城'],
  ['Mongolian with a variant letter', 'ᠠ\u180b'],
  ['Hebrew', 'שָׁלוֹם'],
  ['Korean', '김철수 한글'],
  ['a family', '👨\u200d👩\u200d👧\u200d👦'],
  ['a woman with a skin tone at a computer', '👩🏽\u200d💻'],
  ['a rainbow flag', '🏳\ufe0f\u200d🌈'],
  ['a red heart, on fire', '❤\ufe0f and ❤\ufe0f\u200d🔥'],
  ['keycaps', '1\ufe0f\u20e3 #\ufe0f\u20e3'],
  [
    'the flags of England, Scotland and Wales',
    '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}🏴\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}',
  ],
])('%s is accepted as plain text', (_what, text) => {
  expect(why(text)).toBeUndefined()
})

it.each([
  ['a pair of joiners', '👨\u200d\u200d👩'],
  ['a pair of selectors', '❤\ufe0f\ufe0f'],
  ['a message in tag characters', '🏴\u{e0068}\u{e0069}\u{e007f}'],
  ['a selector after a letter of another script', 'я\ufe0f'],
  ['a joiner after a filler', '\u3164\u200dя'],
  ['a variation selector after a Latin letter', 'é\u{e0100}'],
])('%s is rejected because it hides something', (_what, text) => {
  expect(why(text)).toBe('must not contain invisible or direction-changing characters')
})
