import { describe, expect, it } from 'vitest'
import { History } from './history.js'
import type { Report } from './protocol.js'

const nothing: Report = { accepted: [], refused: [], again: [], verifications: 0, unavailable: 0, outages: [] }
const ended = { began: 900, ended: 1000 }

function withToken(): History {
  const history = new History(2000)
  history.made({ id: 'a', token: 't' })
  return history
}

describe('the history of a soak test', () => {
  it('the soak history accepts a verification within the bound after an acknowledged revocation', () => {
    const history = withToken()
    history.ending('a', 900)
    history.done('revoke', ended, ['a'])
    history.seen('node 1', { ...nothing, accepted: [['a', 3000]] })
    expect(history.violations).toEqual([])
    expect(history.latestMs).toBe(2000)
  })

  it('the soak history reports an acceptance past the bound, whether the verification or the revocation is reported first', () => {
    const [first, second] = [withToken(), withToken()]
    for (const history of [first, second]) history.ending('a', 900)
    first.done('revoke', ended, ['a'])
    first.seen('node 1', { ...nothing, accepted: [['a', 3000.5]] })
    second.seen('node 1', { ...nothing, accepted: [['a', 3000.5]] })
    second.done('revoke', ended, ['a'])
    for (const history of [first, second]) expect(history.violations).toEqual(['a was accepted 0.5 ms past the bound'])
  })

  it('the soak history reports nothing about an end that was never acknowledged', () => {
    const history = withToken()
    history.ending('a', 900)
    history.seen('node 1', { ...nothing, accepted: [['a', 9000]] })
    expect(history.violations).toEqual([])
  })

  it('the soak history reports a refused token that was never revoked, and an acceptance after a refusal', () => {
    const history = withToken()
    history.seen('node 1', { ...nothing, refused: [['a', 'token_invalid', 500]] })
    history.ending('a', 900)
    history.seen('node 2', { ...nothing, refused: [['a', 'token_revoked', 950]], again: ['a'] })
    expect(history.violations).toEqual([
      'node 1 answered token_invalid for a token that was never revoked',
      'node 2 accepted a again after refusing it',
    ])
  })

  it('the soak history reports how long requests with a token got 503 in outages that began while there was no primary', () => {
    const history = new History(2000)
    const outages = [
      [0, 900],
      [1000, 1400],
      [1900, 2600],
      [2500, 9000],
    ] as const
    history.seen('a', { ...nothing, outages })
    history.seen('b', { ...nothing, outages: [[1000, 5000]] })
    expect(history.longestOutageMs('a', [[1000, 2000]])).toBe(700)
    expect(history.longestOutageMs('a', [])).toBe(0)
  })
})
