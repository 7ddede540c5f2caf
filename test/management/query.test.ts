import { expect, it } from 'vitest'
import * as z from 'zod'
import { readQuery } from '../../src/management/query.js'

const shape = z.strictObject({ limit: z.number().optional(), search: z.string().optional() })

const MADE = Array.from({ length: 5000 }, (_, at): [string, string] => [`x${at}`, '1'])

it('readQuery() stops reading at the first unknown name', () => {
  const made = new URLSearchParams(MADE)
  expect(Object.keys(readQuery(made, shape))).toHaveLength(3)
  const known = new URLSearchParams([['limit', '7'], ['search', 'a'], ...MADE])
  expect(readQuery(known, shape)).toEqual({ limit: 7, search: 'a', x0: '1' })
  expect(readQuery(new URLSearchParams('search=a&limit=7&search=b'), shape)).toEqual({ limit: 7, search: ['a', 'b'] })
})
