import { describe, expect, it } from 'vitest'
import { Tail } from '../../../src/extensions/relay/tail.js'
import type { FeedPage } from '../../../src/store/port.js'

const reached = (cursor: string, target: string): boolean => Number(cursor) >= Number(target)

/** A page whose entries are the numbers after `from` through `to`. */
function page(from: number, to: number, fields: Partial<FeedPage> = {}): FeedPage {
  const ids = Array.from({ length: to - from }, (_, at) => String(from + at + 1))
  return { cursor: String(to), ids, owners: [], bulk: [], everything: false, more: false, ...fields }
}

function tailOf(...cursors: readonly number[]): Tail {
  const [start = 0, ...ends] = cursors
  const tail = new Tail(String(start), reached)
  let from = start
  for (const to of ends) {
    tail.extend(String(from), page(from, to), 0)
    from = to
  }
  return tail
}

describe('the last pages of the feed', () => {
  it('a tail returns all later pages to a node at a page boundary', () => {
    const tail = tailOf(10, 12, 15, 15, 20)
    expect([10, 12, 15].map((after) => tail.answer(String(after), 100))).toEqual([page(10, 20), page(12, 20), page(15, 20)])
    expect(tail.answer('20', 100)).toEqual({ ...page(20, 20), ids: [] })
  })

  it('a tail returns the whole page to a node in the middle of that page', () => {
    expect(tailOf(10, 12, 15, 20).answer('13', 100)).toEqual(page(12, 20))
  })

  it('a tail does not answer nodes that are ahead of it or too far behind', () => {
    const tail = tailOf(10, 12, 15)
    expect([tail.answer('16', 100), tail.answer('9', 100), tail.answer('somewhere else', 100)]).toEqual([undefined, undefined, undefined])
  })

  it('a tail returns whole pages up to the limit and reports whether there are more', () => {
    const tail = tailOf(10, 12, 15, 20)
    expect(tail.answer('10', 5)).toEqual(page(10, 15, { more: true }))
    expect(tail.answer('15', 4)).toBeUndefined()
  })

  it('a tail drops everything before a page that reports that anything may have changed', () => {
    const tail = tailOf(10, 12)
    tail.extend('12', { ...page(30, 30), everything: true }, 0)
    tail.extend('30', page(30, 32), 0)
    expect(tail.answer('12', 100)).toEqual({ ...page(32, 32), everything: true })
    expect(tail.answer('30', 100)).toEqual(page(30, 32))
  })

  it('a tail ignores a shorter read and accepts a longer read', () => {
    const tail = tailOf(10, 12)
    tail.extend('12', page(12, 20), 0)
    tail.extend('12', page(12, 14), 0)
    expect(tail.answer('12', 100)).toEqual(page(12, 20))
    tail.extend('12', page(12, 22), 0)
    expect(tail.answer('12', 100)).toEqual(page(12, 22))
    expect([tail.covers('22'), tail.covers('23')]).toEqual([true, false])
  })

  it('a tail is bounded in pages, entries and age', () => {
    const many = tailOf(...Array.from({ length: 1_000 }, (_, at) => at))
    expect([many.answer('10', 10_000), many.answer('998', 10)]).toEqual([undefined, page(998, 999)])
    const large = tailOf(...Array.from({ length: 50 }, (_, at) => at * 1_000))
    expect([large.answer('1000', 100_000), large.answer('48000', 1_000)?.ids.length]).toEqual([undefined, 1_000])
    const old = tailOf(10, 12)
    old.extend('12', page(12, 14), 61_000)
    expect([old.answer('10', 100), old.answer('12', 100)]).toEqual([undefined, page(12, 14)])
  })
})
