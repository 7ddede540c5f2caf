import { describe, expect, it } from 'vitest'
import { FIELD_ROWS, type FieldKind } from '../../src/model/fields.js'
import type { StoredToken } from '../../src/model/record.js'
import { readStored } from '../../src/store/read-stored.js'

const TOKEN: StoredToken = {
  id: 'a'.repeat(16),
  version: 1,
  prefix: 'acme',
  digest: '0'.repeat(64),
  name: 'ERP',
  scopes: ['inventory:read'],
  createdAt: 1,
  createdBy: 'alice',
  updatedAt: 1,
}

const TEXT = ['', 'soon']
const WHOLE = [0, 7]
const FRACTION = [7.5]
const NOTHING = [[]]
const TEXTS = [['10.0.0.0/8']]
const EMPTY = [{}]
const OBJECT = [{ warehouse: 'w1' }]
const LISTS = [{ warehouse: ['w1'] }]
const YES = [true]
const NEVER = [null, Number.NaN, false, [1], 1n, Symbol('x'), () => 1]
const VALUES = [TEXT, WHOLE, FRACTION, NOTHING, TEXTS, EMPTY, OBJECT, LISTS, YES, NEVER]

const FITTING: { readonly [Kind in FieldKind]: readonly (readonly unknown[])[] } = {
  id: [TEXT],
  word: [TEXT],
  text: [TEXT],
  count: [WHOLE],
  instant: [WHOLE, FRACTION],
  duration: [WHOLE, FRACTION],
  grants: [NOTHING, TEXTS],
  resources: [EMPTY, LISTS],
  networks: [NOTHING, TEXTS],
  json: [EMPTY, OBJECT, LISTS],
  flag: [YES],
}

const read = (record: object): StoredToken => readStored<StoredToken>(record, 'test')

describe('a record as a store returned it', () => {
  it.each(FIELD_ROWS)('refuses a stored record, or makes its token invalid, if %s has the wrong type', (name, { kind, required }) => {
    for (const values of VALUES) {
      for (const value of values) {
        const record = { ...TOKEN, [name]: value }
        const what = `${name}: ${String(value)}`
        // A digest must also have the right format, and a required instant must be finite.
        const fits = name !== 'digest' && (kind !== 'instant' || required !== true || Number.isFinite(value))
        if (FITTING[kind].includes(values) && fits) expect(Reflect.get(read(record), name), what).toEqual(value)
        else if (kind === 'instant' && required !== true) expect(Reflect.get(read(record), name), what).toBeNaN()
        else expect(() => read(record), what).toThrow('not a token record')
      }
    }
  })

  it.each(FIELD_ROWS.filter(([, field]) => field.required).map(([name]) => name))('refuses a stored record without %s', (name) => {
    expect(() => read({ ...TOKEN, [name]: undefined })).toThrow('not a token record')
    const { [name]: _, ...rest } = TOKEN as unknown as Record<string, unknown>
    expect(() => read(rest)).toThrow('not a token record')
  })

  it('refuses a stored record with an invalid digest', () => {
    for (const digest of ['', '0'.repeat(63), 'A'.repeat(64), `${'0'.repeat(64)}\n`]) {
      expect(() => read({ ...TOKEN, digest })).toThrow('not a token record')
    }
  })

  it('reads a stored record once, so an object whose values change cannot affect the decision', () => {
    let asked = 0
    const shifty = {
      ...TOKEN,
      get scopes() {
        asked += 1
        return asked === 1 ? ['inventory:read'] : 'everything'
      },
    }
    expect(read(shifty)).toEqual(TOKEN)
    expect(asked).toBe(1)
  })

  it.each([undefined, null, 1, 'text', [], new Proxy({}, { ownKeys: () => ['x', 'x'] })])(
    'refuses a stored record that is not an object',
    (answer) => {
      expect(() => readStored(answer, 'test')).toThrow('not a token record')
    },
  )
})
