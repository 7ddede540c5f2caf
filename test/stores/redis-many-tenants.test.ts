import { expect, it } from 'vitest'
import { readEvents } from '../../adapters/stores/redis/activity.js'
import type { Connection } from '../../adapters/stores/redis/connection.js'
import { storedEvent } from '../support/records.js'

it.each(['newest', 'oldest'] as const)(
  'reads events of thousands of Redis tenants, %s first, from the log in steps of a thousand',
  async (order) => {
    const places = Array.from({ length: 3_000 }, (_, at) => at + 1)
    if (order === 'newest') places.reverse()
    const asked: { readonly keys: number; readonly wanted: unknown }[] = []
    const run: Connection['run'] = async (_script, [choices, after, wanted]) => {
      asked.push({ keys: Math.max(...(JSON.parse(String(choices)) as unknown[][]).map((keys) => keys.length)), wanted })
      const start = after === '' ? 0 : places.indexOf(Number(after)) + 1
      const rows = places.slice(start, start + Number(wanted)).flatMap((seq) => {
        const event = storedEvent({ prefix: 'acme_test', id: `e${seq}`, tenantId: seq % 1_000 === 0 ? 't-7' : 'another' })
        return [seq, event.id, JSON.stringify(event)]
      })
      return order === 'newest' ? rows : [start + Number(wanted) < places.length ? 1 : 0, ...rows]
    }
    const tenantIds = Array.from({ length: 10_000 }, (_, at) => `t-${at}`)
    const page = await readEvents({ run } as Connection, {
      prefix: 'acme_test',
      tenantIds,
      ...(order === 'oldest' && { order }),
      limit: 50,
    })
    expect(page.map(({ seq }) => seq).sort()).toEqual([1000, 2000, 3000])
    expect(asked.slice(0, 3)).toEqual(Array.from({ length: 3 }, () => ({ keys: 1, wanted: 1_000 })))
  },
)
